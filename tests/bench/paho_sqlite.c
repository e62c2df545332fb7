/* SPDX-License-Identifier: Apache-2.0 */
/* The program that one would write without EdgeOps, to compare with: paho.mqtt.c -> cJSON ->
 * SQLite, one commit a message, since the acknowledgement follows the callback and what is
 * acknowledged must be there.
 *
 * paho_sqlite URL CLIENT_ID TOPIC DATABASE COUNT default|tuned: stores COUNT messages of a
 * persistent session, prints the messages a second from the first to the last one. default: SQLite
 * as it comes, a commit is on the disk; tuned: WAL with synchronous=NORMAL, a commit survives the
 * end of the process, as EdgeOps' journal does. */
#include <cjson/cJSON.h>
#include <MQTTAsync.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3 *db;
static sqlite3_stmt *insert;
static long wanted;
static long stored;
static struct timespec first;
static struct timespec last;
static sem_t finished;
static MQTTAsync client;
static const char *topic_filter;

static void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "paho_sqlite: %s\n", what);
        exit(1);
    }
}

static int arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message) {
    static const char *const members[] = {"a", "b", "c", "d", "e", "f"};
    (void)context;
    (void)topic_size;
    cJSON *json = cJSON_ParseWithLength(message->payload, (size_t)message->payloadlen);
    must(json != NULL, "a message is no JSON");
    sqlite3_bind_text(insert, 1, topic, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)cJSON_GetObjectItem(json, "time")->valuedouble);
    sqlite3_bind_int64(insert, 3, (sqlite3_int64)cJSON_GetObjectItem(json, "seq")->valuedouble);
    for (int i = 0; i < 6; i++) {
        sqlite3_bind_double(insert, 4 + i, cJSON_GetObjectItem(json, members[i])->valuedouble);
    }
    must(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_reset(insert);
    cJSON_Delete(json);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    if (++stored == 1) {
        clock_gettime(CLOCK_MONOTONIC, &first);
    }
    if (stored == wanted) {
        clock_gettime(CLOCK_MONOTONIC, &last);
        sem_post(&finished);
    }
    return 1;
}

static void failed(void *context, MQTTAsync_failureData *data) {
    (void)context;
    (void)data;
    must(0, "cannot connect");
}

static void connected(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    must(MQTTAsync_subscribe(client, topic_filter, 1, &options) == MQTTASYNC_SUCCESS, "subscribe");
}

int main(int argc, char **argv) {
    must(argc == 7, "usage: paho_sqlite URL CLIENT_ID TOPIC DATABASE COUNT default|tuned");
    topic_filter = argv[3];
    wanted = atol(argv[5]);
    sem_init(&finished, 0, 0);
    must(sqlite3_open(argv[4], &db) == SQLITE_OK, "cannot open the database");
    if (strcmp(argv[6], "tuned") == 0) {
        must(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", NULL, NULL,
                          NULL) == SQLITE_OK,
             "cannot tune");
    }
    must(sqlite3_exec(
             db,
             "CREATE TABLE IF NOT EXISTS sample(topic TEXT, time INTEGER, seq INTEGER, a REAL, "
             "b REAL, c REAL, d REAL, e REAL, f REAL)",
             NULL, NULL, NULL) == SQLITE_OK,
         "cannot make the table");
    must(sqlite3_prepare_v2(db, "INSERT INTO sample VALUES(?,?,?,?,?,?,?,?,?)", -1, &insert,
                            NULL) == SQLITE_OK,
         "cannot prepare");
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.cleansession = 0;
    options.onSuccess = connected;
    options.onFailure = failed;
    must(MQTTAsync_create(&client, argv[1], argv[2], MQTTCLIENT_PERSISTENCE_NONE, NULL) ==
             MQTTASYNC_SUCCESS,
         "cannot make a client");
    MQTTAsync_setCallbacks(client, NULL, NULL, arrived, NULL);
    must(MQTTAsync_connect(client, &options) == MQTTASYNC_SUCCESS, "cannot connect");
    sem_wait(&finished);
    double seconds =
        (double)(last.tv_sec - first.tv_sec) + 1e-9 * (double)(last.tv_nsec - first.tv_nsec);
    printf("%.1f\n", (double)(wanted - 1) / seconds);
    MQTTAsync_destroy(&client);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return 0;
}
