/* SPDX-License-Identifier: Apache-2.0 */
/* What the members of a payload are for: worked out when a member is first met, then looked up. */
#ifndef EOP_CODEC_PAYLOAD_MEMBERS_H
#define EOP_CODEC_PAYLOAD_MEMBERS_H

#include "base/map.h"
#include "codec/payload.h"
#include "codec/rules.h"

#define EOP_PATH_BYTES    512 /* a longer path names no channel and is not kept */
#define EOP_CHANNEL_BYTES 128
#define EOP_ASSET_BYTES   200
#define EOP_ASSET_MEMBERS 8 /* in the asset's template */

typedef enum eop_member_role {
    EOP_MEMBER_CHANNEL,
    EOP_MEMBER_TIME,
    EOP_MEMBER_SEQ,
    EOP_MEMBER_ASSET,    /* names the asset; a channel as well when `channel` is not NULL */
    EOP_MEMBER_QUALITY,  /* of the value of `channel` */
    EOP_MEMBER_IGNORED,  /* outside "values", or new and "new_channels" is "ignore" */
    EOP_MEMBER_UNLISTED, /* new and "new_channels" is "refuse" */
    EOP_MEMBER_TAKEN,    /* new, and a listed channel of its name comes from elsewhere */
    EOP_MEMBER_BAD_NAME
} eop_member_role;

/** One path such as "motor.temperature". */
typedef struct eop_member {
    struct eop_member *next_made;
    struct eop_member
        *follower;       /**< the member that followed it last time: saves the hash next time */
    uint64_t seen;       /**< number of the sample that held it last: shows doubles */
    const char *channel; /**< for EOP_MEMBER_CHANNEL */
    uint32_t size;
    uint8_t role;
    uint8_t type;    /**< edgeops_type; EDGEOPS_TYPE_NULL: by its value */
    uint8_t part;    /**< for EOP_MEMBER_ASSET: index in the config's asset_members */
    bool listed;     /**< the config lists the channel */
    uint32_t length; /**< elements of an array, else 1 */
    char path[];     /**< NUL-terminated */
} eop_member;

/** One of the config's channels. */
typedef struct eop_channel {
    char *name;
    char *unit;
    char *from;    /**< path within "values" */
    char *quality; /**< likewise, of its quality code; "" for none */
    edgeops_type type;
    uint32_t length;
} eop_channel;

typedef enum eop_new_channels { EOP_NEW_ADD, EOP_NEW_IGNORE, EOP_NEW_REFUSE } eop_new_channels;

/** A piece of a template. */
typedef struct eop_piece {
    char *text; /**< NULL: see level */
    int level;  /**< of the topic, from 1; 0: the whole topic; -1 - i: member i of the message */
} eop_piece;

/** The name of an asset or of a channel, made of the topic and of members. */
typedef struct eop_template {
    eop_piece *pieces;
    size_t count;
    size_t capacity;
} eop_template;

typedef enum eop_payload_format {
    EOP_FORMAT_JSON,
    EOP_FORMAT_VALUE,
    EOP_FORMAT_DATABUS
} eop_payload_format;

/** How the elements of a list are told apart: paths within an element, "" for none. */
typedef struct eop_list_config {
    bool given;  /**< the config has "list" */
    char *name;  /**< NULL: by "id", "name" or "tag" where all have it; "": elements are samples */
    char *value; /**< "": each member of an element is a channel of its own */
    char *time;  /**< in place of the config's time */
    char *quality;
    char *extended; /**< a code of 16 bits that counts before `quality`: a databus' qx */
} eop_list_config;

typedef struct eop_payload_config {
    eop_payload_format format;
    eop_template asset;
    eop_template channel;                   /**< of EOP_FORMAT_VALUE */
    char *asset_members[EOP_ASSET_MEMBERS]; /**< paths that the asset's template names */
    size_t asset_member_count;
    eop_list_config list;
    char *time;        /**< path; "" for none */
    char *time_format; /**< NULL: the usual ones */
    char *seq;
    char *values;
    size_t values_size;
    eop_rules *rules;       /**< of texts and times */
    const eop_times *times; /**< those of the rules */
    eop_time_unit time_unit;
    bool times_plain;     /**< neither a format nor a zone of times is given */
    bool untimed_refused; /**< a sample without a time is refused, else it has that of arrival */
    bool bad_time_is_missing; /**< what is not a time counts as none */
    eop_new_channels new_channels;
    bool non_finite_null;
    bool has_qualities;
    bool quality_is_qc;    /**< 0..3, kept in bits 6 and 7 */
    eop_channel *channels; /**< sorted by from */
    size_t channel_count;
} eop_payload_config;

edgeops_status eop_payload_config_read(eop_payload_config *config, const char *config_json);
void eop_payload_config_dispose(eop_payload_config *config);

/** A text that is borrowed; NULL: none. */
typedef struct eop_part {
    const char *text;
    size_t size;
} eop_part;

/** Puts a name for a topic; at most `most` bytes and a NUL. parts: of the members, by index; all
 * that the template names are there. what: "asset" or "channel", for the error. E_INVALID. */
edgeops_status eop_template_fill(const eop_template *template, char *name, size_t most,
                                 const char *what, const char *topic, const eop_part *parts);

/** The members met so far. Bounded: forgets all at eop_members_trim() when there are too many. */
typedef struct eop_members {
    eop_map by_path;
    eop_member *made;
    uint64_t seed; /* so that a sender cannot know which names collide */
} eop_members;

/** Finds or makes; size at most EOP_PATH_BYTES. NULL: no memory. */
eop_member *eop_members_get(eop_members *members, const eop_payload_config *config,
                            const char *path, size_t size);
/** Call it while no member is borrowed. */
void eop_members_trim(eop_members *members);
void eop_members_dispose(eop_members *members);

/** For messages: at most 60 bytes of text, control characters and broken UTF-8 as '?'. */
#define EOP_QUOTE_BYTES 80
const char *eop_quote(char out[EOP_QUOTE_BYTES], const char *text, size_t size);

#endif /* EOP_CODEC_PAYLOAD_MEMBERS_H */
