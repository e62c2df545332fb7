/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the table reader share: its columns, the records kept from the first look, its
 * assets. The files know each other in this order: table_kept, table_columns, table_roles,
 * table_guess, table_below, table_types, table_cell, table_assets, table_rows, table_long,
 * table_reader. One thread. */
#ifndef EOP_CODEC_TABLE_PARTS_H
#define EOP_CODEC_TABLE_PARTS_H

#include "base/map.h"
#include "base/str.h"
#include "base/type.h"
#include "codec/report.h"
#include "codec/seqs.h"
#include "codec/table_reader.h"

#define EOP_TABLE_CHANNELS 1024u /* of all that a file has */
#define EOP_TABLE_LOOK     512u  /* rows whose values decide on the types that are not given */
#define EOP_NOWHERE        SIZE_MAX

typedef enum eop_role {
    EOP_ROLE_SKIP,
    EOP_ROLE_CHANNEL,
    EOP_ROLE_TIME,
    EOP_ROLE_CLOCK, /* the time of day beside a date */
    EOP_ROLE_SEQ,
    EOP_ROLE_LABEL,
    EOP_ROLE_GROUP,
    EOP_ROLE_QUALITY, /* codes of another column's channel */
    EOP_ROLE_NAME,    /* the long format: the channel's name */
    EOP_ROLE_VALUE    /* and its value */
} eop_role;

/* Who decided on a type; a later one wins. */
typedef enum eop_why { EOP_WHY_FOUND, EOP_WHY_ASSET, EOP_WHY_HEADER, EOP_WHY_GIVEN } eop_why;

/* What the reader knows of a channel's values, whether they have a column of their own or not. */
typedef struct eop_cell_rules {
    edgeops_type type;
    uint32_t length;
    const eop_rules *rules;
    size_t report; /* its channel there */
    void *elements;
    size_t elements_size;
} eop_cell_rules;

typedef struct eop_reader_column {
    char *raw;  /* as the file names it; made different where it does so twice */
    char *name; /* of the channel: raw without its suffix */
    char *unit; /* NULL: none */
    eop_role role;
    eop_why why;
    const char *found; /* why, where it was found */
    eop_cell_rules cell;
    size_t channel; /* its index; EOP_NOWHERE: it is none so far */
    size_t quality; /* the column with its codes */
    char *part;     /* the asset's part of its name, by options.column_pattern */
    bool text;      /* a string channel beside its role */
    bool nameless;  /* it got its name from its place, and is none without a value */
} eop_reader_column;

/* A record as the source gave it. */
typedef struct eop_record {
    uint64_t line;
    const eop_field *fields;
    size_t count;
    edgeops_status status; /* EDGEOPS_OK; E_INVALID or E_LIMIT: the one field is its text */
    char *message;         /* of a status that is kept; else NULL */
} eop_record;

typedef struct eop_kept {
    struct eop_kept *next;
    eop_record record;
    eop_field fields[];
} eop_kept;

typedef struct eop_reader_asset {
    char *name;
    uint64_t rows;
    edgeops_time time; /* of its last row */
    bool stood_still;  /* two rows had one time */
    eop_seqs_times seen;
    eop_table_column *known; /* types that the asset has decided, by channel; NULL: none */
    size_t known_count;
    char *label; /* of the open run; NULL: none */
    edgeops_time label_start;
    edgeops_time label_last;
} eop_reader_asset;

/* A piece of the asset's name. */
typedef enum eop_reader_piece_kind {
    EOP_PIECE_TEXT,
    EOP_PIECE_COLUMN,
    EOP_PIECE_PART
} eop_reader_piece_kind;
typedef struct eop_reader_piece {
    eop_reader_piece_kind kind;
    char *text;
    size_t column;
} eop_reader_piece;

/* Channels of one asset: all of them, or those whose columns name it. */
typedef struct eop_reader_part {
    const char *asset; /* as the columns name it; "" without a pattern */
    size_t first;      /* in `order` */
    size_t count;
    size_t of;        /* index of its asset in the record at hand */
    size_t at;        /* in `values` */
    size_t values;    /* of them */
    const char *null; /* a channel whose value there is a word for null; NULL: there is none */
} eop_reader_part;

/* A channel of the long format. */
typedef struct eop_long_channel {
    char *name;
    char *unit; /* NULL: none */
    eop_cell_rules cell;
    size_t channel;
    uint64_t in_row; /* number of the row that has it already */
    bool given;      /* its type is the user's */
} eop_long_channel;

/* What the values of a channel are. */
typedef struct eop_found {
    size_t numbers;
    size_t integers; /* of the numbers */
    size_t dates;    /* of the integers: they look like dates */
    size_t bools;
    size_t texts;
    size_t grouped; /* of the texts: numbers with groups of three digits */
    size_t beyond;  /* of the texts: numbers that no type holds */
    size_t arrays;
    size_t nulls;
    uint32_t length;  /* of the arrays; 0: they differ */
    const char *text; /* the first one; as long as its record is kept */
    uint64_t text_line;
    char group_sign; /* of the first text that is such a number */
    char group_decimal;
} eop_found;

struct eop_table_reader {
    eop_table_options options;
    char *what;
    bool is_json;
    eop_rules *rules;
    eop_rules *own_rules;  /* NaN is a value: of columns whose type stands in the header */
    eop_rules *json_rules; /* numbers of JSON always have a point; NULL: as `rules` */
    eop_report *report;
    eop_records *records;

    eop_reader_column *columns;
    size_t column_count;
    size_t column_capacity;
    uint64_t header_line;
    eop_kept *header; /* NULL: there is none */
    char *width_hint; /* why records have more fields than the header; NULL: they do not */
    bool named;       /* an option names a column that is there, so that the header is one */
    size_t time_at;
    size_t clock_at;
    size_t seq_at;
    size_t label_at;
    size_t group_at;
    size_t name_at;
    size_t value_at;
    bool is_timed; /* a column has the time */
    bool years;    /* whole years */
    size_t *where; /* columns of options.where */
    eop_reader_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;

    eop_kept *first;
    eop_kept **last;
    size_t kept_bytes;
    bool at_end;
    eop_kept *current; /* the record at hand, when it was kept */
    eop_record record; /* the record at hand */
    eop_field refused; /* the text of one that the source refused */

    eop_table_column *channels;
    size_t channel_count;
    size_t channel_capacity;
    size_t *order; /* columns that are channels, those of a part together */
    size_t order_count;
    eop_reader_part *parts;
    size_t part_count;
    size_t next_part;   /* of the record at hand that is given next */
    eop_table_row head; /* what all its samples share */
    eop_time_seen seen;

    eop_reader_asset *assets;
    size_t asset_count;
    size_t asset_capacity;
    eop_map by_name; /* index + 1 of an asset */
    bool one_asset;  /* its name does not depend on the row */
    size_t flushed;  /* assets whose last run was given */

    eop_buf name;
    eop_buf joined; /* date and clock */
    const char **names;
    uint32_t *ids; /* tell the channels of the values apart */
    edgeops_value *values;
    uint16_t *qualities;
    size_t value_capacity;
    bool has_qualities;

    /* the long format */
    eop_long_channel *longs;
    size_t long_count;
    size_t long_capacity;
    eop_map by_channel; /* index + 1 of a long channel */
    size_t unit_at;     /* the column with the units */
    uint64_t long_row;  /* number of the row that is gathered */
    bool is_open;       /* there is one */
    size_t long_asset;
    size_t long_values;
    const char *long_null; /* a channel whose value in the row is a word for null */
    eop_buf texts;         /* strings of the row */
    eop_buf long_label;    /* its label, then its group */
    bool again;            /* the record at hand begins the next row */

    bool of_asset; /* the type of the value at hand is one that its asset has decided */
    eop_seqs seqs;
    uint64_t valueless; /* rows that were not given, since they have no value */
    uint64_t blanks;    /* rows that were not given, since they have nothing at all */
    uint64_t first_blank;
    bool is_bad;      /* the last error is a bad row's */
    bool seq_missing; /* the record has no sequence number */
    bool said_zone;
    bool said_extra;
};

/* -- table_kept.c -- */

/* Reads on until `rows` records are kept. A broken record is kept with its message. */
edgeops_status eop_table_look(eop_table_reader *s, size_t rows);
/* The next record, kept or fresh, becomes the one at hand. EDGEOPS_DONE; E_IO and the like. */
edgeops_status eop_table_take(eop_table_reader *s);
/* Forgets the first kept record. */
void eop_table_drop(eop_table_reader *s);
/* Keeps what a source gave, in front of nothing: for a first record that is no header. */
edgeops_status eop_table_keep(eop_table_reader *s, const eop_record *record);
/* All fields are empty, and at least two. */
bool eop_record_is_blank(const eop_record *r);
/* Files that were put behind each other have their header again. */
bool eop_table_is_header(const eop_table_reader *s, const eop_record *r);
void eop_table_note_header(eop_table_reader *s, const eop_record *r);
/* Takes such records out of the kept ones. */
void eop_table_drop_headers(eop_table_reader *s);
/* Fields up to the last that is not empty. */
size_t eop_record_width(const eop_record *r);
/* Refuses the record at hand as a bad row: reports it, sets is_bad. column: NULL where it is not one
 * field's. hint: what to do, or "" (without a column: all that the message says). */
edgeops_status eop_table_bad(eop_table_reader *s, const char *column, const char *reason,
                             const eop_field *field, const char *hint);
/* The same for one that could not be read. */
edgeops_status eop_table_bad_record(eop_table_reader *s);

/* -- table_columns.c -- */

/* EOP_NOWHERE: there is no such column. By its name in the file, else without the suffix. */
size_t eop_table_find(const eop_table_reader *s, const char *name, size_t size);
/* E_INVALID with the columns that there are and what may be the matter. */
edgeops_status eop_table_no_column(eop_table_reader *s, const char *name, size_t size);
/* Adds what may be the matter with a header that lacks the name: "; if ...: --skip-rows 2". */
void eop_table_put_hint(eop_table_reader *s, eop_buf *out, const char *name, size_t size);
/* The header, or what stands for one. JSON lines: the names of the first look. */
edgeops_status eop_table_read_header(eop_table_reader *s);
/* Columns of names that came since. JSON lines. */
edgeops_status eop_table_grow(eop_table_reader *s);

/* -- table_roles.c -- */

edgeops_status eop_table_set_roles(eop_table_reader *s);

/* -- table_guess.c -- */

/* Decides from the first look what the options leave open. In this order. */
edgeops_status eop_table_check_header(eop_table_reader *s);
edgeops_status eop_table_check_width(eop_table_reader *s);
edgeops_status eop_table_guess_time(eop_table_reader *s);
edgeops_status eop_table_guess_decimal(eop_table_reader *s);

/* -- table_below.c -- */

/* Takes the rows between the header and the data away: units, types, comments. */
edgeops_status eop_table_skip_below(eop_table_reader *s);

/* -- table_types.c -- */

/* Types from the first look, then the channels of all columns. */
edgeops_status eop_table_find_types(eop_table_reader *s);
/* Channels of columns that came since. JSON lines. */
edgeops_status eop_table_set_channels(eop_table_reader *s);
/* What a field is; all numbers are FLOAT64. *length: of an array. */
edgeops_type eop_table_field_type(const eop_table_reader *s, const eop_rules *rules,
                                  const eop_field *field, uint32_t *length);
/* Adds a field to what a channel's values are. */
void eop_table_see(const eop_table_reader *s, eop_found *f, const eop_rules *rules,
                   const eop_field *field, uint64_t line);
/* Sets type and reason of a channel by its values, and warns of what looks odd. */
void eop_table_decide(eop_table_reader *s, eop_reader_column *c, const eop_found *f);
/* The type that the asset has decided, unless the column has a better reason for its own. */
void eop_table_ask_asset(eop_table_reader *s, eop_reader_column *c, const char *asset);
/* A channel's type by its first value. */
edgeops_status eop_table_late_type(eop_table_reader *s, eop_reader_column *c,
                                   const eop_field *field);
/* Adds a channel of the column's name and type; *out is its index. */
edgeops_status eop_table_add_channel(eop_table_reader *s, size_t *out, eop_reader_column *c);
/* Makes room for n values of a row. */
edgeops_status eop_table_reserve(eop_table_reader *s, size_t n);

/* -- table_cell.c -- */

/* The value of a field. A null has type NULL and is reported; false: it is none of the type. */
bool eop_table_cell(eop_table_reader *s, edgeops_value *out, eop_cell_rules *cell,
                    edgeops_type type, uint32_t length, const eop_field *field);
/* Refuses the field of the record at hand: no such value. */
edgeops_status eop_table_bad_cell(eop_table_reader *s, const char *column, edgeops_type type,
                                  uint32_t length, const eop_field *field);

/* -- table_assets.c -- */

/* The index of the asset of the record at hand; part: the columns' part of its name. */
edgeops_status eop_table_asset(eop_table_reader *s, size_t *out, const char *part);
/* The type that the asset of the value at hand has decided for its channel; else all stays. */
void eop_table_known_type(eop_table_reader *s, const eop_reader_asset *a, size_t channel,
                          edgeops_type *type, uint32_t *length);
/* The time of the record at hand as its text has it. */
edgeops_status eop_table_time(eop_table_reader *s, edgeops_time *out, eop_time_seen *seen);
/* The sequence number, the label and the group of the record at hand. */
edgeops_status eop_table_heads(eop_table_reader *s, eop_table_row *row);
/* The row's place: its time among those of the asset, its number among rows of one time. time, seen:
 * of eop_table_time() where there is a column. values: [first, first + n) of `values` are the row's. */
edgeops_status eop_table_place(eop_table_reader *s, eop_reader_asset *a, eop_table_row *row,
                               size_t first, size_t n, edgeops_time time,
                               const eop_time_seen *seen);
/* Goes on with the asset's run of labels. */
edgeops_status eop_table_step_run(eop_table_reader *s, eop_reader_asset *a, const char *label,
                                  edgeops_time time);
/* The end of all runs: EDGEOPS_DONE. */
edgeops_status eop_table_flush_runs(eop_table_reader *s);

/* -- table_rows.c, table_long.c -- */

/* The record at hand is one of the wanted, with as many fields as it should have. *out is false for
 * one that counts for nothing. */
edgeops_status eop_table_check_record(eop_table_reader *s, bool *out);
/* Gives a row without a value, but with a word for null, as a row of nulls: the null was sent. */
void eop_table_give_null(eop_table_row *row, const char *const *channel);
/* The code in a column of codes; EDGEOPS_QUALITY_NONE without one. */
edgeops_status eop_table_quality(eop_table_reader *s, size_t at, uint16_t *out);
/* The next row of the wide and of the long format. */
edgeops_status eop_table_next_wide(eop_table_reader *s, eop_table_row *row);
edgeops_status eop_table_next_long(eop_table_reader *s, eop_table_row *row);
edgeops_status eop_table_long_types(eop_table_reader *s);

#endif /* EOP_CODEC_TABLE_PARTS_H */
