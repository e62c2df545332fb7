/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences about what comes in. Each says what was seen, how often, and the next step; the order is
 * that of urgency, since lists show the first one only. */
#include "node/live/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/column_view.h"
#include "base/memory.h"
#include "codec/message.h"

#define VALUE_BYTES 60

char *eop_tell_clock(edgeops_time now) {
    char text[40];
    if (!eop_clock_unset(now)) {
        return NULL;
    }
    eop_format_time(text, now);
    return eop_format(
        "this node's clock says %s, so it is not set: samples without a time of their "
        "own are stored under it; set the clock (NTP, 'timedatectl'), and let the node "
        "start after that",
        text);
}

static void warn_assets(eop_json *warnings, const eop_told *t) {
    if (t->made >= t->max_assets) {
        eop_json_append_format(
            warnings,
            "made %" PRIu64 " assets, max_assets is %" PRIu64
            ": a message for another one becomes a dead letter; remove those that should not be "
            "there ('asset ls', 'asset rm'), or allow more with 'source set %s --max-assets N'",
            t->made, t->max_assets, t->name);
    }
}

/* Whether it was asked for that what has no time gets that of arrival. */
static bool chose_arrival(const eop_json *config) {
    return eop_json_get(eop_json_get(config, "payload"), "on_missing_time") != NULL;
}

static void warn_times(eop_json *warnings, const eop_told *t) {
    const edgeops_source_stats *s = t->stats;
    char *clock = t->running ? eop_tell_clock(t->now) : NULL;
    if (clock != NULL) {
        eop_json_append_string(warnings, clock);
    }
    eop_free(clock);
    if (s->unset_clock > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64 " samples are stored under a clock that was not set (before the year 2000, "
            "or when this node's clock was not): set the clock of who sends them, or of this node; "
            "'data export ASSET --end 2024-01-01' shows them",
            s->unset_clock);
    }
    if (s->ahead > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64
            " samples are far ahead of this node's clock: the clock of who sends them is "
            "wrong, or this node's; set it. They are stored under the time that they say",
            s->ahead);
    }
    uint64_t stored = s->samples + s->merged;
    if (s->untimed > 0 && s->untimed < stored && !chose_arrival(t->config)) {
        eop_json_append_format(
            warnings,
            "%" PRIu64 " of %" PRIu64 " samples had no time of their own and are stored under the "
            "time of arrival: have all messages sent with one; with --time MEMBER those that have "
            "none become dead letters",
            s->untimed, stored);
    }
}

static void warn_lost(eop_json *warnings, const eop_told *t) {
    const edgeops_source_stats *s = t->stats;
    if (s->lost > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64 " messages came while there was no room on disk nor in memory, and are "
            "lost; make room",
            s->lost);
    }
    if (s->conflicts > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64 " samples contradict stored ones (same asset, time and seq, other values) "
            "and were left out; their messages are dead letters. First: %s. Where several senders "
            "give one channel, give each an asset of its own (--asset '{topic}'); where a clock is "
            "too coarse for its values, send a seq",
            s->conflicts, t->conflict != NULL ? t->conflict : "see the dead letters");
    }
    if (t->declared != NULL) {
        eop_json_append_format(
            warnings,
            "a channel of this source's configuration is another one in the store: %s; change "
            "\"channels\" (a source that is added anew), or give the samples another asset",
            t->declared);
    }
    if (s->unmatched > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64 " messages came that no topic filter of this source asks for, and were left "
            "out (see the dead letters): the broker keeps a subscription of another source or "
            "program under this client id; end it there, or give this source a client id of its "
            "own",
            s->unmatched);
    }
    if (s->expired > 0) {
        eop_json_append_format(
            warnings,
            "%" PRIu64
            " samples are not newer than what retention dropped of their asset, and were "
            "left out: see 'retention ls', and the clock of who sends them",
            s->expired);
    }
}

void eop_tell_source(eop_json *warnings, const eop_told *told) {
    warn_assets(warnings, told);
    warn_lost(warnings, told);
    warn_times(warnings, told);
}

/* -- conflicts -- */

/* "\"x\":1.5", cut where it is long. */
static void put_value(char out[VALUE_BYTES], const edgeops_value *value) {
    eop_buf text = {0};
    eop_buf_put(&text, "{", 1);
    eop_message_put_value(&text, "v", value);
    char *all = eop_buf_take(&text);
    const char *begin = all != NULL ? strchr(all, ':') : NULL;
    snprintf(out, VALUE_BYTES, "%s", begin != NULL ? begin + 1 : "another value");
    if (begin != NULL && strlen(begin + 1) >= VALUE_BYTES) {
        memcpy(out + VALUE_BYTES - 4, "...", 4);
    }
    out[eop_utf8_valid(out, strlen(out))] = '\0';
    eop_free(all);
}

/* coded: the quality codes differ. */
static char *describe_cell(const edgeops_value *value, uint16_t quality, bool coded) {
    char text[VALUE_BYTES] = "nothing";
    if (value->type == EDGEOPS_TYPE_BLOB) {
        snprintf(text, sizeof(text), "a blob");
    } else if (value->type != EDGEOPS_TYPE_NULL) {
        put_value(text, value);
    }
    if (!coded) {
        return eop_strdup(text);
    }
    return quality == EDGEOPS_QUALITY_NONE
               ? eop_format("%s without a quality code", text)
               : eop_format("%s of quality code %u", text, (unsigned)quality);
}

static char *describe(const edgeops_sample *sample, const edgeops_verdict *verdict) {
    char time[40];
    char seq[32] = "";
    uint16_t quality;
    edgeops_value value = eop_sample_value(&quality, sample, verdict->channel);
    bool coded = quality != verdict->quality;
    char *stored = describe_cell(&verdict->stored, verdict->quality, coded);
    char *came = describe_cell(&value, quality, coded);
    char *text = NULL;
    if (sample->seq != 0) {
        snprintf(seq, sizeof(seq), ", seq %" PRId64, sample->seq);
    }
    eop_format_time(time, sample->time);
    if (stored != NULL && came != NULL) {
        text = eop_format("asset '%.80s' at %s%s has %s in channel '%.60s', and %s came",
                          sample->asset, time, seq, stored, verdict->channel, came);
    }
    eop_free(stored);
    eop_free(came);
    return text;
}

/* They are in the store: to append them again changes nothing, and says of each what it is. */
char *eop_tell_conflict(edgeops_store *store, const edgeops_sample *samples, size_t n) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    char *text = NULL;
    options.verdicts = 1;
    if (edgeops_store_append(&result, store, samples, n, &options) == EDGEOPS_OK) {
        for (size_t i = 0; text == NULL && i < n && i < result.verdict_count; i++) {
            if (result.verdicts[i].outcome == EDGEOPS_OUTCOME_CONFLICT) {
                text = describe(&samples[i], &result.verdicts[i]);
            }
        }
    }
    edgeops_free(result.verdicts);
    return text;
}
