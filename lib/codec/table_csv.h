/* SPDX-License-Identifier: Apache-2.0 */
/* CSV rows to samples: which column is the time, which name the asset, which are channels of which
 * type, which are labels. One place for import, replay and prediction from a file. */
#ifndef EOP_CODEC_TABLE_CSV_H
#define EOP_CODEC_TABLE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

/** A column whose type is given; EDGEOPS_TYPE_NULL: found out from the rows. */
typedef struct eop_csv_column {
    const char *name;
    edgeops_type type;
    uint32_t length; /**< elements of an array; 0 reads as 1 */
} eop_csv_column;

/** A run of one label in consecutive rows of an asset: [start, end). Anything but EDGEOPS_OK is
 * passed through by the call that it came from. */
typedef edgeops_status (*eop_csv_label_fn)(const char *asset, edgeops_time start, edgeops_time end,
                                           const char *label, void *user_data);

/** Only rows with this text in that column. */
typedef struct eop_csv_condition {
    const char *column;
    const char *text;
} eop_csv_condition;

/** Texts are copied, except those of `where`, which are borrowed. Zero means default. */
typedef struct eop_csv_samples_options {
    const char *what;        /**< names the file in errors; default "csv" */
    char separator;          /**< default ',' */
    const char *asset;       /**< name; "{column}" is filled from the row */
    const char *time_column; /**< NULL: the i-th row of an asset gets start + i * period */
    const char *time_unit;   /**< "s", "ms", "us", "ns" for numbers; NULL: by magnitude */
    edgeops_time start;      /**< where there is no time column */
    edgeops_duration period; /**< where there is no time column; default 1 s */
    const char *seq_column;  /**< NULL: rows of an asset with the time of the one before count up */
    const char *label_column;      /**< NULL: no labels */
    const char *group_column;      /**< NULL: no groups */
    const eop_csv_column *columns; /**< types that are given; each must be there */
    size_t column_count;
    const char *const *skip; /**< columns to leave out; each must be there */
    size_t skip_count;
    eop_csv_label_fn on_label; /**< optional */
    void *user_data;
    bool time_optional; /**< without a column `time_column`: as if that were NULL */
    bool as_text; /**< all columns but `skip` are string channels of what they hold, those of time,
                       label and the asset's name too */
    const eop_csv_condition *where; /**< all must hold; what is left out counts for nothing */
    size_t where_count;
    int cancel_fd; /**< as for eop_read_some() */
} eop_csv_samples_options;

/** One row. Borrowed until the next call. */
typedef struct eop_csv_row {
    edgeops_sample sample; /**< only the channels that are not null */
    const char *label;     /**< NULL: no column, or an empty field */
    const char *group;     /**< NULL: no column */
    uint64_t line;
} eop_csv_row;

typedef struct eop_csv_samples eop_csv_samples;

/** Reads the header and the first rows, from which the types follow that are not given: a column
 * of numbers is float64 (as in JSON messages), "true" and "false" bool, all else string; a column
 * that is empty there gets the type of its first value. The columns of time, sequence, label,
 * group and those in the asset's name are not channels unless `columns` lists them.
 *
 *  @param fd  stays the caller's; plain or gzip
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (what is wrong with which column or line); E_NOMEM; E_IO
 */
edgeops_status eop_csv_samples_open(eop_csv_samples **out, int fd,
                                    const eop_csv_samples_options *options);
/** The next row that has a value; rows without any are left out, but their label counts.
 *
 *  @return EDGEOPS_OK; EDGEOPS_DONE at the end, after the last label runs were given;
 *  EDGEOPS_E_INVALID with file and line: the row is left out, the next call goes on behind it
 * unless the text itself is broken */
edgeops_status eop_csv_samples_next(eop_csv_samples *samples, eop_csv_row *row);
/** False: no column has the time. */
bool eop_csv_samples_timed(const eop_csv_samples *samples);
/** The channels in the order of the file, as far as their types are known. */
size_t eop_csv_samples_channels(const eop_csv_samples *samples, const eop_csv_column **out);
/** Bytes of the (compressed) input taken so far: progress. */
uint64_t eop_csv_samples_offset(const eop_csv_samples *samples);
void eop_csv_samples_close(eop_csv_samples *samples);

/** A time stamp as text: ISO 8601, or a number in the unit ("s", "ms", "us", "ns"; NULL: by
 * magnitude). Decimal fractions are exact. */
bool eop_csv_time(edgeops_time *out, const char *text, size_t size, const char *unit);

#endif /* EOP_CODEC_TABLE_CSV_H */
