/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a broker with QoS 1 messages.
 *
 *   blast URL TOPIC COUNT                       one sample of six channels a message, as fast as
 *                                               they are acknowledged
 *   blast URL TOPIC COUNT RATE ASSETS SAMPLES   at most RATE samples of three channels a second,
 *                                               SAMPLES a message, in turn to TOPIC/0 ..
 *                                               TOPIC/(ASSETS - 1); prints the seconds it took */
#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN_FLIGHT = 500, ASSETS_MAX = 10000, SAMPLES_MAX = 100, SAMPLE_TEXT_MAX = 256 };

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

static double passed_since(const struct timespec *begun) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) + 1e-9 * (double)(now.tv_nsec - begun->tv_nsec);
}

static void rest(double seconds) {
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&pause, NULL);
}

static int one_sample(char *text, long i) {
    double x = (double)(i % 1000) / 8;
    return snprintf(text, SAMPLE_TEXT_MAX,
                    "{\"time\":%lld,\"seq\":%ld,\"a\":%.3f,\"b\":%.3f,\"c\":%.3f,\"d\":%.4f,"
                    "\"e\":%.4f,\"f\":%.4f}",
                    1760000000000LL + i, i + 1, x, x / 3, -x, x / 7, x / 9, -x / 11);
}

/* The next samples of an asset: walks, in a JSON array when there is more than one. */
static int some_samples(char *text, long asset, long samples, long first_ms, long step_ms) {
    static int walks[ASSETS_MAX][3];
    int n = 0;
    for (long k = 0; k < samples; k++) {
        int *walk = walks[asset];
        for (int c = 0; c < 3; c++) {
            walk[c] += rand() % 9 - 4;
        }
        n += snprintf(text + n, SAMPLE_TEXT_MAX,
                      "%s{\"time\":%lld,\"temperature\":%.2f,\"pressure\":%.4f,\"flow\":%.3f}",
                      k > 0         ? ","
                      : samples > 1 ? "["
                                    : "",
                      1760000000000LL + first_ms + k * step_ms, walk[0] / 100.0, walk[1] / 10000.0,
                      walk[2] / 1000.0);
    }
    if (samples > 1) {
        text[n++] = ']';
    }
    return n;
}

static void send(MQTTAsync client, const char *topic, int size, const char *text) {
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = acknowledged;
    response.onFailure = failed;
    response.context = &window;
    sem_wait(&window);
    if (MQTTAsync_send(client, topic, size, text, 1, 0, &response) != MQTTASYNC_SUCCESS) {
        fprintf(stderr, "blast: cannot send\n");
        exit(1);
    }
}

static void steadily(MQTTAsync client, char **argv) {
    static char text[SAMPLES_MAX * SAMPLE_TEXT_MAX];
    long count = atol(argv[3]);
    double rate = atof(argv[4]);
    long assets = atol(argv[5]);
    long samples = atol(argv[6]);
    struct timespec begun;
    if (rate <= 0 || assets < 1 || assets > ASSETS_MAX || samples < 1 || samples > SAMPLES_MAX) {
        fprintf(stderr, "blast: at most %d assets and %d samples a message\n", ASSETS_MAX,
                SAMPLES_MAX);
        exit(2);
    }
    long step_ms = (long)(1000.0 * (double)assets / rate) + 1;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long sent = 0, message = 0; sent < count; sent += samples, message++) {
        char topic[512];
        long asset = message % assets;
        double ahead = (double)sent / rate - passed_since(&begun);
        if (ahead > 0.001) {
            rest(ahead);
        }
        snprintf(topic, sizeof topic, "%s/%ld", argv[2], asset);
        int n = some_samples(text, asset, samples, message / assets * samples * step_ms, step_ms);
        send(client, topic, n, text);
    }
    for (int i = 0; i < IN_FLIGHT; i++) {
        sem_wait(&window);
    }
    printf("%.3f\n", passed_since(&begun));
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 7) {
        fprintf(stderr, "usage: blast URL TOPIC COUNT [RATE ASSETS SAMPLES]\n");
        return 2;
    }
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
    if (argc == 7) {
        steadily(client, argv);
    } else {
        long count = atol(argv[3]);
        for (long i = 0; i < count; i++) {
            char text[SAMPLE_TEXT_MAX];
            int n = one_sample(text, i);
            send(client, argv[2], n, text);
        }
        for (int i = 0; i < IN_FLIGHT; i++) {
            sem_wait(&window);
        }
    }
    MQTTAsync_destroy(&client);
    return 0;
}
