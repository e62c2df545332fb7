/* SPDX-License-Identifier: Apache-2.0 */
/* A host whose timers send it thousands of signals a second, with handlers without SA_RESTART: each system call may
 * end with EINTR, none of which may reach the caller, cut a write, or shorten a wait. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "host.h"

static volatile sig_atomic_t came;
static volatile int stop;
static pthread_t main_thread;

static void on_signal(int number) {
    (void)number;
    came++;
}

/* The interval timer's signals may go to any thread that does not block them; these go to the host's. */
static void *storm(void *unused) {
    while (!stop) {
        (void)pthread_kill(main_thread, SIGUSR1);
        (void)usleep(200);
    }
    return unused;
}

int main(void) {
    struct sigaction action;
    struct itimerval every = {{0, 700}, {0, 700}};
    pthread_t sender;
    (void)host_begin();
    need_worker();
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    main_thread = pthread_self();
    (void)setitimer(ITIMER_REAL, &every, NULL);
    NEED(pthread_create(&sender, NULL, storm, NULL) == 0, "pthread_create");

    node_up(path_of("home"));
    echo_up();
    deploy_up();
    CHECK(edgeops_store_set_durability(store, EDGEOPS_DURABILITY_POWER) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 300; i++) {
        CHECK(put("power", i, i) == EDGEOPS_OK, "%s", why());
    }
    CHECK(edgeops_store_set_durability(store, EDGEOPS_DURABILITY_PROCESS) == EDGEOPS_OK, "%s",
          why());
    for (int i = 0; i < 30000; i++) {
        CHECK(put("z", i, i) == EDGEOPS_OK, "%s", why());
    }
    CHECK(call("data.compact", NULL) == EDGEOPS_OK, "%s", why());
    CHECK(call("node.backup", text_of("{\"path\":\"%s\"}", path_of("backup"))) == EDGEOPS_OK, "%s",
          why());
    CHECK(call("doctor", "{\"deep\":true}") == EDGEOPS_OK, "%s", why());
    double start = now_s();
    CHECK(edgeops_ctx_run(ctx, EDGEOPS_SECOND / 2) == EDGEOPS_E_TIMEOUT, "%s", why());
    CHECK(now_s() - start >= 0.499, "a turn of half a second took %.3f s", now_s() - start);
    node_down();
    CHECK(edgeops_node_restore(NULL, path_of("backup"), path_of("restored"), NULL, NULL) ==
              EDGEOPS_OK,
          "%s", why());
    NEED(edgeops_store_open(&store, path_of("restored"), NULL) == EDGEOPS_OK, "%s", why());
    CHECK(rows_of(store, "z") == 30000 && rows_of(store, "power") == 300, "%llu and %llu rows",
          (unsigned long long)rows_of(store, "z"), (unsigned long long)rows_of(store, "power"));
    edgeops_store_close(store);
    stop = 1;
    (void)pthread_join(sender, NULL);
    memset(&every, 0, sizeof every);
    (void)setitimer(ITIMER_REAL, &every, NULL);
    printf("%d signals\n", (int)came);
    CHECK(came > 500, "only %d signals came", (int)came);
    return host_end();
}
