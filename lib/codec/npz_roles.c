/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the arrays of a file and decides what each is for: by the options, by names that exports use,
 * else it is a channel. What does not fit is an error that names the array. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/npz_parts.h"

#define MAX_ARRAYS   2100u
#define MAX_CHANNELS 1024u
#define MAX_NAME     128u

static const char prefix_channel[] = "channel/";
static const char prefix_valid[] = "valid/";
static const char prefix_quality[] = "quality/";

edgeops_status eop_npz_invalid(const eop_npz *npz, const eop_npz_array *a, const char *why) {
    return eop_fail(EDGEOPS_E_INVALID, "codec", "%s: array '%s' %s", npz->options.what, a->name,
                    why);
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_named(const char *name, const char *wanted) {
    return wanted != NULL && strcmp(name, wanted) == 0;
}

bool eop_npz_name_is_taken(const char *name) {
    static const char *const taken[] = {"times", "time", "seqs", "seq", "labels"};
    bool is_taken = starts_with(name, prefix_channel) || starts_with(name, prefix_valid) ||
                    starts_with(name, prefix_quality);
    for (size_t i = 0; i < EOP_COUNT(taken); i++) {
        is_taken = is_taken || strcmp(name, taken[i]) == 0;
    }
    return is_taken;
}

/* -- opening -- */

edgeops_status eop_npz_add_array(eop_npz *npz, const char *name, size_t size,
                                 const eop_npz_array *like) {
    if (!eop_grow(&npz->arrays, &npz->capacity, npz->count + 1, sizeof *npz->arrays)) {
        return eop_fail_nomem("codec");
    }
    if (npz->count == MAX_ARRAYS) {
        return eop_fail(EDGEOPS_E_LIMIT, "codec", "%s has more than 2,100 arrays",
                        npz->options.what);
    }
    eop_npz_array *a = &npz->arrays[npz->count];
    *a = *like;
    a->name = eop_strndup(name, size);
    npz->count += a->name != NULL;
    return a->name != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
}

static edgeops_status wrong_names(const eop_npz *npz, const eop_npz_source *s, size_t wanted) {
    return eop_fail(EDGEOPS_E_INVALID, "codec",
                    "%s: array '%s' has %zu columns, %zu names are given", npz->options.what,
                    s->name, wanted, npz->options.name_count);
}

/* The columns of a source: its fields, or the elements of a row where each has a name. */
static edgeops_status split_source(eop_npz *npz, eop_npz_source *s) {
    const eop_npz_options *o = &npz->options;
    edgeops_status status = EDGEOPS_OK;
    uint32_t length = s->npy.fields[0].length;
    if (s->npy.structured) {
        size_t n = 0;
        for (size_t i = 0; i < s->npy.field_count && status == EDGEOPS_OK; i++) {
            const eop_npy_field *field = &s->npy.fields[i];
            const eop_npz_array like = {.source = s, .field = i, .length = field->length};
            if (!field->element.gap) {
                const char *name = n < o->name_count ? o->names[n] : field->name;
                status = eop_npz_add_array(npz, name, strlen(name), &like);
                n++;
            }
        }
        return status == EDGEOPS_OK && o->name_count > 0 && o->name_count != n
                   ? wrong_names(npz, s, n)
                   : status;
    }
    if (o->name_count > 1 || (o->name_count == 1 && length == 1)) {
        for (uint32_t i = 0; i < o->name_count && i < length && status == EDGEOPS_OK; i++) {
            const eop_npz_array like = {.source = s, .first = i, .length = 1};
            status = eop_npz_add_array(npz, o->names[i], strlen(o->names[i]), &like);
        }
        return status == EDGEOPS_OK && o->name_count != length ? wrong_names(npz, s, length)
                                                               : status;
    }
    const char *name = o->name_count == 1 ? o->names[0] : s->name;
    return eop_npz_add_array(npz, name, strlen(name),
                             &(eop_npz_array){.source = s, .length = length});
}

static edgeops_status open_source(eop_npz *npz, const char *name, size_t size,
                                  const eop_zip_entry *entry) {
    eop_npz_source *s = eop_calloc(1, sizeof *s);
    if (s == NULL) {
        return eop_fail_nomem("codec");
    }
    npz->sources[npz->source_count++] = s;
    s->fd = npz->fd;
    s->cancel_fd = npz->options.cancel_fd;
    s->what = npz->options.what;
    s->name = eop_strndup(name, size);
    edgeops_status status = s->name != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
    if (status == EDGEOPS_OK && entry != NULL) {
        status = eop_zip_stream_open(&s->stream, &npz->zip, entry);
    }
    if (status == EDGEOPS_OK) {
        status = eop_npz_source_open(s);
    }
    return status == EDGEOPS_OK ? split_source(npz, s) : status;
}

/* What is left out is not even looked at. */
static bool is_left_out(eop_npz *npz, const char *name) {
    const eop_npz_options *o = &npz->options;
    for (size_t i = 0; i < o->skip_count; i++) {
        if (strcmp(name, o->skip[i]) == 0) {
            return true;
        }
    }
    bool times = strcmp(name, "times") == 0 && !is_named("time", o->time_array);
    bool labels = strcmp(name, "labels") == 0;
    if ((times || labels) && !is_named(name, o->time_array) && !is_named(name, o->seq_array) &&
        !is_named(name, o->label_array)) {
        eop_report_note(npz->report, "array '%s' is left out; --%s-column %s takes it", name,
                        times ? "time" : "label", name);
        return true;
    }
    return false;
}

static edgeops_status open_entry(eop_npz *npz, const eop_zip_entry *entry) {
    size_t size = strlen(entry->name);
    if (size < 5 || strcmp(entry->name + size - 4, ".npy") != 0) {
        eop_report_note(npz->report, "'%s' is not an array and is left out", entry->name);
        return EDGEOPS_OK;
    }
    char *name = eop_strndup(entry->name, size - 4);
    if (name == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status =
        is_left_out(npz, name)
            ? eop_npz_add_array(npz, name, size - 4, &(eop_npz_array){.role = EOP_NPZ_SKIPPED})
            : open_source(npz, name, size - 4, entry);
    eop_free(name);
    return status;
}

static edgeops_status open_npy(eop_npz *npz) {
    npz->sources = eop_calloc(1, sizeof *npz->sources);
    if (npz->sources == NULL) {
        return eop_fail_nomem("codec");
    }
    const char *name = npz->options.channel;
    edgeops_status status = open_source(npz, name, strlen(name), NULL);
    bool bare = status == EDGEOPS_OK && !npz->sources[0]->npy.structured;
    if (bare && npz->options.name_count == 0) {
        if (npz->options.time_array != NULL) {
            status = eop_fail(
                EDGEOPS_E_INVALID, "node",
                "a .npy has no times: --start says the first, --period the step (default 1s)");
        }
        npz->options.label_array = NULL;
    }
    return status;
}

edgeops_status eop_npz_open_arrays(eop_npz *npz) {
    if (npz->options.channel != NULL) {
        return open_npy(npz);
    }
    edgeops_status status =
        eop_zip_open(&npz->zip, npz->fd, npz->options.what, EOP_ZIP_ENTRIES_MAX);
    if (status == EDGEOPS_OK) {
        status = eop_zip_check(&npz->zip);
    }
    if (status == EDGEOPS_OK && npz->zip.count > MAX_ARRAYS) {
        status =
            eop_fail(EDGEOPS_E_LIMIT, "codec", "%s has more than 2,100 arrays", npz->options.what);
    }
    if (status == EDGEOPS_OK) {
        npz->sources = eop_calloc(npz->zip.count + 1, sizeof *npz->sources);
        status = npz->sources != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < npz->zip.count; i++) {
        status = open_entry(npz, &npz->zip.entries[i]);
    }
    return status;
}

/* -- roles -- */

eop_npz_array *eop_npz_find(const eop_npz *npz, const char *name) {
    for (size_t i = 0; name != NULL && i < npz->count; i++) {
        if (npz->arrays[i].role != EOP_NPZ_SKIPPED && strcmp(npz->arrays[i].name, name) == 0) {
            return &npz->arrays[i];
        }
    }
    return NULL;
}

static edgeops_status no_array(const eop_npz *npz, const char *name) {
    eop_buf list = {0};
    for (size_t i = 0; i < npz->count && i < 20; i++) {
        eop_buf_printf(&list, "%s%s", i > 0 ? ", " : "", npz->arrays[i].name);
    }
    edgeops_status status =
        eop_fail(EDGEOPS_E_INVALID, "codec", "%s has no array '%s'; it has %s%s", npz->options.what,
                 name, list.data != NULL ? list.data : "none", npz->count > 20 ? ", ..." : "");
    eop_buf_dispose(&list);
    return status;
}

static bool is_whole_number(const eop_npz_array *a) {
    const eop_npy_element *e = &eop_npz_field(a)->element;
    return eop_type_is_integer(e->type) && !e->time && !e->span && a->length == 1;
}

static bool is_one_text(const eop_npz_array *a) {
    return eop_npz_field(a)->element.type == EDGEOPS_TYPE_STRING && a->length == 1;
}

static edgeops_status set_times(eop_npz *npz) {
    const char *name = npz->options.time_array;
    eop_npz_array *a = eop_npz_find(npz, name);
    if (name == NULL) {
        return EDGEOPS_OK;
    }
    if (a == NULL && (strcmp(name, "times") == 0 || strcmp(name, "time") == 0)) {
        a = eop_npz_find(npz, strcmp(name, "times") == 0 ? "time" : "times");
    }
    if (a == NULL) {
        return no_array(npz, name);
    }
    a->role = EOP_NPZ_TIMES;
    npz->by_time = a;
    npz->by_time_as = (eop_npz_times){.what = npz->options.what,
                                      .bad = &npz->bad,
                                      .name = a->name,
                                      .rules = npz->times_rules,
                                      .given = npz->options.times.unit != NULL ||
                                               npz->options.times.format != NULL,
                                      .ns = strcmp(a->name, "times") == 0 &&
                                            (npz->is_dataset || eop_npz_find(npz, "seqs") != NULL),
                                      .report = npz->report};
    return eop_npz_times_check(&npz->by_time_as, eop_npz_field(a));
}

static edgeops_status set_seqs(eop_npz *npz) {
    const char *name = npz->options.seq_array;
    eop_npz_array *a = eop_npz_find(npz, name != NULL ? name : "seqs");
    if (name != NULL && a == NULL && strcmp(name, "seqs") != 0) {
        return no_array(npz, name);
    }
    if (name == NULL && a == NULL) {
        a = eop_npz_find(npz, "seq");
        a = a != NULL && is_whole_number(a) ? a : NULL;
    }
    if (a == NULL || a->role != EOP_NPZ_CHANNEL) {
        return EDGEOPS_OK;
    }
    a->role = EOP_NPZ_SEQS;
    npz->by_seq = a;
    return is_whole_number(a) ? EDGEOPS_OK
                              : eop_npz_invalid(npz, a,
                                                "has no whole numbers, and sequence numbers are "
                                                "such: save .astype('int64') of it, or leave it "
                                                "out");
}

static edgeops_status set_texts(eop_npz *npz, const char *name, eop_npz_role role,
                                eop_npz_array **out) {
    eop_npz_array *a = eop_npz_find(npz, name);
    if (name == NULL) {
        return EDGEOPS_OK;
    }
    if (a == NULL) {
        return no_array(npz, name);
    }
    a->role = role;
    *out = a;
    return is_one_text(a) ? EDGEOPS_OK : eop_npz_invalid(npz, a, "has no texts, one a row");
}

/* "{array}" in the asset's name, with a text before and behind it. */
static edgeops_status set_assets(eop_npz *npz) {
    const char *pattern = npz->options.asset;
    const char *open = pattern != NULL ? strchr(pattern, '{') : NULL;
    const char *close = open != NULL ? strchr(open, '}') : NULL;
    if (open == NULL) {
        return EDGEOPS_OK;
    }
    if (close == NULL || strpbrk(close + 1, "{}") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "asset '%s': of arrays one name in braces is filled", pattern);
    }
    char *name = eop_strndup(open + 1, (size_t)(close - open - 1));
    if (name == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = set_texts(npz, name, EOP_NPZ_ASSETS, &npz->assets);
    eop_free(name);
    return status;
}

/* An array of a channel's name behind a prefix is for that channel. */
static edgeops_status set_beside(eop_npz *npz, eop_npz_array *a) {
    bool mask = starts_with(a->name, prefix_valid);
    bool codes = starts_with(a->name, prefix_quality);
    const char *of = a->name + strlen(mask ? prefix_valid : prefix_quality);
    if (a->role != EOP_NPZ_CHANNEL || !(mask || codes)) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < npz->count; i++) {
        eop_npz_array *c = &npz->arrays[i];
        if (c->role == EOP_NPZ_CHANNEL && c != a && strcmp(c->channel, of) == 0) {
            a->role = mask ? EOP_NPZ_VALID : EOP_NPZ_QUALITY;
            c->mask = mask ? a : c->mask;
            c->codes = mask ? c->codes : a;
        }
    }
    if (a->role == EOP_NPZ_VALID && eop_npz_field(a)->element.type != EDGEOPS_TYPE_BOOL) {
        return eop_npz_invalid(npz, a, "is not bool");
    }
    if (a->role == EOP_NPZ_QUALITY && !is_whole_number(a)) {
        return eop_npz_invalid(npz, a, "has no whole numbers, and quality codes are such");
    }
    return a->length == 1 || a->role == EOP_NPZ_CHANNEL
               ? EDGEOPS_OK
               : eop_npz_invalid(npz, a, "has more than one element a row");
}

static edgeops_status check_rows(eop_npz *npz) {
    const eop_npz_array *first = npz->by_time;
    for (size_t i = 0; i < npz->count; i++) {
        const eop_npz_array *a = &npz->arrays[i];
        if (a->role == EOP_NPZ_SKIPPED) {
            continue;
        }
        first = first != NULL ? first : a;
        if (a->source->npy.rows != first->source->npy.rows) {
            return eop_fail(
                EDGEOPS_E_INVALID, "codec",
                "%s: array '%s' has %llu rows, '%s' has %llu: --skip-column leaves one out",
                npz->options.what, a->name, (unsigned long long)a->source->npy.rows, first->name,
                (unsigned long long)first->source->npy.rows);
        }
    }
    npz->rows = first != NULL ? first->source->npy.rows : 0;
    return EDGEOPS_OK;
}

static edgeops_status check_channel(const eop_npz *npz, const eop_npz_array *a) {
    edgeops_type type = eop_npz_field(a)->element.type;
    if (!eop_name_valid(a->channel, strlen(a->channel), MAX_NAME)) {
        return eop_npz_invalid(npz, a,
                               "has a name that no channel may have: --skip-column leaves it out");
    }
    if (a->length > 1 && !eop_type_is_numeric(type)) {
        return eop_npz_invalid(npz, a,
                               type == EDGEOPS_TYPE_STRING
                                   ? "has texts in two dimensions: save each column as an array"
                                   : "has bools in two dimensions: save .astype('uint8') of it");
    }
    for (size_t i = 0; i < npz->channel_count; i++) {
        if (strcmp(npz->channels[i].name, a->channel) == 0) {
            return eop_npz_invalid(npz, a, "is there twice as a channel: leave one out");
        }
    }
    return npz->channel_count < MAX_CHANNELS
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_LIMIT, "codec", "%s has over %u channels: leave some out",
                          npz->options.what, MAX_CHANNELS);
}

static const char *why_of(const eop_npy_element *e) {
    return e->half   ? "float16 in the file, widened"
           : e->time ? "datetime64 in the file, counted in ns"
           : e->span ? "timedelta64 in the file, counted in ns"
                     : "in the file";
}

static edgeops_status set_channels(eop_npz *npz) {
    npz->channels = eop_calloc(npz->count + 1, sizeof *npz->channels);
    npz->channel_arrays = eop_calloc(npz->count + 1, sizeof *npz->channel_arrays);
    if (npz->channels == NULL || npz->channel_arrays == NULL) {
        return eop_fail_nomem("codec");
    }
    for (size_t i = 0; i < npz->count; i++) {
        eop_npz_array *a = &npz->arrays[i];
        if (a->role != EOP_NPZ_CHANNEL) {
            continue;
        }
        const eop_npy_element *e = &eop_npz_field(a)->element;
        edgeops_status status = check_channel(npz, a);
        if (status != EDGEOPS_OK) {
            return status;
        }
        npz->channels[npz->channel_count] =
            (eop_table_column){a->channel, e->type, a->length, e->time || e->span ? "ns" : NULL};
        npz->channel_arrays[npz->channel_count++] = a;
        (void)eop_report_channel(npz->report, a->channel, e->type, a->length,
                                 e->time || e->span ? "ns" : NULL, why_of(e));
    }
    return npz->channel_count > 0
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "codec", "%s has no array that is a channel",
                          npz->options.what);
}

static edgeops_status set_skipped(eop_npz *npz) {
    const eop_npz_options *o = &npz->options;
    for (size_t i = 0; i < o->skip_count; i++) {
        bool found = false;
        for (size_t k = 0; k < npz->count; k++) {
            if (strcmp(npz->arrays[k].name, o->skip[i]) == 0) {
                npz->arrays[k].role = EOP_NPZ_SKIPPED;
                found = true;
            }
        }
        if (!found) {
            return no_array(npz, o->skip[i]);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_npz_set_roles(eop_npz *npz) {
    const eop_npz_options *o = &npz->options;
    edgeops_status status = set_skipped(npz);
    for (size_t i = 0; i < npz->count; i++) {
        eop_npz_array *a = &npz->arrays[i];
        bool marked = starts_with(a->name, prefix_channel);
        a->channel = a->name + (marked ? strlen(prefix_channel) : 0);
    }
    if (status < 0 || (status = set_times(npz)) < 0 || (status = set_seqs(npz)) < 0 ||
        (status = set_texts(npz, o->label_array, EOP_NPZ_LABELS, &npz->labels)) < 0 ||
        (status = set_assets(npz)) < 0) {
        return status;
    }
    for (size_t i = 0; i < npz->count && status == EDGEOPS_OK; i++) {
        status = set_beside(npz, &npz->arrays[i]);
    }
    if (status == EDGEOPS_OK) {
        status = check_rows(npz);
    }
    return status == EDGEOPS_OK ? set_channels(npz) : status;
}
