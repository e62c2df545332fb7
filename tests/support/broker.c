/* SPDX-License-Identifier: Apache-2.0 */
#include "support/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 256
#define WAIT_MS   20000

extern char **environ;

struct test_broker {
    test_broker_options options;
    char folder[PATH_SIZE];
    char url[64];
    int port;
    pid_t pid;
};

static void give_up(const char *what) {
    fprintf(stderr, "tests/support/broker: %s: %s\n", what, strerror(errno));
    abort();
}

/* Waiting for another process has no better way than to look again. */
static void pause_a_little(void) {
    (void)poll(NULL, 0, 5);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *find_program(const char *name) {
    static char found[4][PATH_SIZE];
    static unsigned turn;
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin",
                                          "/usr/local/bin"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *path = found[turn % 4];
        snprintf(path, PATH_SIZE, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0) {
            turn++;
            return path;
        }
    }
    return NULL;
}

const char *test_broker_missing(void) {
    static const char *const programs[] = {"mosquitto", "mosquitto_pub", "mosquitto_sub",
                                           "mosquitto_passwd", "openssl"};
    static char text[64];
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (find_program(programs[i]) == NULL) {
            snprintf(text, sizeof(text), "%s is not installed", programs[i]);
            return text;
        }
    }
    return NULL;
}

const char *test_broker_file(const test_broker *broker, const char *name) {
    static char paths[4][PATH_SIZE + 64];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", broker->folder, name);
    return path;
}

static pid_t spawn(const char *const *argv, int in, int out, int err) {
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    int code = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        errno = code;
        give_up(argv[0]);
    }
    return pid;
}

static int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            give_up("waitpid");
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run(const test_broker *broker, const char *const *argv) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(test_broker_file(broker, "tools.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                   0600);
    int code = wait_for(spawn(argv, null, log, log));
    close(null);
    close(log);
    if (code != 0) {
        errno = 0;
        give_up(argv[0]);
    }
}

static void shell(const test_broker *broker, const char *script) {
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    run(broker, argv);
}

static void write_file(const test_broker *broker, const char *name, const char *text) {
    FILE *f = fopen(test_broker_file(broker, name), "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
        give_up(name);
    }
}

/* One authority, a certificate of the broker for localhost, one of a client, and an authority that
 * signed none of them. */
static void make_certificates(test_broker *broker) {
    char script[4096];
    snprintf(
        script, sizeof(script),
        "set -e; cd '%s'; k='ec -pkeyopt ec_paramgen_curve:P-256';"
        "ca() { openssl req -x509 -newkey $k -nodes -days 2 -subj /CN=$1 -keyout $1.key -out "
        "$1.crt; };"
        "leaf() { openssl req -newkey $k -nodes -subj /CN=$1 -keyout $1.key -out $1.csr;"
        " printf 'subjectAltName=DNS:%%s\\n' $2 > $1.ext;"
        " openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "
        "$1.ext -out $1.crt; };"
        "ca ca; ca other-ca; leaf server localhost; leaf client client",
        broker->folder);
    shell(broker, script);
}

static void write_config(test_broker *broker) {
    const test_broker_options *o = &broker->options;
    char text[4096];
    int n = snprintf(text, sizeof(text),
                     "listener %d 127.0.0.1\nmax_queued_messages 0\nallow_anonymous %s\n"
                     "persistence %s\npersistence_location %s/\nset_tcp_nodelay true\n",
                     broker->port, o->user != NULL ? "false" : "true",
                     o->persistence ? "true" : "false", broker->folder);
    if (geteuid() == 0) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "user root\n");
    }
    if (o->user != NULL) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "password_file %s/passwords\n",
                      broker->folder);
    }
    if (o->acl != NULL) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "acl_file %s/acl\n", broker->folder);
        write_file(broker, "acl", o->acl);
    }
    if (o->tls) {
        n += snprintf(text + n, sizeof(text) - (size_t)n,
                      "cafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n"
                      "require_certificate %s\n",
                      broker->folder, broker->folder, broker->folder,
                      o->client_cert ? "true" : "false");
    }
    write_file(broker, "broker.conf", text);
}

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        give_up("free port");
    }
    close(fd);
    return ntohs(address.sin_port);
}

test_broker *test_broker_new(const test_broker_options *options) {
    test_broker *broker = calloc(1, sizeof(*broker));
    const char *base = getenv("TMPDIR");
    if (broker == NULL) {
        give_up("memory");
    }
    broker->options = *options;
    snprintf(broker->folder, sizeof(broker->folder), "%s/edgeops-broker-XXXXXX",
             base != NULL && strlen(base) < 100 ? base : "/tmp");
    if (mkdtemp(broker->folder) == NULL) {
        give_up(broker->folder);
    }
    broker->port = free_port();
    snprintf(broker->url, sizeof(broker->url),
             options->tls ? "mqtts://localhost:%d" : "mqtt://127.0.0.1:%d", broker->port);
    if (options->tls) {
        make_certificates(broker);
    }
    if (options->user != NULL) {
        const char *argv[] = {find_program("mosquitto_passwd"),
                              "-b",
                              "-c",
                              test_broker_file(broker, "passwords"),
                              options->user,
                              options->password,
                              NULL};
        run(broker, argv);
    }
    write_config(broker);
    return broker;
}

static bool answers(const test_broker *broker) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)broker->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return yes;
}

void test_broker_start(test_broker *broker) {
    char config[PATH_SIZE + 64];
    snprintf(config, sizeof(config), "%s/broker.conf", broker->folder);
    /* With its help the broker does not outlive a test that crashes or is skipped. */
    const char *guard = find_program("setpriv");
    const char *all[] = {guard, "--pdeathsig", "KILL", find_program("mosquitto"),
                         "-v",  "-c",          config, NULL};
    const char *const *argv = guard != NULL ? all : all + 3;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(test_broker_file(broker, "broker.log"),
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    broker->pid = spawn(argv, null, log, log);
    close(null);
    close(log);
    int64_t deadline = now_ms() + WAIT_MS;
    while (!answers(broker)) {
        if (now_ms() > deadline || waitpid(broker->pid, NULL, WNOHANG) != 0) {
            errno = 0;
            give_up("mosquitto does not start");
        }
        pause_a_little();
    }
}

static void end(test_broker *broker, int signal) {
    if (broker->pid > 0) {
        kill(broker->pid, signal);
        (void)wait_for(broker->pid);
        broker->pid = 0;
    }
}

void test_broker_stop(test_broker *broker) {
    end(broker, SIGTERM);
}

void test_broker_kill(test_broker *broker) {
    end(broker, SIGKILL);
}

void test_broker_free(test_broker *broker) {
    if (broker == NULL) {
        return;
    }
    end(broker, SIGKILL);
    const char *argv[] = {"/bin/rm", "-rf", broker->folder, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)wait_for(spawn(argv, null, null, null));
    close(null);
    free(broker);
}

int test_broker_port(const test_broker *broker) {
    return broker->port;
}

const char *test_broker_url(const test_broker *broker) {
    return broker->url;
}

/* -- clients -- */

static size_t add_access(const test_broker *broker, const char **argv, size_t n, char port[16]) {
    const test_broker_options *o = &broker->options;
    snprintf(port, 16, "%d", broker->port);
    argv[n++] = "-h";
    argv[n++] = o->tls ? "localhost" : "127.0.0.1";
    argv[n++] = "-p";
    argv[n++] = port;
    if (o->user != NULL) {
        argv[n++] = "-u";
        argv[n++] = o->user;
        argv[n++] = "-P";
        argv[n++] = o->password;
    }
    if (o->tls) {
        argv[n++] = "--cafile";
        argv[n++] = test_broker_file(broker, "ca.crt");
    }
    if (o->client_cert) {
        argv[n++] = "--cert";
        argv[n++] = test_broker_file(broker, "client.crt");
        argv[n++] = "--key";
        argv[n++] = test_broker_file(broker, "client.key");
    }
    return n;
}

void test_publish(const test_broker *broker, const char *topic, int qos, const char *lines,
                  const char *const *extra) {
    const char *argv[48] = {find_program("mosquitto_pub"), "-l", "-t", topic, "-q"};
    char port[16];
    char level[2] = {(char)('0' + qos), '\0'};
    size_t n = 5;
    argv[n++] = level;
    n = add_access(broker, argv, n, port);
    for (; extra != NULL && *extra != NULL; extra++) {
        argv[n++] = *extra;
    }
    argv[n] = NULL;
    char name[PATH_SIZE + 64];
    snprintf(name, sizeof(name), "%s/pub-XXXXXX", broker->folder);
    int in = mkostemp(name, O_CLOEXEC);
    size_t size = strlen(lines);
    if (in < 0 || write(in, lines, size) != (ssize_t)size || lseek(in, 0, SEEK_SET) != 0) {
        give_up("lines to publish");
    }
    int log = open(test_broker_file(broker, "tools.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                   0600);
    int code = wait_for(spawn(argv, in, log, log));
    close(in);
    close(log);
    unlink(name);
    if (code != 0) {
        errno = 0;
        give_up("mosquitto_pub");
    }
}

static char *read_text(const char *path) {
    char *text = calloc(1, 1);
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (;;) {
        text = realloc(text, size + 65537);
        if (text == NULL) {
            give_up("memory");
        }
        ssize_t got = fd >= 0 ? read(fd, text + size, 65536) : 0;
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    text[size] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

static size_t count_messages(const char *text) {
    size_t n = 0;
    bool message = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (p == text || p[-1] == '\n') {
            message = p[0] == '>' && p[1] == ' ';
        }
        n += message && *p == '\n';
    }
    return n;
}

char *test_wait_messages(const test_broker *broker, const char *file, size_t n) {
    int64_t deadline = now_ms() + WAIT_MS;
    for (;;) {
        char *text = read_text(test_broker_file(broker, file));
        if (count_messages(text) >= n || now_ms() > deadline) {
            return text;
        }
        free(text);
        pause_a_little();
    }
}

int test_subscribe(const test_broker *broker, const char *topic, const char *file) {
    char id[64];
    char port[16];
    char wanted[128];
    snprintf(id, sizeof(id), "sub-%s", file);
    snprintf(wanted, sizeof(wanted), "Sending SUBACK to %s\n", id);
    const char *argv[48] = {
        find_program("mosquitto_sub"), "-i", id, "-q", "2", "-t", topic, "-F", "> %t %q %r %p"};
    argv[add_access(broker, argv, 9, port)] = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = open(test_broker_file(broker, file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_t pid = spawn(argv, null, out, out);
    close(null);
    close(out);
    int64_t deadline = now_ms() + WAIT_MS;
    for (;;) {
        char *text = read_text(test_broker_file(broker, "broker.log"));
        bool there = strstr(text, wanted) != NULL;
        free(text);
        if (there) {
            return pid;
        }
        if (now_ms() > deadline) {
            errno = 0;
            give_up("mosquitto_sub does not subscribe");
        }
        pause_a_little();
    }
}

void test_unsubscribe(int pid) {
    kill(pid, SIGKILL);
    (void)wait_for(pid);
}
