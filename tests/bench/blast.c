/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a broker: blast URL TOPIC COUNT publishes COUNT samples of six channels with QoS 1, as fast
 * as they are acknowledged. */
#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

static sem_t window;
static sem_t ready;

static void acknowledged(void *context, MQTTAsync_successData *data) {
    (void)data;
    sem_post(context);
}

static void failed(void *context, MQTTAsync_failureData *data) {
    (void)context;
    fprintf(stderr, "blast: code %d\n", data != NULL ? data->code : 0);
    exit(1);
}

int main(int argc, char **argv) {
    enum { IN_FLIGHT = 500 };
    if (argc != 4) {
        fprintf(stderr, "usage: blast URL TOPIC COUNT\n");
        return 2;
    }
    long count = atol(argv[3]);
    MQTTAsync client;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    sem_init(&window, 0, IN_FLIGHT);
    sem_init(&ready, 0, 0);
    options.onSuccess = acknowledged;
    options.onFailure = failed;
    options.context = &ready;
    options.maxInflight = IN_FLIGHT * 2;
    if (MQTTAsync_create(&client, argv[1], "blast", MQTTCLIENT_PERSISTENCE_NONE, NULL) !=
            MQTTASYNC_SUCCESS ||
        MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) {
        fprintf(stderr, "blast: cannot connect\n");
        return 1;
    }
    sem_wait(&ready);
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = acknowledged;
    response.onFailure = failed;
    response.context = &window;
    for (long i = 0; i < count; i++) {
        char text[256];
        double x = (double)(i % 1000) / 8;
        int n = snprintf(text, sizeof text,
                         "{\"time\":%lld,\"seq\":%ld,\"a\":%.3f,\"b\":%.3f,\"c\":%.3f,\"d\":%.4f,"
                         "\"e\":%.4f,\"f\":%.4f}",
                         1760000000000LL + i, i + 1, x, x / 3, -x, x / 7, x / 9, -x / 11);
        sem_wait(&window);
        if (MQTTAsync_send(client, argv[2], n, text, 1, 0, &response) != MQTTASYNC_SUCCESS) {
            fprintf(stderr, "blast: cannot send\n");
            return 1;
        }
    }
    for (int i = 0; i < IN_FLIGHT; i++) {
        sem_wait(&window);
    }
    MQTTAsync_destroy(&client);
    return 0;
}
