/* SPDX-License-Identifier: Apache-2.0 */
/* Records of CSV or JSON lines to samples: which column is the time, which name the asset, which are
 * channels of which type, which are labels. One place for import, replay and prediction from a file. */
#ifndef EOP_CODEC_TABLE_READER_H
#define EOP_CODEC_TABLE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/csv.h"
#include "codec/json.h"
#include "codec/rules.h"
#include "edgeops/types.h"

/** A column whose type is given; EDGEOPS_TYPE_NULL: found out from the rows. */
typedef struct eop_table_column {
    const char *name;
    edgeops_type type;
    uint32_t length;  /**< elements of an array; 0 reads as 1 */
    const char *unit; /**< given, or found in a row of units; NULL: none */
} eop_table_column;

/** A run of one label in consecutive rows of an asset: [start, end). Anything but EDGEOPS_OK is
 * passed through by the call that it came from. */
typedef edgeops_status (*eop_table_label_fn)(const char *asset, edgeops_time start,
                                             edgeops_time end, const char *label, void *user_data);

/** Only rows with this text in that column. */
typedef struct eop_table_condition {
    const char *column;
    const char *text;
} eop_table_condition;

/** The type that an asset has decided for a channel already. False: it has no such channel, or there
 * is no such asset. */
typedef bool (*eop_table_known_fn)(const char *asset, const char *channel, edgeops_type *type,
                                   uint32_t *length, void *user_data);

/** A row that was left out, for a list of all of them; as for eop_report_bad(). */
typedef void (*eop_table_bad_fn)(uint64_t line, const char *column, const char *reason,
                                 const char *text, size_t size, void *user_data);

typedef enum eop_table_format { EOP_TABLE_CSV, EOP_TABLE_JSON_LINES } eop_table_format;
typedef enum eop_bad_rows {
    EOP_BAD_ERROR, /**< a bad row is an error; the next call goes on behind it where it can */
    EOP_BAD_SKIP   /**< it is left out, counted and reported */
} eop_bad_rows;

/** Texts are copied, except those of `where`, which are borrowed. Zero means default. */
typedef struct eop_table_options {
    const char *what; /**< names the file in errors; default "input" */
    eop_table_format format;
    eop_csv_dialect dialect; /**< of CSV */
    eop_rules_options rules; /**< what a null, a number and a time is */
    bool no_header; /**< CSV whose first record is data; names: `names`, else c1, c2, ... */
    const char *const *names; /**< of the columns, in place of the header's */
    size_t name_count;
    const char *asset; /**< name; "{column}" is filled from the row */
    /** NULL: the i-th row of an asset gets start + i * period. */
    const char *time_column;
    const char *clock_column; /**< the time of day, where time_column has the date alone */
    edgeops_time start;       /**< where there is no time column */
    edgeops_duration period;  /**< where there is no time column; default 1 s */
    /** NULL: a column "seq" of whole numbers; else rows of one time of an asset, and a group, are
     * numbered as seqs.h says. */
    const char *seq_column;
    const char *label_column; /**< NULL: no labels */
    const char *group_column; /**< NULL: no groups */
    /** The long format, a value a row: columns with the channel's name and with its value. */
    const char *channel_column;
    const char *value_column;
    /** Wide files of several assets: how a column's name is made, such as "{asset}.{channel}" or
     * "{channel} ({asset})". NULL: a column is a channel of that name. */
    const char *column_pattern;
    const eop_table_column *columns; /**< types that are given; each must be there */
    size_t column_count;
    const char *const *skip; /**< columns to leave out; each must be there */
    size_t skip_count;
    eop_bad_rows bad_rows;
    eop_table_label_fn on_label; /**< optional */
    eop_table_known_fn on_known; /**< optional */
    eop_table_bad_fn on_bad;     /**< optional; with EOP_BAD_SKIP, each bad row */
    void *user_data;
    bool only_given;    /**< what `columns` does not list is no channel and may hold anything */
    bool time_optional; /**< without a column `time_column`: as if that were NULL */
    bool as_text; /**< all columns but `skip` are string channels of what they hold, those of time,
                       label and the asset's name too */
    const eop_table_condition *where; /**< all must hold; what is left out counts for nothing */
    size_t where_count;
    int cancel_fd; /**< as for eop_read_some() */
} eop_table_options;

/** One row. Borrowed until the next call. */
typedef struct eop_table_row {
    /** The channels that are not null; of a row without a value one null, where it has a word for
     * null or an empty field of a column with its type in the header. */
    edgeops_sample sample;
    const char *label; /**< NULL: no column, or an empty field */
    const char *group; /**< NULL: no column */
    uint64_t line;     /**< of its (first) record */
    bool part;         /**< it completes a row that came before, with the same time and seq */
} eop_table_row;

typedef struct eop_table_reader eop_table_reader;

/** Reads the header and the first rows. A channel's type is, in this order, the one in `columns`,
 * the one behind its name in the header (column_name.h), the one that the asset has decided
 * (on_known), or found from the first rows, words for null aside: numbers are float64 (as in JSON
 * messages), "true" and "false" bool, all else string; a
 * channel without a value there gets the type of its first one. The columns of time, sequence,
 * label, group and those in the asset's name are not channels unless `columns` lists them. Without a
 * column "time" one whose name says so and whose first rows are times is taken. Repeated names get a
 * number, those without a name that of their place; rows of units, types and comments below the
 * header, rows of separators and empty fields behind the last column cost nothing. A header of
 * numbers is refused. All that is decided is in the report.
 *
 *  @param fd  stays the caller's; plain or gzip
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (what is wrong with which column or line); E_NOMEM; E_IO
 */
edgeops_status eop_table_reader_open(eop_table_reader **out, int fd,
                                     const eop_table_options *options);
/** The next row that has a value or a word for null; rows without any are left out, but their label
 * counts.
 *
 *  @return EDGEOPS_OK; EDGEOPS_DONE at the end, after the last label runs were given;
 *  EDGEOPS_E_INVALID with file and line: the row is left out, the next call goes on behind it
 * unless the text itself is broken */
edgeops_status eop_table_reader_next(eop_table_reader *reader, eop_table_row *row);
/** The row that was given last is bad after all, by the rules of who asked for it: reports it.
 *
 *  @param column, text  NULL where it is not one field's
 *  @return with EOP_BAD_SKIP EDGEOPS_OK; else E_INVALID with file, line, column and reason */
edgeops_status eop_table_reader_refuse(eop_table_reader *reader, const char *column,
                                       const char *reason, const char *text, size_t size);
/** False: no column has the time. */
bool eop_table_reader_timed(const eop_table_reader *reader);
/** Reads the end of what starts at `start`, written as the times of the file are. False: it is none. */
bool eop_table_reader_end(const eop_table_reader *reader, edgeops_time *out, edgeops_time start,
                          const char *text, size_t size);
/** The channels in the order of the file, also those without a value so far; borrowed until the next
 * row. */
size_t eop_table_reader_channels(const eop_table_reader *reader, const eop_table_column **out);
/** Bytes of the (compressed) input taken so far: progress. */
uint64_t eop_table_reader_offset(const eop_table_reader *reader);
/** A note of the caller's for the report. */
void eop_table_reader_note(eop_table_reader *reader, const char *sentence);
/** What was met and decided so far (report.h). NULL: no memory. */
eop_json *eop_table_reader_report(const eop_table_reader *reader);
void eop_table_reader_close(eop_table_reader *reader);

#endif /* EOP_CODEC_TABLE_READER_H */
