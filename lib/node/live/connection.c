/* SPDX-License-Identifier: Apache-2.0 */
/* The driver knows of the sessions of its own life only. Whether a broker lost one while the program
 * was not there shows at the first connection: the session is new though the record says that there
 * was one. */
#include "node/live/connection.h"

#include <string.h>

#include "base/locale.h"
#include "catalog/record.h"
#include "edgeops/ingest.h"
#include "ingest/publisher.h"
#include "node/home/records.h"

#define KIND "session"

void eop_connection_load(eop_connection *c, edgeops_node *node, const char *name) {
    eop_json *record = NULL;
    *c = (eop_connection){.node = node, .name = name};
    if (eop_get_record(&record, node, KIND, name) == EDGEOPS_OK) {
        const char *of = eop_json_string(record, "of", NULL);
        c->before = of != NULL ? eop_strdup(of) : NULL;
        c->kept = of != NULL ? eop_strdup(of) : NULL;
        eop_json_free(record);
    }
}

void eop_connection_dispose(eop_connection *c) {
    eop_free(c->before);
    eop_free(c->kept);
}

/* What the driver says; NULL: nothing. */
static eop_json *ask(edgeops_source *source) {
    char *text = NULL;
    eop_json *json = NULL;
    if (source != NULL && edgeops_source_connection(&text, source) == EDGEOPS_OK &&
        eop_json_parse(&json, text, strlen(text), "connection", NULL) == EDGEOPS_OK &&
        eop_json_type(json) != EOP_JSON_OBJECT) {
        eop_json_free(json);
        json = NULL;
    }
    edgeops_free(text);
    return json;
}

/* "client id at host:port" of a session that the peer keeps; NULL: there is none now. */
static char *session_of(const eop_json *json) {
    const char *session = eop_json_string(json, "session", "none");
    const char *id = eop_json_string(json, "client_id", NULL);
    const char *broker = eop_json_string(json, "broker", NULL);
    return strcmp(session, "none") != 0 && id != NULL && broker != NULL
               ? eop_format("%s at %s", id, broker)
               : NULL;
}

static void judge(eop_connection *c, const eop_json *json, const char *of) {
    if (c->judged || !eop_json_bool(json, "up", false)) {
        return;
    }
    c->judged = true;
    c->lost = of != NULL && c->before != NULL && strcmp(of, c->before) == 0 &&
              eop_json_integer(json, "connections", 0) == 1 &&
              strcmp(eop_json_string(json, "session", ""), "new") == 0;
}

static void keep(eop_connection *c, const char *of) {
    if (of == NULL || (c->kept != NULL && strcmp(of, c->kept) == 0)) {
        return;
    }
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "of", of);
    if (eop_put_record(c->node, KIND, c->name, record, false) == EDGEOPS_OK) {
        eop_free(c->kept);
        c->kept = eop_strdup(of); /* else the next time */
    }
    eop_json_free(record);
}

void eop_connection_tick(eop_connection *c, edgeops_source *source) {
    eop_json *json = ask(source);
    char *of = session_of(json);
    judge(c, json, of);
    keep(c, of);
    eop_free(of);
    eop_json_free(json);
}

/* As the driver says it of sessions that were lost in its own life. */
static void add_lost(eop_json *json, eop_json *warnings) {
    eop_json_append_format(
        warnings,
        "the broker had no session of client id '%s' any more when the node came back: "
        "what was sent while it was away is lost; let the broker keep sessions on disk, "
        "and long enough",
        eop_json_string(json, "client_id", ""));
    if (eop_json_integer(json, "connections", 0) == 1 && eop_json_get(json, "session") != NULL) {
        eop_json_set_string(json, "session", "lost");
    }
    eop_json_set_integer(json, "lost_sessions", eop_json_integer(json, "lost_sessions", 0) + 1);
}

void eop_connection_get(eop_json **out, eop_json **warnings, eop_connection *c,
                        edgeops_source *source) {
    eop_json *json = ask(source);
    const eop_json *said = eop_json_get(json, "warnings");
    char *of = session_of(json);
    judge(c, json, of);
    eop_free(of);
    *warnings = said != NULL && eop_json_type(said) == EOP_JSON_ARRAY ? eop_json_copy(said)
                                                                      : eop_json_array();
    if (json != NULL) {
        eop_json_remove(json, "warnings");
        if (c->lost) {
            add_lost(json, *warnings);
        }
    }
    *out = json;
}

/* Of "host:port" the host; names of this machine's own loopback are one. */
static char *host_of(const char *broker) {
    static const char *const here[] = {"localhost", "127.0.0.1", "::1", "ip6-localhost"};
    const char *colon = strrchr(broker, ':');
    size_t size = colon != NULL ? (size_t)(colon - broker) : strlen(broker);
    for (size_t i = 0; i < EOP_COUNT(here); i++) {
        if (strlen(here[i]) == size && eop_ascii_equal(broker, here[i], size)) {
            return eop_strdup(here[0]);
        }
    }
    return eop_strndup(broker, size);
}

static bool same_broker(const char *a, const char *b) {
    char *host_a = host_of(a);
    char *host_b = host_of(b);
    const char *port_a = strrchr(a, ':');
    const char *port_b = strrchr(b, ':');
    bool same = host_a != NULL && host_b != NULL && port_a != NULL && port_b != NULL &&
                strcmp(port_a, port_b) == 0 && strlen(host_a) == strlen(host_b) &&
                eop_ascii_equal(host_a, host_b, strlen(host_a));
    eop_free(host_a);
    eop_free(host_b);
    return same;
}

/* What a source publishes goes through a client of its own: the id with EOP_PUBLISHER_SUFFIX. */
static bool same_client(const char *a, const char *b) {
    size_t size = strlen(a);
    return strncmp(b, a, size) == 0 &&
           (b[size] == '\0' || strcmp(b + size, EOP_PUBLISHER_SUFFIX) == 0);
}

char *eop_connection_shared(edgeops_source *a, edgeops_source *b) {
    eop_json *json_a = ask(a);
    eop_json *json_b = ask(b);
    const char *id_a = eop_json_string(json_a, "client_id", "");
    const char *id_b = eop_json_string(json_b, "client_id", "");
    const char *broker = eop_json_string(json_b, "broker", "");
    char *shared = NULL;
    if (id_a[0] != '\0' && id_b[0] != '\0' &&
        same_broker(eop_json_string(json_a, "broker", ""), broker) &&
        (same_client(id_a, id_b) || same_client(id_b, id_a))) {
        shared = eop_format("'%s' at %s", id_b, broker);
    }
    eop_json_free(json_a);
    eop_json_free(json_b);
    return shared;
}

char *eop_connection_left(eop_connection *c, edgeops_source *source) {
    eop_json *json = ask(source);
    bool had = c->kept != NULL || eop_json_integer(json, "connections", 0) > 0;
    char *left = json != NULL && had && !eop_json_bool(json, "up", false)
                     ? eop_format("'%s' at %s", eop_json_string(json, "client_id", ""),
                                  eop_json_string(json, "broker", ""))
                     : NULL;
    eop_json_free(json);
    return left;
}

void eop_connection_forget(edgeops_node *node, const char *name) {
    (void)eop_record_remove(node->catalog, KIND, name); /* there may be none */
}
