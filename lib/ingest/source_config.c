/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a source's configuration says beside its driver's members: payload format, labels, the
 * largest message, and the client id of a driver that needs one. */
#include "ingest/source_config.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/schema.h"
#include "edgeops/ingest.h"
#include "ingest/drivers.h"
#include "ingest/label_reader.h"

edgeops_status eop_source_config_check(const edgeops_hld_driver *driver, const char *config_json,
                                       eop_json **out) {
    *out = NULL;
    eop_json *json = NULL;
    edgeops_status status = eop_json_parse(&json, config_json, strlen(config_json), "config", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_schema_check_text(driver->config_schema_json, json, config_json,
                                       strlen(config_json), "config");
    }
    if (status < 0) {
        eop_json_free(json);
        return status;
    }
    *out = json;
    return EDGEOPS_OK;
}

/* A driver takes payloads when its schema has such a member. */
static edgeops_status has_member(const edgeops_hld_driver *driver, const char *member, bool *out) {
    eop_json *schema = NULL;
    const char *text = driver->config_schema_json;
    edgeops_status status = eop_json_parse(&schema, text, strlen(text), "driver schema", NULL);
    if (status == EDGEOPS_OK) {
        *out = eop_json_get(eop_json_get(schema, "properties"), member) != NULL;
    }
    eop_json_free(schema);
    return status;
}

edgeops_status eop_source_payload_open(eop_payload **payload, uint64_t *max_payload,
                                       const edgeops_hld_driver *driver, const eop_json *config) {
    bool takes = false;
    edgeops_status status = has_member(driver, "payload", &takes);
    if (status < 0 || !takes) {
        return status;
    }
    const char *limit = eop_json_string(config, "max_payload", NULL);
    *max_payload = EOP_MAX_PAYLOAD;
    if (limit != NULL && (!eop_parse_size(max_payload, limit) || *max_payload == 0 ||
                          *max_payload > EOP_MAX_PAYLOAD)) {
        return eop_fail(EDGEOPS_E_INVALID, "source", "max_payload: '%s' is not 1 byte to 1MiB",
                        limit);
    }
    const eop_json *member = eop_json_get(config, "payload");
    char *text = NULL;
    if (member != NULL && (text = eop_json_print(member)) == NULL) {
        return eop_fail_nomem("source");
    }
    status = eop_payload_new(payload, text);
    eop_free(text);
    return status;
}

static edgeops_status ignore_status(void) {
    return EDGEOPS_E_CLOSED;
}
static edgeops_status ignore_emit(void *self, const edgeops_sample *samples, size_t n) {
    (void)self;
    (void)samples;
    (void)n;
    return ignore_status();
}
static edgeops_status ignore_message(void *self, const char *topic, const void *payload,
                                     size_t size, edgeops_time arrived) {
    (void)self;
    (void)topic;
    (void)payload;
    (void)size;
    (void)arrived;
    return ignore_status();
}
static void ignore_log(void *self, int level, const char *message) {
    (void)self;
    (void)level;
    (void)message;
}
static void ignore_state(void *self, edgeops_status reason, const char *detail) {
    (void)self;
    (void)reason;
    (void)detail;
}
static void ignore_lost(void *self, uint64_t messages, const char *reason) {
    (void)self;
    (void)messages;
    (void)reason;
}

static void ignore_stray(void *self, const char *topic, const void *payload, size_t size,
                         edgeops_time arrived, const char *reason) {
    (void)ignore_message(self, topic, payload, size, arrived);
    (void)reason;
}
static int ignore_fresh(void *self) {
    (void)self;
    return 0;
}
static edgeops_status ignore_begun(void *self) {
    (void)self;
    return EDGEOPS_OK;
}

static edgeops_time ignore_now(void *self) {
    (void)self;
    return eop_now();
}

edgeops_status edgeops_source_check(const char *driver_name, const char *config_json) {
    EOP_REQUIRE(driver_name != NULL && config_json != NULL, "source");
    static const edgeops_hld_host nobody = {
        .struct_size = sizeof(edgeops_hld_host),
        .abi_minor = EDGEOPS_HLD_ABI_MINOR,
        .emit = ignore_emit,
        .message = ignore_message,
        .log = ignore_log,
        .now = ignore_now,
        .state = ignore_state,
        .lost = ignore_lost,
        .kept = ignore_message,
        .stray = ignore_stray,
        .fresh = ignore_fresh,
        .begun = ignore_begun,
        .refused = ignore_stray,
    };
    const edgeops_hld_driver *driver = eop_driver_find(driver_name);
    eop_json *json = NULL;
    eop_payload *payload = NULL;
    eop_label_reader *labels = NULL;
    uint64_t max_payload = 0;
    void *state = NULL;
    if (driver == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "source",
                        "there is no driver '%s'; edgeopsctl driver ls shows those there are",
                        driver_name);
    }
    edgeops_status status = eop_source_config_check(driver, config_json, &json);
    if (status == EDGEOPS_OK) {
        status = eop_source_payload_open(&payload, &max_payload, driver, json);
    }
    if (status == EDGEOPS_OK) {
        status = eop_label_reader_new(&labels, eop_json_get(json, "labels"), driver_name, "");
    }
    if (status == EDGEOPS_OK) {
        status = driver->open(&state, &nobody, config_json);
    }
    if (status == EDGEOPS_OK) {
        driver->close(state);
    }
    eop_payload_free(payload);
    eop_label_reader_free(labels);
    eop_json_free(json);
    return status;
}

edgeops_status eop_source_client_id(eop_json *config, const edgeops_hld_driver *driver,
                                    const char *name, const char *instance) {
    bool knows = false;
    char host[256] = "";
    char hex[65];
    edgeops_status status = has_member(driver, "client_id", &knows);
    if (status < 0 || !knows || eop_json_get(config, "client_id") != NULL) {
        return status;
    }
    if (instance == NULL) {
        if (gethostname(host, sizeof(host) - 1) != 0) {
            host[0] = '\0';
        }
        instance = host;
    }
    status = eop_sha256_of(hex, instance, strlen(instance));
    if (status < 0) {
        return status;
    }
    char *id = eop_format("edgeops-%s-%.10s", name, hex);
    if (id == NULL) {
        return eop_fail_nomem("source");
    }
    eop_json_set_string(config, "client_id", id);
    eop_free(id);
    return EDGEOPS_OK;
}
