/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that have their own way with children: SIGCHLD ignored, SA_NOCLDWAIT, a handler or a thread that reaps every
 * child there is, and thus the library's workers. Trainings and predictions work all the same. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static volatile sig_atomic_t reaped;
static volatile int stop;
static int seen;

static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    seen += prediction->status == EDGEOPS_OK;
}

static void *reap(void *unused) {
    while (!stop) {
        if (waitpid(-1, NULL, 0) > 0) {
            reaped++;
        } else {
            (void)usleep(200);
        }
    }
    return unused;
}

static void on_child(int number) {
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        reaped++;
    }
}

static void handle(void (*handler)(int), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)sigaction(SIGCHLD, &action, NULL);
}

/* Who is first at a child that ended is a matter of luck: until the host was. */
static void until_reaped(void) {
    for (int i = 0; i < 30 && reaped == 0; i++) {
        CHECK(call("train", text_of("{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"more%d\"}",
                                    i)) == EDGEOPS_OK,
              "%s", why());
    }
    CHECK(reaped > 0, "the host reaped nothing");
}

static void work(int reaps) {
    node_up(path_of("home-%d", (int)getpid()));
    echo_up();
    deploy_up();
    CHECK(call("train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m2\"}") == EDGEOPS_OK,
          "%s", why());
    char *shown = answer_of("run.show", "{\"id\":1}");
    CHECK(strstr(shown, "\"succeeded\"") != NULL, "%s", shown);
    edgeops_free(shown);
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(300, NULL);
    for (int i = 0; i < 5; i++) {
        CHECK(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
    }
    for (int i = 0; i < 100 && seen < 5; i++) {
        turn(50, NULL);
    }
    CHECK(seen == 5, "%d predictions of 5", seen);
    if (reaps) {
        until_reaped();
    }
    double start = now_s();
    node_down();
    CHECK(now_s() - start < 5, "closing took %.1f s", now_s() - start);
}

static int ignored(void *unused) {
    (void)unused;
    handle(SIG_IGN, 0);
    work(0);
    return host_wrong() != 0;
}

static int no_zombies(void *unused) {
    (void)unused;
    handle(SIG_DFL, SA_NOCLDWAIT);
    work(0);
    return host_wrong() != 0;
}

static int by_handler(void *unused) {
    (void)unused;
    handle(on_child, 0);
    work(1);
    return host_wrong() != 0;
}

static int by_thread(void *unused) {
    pthread_t reaper;
    (void)unused;
    NEED(pthread_create(&reaper, NULL, reap, NULL) == 0, "pthread_create");
    work(1);
    stop = 1;
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    need_worker();
    CHECK(in_child(ignored, NULL, 40) == 0, "SIGCHLD ignored");
    CHECK(in_child(no_zombies, NULL, 40) == 0, "SA_NOCLDWAIT");
    CHECK(in_child(by_handler, NULL, 40) == 0, "a handler reaps");
    CHECK(in_child(by_thread, NULL, 40) == 0, "a thread reaps");
    return host_end();
}
