/* SPDX-License-Identifier: Apache-2.0 */
/* The command table: help, completion, checks and most of the work are made from it. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "edgeops.h"
#include "fail.h"
#include "json.h"
#include "text.h"

typedef struct cli_call cli_call;

typedef enum cli_kind {
    CLI_FLAG, /**< no value; as an argument: true */
    CLI_OFF,  /**< no value; as an argument: false */
    CLI_TEXT,
    CLI_FILE, /**< text, completed with file names */
    CLI_INTEGER,
    CLI_NUMBER,
    CLI_TIME,     /**< what edgeops_time_parse() reads */
    CLI_DURATION, /**< such as 20ms */
    CLI_LIST,     /**< may be given again; as an argument: an array */
    CLI_WORDS,    /**< texts with commas between them; as an argument: an array */
    CLI_COLUMNS,  /**< column of the time; given twice: of the date, and clock_column */
    CLI_PAIRS,    /**< NAME=VALUE, may be given again; as an argument: an object */
    CLI_HEADING   /**< no option: a line in the help, over the options that follow */
} cli_kind;

/** An option of a command. Ends with a NULL name. */
typedef struct cli_option {
    const char *name; /**< of a CLI_HEADING: its text */
    cli_kind kind;
    const char *value;   /**< what the value is called in the help */
    const char *help;    /**< with a key: what is added to the operation's text (operations.h) */
    const char *key;     /**< argument of the operation it goes into; NULL: the command's own */
    const char *choices; /**< words separated by blanks; NULL: free */
    char letter;         /**< 0: long form only */
    bool required;
} cli_option;

typedef enum cli_count { CLI_ONE, CLI_OPTIONAL } cli_count;

/** A positional argument. Ends with a NULL name. */
typedef struct cli_argument {
    const char *name;
    const char *key; /**< as in cli_option */
    cli_count count;
    const char *help;
    cli_kind kind; /**< CLI_TEXT, CLI_FILE or CLI_INTEGER */
} cli_argument;

typedef enum cli_shape {
    CLI_AS_TEXT,
    CLI_AS_RARE, /**< text of a last column, which is left out where no row has it */
    CLI_AS_TIME, /**< to the millisecond */
    CLI_AS_BYTES,
    CLI_AS_SECONDS,
    CLI_AS_MICROS,  /**< microseconds; absent when 0: nothing was measured */
    CLI_AS_SAMPLES, /**< number of samples */
    CLI_AS_RATIO,   /**< three decimals */
    CLI_AS_NUMBER,  /**< six digits */
    CLI_AS_DIGEST,  /**< first 12 digits */
    CLI_AS_LIST,    /**< elements or name=value members, separated by commas */
    CLI_AS_COUNT    /**< number of elements */
} cli_shape;

/** One shown value: a column of a table or a line of an object. Ends with a NULL title. */
typedef struct cli_field {
    const char *title;
    const char *path; /**< "$key": name of the member that is the row; "a.b|text": text when it is
                           absent from an object */
    cli_shape shape;
} cli_field;

/** A table made of an array or of an object's members. Ends with NULL columns. */
typedef struct cli_section {
    const char *title; /**< NULL: none */
    const char *path;  /**< "a.b#20": only the last 20 rows, "a.b#+20" the first; all are counted */
    const cli_field *columns;
    const char *empty; /**< printed when there is no row; NULL: nothing is printed */
} cli_section;

/** How a result is shown to people. */
typedef struct cli_view {
    const cli_field *fields; /**< lines "title  value"; absent values are left out */
    const cli_section *sections;
    const char *done; /**< a sentence; "%s" is the first positional argument */
} cli_view;

/** One command. Ends with a NULL noun. */
typedef struct cli_command {
    const char *noun;
    const char *verb;    /**< NULL: the noun alone */
    const char *summary; /**< NULL: that of the operation (operations.h) */
    const char *details; /**< more for the help; NULL: nothing */
    const cli_argument *arguments;
    const cli_option *options;
    const char *operation;      /**< of the node; NULL: run does it all */
    int (*run)(cli_call *call); /**< NULL: call the operation and show its result */
} cli_command;

/** What a noun with verbs is about. Ends with a NULL noun. */
typedef struct cli_noun {
    const char *noun, *summary;
} cli_noun;

/** All that can be typed. main hands it to the parser, which leaves it in the cli_call. */
typedef struct cli_language {
    const cli_command *commands; /**< those of one noun follow each other */
    const cli_noun *nouns;
} cli_language;

extern const cli_language cli_all_commands;
/** Options of every command. */
extern const cli_option cli_global_options[];

typedef struct cli_globals {
    const char *home;
    bool json, quiet, verbose, events;
} cli_globals;

typedef struct cli_given {
    const cli_option *option;
    const char *text; /**< "" for a flag */
} cli_given;

/** One parsed command line. */
struct cli_call {
    cli_globals globals;
    const cli_language *language;
    const cli_command *command;
    char **arguments;
    size_t argument_count;
    cli_given *given;
    size_t given_count;
};

/** Parses all of argv; *code is set when there is nothing more to do (help was shown, usage
 * error). */
bool cli_parse(cli_call *call, const cli_language *language, int argc, char **argv, int *code);
void cli_call_dispose(cli_call *call);
/** Last value given for an option, else fallback. The name must be in the command's table. */
const char *cli_get(const cli_call *call, const char *name, const char *fallback);
bool cli_has(const cli_call *call, const char *name);
/** The index-th value given, NULL past the last. */
const char *cli_get_nth(const cli_call *call, const char *name, size_t index);
/** Positional argument, NULL when it was not given. */
const char *cli_arg(const cli_call *call, size_t index);
/** Appends the members of the operation's arguments that options and positionals give, without
 * braces. */
void cli_put_arguments(cli_text *out, const cli_call *call);
/** Reports a usage error and where to find help. */
int cli_usage(const cli_call *call, const char *format, ...) CLI_PRINTF(2, 3);

void cli_help(FILE *file, const cli_language *language, const char *noun, const char *verb);
int cli_completion(cli_call *call);

/* -- showing results -- */
/** How an operation's result is shown; NULL: as it is. */
const cli_view *cli_view_of(const char *operation);
/** Prints a result as its view says, or with --json as it is. */
void cli_show(FILE *file, const cli_call *call, const char *operation, const char *result);
/** An array of names and an array of arrays as a table. */
void cli_show_rows(FILE *file, const json_value *columns, const json_value *rows);
/** Text of one value in a shape; NULL when absent. Free it. */
char *cli_shaped(const json_value *value, cli_shape shape);
/** Flushes standard output. Returns 0, or CLI_FAILED when it could not take all. */
int cli_flush(void);

/* -- the node -- */
typedef struct cli_session {
    const cli_call *call;
    edgeops_ctx *ctx;
    edgeops_node *node;
    char *home;
} cli_session;

/** Directory of the node home. Free it. */
char *cli_home(const cli_call *call);
bool cli_home_exists(const char *home);
/** Context with the log on standard error as --verbose says; exit code. */
int cli_context(edgeops_ctx **out, const cli_call *call, edgeops_log_level level);
/** Opens the node; exit code, the error is reported. */
int cli_session_open(cli_session *session, const cli_call *call, edgeops_node_mode mode);
void cli_session_close(cli_session *session);
/** Calls an operation, with progress and Ctrl-C; *result: free it.
 * Exit code, the error is reported. on_event: NULL shows progress. */
int cli_session_call(char **result, cli_session *session, const char *operation,
                     const char *arguments, int input, int output, edgeops_event_fn on_event,
                     void *user_data);
/** The same for a call that goes on until Ctrl-C, which ends it well; *result may be NULL then. */
int cli_session_call_until(char **result, cli_session *session, const char *operation,
                           const char *arguments, int output, edgeops_event_fn on_event,
                           void *user_data);
/** Opens, calls, closes; *result: free it. members: as cli_put_arguments() makes them. Exit code, the
 * error is reported. Where no daemon runs and the input is a pipe, all of it is read before the node
 * opens: whoever writes it may need the same home. */
int cli_session_run(char **result, const cli_call *call, const char *operation, const char *members,
                    int input, int output);
/** The same, and shows the result. */
int cli_operation(cli_call *call, const char *operation, const char *members, int input,
                  int output);

/* -- interrupts -- */
/** From now on SIGINT and SIGTERM stop ctx's loop; a second one ends the program. NULL: no loop. */
void cli_interrupt_watch(edgeops_ctx *ctx);
bool cli_interrupted(void);

/* -- progress on standard error -- */
#define CLI_PROGRESS_METRICS 6 /* names on one line; more are in the run */

typedef struct cli_progress {
    bool shown; /**< a line is on the terminal */
    bool terminal, quiet, events;
    bool news;           /**< something that no line has shown yet */
    double last;         /**< clock of the last line */
    double last_metrics; /**< clock at which the metrics of the line were taken */
    double part;         /**< of the work, 0 to 1; NAN while it is not known */
    double told_part;    /**< of the last line */
    cli_text amounts, shown_metrics;
    cli_text names[CLI_PROGRESS_METRICS], values[CLI_PROGRESS_METRICS];
    uint64_t total_bytes;
    int64_t run; /**< number of the run that events named, 0 for none */
} cli_progress;

void cli_progress_start(cli_progress *progress, const cli_call *call, int input);
/** An edgeops_event_fn; user_data is the cli_progress. */
void cli_progress_event(const char *event_json, void *user_data);
/** One line that replaces the one before on a terminal, and comes every few seconds elsewhere. */
void cli_progress_line(cli_progress *progress, const char *text);
void cli_progress_end(cli_progress *progress);

/* -- files: exit codes, the error is reported -- */
/** "-": standard input. */
int cli_open_input(int *fd, const char *path);
/** Where --output goes. */
typedef struct cli_output {
    int fd;
    char *path, *temporary;
} cli_output;

/** "-": standard output. A regular file is written beside its place, with mode 0666 less umask, or
 * with the mode of the file it replaces. */
int cli_output_open(cli_output *output, const char *path);
/** Puts the file in its place when code is CLI_OK, else removes it. Returns code, or the error met
 * here. An output that was not opened ({.fd = -1}) is allowed. */
int cli_output_close(cli_output *output, int code);
/** Closes fd, except -1 and the standard descriptors. */
void cli_close(int fd);
/** Whether another process of this machine writes it: a pipe, or a socket that serves as one. */
bool cli_is_pipe(int fd);
/** Reads all of fd into memory or an unnamed file; *out: close it. */
int cli_spool(int *out, int fd);
/** Reads a text of at most limit bytes, NUL-terminated; free it. */
int cli_read_file(char **out, size_t *size, const char *path, size_t limit);
/** Whether the reader of this pipe or socket has gone. */
bool cli_reader_gone(int fd);
/** What a person should know of an input beside its numbers: notes into `file`, unless quiet, and
 * warnings. report: of the answer; NULL: none. */
void cli_tell_report(const cli_call *call, FILE *file, const json_value *report);
/** Appends the member "what", by which the node names the input in its errors. */
void cli_put_input_name(cli_text *out, const char *path);
/** Appends the format (and for .tsv the separator) that the ending of an input's name gives, where
 * the option ("format") does not. An ending that says nothing, or a format that the command does not
 * take, is wrong usage; none at all is CSV. */
int cli_put_input_format(cli_text *out, const cli_call *call, const char *option, const char *path);
/** The same for --output, with "gzip" where the command has it: the formats are those of --format. */
int cli_put_output_format(cli_text *out, const cli_call *call, const char *path);
/** A path that means the same to a daemon with another working directory. Free it. */
char *cli_absolute(const char *path);

/* -- commands that are more than one operation -- */
int cli_node_init(cli_call *call);
int cli_node_serve(cli_call *call);
int cli_node_status(cli_call *call);
int cli_node_stop(cli_call *call);
int cli_node_backup(cli_call *call);
int cli_node_restore(cli_call *call);
int cli_source_add(cli_call *call);
int cli_source_test(cli_call *call);
int cli_data_import(cli_call *call);
int cli_data_export(cli_call *call);
int cli_data_head(cli_call *call);
int cli_label_add(cli_call *call);
int cli_label_history(cli_call *call);
int cli_label_import(cli_call *call);
int cli_workflow_init(cli_call *call);
int cli_workflow_check(cli_call *call);
int cli_workflow_pack(cli_call *call);
int cli_workflow_add(cli_call *call);
int cli_predict(cli_call *call);
int cli_run_log(cli_call *call);
int cli_simulate(cli_call *call);
int cli_replay(cli_call *call);
int cli_doctor(cli_call *call);
int cli_version(cli_call *call);

#endif /* CLI_CLI_H */
