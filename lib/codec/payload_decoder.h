/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder's memory, for the files that it is made of: payload.c (a call), payload_walk.c
 * (members of one object, as they come), payload_list.c (messages with lists, which are read as a
 * whole first) and payload_value.c (one value). One thread. */
#ifndef EOP_CODEC_PAYLOAD_DECODER_H
#define EOP_CODEC_PAYLOAD_DECODER_H

#include "base/error.h"
#include "base/str.h"
#include "codec/json_reader.h"
#include "codec/payload_members.h"

#define EOP_PAYLOAD_DEPTH 32

/* A quality code in a member beside its value. */
typedef struct eop_rate {
    const char *channel;
    uint16_t code;
} eop_rate;

/* An open object or array of a sample. */
typedef struct eop_nest {
    uint32_t path_size; /* of the path to it */
    uint32_t index;     /* next element */
    bool array;
} eop_nest;

/* A value of a message that is read as a whole, and all that is inside it up to `end`. */
typedef struct eop_node {
    const char *key; /* unescaped; NULL: an element of an array */
    uint32_t key_size;
    uint32_t at;    /* its first byte */
    uint32_t end;   /* index of the node behind it */
    uint32_t count; /* of its elements or members */
    uint8_t token;
    bool used; /* names the element, its asset, time, number or quality */
} eop_node;

/* A sample, or a part of one, in a message with lists. */
typedef struct eop_entry {
    edgeops_time time;
    int64_t seq;      /* of its own, else around it */
    size_t asset;     /* where its name begins in `names` */
    const char *name; /* of the asset, once no more are made */
    uint32_t node;
    uint32_t order;
    uint32_t rank; /* order of the first of its sample */
    int8_t by;     /* what names it */
    bool named;    /* a list's element whose value goes to the channel of its name */
    bool numbered; /* has a number of its own */
    bool untimed;
} eop_entry;

/* What a sample says of its number. */
typedef struct eop_place {
    int64_t base;  /* the number around it */
    uint32_t at;   /* its first byte */
    bool numbered; /* the sample's seq is its own */
} eop_place;

struct eop_payload {
    eop_payload_config config;
    eop_members members;
    uint64_t serial;            /* of the sample that is being read */
    char topic[EOP_PATH_BYTES]; /* whose name is in asset; "" for none */
    char asset[EOP_ASSET_BYTES + 1];
    char channel[EOP_CHANNEL_BYTES + 1]; /* of a bare value */

    /* What the last call gave out; grows, never shrinks. */
    edgeops_sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    eop_place *places; /* of the samples; only where a message may have several */
    size_t place_capacity;
    const char **channels; /* of all samples, one after the other */
    size_t channel_capacity;
    edgeops_value *values;
    size_t value_capacity;
    size_t value_count;
    uint16_t *qualities; /* of all values, where a sample has any */
    size_t quality_capacity;
    eop_rate *rates; /* of the sample under way */
    size_t rate_count;
    size_t rate_capacity;
    bool rated;     /* a value of this message has a code */
    eop_buf arrays; /* elements; a value holds where they begin until the message is read */
    eop_buf names;  /* of assets made of members; a sample holds where its begins until then */
    size_t name_at; /* the last one */
    char *text;     /* unescaped strings; as big as the message, so that it never moves */
    size_t text_capacity;
    size_t text_used;
    size_t untimed; /* samples that got the time of arrival */
    size_t skipped; /* local times that the clocks left out */

    /* The message under way. */
    eop_reader reader;
    edgeops_time arrived;
    const char *topic_now;
    eop_part parts[EOP_ASSET_MEMBERS]; /* of the sample under way */
    eop_member *last;
    char path[EOP_PATH_BYTES + 64];
    eop_nest nests[EOP_PAYLOAD_DEPTH + 1];
    uint32_t depth;     /* of nests in use */
    const char *member; /* path of the value at hand, for errors; NULL at the top */
    size_t member_size;
    bool put_off; /* what is wrong with the sample's time, number or asset is said at its end */
    eop_kept_error wrong;
    bool has_lists; /* an object in a list was met: the message is to be read as a whole */

    /* A message that is read as a whole. */
    eop_node *nodes;
    size_t node_count;
    size_t node_capacity;
    eop_part *keys; /* of the object that has just ended */
    size_t key_capacity;
    eop_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
};

/* A place in a list as the level of a path; returns its size. */
#define EOP_PLACE_BYTES 10
static inline size_t eop_payload_place(char out[EOP_PLACE_BYTES], uint32_t place) {
    char digits[EOP_PLACE_BYTES];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + place % 10);
        place /= 10;
    } while (place > 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[n - 1 - i];
    }
    return n;
}

/* Refuses a message: "byte 17, member 'a.b': ..." */
EOP_PRINTF(3, 4)
edgeops_status eop_payload_refuse(const eop_payload *p, edgeops_status code, const char *format,
                                  ...);
/* With the reader's problem. */
edgeops_status eop_payload_refuse_json(const eop_payload *p);

/* payload_walk.c: of the token that the reader has just given. */

/* The text of the token, unescaped where it must be. False: no memory. */
bool eop_payload_text(eop_payload *p, const char **text, size_t *size);
/* A value of a channel, no object and no array. */
edgeops_status eop_payload_put(eop_payload *p, const eop_member *m, eop_token token);
/* An array that is one value, its '[' being taken. */
edgeops_status eop_payload_put_array(eop_payload *p, const eop_member *m);
/* Any value of a member, no object and no array, by its role; time, seq and asset are not taken. */
edgeops_status eop_payload_put_member(eop_payload *p, const eop_member *m, eop_token token);
edgeops_status eop_payload_put_rate(eop_payload *p, const eop_member *m, eop_token token, bool qc);
/* False in *timed: null, or nothing that is a time where that counts as none. */
edgeops_status eop_payload_read_time(eop_payload *p, eop_token token, edgeops_time *out,
                                     bool *timed);
edgeops_status eop_payload_read_seq(eop_payload *p, eop_token token, int64_t *out, bool *numbered);
/* A text or an integer for the asset's name; a null gives none. */
edgeops_status eop_payload_read_part(eop_payload *p, eop_token token, eop_part *out);
/* Makes the asset's name of `parts`, at `name_at` of `names`. */
edgeops_status eop_payload_name_asset(eop_payload *p);

/* Finds the member at a path and marks it as met. *out is NULL for a path too long to matter. */
edgeops_status eop_payload_meet(eop_payload *p, eop_member **out, const char *path, size_t size);

/* Begins a sample of p->arrived; its asset is the topic's. first: of its values. */
edgeops_status eop_payload_begin(eop_payload *p, size_t *first);
/* Its qualities; refuses a sample without values, which began at byte `start`. */
edgeops_status eop_payload_end(eop_payload *p, size_t first, size_t start);
/* Refuses a sample without a time, or counts it. */
edgeops_status eop_payload_untimed(eop_payload *p);

/* An object is a sample, an array of objects many; the first token is not taken yet. When it meets
 * an object in a list it sets has_lists and stops. */
edgeops_status eop_payload_walk(eop_payload *p);
/* Notes what the sample under way, one of several, says of its number; `at`: its first byte. */
edgeops_status eop_payload_place_sample(eop_payload *p, int64_t base, bool numbered, size_t at);
/* payload_seqs.c: numbers the samples that have no number of their own. */
edgeops_status eop_payload_number_samples(eop_payload *p);
/* payload_list.c: the same for a message of any shape. */
edgeops_status eop_payload_read_lists(eop_payload *p);
/* payload_value.c: the message is one value. */
edgeops_status eop_payload_read_value(eop_payload *p);

#endif /* EOP_CODEC_PAYLOAD_DECODER_H */
