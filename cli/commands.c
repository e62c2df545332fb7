/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of what can be typed: parsing, help and completion are made from it. main knows it, and
 * it knows the commands; nobody else does. */
#include "cli.h"

/* clang-format off */
#define FLAG(name, key, help)               {name, CLI_FLAG, NULL, help, key, NULL, 0, false}
#define OFF(name, key, help)                {name, CLI_OFF, NULL, help, key, NULL, 0, false}
#define TEXT(name, value, key, help)        {name, CLI_TEXT, value, help, key, NULL, 0, false}
#define NEED(name, value, key, help)        {name, CLI_TEXT, value, help, key, NULL, 0, true}
#define PATH(name, value, key, help)        {name, CLI_FILE, value, help, key, NULL, 0, false}
#define OUTPUT(help)                        {"output", CLI_FILE, "FILE", help, NULL, NULL, 'o', false}
#define INTEGER(name, value, key, help)     {name, CLI_INTEGER, value, help, key, NULL, 0, false}
#define NEED_INTEGER(name, value, key, help) {name, CLI_INTEGER, value, help, key, NULL, 0, true}
#define NUMBER(name, value, key, help)      {name, CLI_NUMBER, value, help, key, NULL, 0, false}
#define TIME(name, key, help)               {name, CLI_TIME, "TIME", help, key, NULL, 0, false}
#define NEED_TIME(name, key, help)          {name, CLI_TIME, "TIME", help, key, NULL, 0, true}
#define DURATION(name, key, help)           {name, CLI_DURATION, "DURATION", help, key, NULL, 0, false}
#define LIST(name, value, key, help)        {name, CLI_LIST, value, help, key, NULL, 0, false}
#define PAIRS(name, value, key, help)       {name, CLI_PAIRS, value, help, key, NULL, 0, false}
#define WORDS(name, value, key, help)       {name, CLI_WORDS, value, help, key, NULL, 0, false}
#define HEADING(text)                       {text, CLI_HEADING, NULL, NULL, NULL, NULL, 0, false}
#define ONE_OF(name, choices, value, key, help) {name, CLI_TEXT, value, help, key, choices, 0, false}
#define OPTIONS_END                         {NULL, 0, NULL, NULL, NULL, NULL, 0, false}

#define ARG(name, key, help)                {name, key, CLI_ONE, help, CLI_TEXT}
#define ARG_MAYBE(name, key, help)          {name, key, CLI_OPTIONAL, help, CLI_TEXT}
#define ARG_FILE(name, help)                {name, NULL, CLI_ONE, help, CLI_FILE}
#define ARG_FILE_MAYBE(name, help)          {name, NULL, CLI_OPTIONAL, help, CLI_FILE}
#define ARG_INTEGER(name, key, help)        {name, key, CLI_ONE, help, CLI_INTEGER}
#define ARGS_END                            {NULL, NULL, CLI_ONE, NULL, CLI_TEXT}

/* Arguments of the operation: their texts are in lib/node/ops/; a help text here is added only
 * where the command itself does something. */
#define OP_FLAG(name, key)                  FLAG(name, key, NULL)
#define OP_TEXT(name, value, key)           TEXT(name, value, key, NULL)
#define OP_NEED(name, value, key)           NEED(name, value, key, NULL)
#define OP_INTEGER(name, value, key)        INTEGER(name, value, key, NULL)
#define OP_NEED_INTEGER(name, value, key)   NEED_INTEGER(name, value, key, NULL)
#define OP_TIME(name, key)                  TIME(name, key, NULL)
#define OP_NEED_TIME(name, key)             NEED_TIME(name, key, NULL)
#define OP_DURATION(name, key)              DURATION(name, key, NULL)
#define OP_LIST(name, value, key)           LIST(name, value, key, NULL)
#define OP_WORDS(name, value, key)          WORDS(name, value, key, NULL)
#define OP_PAIRS(name, value, key)          PAIRS(name, value, key, NULL)
#define OP_ONE_OF(name, choices, value, key) ONE_OF(name, choices, value, key, NULL)
#define OP_ARG(name, key)                   ARG(name, key, NULL)
#define OP_ARG_MAYBE(name, key)             ARG_MAYBE(name, key, NULL)
#define OP_ARG_INTEGER(name, key)           ARG_INTEGER(name, key, NULL)

static const cli_noun nouns[] = {
    {"node", "the node: one home directory, perhaps a running daemon"},
    {"source", "sources: configured drivers that take data in"},
    {"driver", "drivers: what protocols can be spoken"},
    {"asset", "assets: what produces samples"},
    {"data", "samples: bring them in, take them out, look at them"},
    {"retention", "retention: how long samples are kept, and in how much room"},
    {"label", "labels: what people or systems say about a time or an interval"},
    {"dataset", "datasets: frozen selections of samples and labels"},
    {"workflow", "workflows: packages that train and predict"},
    {"model", "models: what trainings made"},
    {"deployment", "deployments: models that predict on live assets"},
    {"run", "runs: trainings and predictions with their logs"},
    {"simulate", "virtual assets and recordings, to a file or a broker"},
    {"completion", "completion for the shell"},
    {NULL, NULL},
};

static const cli_argument arg_name[] = {OP_ARG("NAME", "name"), ARGS_END};
static const cli_argument arg_two_datasets[] = {
    OP_ARG("NAME", "name"), OP_ARG("OTHER", "other"), ARGS_END};
static const cli_argument arg_model[] = {OP_ARG("MODEL", "model"), ARGS_END};
static const cli_argument arg_asset[] = {OP_ARG("ASSET", "asset"), ARGS_END};
static const cli_argument arg_pattern[] = {OP_ARG_MAYBE("PATTERN", "pattern"), ARGS_END};
static const cli_argument arg_workflow[] = {OP_ARG("WORKFLOW", "workflow"), ARGS_END};
static const cli_argument arg_run[] = {OP_ARG_INTEGER("ID", "id"), ARGS_END};

/* -- node -- */
static const cli_option node_init_options[] = {
    ONE_OF("layer", "edge fog cloud", "LAYER", NULL, "layer of this node (default edge)"),
    ONE_OF("durability", "process power", "WHAT", NULL, "what samples survive: a kill of any process (default), or also a power cut"), OPTIONS_END};
static const cli_option node_set_options[] = {
    OP_ONE_OF("durability", "process power", "WHAT", "durability"), OPTIONS_END};
static const cli_option node_serve_options[] = {
    INTEGER("ready-fd", "N", NULL, "descriptor to write \"ready\" to and close, once the node serves"), OPTIONS_END};

static const cli_argument node_backup_args[] = {ARG_FILE("DIR", "new folder to make"), ARGS_END};
static const cli_argument node_restore_args[] = {ARG_FILE("DIR", "folder that `node backup` made"), ARGS_END};
static const cli_option node_restore_options[] = {
    FLAG("check", NULL, "only compare the backup with its digests"), OPTIONS_END};

/* -- source -- */
#define SOURCE_OPTIONS \
    OP_NEED("driver", "DRIVER", "driver"), \
    PATH("config", "FILE|JSON", NULL, "configuration as a JSON object or a file with one; the options below win over it"), \
    TEXT("url", "URL", NULL, "broker, such as mqtt://host:1883 or mqtts://host:8883"), \
    LIST("topic", "FILTER", NULL, "topic filter to subscribe to"), \
    ONE_OF("qos", "0 1 2", "QOS", NULL, "quality of service (default 1)"), \
    ONE_OF("mqtt-version", "3.1.1 5", "VERSION", NULL, "protocol version (default 3.1.1)"), \
    TEXT("client-id", "ID", NULL, "client id at the broker"), \
    TEXT("user", "NAME", NULL, "user name at the broker"), \
    PATH("password-file", "FILE", NULL, "file that holds the password"), \
    PATH("ca", "FILE", NULL, "certificates to trust (PEM)"), \
    PATH("cert", "FILE", NULL, "client certificate (PEM)"), \
    PATH("key", "FILE", NULL, "key of the client certificate (PEM)"), \
    ONE_OF("format", "json value databus", "FORMAT", NULL, "what messages are: JSON objects (default), one bare value such as 21.5, or those of Siemens' databus"), \
    TEXT("asset", "TEMPLATE", NULL, "asset name: {2} is the second level of the topic, {topic} all of it (the default), {device} or {meta.id} a member of the message"), \
    TEXT("channel", "TEMPLATE", NULL, "of --format value: channel name made of the topic, such as {3} (default value)"), \
    TEXT("time", "MEMBER", NULL, "member of the message that holds the time (default: 'time', else the time of arrival)"), \
    ONE_OF("time-unit", "s ms us ns", "UNIT", NULL, "unit of a numeric time (default: by its size)"), \
    TEXT("time-format", "FORMAT", NULL, "how times are written, such as '%d.%m.%Y %H:%M:%S' (default: ISO 8601 or a number)"), \
    TEXT("time-zone", "NAME", NULL, "time zone of times without one, such as Europe/Vienna (default: UTC)"), \
    ONE_OF("on-missing-time", "refuse arrival", "WHAT", NULL, "a message without its time: a dead letter, or the time of arrival, counted (default: refuse with --time)"), \
    TEXT("seq", "MEMBER", NULL, "member that distinguishes samples of one time"), \
    TEXT("values", "MEMBER", NULL, "member that holds the values (default: the message itself); a list there gives a sample for each element, or channels"), \
    TEXT("list-name", "MEMBER", NULL, "member that names the elements of a list: each is a channel; '' makes samples of them"), \
    TEXT("list-value", "MEMBER", NULL, "member with an element's value"), \
    TEXT("list-time", "MEMBER", NULL, "member with an element's time (default: as --time)"), \
    TEXT("list-quality", "MEMBER", NULL, "member with the quality code of an element's value"), \
    LIST("null", "WORD", NULL, "text that means no value among numbers, beside NA, null, - and the like"), \
    ONE_OF("decimal", ". ,", "SIGN", NULL, "decimal sign of numbers in quotes (default .)"), \
    INTEGER("max-assets", "N", NULL, "how many assets it may make (default 10000, at most 100000)"), \
    LIST("labels-topic", "FILTER", NULL, "topic filter whose messages are labels: {\"start\", \"end\", \"label\", \"author\", \"asset\"}"), \
    TEXT("labels-asset", "TEMPLATE", NULL, "whose labels they are, where the message does not say, made of the topic as in --asset")
static const cli_option source_config_options[] = {
    SOURCE_OPTIONS, OFF("no-start", "start", "add it stopped"), OPTIONS_END};
static const cli_option source_test_options[] = {
    SOURCE_OPTIONS, OP_INTEGER("seconds", "N", "seconds"), OPTIONS_END};
static const cli_option source_set_options[] = {
    OP_NEED_INTEGER("max-assets", "N", "max_assets"), OPTIONS_END};
static const cli_option source_show_options[] = {
    OP_INTEGER("dead-letters", "N", "dead_letters"), OPTIONS_END};

static const cli_argument asset_rename_args[] = {
    OP_ARG("OLD", "name"), OP_ARG("NEW", "to"), ARGS_END};
static const cli_argument asset_rename_channel_args[] = {
    OP_ARG("ASSET", "name"), OP_ARG("OLD", "channel"),
    OP_ARG("NEW", "to"), ARGS_END};

static const cli_argument asset_join_args[] = {OP_ARG("NAME", "name"), ARGS_END};
static const cli_option asset_join_options[] = {
    OP_LIST("channel", "ASSET:CHANNEL[=NAME]", "channels"),
    OP_TEXT("rate", "RATE", "rate"),
    OP_TEXT("period", "DURATION", "period"),
    OP_TEXT("tolerance", "DURATION", "tolerance"),
    OP_TEXT("wait", "DURATION", "wait"),
    OP_FLAG("allow-missing", "allow_missing"), OPTIONS_END};

static const cli_argument asset_set_args[] = {OP_ARG("ASSET", "name"), ARGS_END};
static const cli_option asset_set_options[] = {
    OP_TEXT("channel", "NAME", "channel"),
    OP_TEXT("type", "TYPE", "type"),
    OP_TEXT("unit", "UNIT", "unit"),
    OP_LIST("null", "TEXT", "nulls"),
    OP_FLAG("dry-run", "dry_run"), OPTIONS_END};

/* -- data and labels -- */
static const cli_argument data_import_args[] = {
    OP_ARG("ASSET", "asset"),
    ARG_FILE_MAYBE("FILE", "the same as --input"), ARGS_END};
/* The arguments that operations include from "reading" of lib/node/ops/common.json. */
#define OP_BAD_ROWS OP_ONE_OF("bad-rows", "error skip", "WHAT", "bad_rows")
#define BAD_ROWS_FILE PATH("bad-rows-file", "FILE", NULL, "leave bad rows out and write all of them there as CSV: line, column, reason, text")
#define OP_TIME_FORMS \
    OP_ONE_OF("time-unit", "s ms us ns", "UNIT", "time_unit"), \
    OP_TEXT("time-format", "FORMAT", "time_format"), \
    OP_TEXT("time-zone", "ZONE", "time_zone")
#define OP_TIMES \
    HEADING("Times"), \
    {"time-column", CLI_COLUMNS, "NAME", "given twice: that of the date and that of the time of day", "time_column", NULL, 0, false}, \
    OP_TIME_FORMS
#define OP_SHAPE \
    OP_TEXT("separator", "CHARS", "separator"), \
    OP_TEXT("quote", "CHAR", "quote"), \
    OP_TEXT("escape", "CHAR", "escape"), \
    OP_TEXT("comment", "CHAR", "comment"), \
    OP_INTEGER("skip-rows", "LINES", "skip_rows"), \
    OP_FLAG("no-header", "no_header"), \
    OP_WORDS("names", "NAME,NAME...", "names")
#define OP_DIALECT \
    HEADING("How texts are written"), \
    OP_SHAPE, \
    OP_LIST("null", "WORD", "null"), \
    OP_ONE_OF("nan", "null value", "WHAT", "nan"), \
    OP_ONE_OF("decimal", ". ,", "CHAR", "decimal"), \
    OP_TEXT("thousands", "CHAR", "thousands")
static const cli_option data_import_options[] = {
    {"input", CLI_FILE, "FILE", "CSV or JSON lines (also packed: .gz .bz2 .xz .zst), .npz, .npy, Parquet or Arrow; - is standard input", NULL, NULL, 'i', false},
    ONE_OF("format", "csv jsonl npz npy parquet arrow", "FORMAT", "format", "default: by the ending of FILE, else csv"),
    OP_FLAG("dry-run", "dry_run"),
    OP_BAD_ROWS,
    BAD_ROWS_FILE,
    OP_ONE_OF("on-conflict", "error keep seq", "WHAT", "on_conflict"),
    OP_INTEGER("batch", "ROWS", "batch"),
    HEADING("Columns"),
    LIST("column", "NAME=TYPE[:UNIT]", NULL, "type (float64, float32, int8..64, uint8..64, bool, string, or such as float32[4096]) and unit of a column, such as temp=float64:degC"),
    OP_LIST("skip-column", "NAME", "skip_columns"),
    OP_TEXT("label-column", "NAME", "label_column"),
    OP_TEXT("seq-column", "NAME", "seq_column"),
    OP_FLAG("text", "as_text"),
    OP_TEXT("channel-column", "NAME", "channel_column"),
    OP_TEXT("value-column", "NAME", "value_column"),
    OP_TEXT("column-pattern", "PATTERN", "column_pattern"),
    OP_TIMES,
    OP_TIME("start", "start"),
    OP_DURATION("period", "period"),
    OP_DIALECT,
    OPTIONS_END};
static const cli_option data_export_options[] = {
    OP_LIST("channel", "NAME", "channels"),
    OP_TIME("start", "start"),
    OP_TIME("end", "end"),
    ONE_OF("format", "csv jsonl npy npz parquet arrow", "FORMAT", "format", "default: by the ending of FILE, else csv"),
    FLAG("gzip", "gzip", "default: by the ending of FILE"),
    OP_FLAG("labels", "labels"),
    OP_FLAG("seq", "seq"),
    OP_FLAG("plain-names", "plain_names"),
    OUTPUT("where to (default: standard output)"),
    OPTIONS_END};
static const cli_option data_aggregate_options[] = {
    OP_DURATION("every", "every"),
    OP_LIST("channel", "NAME", "channels"),
    OP_TIME("start", "start"),
    OP_TIME("end", "end"),
    OPTIONS_END};
static const cli_option data_head_options[] = {
    OP_INTEGER("rows", "N", "rows"), OP_FLAG("last", "last"), OPTIONS_END};
static const cli_option retention_set_options[] = {
    OP_DURATION("max-age", "max_age"),
    OP_TEXT("max-size", "SIZE", "max_size"),
    OP_TEXT("min-free", "SIZE", "min_free"),
    OP_LIST("rollup", "PERIOD", "rollups"), OPTIONS_END};
static const cli_option retention_run_options[] = {
    OP_FLAG("dry-run", "dry_run"), OPTIONS_END};
static const cli_argument retention_pattern[] = {OP_ARG("PATTERN", "pattern"), ARGS_END};
static const cli_argument label_add_args[] = {
    OP_ARG("ASSET", "asset"), OP_ARG("LABEL", "label"), ARGS_END};
static const cli_option label_add_options[] = {
    OP_NEED_TIME("start", "start"), OP_TIME("end", "end"),
    OP_TEXT("author", "NAME", "author"), OPTIONS_END};
static const cli_argument label_import_args[] = {
    ARG_FILE("FILE", "CSV or JSON lines (also .gz) with the columns asset, start, end, label, author; - is standard input"), ARGS_END};
static const cli_option label_import_options[] = {
    OP_TEXT("asset", "NAME", "asset"),
    ONE_OF("format", "csv jsonl", "FORMAT", "format", "default: by the ending of FILE, else csv"),
    OP_FLAG("dry-run", "dry_run"),
    OP_BAD_ROWS,
    BAD_ROWS_FILE,
    HEADING("Columns"),
    OP_TEXT("asset-column", "NAME", "asset_column"),
    OP_TEXT("start-column", "NAME", "start_column"),
    OP_TEXT("end-column", "NAME", "end_column"),
    OP_TEXT("label-column", "NAME", "label_column"),
    OP_TEXT("author-column", "NAME", "author_column"),
    HEADING("Times"),
    OP_TIME_FORMS,
    OP_DIALECT,
    OPTIONS_END};
static const cli_argument label_correct_args[] = {OP_ARG_INTEGER("ID", "id"), ARGS_END};
static const cli_option label_correct_options[] = {
    OP_TEXT("label", "TEXT", "label"),
    OP_TIME("start", "start"), OP_TIME("end", "end"),
    OP_TEXT("author", "NAME", "author"), OPTIONS_END};
static const cli_argument label_history_args[] = {
    ARG("ASSET|ID", NULL, "asset ('*' stands for anything), or number of a label"), ARGS_END};
#define LABEL_PAGE \
    OP_INTEGER("limit", "N", "limit"), \
    OP_INTEGER("after", "ID", "after")
static const cli_option label_history_options[] = {LABEL_PAGE, OPTIONS_END};
static const cli_argument label_asset_args[] = {OP_ARG_MAYBE("ASSET", "asset"), ARGS_END};
#define LABEL_RANGE \
    OP_TIME("start", "start"), \
    OP_TIME("end", "end"), \
    OP_INTEGER("at-version", "N", "at_version")
static const cli_option label_ls_options[] = {
    OP_TEXT("label", "TEXT", "label"), OP_TEXT("author", "NAME", "author"),
    LABEL_RANGE, LABEL_PAGE, OPTIONS_END};
static const cli_option label_stats_options[] = {
    LABEL_RANGE, OP_INTEGER("conflicts", "N", "conflicts"), OPTIONS_END};
static const cli_argument label_rm_args[] = {OP_ARG_INTEGER("ID", "id"), ARGS_END};

/* -- datasets, workflows, models -- */
static const cli_option dataset_create_options[] = {
    {"asset", CLI_LIST, "NAME", NULL, "assets", NULL, 0, true},
    OP_LIST("channel", "NAME", "channels"),
    OP_FLAG("join", "join"),
    OP_TIME("start", "start"),
    OP_TIME("end", "end"),
    OP_FLAG("labelled-only", "labelled_only"),
    OP_TEXT("filter", "EXPR", "filter"),
    OP_TEXT("rate", "RATE", "rate"),
    OP_TEXT("period", "DURATION", "period"),
    OP_ONE_OF("fill", "previous linear none", "HOW", "fill"),
    OP_TEXT("tolerance", "DURATION", "tolerance"),
    OP_TEXT("window", "ROWS|DURATION", "window"),
    OP_TEXT("step", "ROWS|DURATION", "step"),
    OP_TEXT("split", "SPLIT", "split"),
    OP_TEXT("validation", "PART", "validation"),
    OP_INTEGER("seed", "N", "seed"),
    OP_TEXT("block", "DURATION", "block"),
    OPTIONS_END};
static const cli_option dataset_export_options[] = {
    ONE_OF("format", "csv jsonl npz parquet arrow", "FORMAT", "format", "default: by the ending of FILE, else csv"),
    FLAG("gzip", "gzip", "default: by the ending of FILE"),
    OP_FLAG("plain-names", "plain_names"), OUTPUT("where to (default: standard output)"), OPTIONS_END};
static const cli_argument workflow_init_args[] = {ARG_FILE("DIR", "folder to make"), ARGS_END};
static const cli_option workflow_init_options[] = {
    TEXT("name", "NAME", NULL, "name of the workflow (default: that of the folder)"), OPTIONS_END};
static const cli_argument workflow_path_args[] = {ARG_FILE("PATH", "folder, zip, tar.gz, tar.zst or tar.xz"), ARGS_END};
static const cli_argument workflow_pack_args[] = {ARG_FILE("DIR", "folder with a workflow.json"), ARGS_END};
static const cli_option workflow_pack_options[] = {OUTPUT("zip to write (default NAME-VERSION.zip)"), OPTIONS_END};
static const cli_option train_options[] = {
    OP_NEED("dataset", "NAME", "dataset"),
    OP_PAIRS("param", "NAME=VALUE", "params"),
    OP_TEXT("name", "NAME", "name"), OPTIONS_END};
static const cli_option predict_options[] = {
    {"input", CLI_FILE, "FILE", "predict on CSV or JSON lines (also .gz), - is standard input", NULL, NULL, 'i', false},
    OP_TEXT("dataset", "NAME", "dataset"),
    OP_ONE_OF("part", "train test validation all", "PART", "part"),
    OP_TEXT("asset", "NAME", "asset"),
    OP_TIME("start", "start"),
    OP_TIME("end", "end"),
    FLAG("follow", NULL, "with --asset: predict on what comes in, until Ctrl-C"),
    OP_ONE_OF("from", "now start", "WHERE", "from"),
    ONE_OF("format", "csv jsonl", "FORMAT", "format", "default: by the ending of --output, else csv"),
    OUTPUT("where predictions go (default: standard output; with --json: nowhere)"),
    HEADING("On an input"),
    ONE_OF("input-format", "csv jsonl", "FORMAT", "input_format", "default: by the ending of FILE, else csv"),
    OP_TEXT("label-column", "NAME", "label_column"),
    OP_TEXT("group-column", "NAME", "group_column"),
    OP_BAD_ROWS,
    OP_TIMES,
    OP_DIALECT,
    OPTIONS_END};
static const cli_option deploy_options[] = {
    OP_NEED("asset", "NAME", "asset"),
    OP_TEXT("name", "NAME", "name"),
    OP_TEXT("publish", "TOPIC", "publish"),
    OP_TEXT("source", "NAME", "source"),
    OP_INTEGER("qos", "N", "qos"),
    OP_FLAG("retain", "retain"),
    OP_ONE_OF("from", "now start", "WHERE", "from"),
    OP_TEXT("wait", "DURATION", "wait"),
    OPTIONS_END};
static const cli_option skip_options[] = {
    OP_INTEGER("count", "N", "count"),
    OP_FLAG("refused", "refused"),
    OP_FLAG("all", "all"),
    OPTIONS_END};
static const cli_option run_ls_options[] = {OP_INTEGER("limit", "N", "limit"), OPTIONS_END};
static const cli_option run_log_options[] = {
    {"follow", CLI_FLAG, NULL, NULL, "follow", NULL, 'f', false},
    OUTPUT("where to (default: standard output)"), OPTIONS_END};

/* -- simulate -- */
#define BROKER_OPTIONS \
    TEXT("broker", "URL", NULL, "publish to this broker instead of standard output"), \
    TEXT("user", "NAME", NULL, "user name at the broker"), \
    PATH("password-file", "FILE", NULL, "file that holds the password"), \
    PATH("ca", "FILE", NULL, "certificates to trust (PEM)"), \
    ONE_OF("qos", "0 1 2", "QOS", NULL, "quality of service (default 1)"), \
    TEXT("wait", "DURATION", NULL, "give up after so long without a link to the broker (default 30s)")
static const cli_option simulate_options[] = {
    TEXT("count", "N", NULL, "how many samples (default: without end)"),
    TEXT("seed", "N", NULL, "seed of the model (default 1)"),
    TEXT("rate", "HZ", NULL, "samples a second of asset time; how fast they are sent is --speed (1: at this rate by the wall clock)"),
    TEXT("speed", "X", NULL, "times real time, 0: as fast as it goes (default 0; with --broker 1, but 0 with --count and without --rate)"),
    TEXT("start", "TIME", NULL, "time of the first sample, such as 2026-01-31, now or -1h (default: 2026-01-01; with --broker so that the last one is of now)"),
    TEXT("asset", "NAME", NULL, "name of the asset, in labels and on standard output"),
    ONE_OF("format", "csv jsonl", "FORMAT", NULL, "how samples are written to standard output (default csv)"),
    PATH("labels", "FILE", NULL, "write the labels there as CSV, as they become known"),
    TEXT("topic", "TOPIC", NULL, "topic to publish to; {asset} is the asset (default {asset})"),
    BROKER_OPTIONS,
    OPTIONS_END};
static const cli_argument replay_args[] = {ARG_FILE("FILE", "CSV or CSV.gz with a header, - is standard input"), ARGS_END};
static const cli_option replay_options[] = {
    TEXT("topic", "TEMPLATE", NULL, "topic of a row's message; {column} is filled from the row (default: the asset)"),
    TEXT("asset", "TEMPLATE", NULL, "name of the asset, in labels and on standard output (default: the asset column, else the topic)"),
    TEXT("asset-column", "NAME", NULL, "column that names the asset; it is not sent"),
    LIST("column", "NAME", NULL, "send only this column"),
    LIST("skip-column", "NAME", NULL, "leave a column out"),
    LIST("where", "NAME=VALUE", NULL, "only rows with this text in that column"),
    TEXT("label-column", "NAME", NULL, "column with labels; it is not sent"),
    PATH("labels", "FILE", NULL, "write the labels there as CSV: runs of equal text are intervals"),
    TEXT("count", "N", NULL, "how many rows at most"),
    TEXT("speed", "X", NULL, "times the speed of the recording, 0: as fast as it goes (default 1, on standard output 0)"),
    TEXT("rate", "HZ", NULL, "rows a second, instead of the recording's times"),
    BROKER_OPTIONS,
    HEADING("How the recording is read"),
    OP_BAD_ROWS,
    {"time-column", CLI_COLUMNS, "NAME", "sent as member \"time\"; given twice: that of the date and that of the time of day", "time_column", NULL, 0, false},
    OP_TIME_FORMS,
    OP_SHAPE,
    OPTIONS_END};
static const cli_option doctor_options[] = {
    OP_FLAG("deep", "deep"), OPTIONS_END};
static const cli_argument arg_deployment[] = {OP_ARG("NAME", "name"), ARGS_END};

static const cli_command commands[] = {
    {"node", "init", "make a node home", "Making one that is there already changes nothing but its durability, where that is given.", NULL, node_init_options, NULL, cli_node_init},
    {"node", "set", NULL,
     "With durability power each message is acknowledged when it is on the disk: messages that come at the same time share one sync. It holds at once, also for a daemon that runs.",
     NULL, node_set_options, "node.set", NULL},
    {"node", "serve", "run the node: sources, deployments, and the socket other commands talk to",
     "Prints \"ready\" on standard output once it serves and logs to standard error. Ends on SIGTERM, SIGHUP or Ctrl-C.",
     NULL, node_serve_options, NULL, cli_node_serve},
    {"node", "status", NULL,
     "LAG: samples that a deployment has yet to predict on. Counts of deployments are since they were made, of sources since the daemon started.", NULL, NULL, "node.status", cli_node_status},
    {"node", "backup", NULL,
     "All of it as of one moment: samples, labels, datasets, sources, workflows, models, runs, keys. What was acknowledged "
     "before is in it. Every file has its SHA-256 in the folder. Treat it like the home: it holds the same secrets.",
     node_backup_args, NULL, "node.backup", cli_node_backup},
    {"node", "restore", "make a home from a backup",
     "Every file is compared with its digest first. The home (--home) must not be there, or be empty; it appears when all "
     "of it is right. Sources and deployments are as they were, and start with `node serve`; the node keeps its id: do not run it "
     "beside the one it was copied from.",
     node_restore_args, node_restore_options, NULL, cli_node_restore},
    {"node", "ops", NULL,
     "Each command is made of such operations; programs call them by name. --json gives the schemas of arguments, results and events.",
     NULL, NULL, "node.ops", NULL},
    {"node", "stop", NULL, NULL, NULL, NULL, "node.stop", cli_node_stop},

    {"source", "add", NULL, NULL, arg_name, source_config_options, "source.add", cli_source_add},
    {"source", "ls", NULL, NULL, NULL, NULL, "source.ls", NULL},
    {"source", "show", NULL, NULL, arg_name, source_show_options, "source.show", NULL},
    {"source", "set", NULL, NULL, arg_name, source_set_options, "source.set", NULL},
    {"source", "rm", NULL, NULL, arg_name, NULL, "source.rm", NULL},
    {"source", "start", NULL, NULL, arg_name, NULL, "source.start", NULL},
    {"source", "stop", NULL, NULL, arg_name, NULL, "source.stop", NULL},
    {"source", "test", NULL, NULL, NULL, source_test_options, "source.test", cli_source_test},

    {"driver", "ls", NULL, NULL, NULL, NULL, "driver.ls", NULL},
    {"driver", "show", NULL, NULL, arg_name, NULL, "driver.show", NULL},

    {"asset", "ls", NULL, NULL, arg_pattern, NULL, "asset.ls", NULL},
    {"asset", "show", NULL, NULL, arg_name, NULL, "asset.show", NULL},
    {"asset", "join", NULL,
     "The rows are stored as those of any asset, of all history at first and then of what comes in, so that datasets, deployments and exports "
     "use the asset as any other. Nothing else writes to it. Without --rate and --tolerance what has one time becomes one row, whenever it "
     "comes. Where rows wait, the command waits with them for two seconds. Where no daemon runs, `asset join NAME` and "
     "`dataset create` bring it up to date. A stored row never changes; `asset rm` and `asset join` make it anew.",
     asset_join_args, asset_join_options, "asset.join", NULL},
    {"asset", "rename", NULL, NULL, asset_rename_args, NULL, "asset.rename", NULL},
    {"asset", "rename-channel", NULL, NULL, asset_rename_channel_args, NULL, "asset.rename-channel", NULL},
    {"asset", "set", NULL,
     "For a type that was decided by a first value unlike the others. No value changes: 1.5 does not become an int64, nor 2^53 + 1 a "
     "float64; a text becomes a number where an import would take it for one (007 is none), or null where --null names it. Others go on "
     "reading and writing meanwhile; a node that is killed has the old type or the new one.",
     asset_set_args, asset_set_options, "asset.set", NULL},
    {"asset", "rm", NULL, NULL, arg_name, NULL, "asset.rm", NULL},

    {"data", "import", NULL,
     "The first row names the columns. Rows that are there already are counted, not doubled.",
     data_import_args, data_import_options, "data.import", cli_data_import},
    {"data", "export", NULL,
     "`data import` reads each of them back as it was. In csv and jsonl a type stands behind a channel's name (n:int64) where a "
     "reader would take another one, x:quality has the quality codes of x, seq what distinguishes rows of one time. A blob is the "
     "text that names it; NaN loses its sign and payload there, not in a .npz; a row of over 1 MiB of text is not read back. "
     "A .npz has times and seqs (int64), each channel as an array of its name, valid/NAME for one with nulls, and labels with "
     "--labels; numpy.load() reads it. A .npy holds one channel.", arg_asset, data_export_options, "data.export", cli_data_export},
    {"data", "head", NULL, NULL, arg_asset, data_head_options, "data.head", cli_data_head},
    {"data", "stats", NULL, NULL, arg_asset, NULL, "data.stats", NULL},
    {"data", "aggregate", NULL,
     "Stretches begin at multiples of their length since 1970; those without a sample are left out. Only stored statistics are "
     "read where a stretch holds whole chunks, so that years are summed up at once. Where retention kept rollups of what it dropped, "
     "these are in it, if --every is a multiple of their period.",
     arg_asset, data_aggregate_options, "data.aggregate", NULL},

    {"data", "compact", NULL,
     "The node does most of it by itself as samples arrive. Others go on reading and writing meanwhile.",
     arg_pattern, NULL, "data.compact", NULL},

    {"retention", "set", NULL,
     "Of several patterns the most specific one decides on an asset's age and rollups; sizes and free disk are asked of all that match, "
     "of which the oldest go first: `retention set '*' --max-size 10GB` is a budget for all. What a dataset holds is never dropped, labels "
     "stay, and samples that come again after they were dropped are counted as expired. The daemon drops what is due once a minute.",
     retention_pattern, retention_set_options, "retention.set", NULL},
    {"retention", "ls", NULL, NULL, NULL, NULL, "retention.ls", NULL},
    {"retention", "rm", NULL, NULL, retention_pattern, NULL, "retention.rm", NULL},
    {"retention", "run", NULL, NULL, NULL, retention_run_options, "retention.run", NULL},

    {"label", "add", NULL, NULL, label_add_args, label_add_options, "label.add", cli_label_add},
    {"label", "correct", NULL,
     "The old one stays in the history, and in the datasets that were frozen with it.",
     label_correct_args, label_correct_options, "label.correct", cli_label_add},
    {"label", "history", NULL, NULL,
     label_history_args, label_history_options, "label.history", cli_label_history},
    {"label", "import", NULL, "Labels that are there already, or were corrected since, are counted, not doubled.",
     label_import_args, label_import_options, "label.import", cli_label_import},
    {"label", "ls", NULL, NULL, label_asset_args, label_ls_options, "label.ls", NULL},
    {"label", "rm", NULL, NULL, label_rm_args, NULL, "label.rm", NULL},
    {"label", "stats", NULL,
     "Everything is counted in rows: samples that a label covers. Where more than one author labelled the same rows: their agreement, "
     "and what remains of it beyond chance (Cohen's kappa for two, Fleiss' kappa for all of them: 1 is perfect, 0 as good as chance). "
     "Labels without an author are listed under their source, in parentheses.",
     label_asset_args, label_stats_options, "label.stats", NULL},

    {"dataset", "create", NULL,
     "What is frozen never changes; the digest covers every value. The order of things: range, common rate, filter, labels, split. "
     "--split time keeps the newest rows for the test, group whole assets, fraction blocks of time that are drawn by the seed, the "
     "same on every machine; single rows are never drawn, since neighbours are alike. train() then sees the training rows only, "
     "`predict --dataset` measures on the test.",
     arg_name, dataset_create_options, "dataset.create", NULL},
    {"dataset", "ls", NULL, NULL, NULL, NULL, "dataset.ls", NULL},
    {"dataset", "show", NULL, NULL, arg_name, NULL, "dataset.show", NULL},
    {"dataset", "diff", NULL,
     "The same digest means the same training data; what else differs is how they were described.", arg_two_datasets, NULL, "dataset.diff", NULL},
    {"dataset", "rm", NULL, NULL, arg_name, NULL, "dataset.rm", NULL},
    {"dataset", "export", NULL,
     "csv and jsonl have asset, time, the channels and label, named as by `data export`; "
     "`data import '{asset}' FILE --label-column label` reads them back. "
     "A .npz has X float64[rows, columns], y (labels as text), times (int64 ns), groups (assets), columns and, of a dataset with "
     "a split, split; numpy.load() reads it, and `data import '{groups}' FILE --label-column y` as channels of float64 whose NaN "
     "is null.", arg_name, dataset_export_options, "dataset.export", cli_data_export},

    {"workflow", "init", "write the skeleton of a workflow",
     "Makes DIR with workflow.json, README.md and NAME_workflow.py ('-' of the name as '_'; my-workflow makes my_workflow.py), "
     "where train() and predict() are to be written.", workflow_init_args, workflow_init_options, NULL, cli_workflow_init},
    {"workflow", "check", "check a folder, zip, tar.gz, tar.zst or tar.xz",
     "A package is a zip, or a tar packed with gzip, zstd or xz; its content tells which. The same files have the same digest in each.", workflow_path_args, NULL, NULL, cli_workflow_check},
    {"workflow", "pack", "pack a folder into a zip", "The same files give the same bytes.", workflow_pack_args, workflow_pack_options, NULL, cli_workflow_pack},
    {"workflow", "add", NULL,
     "A package is a zip, or a tar packed with gzip, zstd or xz; its content tells which.", workflow_path_args, NULL, "workflow.add", cli_workflow_add},
    {"workflow", "ls", NULL, NULL, NULL, NULL, "workflow.ls", NULL},
    {"workflow", "show", NULL, NULL, arg_workflow, NULL, "workflow.show", NULL},
    {"workflow", "rm", NULL, NULL, arg_workflow, NULL, "workflow.rm", NULL},

    {"train", NULL, NULL, "Ctrl-C cancels the run.", arg_workflow, train_options, "train", NULL},
    {"predict", NULL, NULL,
     "Give one of --input, --dataset and --asset. Where true labels are known, the model is measured against them. "
     "Fails when no window could be predicted. --follow without a daemon runs the node in this command.",
     arg_model, predict_options, "predict", cli_predict},
    {"model", "ls", NULL, NULL, NULL, NULL, "model.ls", NULL},
    {"model", "show", NULL, NULL, arg_model, NULL, "model.show", NULL},
    {"model", "rm", NULL, NULL, arg_model, NULL, "model.rm", NULL},

    {"deploy", NULL, NULL,
     "The daemon (node serve) does the work; without one the deployment starts with it.", arg_model, deploy_options, "deploy", NULL},
    {"deployment", "ls", NULL,
     "LAG: samples of the asset that it has yet to predict on. Counts are since it was made, latencies since the daemon started.", NULL, NULL, "deployment.ls", NULL},
    {"deployment", "show", NULL,
     "Counts are since the deployment was made, latencies since the daemon started. "
     "lag: samples of the asset that it has yet to predict on. late: samples that were not newer than the one before: they "
     "are stored, but have no place in a window. Where rows come in parts, wait: how long one that lacks an input is held; held: those that wait now; "
     "incomplete: windows whose newest row lacked an input then; late parts: they came after their rows were predicted; early: rows that did not wait to the end since 4,096 rows or 16 MiB were held. skipped: windows to which the workflow had nothing to say. conflicts: "
     "predictions that are not stored since there are others for the same times. outbox: its messages that the broker does not have: they wait or are set aside. "
     "publishing: ok; away: no link to the broker; slow: it has not acknowledged for 10 s, and after 60 s the connection is made again; held: it does not take the messages of this deployment, which is tried again; "
     "refused: it goes on, but messages were refused and are set aside (`deployment retry`, `deployment skip --refused`). latency: from the durable "
     "sample to the prediction.", arg_deployment, NULL, "deployment.show", NULL},
    {"deployment", "stop", NULL, NULL, arg_deployment, NULL, "deployment.stop", NULL},
    {"deployment", "start", NULL, NULL, arg_deployment, NULL, "deployment.start", NULL},
    {"deployment", "retry", NULL,
     "What was set aside since the broker refused it waits again, in its old place. A deployment that is held tries again at once, not only after its pause (1 s, growing to 60 s, and to 15 min where the broker hangs up). For one that is slow the connection is made again at once, and what was not acknowledged goes again.",
     arg_deployment, NULL, "deployment.retry", NULL},
    {"deployment", "skip", NULL,
     "Give one of --count, --refused and --all. The predictions stay stored in predictions/NAME.", arg_deployment, skip_options, "deployment.skip", NULL},
    {"deployment", "rm", NULL, NULL, arg_deployment, NULL, "deployment.rm", NULL},

    {"run", "ls", NULL, NULL, NULL, run_ls_options, "run.ls", NULL},
    {"run", "show", NULL, NULL, arg_run, NULL, "run.show", NULL},
    {"run", "log", NULL, NULL, arg_run, run_log_options, "run.log", cli_run_log},
    {"run", "cancel", NULL, NULL, arg_run, NULL, "run.cancel", NULL},

    {"simulate", "pcb", "solder-paste inspection: 16 measurements a deposit, labels ok, error, pseudo-error",
     "A seeded model of a stencil printer with drifting paste and clogging stencil; labels come late at times.",
     NULL, simulate_options, NULL, cli_simulate},
    {"simulate", "imu", "both wrists of a worker who hammers, screws, saws or rests",
     "A seeded model; one seed is one person.", NULL, simulate_options, NULL, cli_simulate},
    {"simulate", "replay", "send a recording as its asset would: one JSON message a row",
     "It is read as `data import` does, each column as a text. Times are sent as they are, but in UTC and as ISO 8601 with --time-format, --time-zone or two columns.", replay_args, replay_options, NULL, cli_replay},

    {"doctor", NULL, NULL,
     "Fails when something is wrong, and says what to do about it. --deep names the asset, channel and time range of what cannot be read.",
     NULL, doctor_options, "doctor", cli_doctor},
    {"completion", "bash", "print the completion script: source <(edgeopsctl completion bash)", NULL, NULL, NULL, NULL, cli_completion},
    {"version", NULL, "show the version", NULL, NULL, NULL, NULL, cli_version},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};
/* clang-format on */

const cli_language cli_all_commands = {commands, nouns};
