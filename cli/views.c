/* SPDX-License-Identifier: Apache-2.0 */
/* How the result of each operation looks to people: which values, in which order and shape. */
#include <string.h>

#include "cli.h"

/* clang-format off */
#define END_FIELDS   {NULL, NULL, CLI_AS_TEXT}
#define END_SECTIONS {NULL, NULL, NULL, NULL}
#define FIELDS(...)  (const cli_field[]){__VA_ARGS__, END_FIELDS}
#define SECTIONS(...) (const cli_section[]){__VA_ARGS__, END_SECTIONS}
#define ITEMS(empty, ...) SECTIONS({NULL, "items", FIELDS(__VA_ARGS__), empty})

#define SOURCE_FIELDS \
    {"name", "name", CLI_AS_TEXT}, {"driver", "driver", CLI_AS_TEXT}, {"state", "state", CLI_AS_TEXT}, \
    {"detail", "detail", CLI_AS_TEXT}, {"enabled", "enabled", CLI_AS_TEXT}, {"config", "config", CLI_AS_TEXT}, \
    {"guarantee", "connection.guarantee", CLI_AS_TEXT}, {"protocol", "connection.protocol", CLI_AS_TEXT}, {"client id", "connection.client_id", CLI_AS_TEXT}, \
    {"connected since", "connection.since", CLI_AS_TIME}, {"session", "connection.session", CLI_AS_TEXT}, {"session kept for", "connection.session_expiry_s", CLI_AS_SECONDS}, \
    {"keep-alive", "connection.keep_alive_s", CLI_AS_SECONDS}, {"larger messages", "connection.larger", CLI_AS_TEXT}, {"lost sessions", "connection.lost_sessions", CLI_AS_TEXT}, \
    {"messages", "stats.messages", CLI_AS_TEXT}, {"bytes", "stats.bytes", CLI_AS_BYTES}, {"samples", "stats.samples", CLI_AS_TEXT}, {"merged", "stats.merged", CLI_AS_TEXT}, {"labels", "stats.labels", CLI_AS_TEXT}, \
    {"duplicates", "stats.duplicates", CLI_AS_TEXT}, {"conflicts", "stats.conflicts", CLI_AS_TEXT}, {"late", "stats.late", CLI_AS_TEXT}, {"ahead", "stats.ahead", CLI_AS_TEXT}, {"expired", "stats.expired", CLI_AS_TEXT}, \
    {"without a time", "stats.untimed", CLI_AS_TEXT}, {"clock not set", "stats.unset_clock", CLI_AS_TEXT}, {"retained again", "stats.retained_repeats", CLI_AS_TEXT}, {"unmatched", "stats.unmatched", CLI_AS_TEXT}, \
    {"dead letters", "stats.dead", CLI_AS_TEXT}, {"lost messages", "stats.lost", CLI_AS_TEXT}, {"reconnects", "stats.reconnects", CLI_AS_TEXT}, {"last message", "stats.last", CLI_AS_TIME}
#define SOURCE_WARNINGS {"warnings", "warnings", FIELDS({"WHAT", "$self", CLI_AS_TEXT}), NULL}
#define DEPLOYMENT_FIELDS \
    {"name", "name", CLI_AS_TEXT}, {"model", "model", CLI_AS_TEXT}, {"asset", "asset", CLI_AS_TEXT}, {"publish", "publish|not published", CLI_AS_TEXT}, \
    {"source", "source", CLI_AS_TEXT}, {"broker", "broker", CLI_AS_TEXT}, {"state", "state", CLI_AS_TEXT}, {"detail", "detail", CLI_AS_TEXT}, \
    {"created", "created", CLI_AS_TIME}, {"run", "run", CLI_AS_TEXT}, {"last error", "last_error", CLI_AS_TEXT}, \
    {"windows", "windows", CLI_AS_TEXT}, {"predictions", "predictions", CLI_AS_TEXT}, {"errors", "errors", CLI_AS_TEXT}, \
    {"skipped", "skipped", CLI_AS_TEXT}, {"conflicts", "conflicts", CLI_AS_TEXT}, \
    {"timeouts", "timeouts", CLI_AS_TEXT}, {"restarts", "restarts", CLI_AS_TEXT}, {"late", "late", CLI_AS_TEXT}, \
    {"wait", "parts.wait", CLI_AS_TEXT}, {"held", "parts.held", CLI_AS_TEXT}, {"incomplete", "parts.incomplete", CLI_AS_TEXT}, \
    {"late parts", "parts.late_parts", CLI_AS_TEXT}, {"early", "parts.early", CLI_AS_TEXT}, \
    {"lag", "lag", CLI_AS_SAMPLES}, {"outbox", "outbox", CLI_AS_TEXT}, {"publishing", "publishing.state", CLI_AS_TEXT}, {"since", "publishing.since", CLI_AS_TIME}, \
    {"refused", "publishing.refused", CLI_AS_TEXT}, {"set aside", "publishing.set_aside", CLI_AS_TEXT}, {"skipped by hand", "publishing.skipped", CLI_AS_TEXT}, \
    {"latency p50", "latency_us.p50|-", CLI_AS_MICROS}, \
    {"latency p99", "latency_us.p99|-", CLI_AS_MICROS}, {"latency max", "latency_us.max|-", CLI_AS_MICROS}, \
    {"last at", "last.time", CLI_AS_TIME}, {"last", "last.outputs", CLI_AS_LIST}
#define JOIN_FIELDS \
    {"joined", "join.rule", CLI_AS_TEXT}, {"state", "join.state", CLI_AS_TEXT}, {"detail", "join.detail", CLI_AS_TEXT}, \
    {"samples to look at", "join.behind", CLI_AS_TEXT}, {"late samples", "join.late", CLI_AS_TEXT}, \
    {"rows that contradict", "join.conflicts", CLI_AS_TEXT}, {"samples lost to retention", "join.lost", CLI_AS_TEXT}
#define JOIN_SECTION(path) \
    {"joined of", path, FIELDS({"ASSET", "asset", CLI_AS_TEXT}, {"CHANNEL", "channel", CLI_AS_TEXT}, {"AS", "as", CLI_AS_TEXT}), NULL}
#define JOINS_SECTION(path) \
    {"joined of", path, FIELDS({"ASSET", "asset", CLI_AS_TEXT}, {"RULE", "rule", CLI_AS_TEXT}, {"CHANNELS", "channels", CLI_AS_COUNT}), NULL}
#define DATASET_FIELDS \
    {"name", "name", CLI_AS_TEXT}, {"digest", "digest", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, \
    {"labels", "labels", CLI_AS_LIST}, {"filter", "definition.filter", CLI_AS_TEXT}, {"common rate", "definition.align", CLI_AS_LIST}, \
    {"windows", "definition.window", CLI_AS_LIST}, {"split", "definition.split", CLI_AS_LIST}, {"parts", "profile.subsets", CLI_AS_LIST}, \
    {"first", "profile.first", CLI_AS_TIME}, {"last", "profile.last", CLI_AS_TIME}, {"gaps", "profile.gaps", CLI_AS_LIST}, \
    {"rows of one time", "profile.same_time", CLI_AS_TEXT}, {"created", "created", CLI_AS_TIME}
#define WARNINGS_SECTION {"warnings", "profile.warnings", FIELDS({"KIND", "kind", CLI_AS_TEXT}, {"WHAT", "text", CLI_AS_TEXT}), NULL}
#define DATASET_SECTIONS SECTIONS( \
    {"assets", "assets", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT}), NULL}, \
    JOINS_SECTION("joins"), \
    {"channels", "channels", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}), NULL}, \
    {"values", "profile.channels", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"MISSING", "missing", CLI_AS_TEXT}, \
        {"NON-FINITE", "non_finite", CLI_AS_TEXT}, {"MIN", "min", CLI_AS_NUMBER}, \
        {"P5", "p5", CLI_AS_NUMBER}, {"MEDIAN", "p50", CLI_AS_NUMBER}, {"P95", "p95", CLI_AS_NUMBER}, {"MAX", "max", CLI_AS_NUMBER}, \
        {"MEAN", "mean", CLI_AS_NUMBER}, {"STD", "std", CLI_AS_NUMBER}), NULL}, \
    {"classes", "profile.classes", FIELDS({"LABEL", "label", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT}, {"INTERVALS", "intervals", CLI_AS_TEXT}, \
        {"TRAIN", "train", CLI_AS_TEXT}, {"TEST", "test", CLI_AS_TEXT}, {"VALIDATION", "validation", CLI_AS_TEXT}), NULL}, \
    WARNINGS_SECTION)
#define USAGE_FIELDS \
    {"wall time", "usage.wall_s", CLI_AS_SECONDS}, {"processor", "usage.user_s", CLI_AS_SECONDS}, {"memory peak", "usage.peak_memory_bytes", CLI_AS_BYTES}

/* Of a report; at: "" or the path of its member. */
#define BAD_ROWS(at) \
    {"rows that were left out", at "reasons#+10", FIELDS({"ROWS", "rows", CLI_AS_TEXT}, {"REASON", "reason", CLI_AS_TEXT}), NULL}, \
    {"of them", at "bad_rows#+5", FIELDS({"LINE", "line", CLI_AS_TEXT}, {"COLUMN", "column", CLI_AS_TEXT}, {"TEXT", "text", CLI_AS_TEXT}, {"REASON", "reason", CLI_AS_TEXT}), NULL}

#define LABEL_FIELDS \
    {"ID", "id", CLI_AS_TEXT}, {"ASSET", "asset", CLI_AS_TEXT}, {"START", "start", CLI_AS_TIME}, {"END", "end", CLI_AS_TIME}, \
    {"LABEL", "label", CLI_AS_TEXT}, {"AUTHOR", "author", CLI_AS_TEXT}, {"SOURCE", "source", CLI_AS_TEXT}

static const struct {
    const char *operation;
    cli_view view;
} views[] = {
    {"node.status", {FIELDS(
        {"version", "version", CLI_AS_TEXT}, {"layer", "layer", CLI_AS_TEXT}, {"durability", "durability", CLI_AS_TEXT}, {"home", "home", CLI_AS_TEXT}, {"mode", "mode", CLI_AS_TEXT},
        {"pid", "pid", CLI_AS_TEXT}, {"up for", "uptime_s", CLI_AS_SECONDS}, {"memory", "memory_bytes", CLI_AS_BYTES},
        {"disk", "disk.state", CLI_AS_TEXT}, {"disk detail", "disk.detail", CLI_AS_TEXT}, {"disk used", "disk.used_bytes", CLI_AS_BYTES}, {"disk free", "disk.free_bytes", CLI_AS_BYTES},
        {"assets", "assets", CLI_AS_TEXT}, {"samples", "samples", CLI_AS_TEXT}, {"clock", "clock.detail|ok", CLI_AS_TEXT}, {"samples, clock not set", "clock.unset_samples", CLI_AS_TEXT}, {"samples ahead of clock", "clock.ahead_samples", CLI_AS_TEXT}, {"running runs", "runs.running", CLI_AS_TEXT}),
        SECTIONS(
        {"sources", "sources", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"DRIVER", "driver", CLI_AS_TEXT}, {"STATE", "state", CLI_AS_TEXT},
            {"MESSAGES", "messages", CLI_AS_TEXT}, {"SAMPLES", "samples", CLI_AS_TEXT}, {"DEAD", "dead", CLI_AS_TEXT},
            {"PER S", "rate_per_s", CLI_AS_NUMBER}, {"DETAIL", "detail", CLI_AS_TEXT}), NULL},
        {"deployments", "deployments", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"MODEL", "model", CLI_AS_TEXT}, {"ASSET", "asset", CLI_AS_TEXT},
            {"STATE", "state", CLI_AS_TEXT}, {"PREDICTIONS", "predictions", CLI_AS_TEXT}, {"ERRORS", "errors", CLI_AS_TEXT},
            {"LAG", "lag", CLI_AS_SAMPLES}, {"P50", "latency_us.p50", CLI_AS_MICROS}, {"P99", "latency_us.p99", CLI_AS_MICROS},
            {"OUTBOX", "outbox", CLI_AS_TEXT}, {"DETAIL", "detail", CLI_AS_TEXT}), NULL}), NULL}},
    {"node.set", {FIELDS({"durability", "durability", CLI_AS_TEXT}), NULL, NULL}},
    {"node.stop", {NULL, NULL, "the node is stopping"}},
    {"node.backup", {FIELDS({"backup", "path", CLI_AS_TEXT}, {"as of", "moment", CLI_AS_TIME}, {"files", "files", CLI_AS_TEXT},
        {"size", "bytes", CLI_AS_BYTES}), NULL, NULL}},
    {"node.restore", {FIELDS({"home", "home", CLI_AS_TEXT}, {"as of", "created", CLI_AS_TIME}, {"files", "files", CLI_AS_TEXT},
        {"size", "bytes", CLI_AS_BYTES}), NULL, NULL}},
    {"node.restore check", {FIELDS({"sound backup of node", "node", CLI_AS_TEXT}, {"as of", "created", CLI_AS_TIME}, {"files", "files", CLI_AS_TEXT},
        {"size", "bytes", CLI_AS_BYTES}), NULL, NULL}},

    {"source.add", {FIELDS({"state", "state", CLI_AS_TEXT}, {"detail", "detail", CLI_AS_TEXT}), SECTIONS(SOURCE_WARNINGS), "added source %s"}},
    {"source.ls", {NULL, ITEMS("no sources: add one with `edgeopsctl source add`",
        {"NAME", "name", CLI_AS_TEXT}, {"DRIVER", "driver", CLI_AS_TEXT}, {"STATE", "state", CLI_AS_TEXT}, {"MESSAGES", "messages", CLI_AS_TEXT},
        {"SAMPLES", "samples", CLI_AS_TEXT}, {"DEAD", "dead", CLI_AS_TEXT}, {"PER S", "rate_per_s", CLI_AS_NUMBER},
        {"DETAIL", "detail", CLI_AS_TEXT}), NULL}},
    {"source.show", {FIELDS(SOURCE_FIELDS),
        SECTIONS({"filters", "connection.filters", FIELDS({"FILTER", "filter", CLI_AS_TEXT}, {"QOS ASKED", "asked", CLI_AS_TEXT}, {"GRANTED", "granted", CLI_AS_TEXT}, {"REFUSED", "refused", CLI_AS_TEXT}), NULL},
            SOURCE_WARNINGS,
            {"dead letters", "dead_letters", FIELDS({"TIME", "time", CLI_AS_TIME}, {"TOPIC", "topic", CLI_AS_TEXT}, {"BYTES", "message_size", CLI_AS_TEXT},
            {"REASON", "reason", CLI_AS_TEXT}), NULL}), NULL}},
    {"source.set", {FIELDS({"max assets", "config.max_assets", CLI_AS_TEXT}), SECTIONS(SOURCE_WARNINGS), NULL}},
    {"source.rm", {NULL, NULL, "removed source %s"}},
    {"source.start", {FIELDS({"state", "state", CLI_AS_TEXT}, {"detail", "detail", CLI_AS_TEXT}), SECTIONS(SOURCE_WARNINGS), "started source %s"}},
    {"source.stop", {NULL, NULL, "stopped source %s"}},
    {"node.ops", {NULL, ITEMS("no operations", {"NAME", "name", CLI_AS_TEXT}, {"ROLE", "role", CLI_AS_TEXT}, {"EFFECT", "effect", CLI_AS_TEXT}, {"SUMMARY", "summary", CLI_AS_TEXT}), NULL}},
    {"source.test", {FIELDS({"ok", "ok", CLI_AS_TEXT}, {"detail", "detail", CLI_AS_TEXT}, {"messages", "messages", CLI_AS_TEXT}, {"samples", "samples", CLI_AS_TEXT}, {"labels", "labels", CLI_AS_TEXT},
        {"refused", "refused", CLI_AS_TEXT}, {"first refused", "first_refused_topic", CLI_AS_TEXT}, {"because", "first_refused_reason", CLI_AS_TEXT}), SECTIONS(SOURCE_WARNINGS), NULL}},
    {"driver.ls", {NULL, ITEMS("no drivers", {"NAME", "name", CLI_AS_TEXT}, {"VERSION", "version", CLI_AS_TEXT}, {"SUMMARY", "summary", CLI_AS_TEXT}), NULL}},
    {"driver.show", {FIELDS({"name", "name", CLI_AS_TEXT}, {"version", "version", CLI_AS_TEXT}, {"summary", "summary", CLI_AS_TEXT}, {"required", "config.required", CLI_AS_LIST}),
        SECTIONS({"configuration", "config.properties", FIELDS({"MEMBER", "$key", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"DEFAULT", "default", CLI_AS_TEXT},
            {"DESCRIPTION", "description", CLI_AS_TEXT}), NULL}, {"payload", "config.properties.payload.properties", FIELDS({"MEMBER", "$key", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT},
            {"DEFAULT", "default", CLI_AS_TEXT}, {"DESCRIPTION", "description", CLI_AS_TEXT}), NULL}), NULL}},

    {"asset.ls", {NULL, ITEMS("no assets: bring data in with `edgeopsctl data import` or a source",
        {"NAME", "name", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT}, {"CHANNELS", "channels", CLI_AS_TEXT}, {"FIRST", "first", CLI_AS_TIME}, {"LAST", "last", CLI_AS_TIME},
        {"JOINED", "joined", CLI_AS_RARE}), NULL}},
    {"asset.show", {FIELDS({"name", "name", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, {"first", "first", CLI_AS_TIME}, {"last", "last", CLI_AS_TIME},
        {"parts that completed rows", "parts", CLI_AS_TEXT}, {"dropped by retention", "dropped", CLI_AS_TEXT}, {"dropped until", "dropped_until", CLI_AS_TIME},
        JOIN_FIELDS),
        SECTIONS({"channels", "channels", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}), NULL},
            JOIN_SECTION("join.channels")), NULL}},
    {"asset.join", {FIELDS({"name", "name", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, JOIN_FIELDS), SECTIONS(JOIN_SECTION("join.channels")), NULL}},
    {"asset.rename", {FIELDS({"name", "name", CLI_AS_TEXT}, {"was", "was", CLI_AS_TEXT}, {"derived assets that use the new name", "joins", CLI_AS_LIST}, {"sources that still use the old name", "sources", CLI_AS_LIST},
        {"retention that still names the old one", "retention", CLI_AS_LIST}), NULL, NULL}},
    {"asset.rename-channel", {FIELDS({"asset", "name", CLI_AS_TEXT}, {"channel", "channel", CLI_AS_TEXT}, {"was", "was", CLI_AS_TEXT}, {"derived assets that use the new name", "joins", CLI_AS_LIST},
        {"sources that still use the old name", "sources", CLI_AS_LIST}), NULL, NULL}},
    {"asset.set", {FIELDS({"asset", "name", CLI_AS_TEXT}, {"channel", "channel", CLI_AS_TEXT}, {"type", "type", CLI_AS_TEXT}, {"was", "was", CLI_AS_TEXT},
        {"unit", "unit", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, {"values", "values", CLI_AS_TEXT}, {"texts that became null", "nulled", CLI_AS_TEXT},
        {"texts written in another way", "respelled", CLI_AS_TEXT}, {"dry run", "dry_run", CLI_AS_TEXT}, {"in the way", "in_the_way", CLI_AS_LIST},
        {"sources that feed it", "sources", CLI_AS_LIST}), NULL, NULL}},
    {"asset.rm", {NULL, NULL, "removed asset %s"}},
    {"data.import", {FIELDS({"dry run", "dry_run", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, {"appended", "appended", CLI_AS_TEXT}, {"merged", "merged", CLI_AS_TEXT},
        {"duplicates", "duplicates", CLI_AS_TEXT}, {"conflicts", "conflicts", CLI_AS_TEXT}, {"with another seq", "renumbered", CLI_AS_TEXT},
        {"late", "late", CLI_AS_TEXT}, {"ahead", "ahead", CLI_AS_TEXT}, {"expired", "expired", CLI_AS_TEXT}, {"labels", "labels", CLI_AS_TEXT},
        {"left out", "skipped", CLI_AS_TEXT}, {"first", "first", CLI_AS_TIME}, {"last", "last", CLI_AS_TIME}, {"assets", "assets", CLI_AS_LIST}),
        SECTIONS({"channels", "channels#+40", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}, {"VALUES", "values", CLI_AS_TEXT},
            {"NULLS", "nulls", CLI_AS_TEXT}, {"WRITTEN AS", "words", CLI_AS_LIST}, {"WHY", "why", CLI_AS_TEXT}), NULL},
        BAD_ROWS(""),
        {"rows in conflict with what is stored", "conflicting#+5", FIELDS({"TIME", "time", CLI_AS_TEXT}, {"ASSET", "asset", CLI_AS_TEXT}, {"CHANNEL", "channel", CLI_AS_TEXT},
            {"STORED", "stored", CLI_AS_TEXT}, {"NEW", "new", CLI_AS_TEXT},
            {"STORED QUALITY", "stored_quality", CLI_AS_RARE}, {"NEW QUALITY", "new_quality", CLI_AS_RARE}), NULL}), NULL}},
    {"data.export", {FIELDS({"rows", "rows", CLI_AS_TEXT}), NULL, NULL}},
    {"data.stats", {FIELDS({"rows", "rows", CLI_AS_TEXT}, {"first", "first", CLI_AS_TIME}, {"last", "last", CLI_AS_TIME}),
        SECTIONS({NULL, "channels", FIELDS({"CHANNEL", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}, {"COUNT", "count", CLI_AS_TEXT},
            {"NULLS", "nulls", CLI_AS_TEXT}, {"NON-FINITE", "non_finite", CLI_AS_TEXT}, {"MIN", "min", CLI_AS_NUMBER}, {"MAX", "max", CLI_AS_NUMBER}, {"MEAN", "mean", CLI_AS_NUMBER}), NULL}), NULL}},

    {"data.aggregate", {NULL, ITEMS("no samples there", {"START", "start", CLI_AS_TIME}, {"CHANNEL", "channel", CLI_AS_TEXT}, {"COUNT", "count", CLI_AS_TEXT},
        {"NULLS", "nulls", CLI_AS_TEXT}, {"NON-FINITE", "non_finite", CLI_AS_TEXT}, {"MIN", "min", CLI_AS_NUMBER}, {"MAX", "max", CLI_AS_NUMBER}, {"MEAN", "mean", CLI_AS_NUMBER}), NULL}},

    {"data.compact", {FIELDS({"assets", "assets", CLI_AS_TEXT}, {"chunks merged", "chunks", CLI_AS_TEXT}, {"into", "into", CLI_AS_TEXT},
        {"size before", "bytes_before", CLI_AS_BYTES}, {"size after", "bytes_after", CLI_AS_BYTES}), NULL, NULL}},

#define RETENTION_FIELDS(pattern, age, size, disk, rollups) {pattern, "pattern", CLI_AS_TEXT}, {age, "max_age", CLI_AS_TEXT}, \
    {size, "max_size", CLI_AS_BYTES}, {disk, "min_free", CLI_AS_BYTES}, {rollups, "rollups", CLI_AS_LIST}
    {"retention.set", {FIELDS(RETENTION_FIELDS("pattern", "greatest age", "greatest size", "free disk", "rollups")), NULL, NULL}},
    {"retention.ls", {NULL, ITEMS("everything is kept: limit it with `edgeopsctl retention set`",
        RETENTION_FIELDS("PATTERN", "MAX AGE", "MAX SIZE", "MIN FREE", "ROLLUPS")), NULL}},
    {"retention.rm", {NULL, NULL, "removed the retention of %s"}},
    {"retention.run", {FIELDS({"dry run", "dry_run", CLI_AS_TEXT}, {"rows", "rows", CLI_AS_TEXT}, {"until", "until", CLI_AS_TIME}, {"size", "bytes", CLI_AS_BYTES},
        {"chunks", "chunks", CLI_AS_TEXT}, {"assets", "assets", CLI_AS_TEXT}, {"chunks that datasets hold", "held", CLI_AS_TEXT},
        {"all limits reached", "reached", CLI_AS_TEXT}), NULL, NULL}},

    {"label.add", {FIELDS({"id", "id", CLI_AS_TEXT}), NULL, NULL}},
    {"label.correct", {FIELDS({"id", "id", CLI_AS_TEXT}, {"replaces", "replaces", CLI_AS_TEXT}), NULL, NULL}},
    {"label.import", {FIELDS({"dry run", "dry_run", CLI_AS_TEXT}, {"labels", "labels", CLI_AS_TEXT}, {"duplicates", "duplicates", CLI_AS_TEXT}, {"left out", "skipped", CLI_AS_TEXT}, {"first", "first", CLI_AS_TIME},
        {"last", "last", CLI_AS_TIME}), SECTIONS(BAD_ROWS("")), NULL}},
    {"label.ls", {FIELDS({"more: go on with --after", "next", CLI_AS_TEXT}),
        ITEMS("no labels: add some with `edgeopsctl label add` or `label import`", LABEL_FIELDS), NULL}},
    {"label.history", {FIELDS({"more: go on with --after", "next", CLI_AS_TEXT}),
        ITEMS("nothing was said of it", LABEL_FIELDS, {"VERSION", "version", CLI_AS_TEXT}, {"REPLACES", "replaces", CLI_AS_TEXT},
        {"UNTIL", "withdrawn", CLI_AS_TEXT}), NULL}},
    {"label.rm", {NULL, NULL, "took label %s back"}},
    {"label.stats", {FIELDS({"assets", "assets", CLI_AS_TEXT}, {"labels", "labels", CLI_AS_TEXT}, {"labelled rows", "rows", CLI_AS_TEXT},
        {"version", "version", CLI_AS_TEXT}, {"rows that all labelled", "all.rows", CLI_AS_TEXT}, {"agreement of all", "all.agreement", CLI_AS_RATIO},
        {"Fleiss' kappa", "all.kappa", CLI_AS_RATIO}, {"rows in conflict", "conflicts.rows", CLI_AS_TEXT}, {"conflicts", "conflicts.count", CLI_AS_TEXT}),
        SECTIONS(
        {"classes", "classes", FIELDS({"LABEL", "label", CLI_AS_TEXT}, {"LABELS", "labels", CLI_AS_TEXT}, {"POINTS", "points", CLI_AS_TEXT},
            {"TIME", "seconds", CLI_AS_SECONDS}, {"ROWS", "rows", CLI_AS_TEXT}), NULL},
        {"authors", "authors", FIELDS({"AUTHOR", "author", CLI_AS_TEXT}, {"LABELS", "labels", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT}), NULL},
        {"agreement", "pairs", FIELDS({"AUTHOR", "first", CLI_AS_TEXT}, {"AND", "second", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT},
            {"AGREEMENT", "agreement", CLI_AS_RATIO}, {"KAPPA", "kappa", CLI_AS_RATIO}), NULL},
        {"conflicts", "conflicts.items", FIELDS({"ASSET", "asset", CLI_AS_TEXT}, {"FIRST", "first", CLI_AS_TIME}, {"LAST", "last", CLI_AS_TIME},
            {"ROWS", "rows", CLI_AS_TEXT}, {"SAID", "said", CLI_AS_LIST}), NULL}), NULL}},

    {"dataset.create", {FIELDS(DATASET_FIELDS), SECTIONS(JOINS_SECTION("joins"), WARNINGS_SECTION), "froze dataset %s"}},
    {"dataset.ls", {NULL, ITEMS("no datasets: freeze one with `edgeopsctl dataset create`",
        {"NAME", "name", CLI_AS_TEXT}, {"ROWS", "rows", CLI_AS_TEXT}, {"DIGEST", "digest", CLI_AS_DIGEST}, {"CREATED", "created", CLI_AS_TIME}), NULL}},
    {"dataset.show", {FIELDS(DATASET_FIELDS), DATASET_SECTIONS, NULL}},
    {"dataset.diff", {FIELDS({"same data", "same", CLI_AS_TEXT}, {"digest", "digest_a", CLI_AS_TEXT}, {"other digest", "digest_b", CLI_AS_TEXT},
        {"differences", "differences", CLI_AS_TEXT}),
        SECTIONS({NULL, "items#50", FIELDS({"WHAT", "what", CLI_AS_TEXT}, {"FIRST", "a", CLI_AS_TEXT}, {"OTHER", "b", CLI_AS_TEXT}), NULL}), NULL}},
    {"dataset.rm", {NULL, NULL, "removed dataset %s"}},
    {"dataset.export", {FIELDS({"rows", "rows", CLI_AS_TEXT}), NULL, NULL}},

    {"workflow.add", {FIELDS({"name", "name", CLI_AS_TEXT}, {"version", "version", CLI_AS_TEXT}, {"digest", "digest", CLI_AS_TEXT}, {"newly installed", "installed", CLI_AS_TEXT}), NULL, NULL}},
    {"workflow.check", {FIELDS({"name", "name", CLI_AS_TEXT}, {"version", "version", CLI_AS_TEXT}, {"digest", "digest", CLI_AS_TEXT}, {"size", "size_bytes", CLI_AS_BYTES}), NULL, "%s is a sound workflow"}},
    {"workflow.ls", {NULL, ITEMS("no workflows: install one with `edgeopsctl workflow add`",
        {"NAME", "name", CLI_AS_TEXT}, {"VERSION", "version", CLI_AS_TEXT}, {"DIGEST", "digest", CLI_AS_DIGEST}, {"SIZE", "size_bytes", CLI_AS_BYTES},
        {"DESCRIPTION", "description", CLI_AS_TEXT}), NULL}},
    {"workflow.show", {FIELDS({"name", "name", CLI_AS_TEXT}, {"version", "version", CLI_AS_TEXT}, {"description", "manifest.description", CLI_AS_TEXT},
        {"digest", "digest", CLI_AS_TEXT}, {"size", "size_bytes", CLI_AS_BYTES}, {"installed in", "installed", CLI_AS_TEXT}, {"window", "manifest.window", CLI_AS_LIST},
        {"label", "manifest.label.name", CLI_AS_TEXT}, {"classes", "manifest.label.classes", CLI_AS_LIST}, {"limits", "manifest.limits", CLI_AS_LIST}),
        SECTIONS({"inputs", "manifest.inputs", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}), NULL},
        {"outputs", "manifest.outputs", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"UNIT", "unit", CLI_AS_TEXT}), NULL},
        {"parameters", "manifest.parameters", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"TYPE", "type", CLI_AS_TEXT}, {"DEFAULT", "default", CLI_AS_TEXT},
            {"MINIMUM", "minimum", CLI_AS_TEXT}, {"MAXIMUM", "maximum", CLI_AS_TEXT}), NULL}), NULL}},
    {"workflow.rm", {NULL, NULL, "removed workflow %s"}},

    {"train", {FIELDS({"model", "model", CLI_AS_TEXT}, {"run", "run", CLI_AS_TEXT}, {"metrics", "metrics", CLI_AS_LIST}, USAGE_FIELDS), NULL, NULL}},
    {"predict", {FIELDS({"windows", "windows", CLI_AS_TEXT}, {"predictions", "predictions", CLI_AS_TEXT}, {"errors", "errors", CLI_AS_TEXT}, {"skipped", "skipped", CLI_AS_TEXT},
        {"rows left out", "input.skipped", CLI_AS_TEXT},
        {"time", "seconds", CLI_AS_SECONDS}, {"labelled", "metrics.labelled", CLI_AS_TEXT}, {"accuracy", "metrics.accuracy", CLI_AS_RATIO}, {"macro F1", "metrics.macro_f1", CLI_AS_RATIO}),
        SECTIONS(BAD_ROWS("input."), {NULL, "metrics.per_class", FIELDS({"CLASS", "$key", CLI_AS_TEXT}, {"PRECISION", "precision", CLI_AS_RATIO}, {"RECALL", "recall", CLI_AS_RATIO},
            {"F1", "f1", CLI_AS_RATIO}, {"SUPPORT", "support", CLI_AS_TEXT}), NULL}), NULL}},
    {"model.ls", {NULL, ITEMS("no models: make one with `edgeopsctl train`",
        {"NAME", "name", CLI_AS_TEXT}, {"WORKFLOW", "workflow", CLI_AS_TEXT}, {"VERSION", "version", CLI_AS_TEXT}, {"DATASET", "dataset", CLI_AS_TEXT},
        {"CREATED", "created", CLI_AS_TIME}, {"METRICS", "metrics", CLI_AS_LIST}), NULL}},
    {"model.show", {FIELDS({"name", "name", CLI_AS_TEXT}, {"workflow", "workflow.name", CLI_AS_TEXT}, {"version", "workflow.version", CLI_AS_TEXT},
        {"workflow digest", "workflow.digest", CLI_AS_TEXT}, {"dataset", "dataset.name", CLI_AS_TEXT}, {"dataset digest", "dataset.digest", CLI_AS_TEXT},
        {"parameters", "params", CLI_AS_LIST}, {"metrics", "metrics", CLI_AS_LIST}, {"run", "run", CLI_AS_TEXT}, {"created", "created", CLI_AS_TIME},
        {"size", "size_bytes", CLI_AS_BYTES}, USAGE_FIELDS),
        SECTIONS(JOINS_SECTION("dataset.joins"), {"files", "files", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"SIZE", "size", CLI_AS_BYTES}, {"SHA-256", "sha256", CLI_AS_TEXT}), NULL}), NULL}},
    {"model.rm", {NULL, NULL, "removed model %s"}},

    {"deploy", {FIELDS({"name", "name", CLI_AS_TEXT}, {"publish", "publish|not published", CLI_AS_TEXT}, {"source", "source", CLI_AS_TEXT}, {"state", "state", CLI_AS_TEXT}, {"detail", "detail", CLI_AS_TEXT}),
        NULL, "deployed %s"}},
    {"deployment.ls", {NULL, ITEMS("no deployments: make one with `edgeopsctl deploy`",
        {"NAME", "name", CLI_AS_TEXT}, {"MODEL", "model", CLI_AS_TEXT}, {"ASSET", "asset", CLI_AS_TEXT}, {"STATE", "state", CLI_AS_TEXT},
        {"PREDICTIONS", "predictions", CLI_AS_TEXT}, {"ERRORS", "errors", CLI_AS_TEXT}, {"LAG", "lag", CLI_AS_SAMPLES}, {"P50", "latency_us.p50", CLI_AS_MICROS}, {"P99", "latency_us.p99", CLI_AS_MICROS},
        {"DETAIL", "detail", CLI_AS_TEXT}), NULL}},
    {"deployment.show", {FIELDS(DEPLOYMENT_FIELDS), NULL, NULL}},
    {"deployment.stop", {NULL, NULL, "stopped deployment %s"}},
    {"deployment.start", {NULL, NULL, "started deployment %s"}},
    {"deployment.retry", {FIELDS({"wait again", "again", CLI_AS_TEXT}, {"tries now", "now", CLI_AS_TEXT}, {"outbox", "outbox", CLI_AS_TEXT}), NULL, NULL}},
    {"deployment.skip", {FIELDS({"dropped", "dropped", CLI_AS_TEXT}, {"outbox", "outbox", CLI_AS_TEXT}), NULL, NULL}},
    {"deployment.rm", {FIELDS({"not published", "dropped", CLI_AS_TEXT}), NULL, "removed deployment %s"}},

    {"run.ls", {NULL, ITEMS("no runs yet",
        {"ID", "id", CLI_AS_TEXT}, {"KIND", "kind", CLI_AS_TEXT}, {"STATE", "state", CLI_AS_TEXT}, {"WORKFLOW", "workflow", CLI_AS_TEXT}, {"DATASET", "dataset", CLI_AS_TEXT},
        {"MODEL", "model", CLI_AS_TEXT}, {"STARTED", "started", CLI_AS_TIME}, {"ENDED", "ended", CLI_AS_TIME}, {"MESSAGE", "message", CLI_AS_TEXT}), NULL}},
    {"run.show", {FIELDS({"id", "id", CLI_AS_TEXT}, {"kind", "kind", CLI_AS_TEXT}, {"state", "state", CLI_AS_TEXT}, {"message", "message", CLI_AS_TEXT},
        {"workflow", "workflow", CLI_AS_TEXT}, {"dataset", "dataset", CLI_AS_TEXT}, {"model", "model", CLI_AS_TEXT}, {"parameters", "params", CLI_AS_LIST},
        {"started", "started", CLI_AS_TIME}, {"ended", "ended", CLI_AS_TIME}, USAGE_FIELDS),
        SECTIONS({"metrics", "history#20", FIELDS({"NAME", "name", CLI_AS_TEXT}, {"STEP", "step", CLI_AS_TEXT}, {"VALUE", "value", CLI_AS_NUMBER}), NULL}), NULL}},
    {"run.cancel", {NULL, NULL, "canceled run %s"}},
    {"doctor", {NULL, SECTIONS({NULL, "checks", FIELDS({"CHECK", "name", CLI_AS_TEXT}, {"STATE", "state", CLI_AS_TEXT}, {"DETAIL", "detail", CLI_AS_TEXT}), NULL}), NULL}},
};
/* clang-format on */

const cli_view *cli_view_of(const char *operation) {
    for (size_t i = 0; i < CLI_COUNT(views); i++) {
        if (strcmp(views[i].operation, operation) == 0) {
            return &views[i].view;
        }
    }
    return NULL;
}
