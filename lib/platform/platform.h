/* SPDX-License-Identifier: Apache-2.0 */
/* The loop and what hangs on it. The only room that knows libuv. Unless said otherwise: context's
 * thread only; callbacks fire inside edgeops_ctx_run/_dispatch; none fires after _free/_close
 * returned (also when called from inside that very callback); every _free accepts NULL. */
#ifndef EOP_PLATFORM_PLATFORM_H
#define EOP_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fork.h"
#include "base/log.h"
#include "edgeops/context.h"

typedef void (*eop_fn)(void *user_data);

/** The context's log. Any thread. */
const eop_log *eop_ctx_log(const edgeops_ctx *ctx);
/** Which process the context, and so all that is made from it, belongs to. */
const eop_birth *eop_ctx_birth(const edgeops_ctx *ctx);
/** Counts what lives on the context (the handles below count themselves); edgeops_ctx_free()
 * asserts that it is 0. */
void eop_ctx_ref(edgeops_ctx *ctx);
void eop_ctx_unref(edgeops_ctx *ctx);
/** edgeops_ctx_free() turns the loop until all that was held is let go. */
void eop_ctx_hold(edgeops_ctx *ctx);
void eop_ctx_let_go(edgeops_ctx *ctx);
/** Whether a callback of the context runs: inside it the loop cannot be turned. */
bool eop_ctx_in_turn(const edgeops_ctx *ctx);
/** One turn of the loop that sleeps at most max_wait (0: not at all; EDGEOPS_FOREVER) and ends
 * after the first events. E_INVALID inside a callback. edgeops_ctx_stop() ends the sleep, and stays
 * asked-for until edgeops_ctx_run(). */
edgeops_status eop_ctx_turn(edgeops_ctx *ctx, edgeops_duration max_wait);

/* -- timers -- */
typedef struct eop_timer eop_timer;
edgeops_status eop_timer_new(eop_timer **out, edgeops_ctx *ctx, eop_fn fn, void *user_data);
/** repeat 0: once. Starting again moves it. Resolution 1 ms, never early; after 0: in the next
 * turn. */
void eop_timer_start(eop_timer *timer, edgeops_duration after, edgeops_duration repeat);
void eop_timer_stop(eop_timer *timer);
void eop_timer_free(eop_timer *timer);

/* -- wake: another thread makes fn run on the loop; many sends may give one call -- */
typedef struct eop_wake eop_wake;
edgeops_status eop_wake_new(eop_wake **out, edgeops_ctx *ctx, eop_fn fn, void *user_data);
/** Any thread, until eop_wake_free() is called. Async-signal-safe. */
void eop_wake_send(eop_wake *wake);
void eop_wake_free(eop_wake *wake);

/* -- readiness of a descriptor (pipe, socket); the descriptor stays the caller's -- */
enum { EOP_READABLE = 1, EOP_WRITABLE = 2, EOP_HANGUP = 4 };
typedef struct eop_io eop_io;
typedef void (*eop_io_fn)(int events, void *user_data);
/** fd becomes non-blocking. One eop_io a descriptor; free it before fd is closed. Nothing is
 * watched until eop_io_set(). E_DENIED for what cannot be waited for, such as a regular file. */
edgeops_status eop_io_new(eop_io **out, edgeops_ctx *ctx, int fd, eop_io_fn fn, void *user_data);
/** events 0: pause. Level-triggered. An error on the descriptor is shown as EOP_HANGUP with all
 * events that were asked for: the next read or write says which. */
edgeops_status eop_io_set(eop_io *io, int events);
void eop_io_free(eop_io *io);

/* -- work beside the loop, and later on it. Not on libuv's pool: its few threads serve the whole
 * process, and the child of a fork() crashes at its exit once there is one -- */
/** work runs on a thread of its own with all signals blocked, then done on the loop, once. The
 * object that user_data is must live until done. */
edgeops_status eop_thread_start(edgeops_ctx *ctx, eop_fn work, eop_fn done, void *user_data);
/** Runs fn on the loop as soon as it turns, never inside this call; edgeops_ctx_free() runs what is
 * left. */
edgeops_status eop_defer(edgeops_ctx *ctx, eop_fn fn, void *user_data);
/** Drops all that was deferred with this fn and user_data. */
void eop_defer_cancel(edgeops_ctx *ctx, eop_fn fn, void *user_data);

/* -- child processes: exec only, watched through a pidfd, no SIGCHLD handler -- */
typedef struct eop_process eop_process;
/** signal 0: exited with code; else ended by that signal. Usage of the process and of those it
 * waited for. code -1: not known, because the host reaps all children itself. Linux counts this
 * process's own peak at the start into peak_memory_bytes (exec inherits it): only a larger one is
 * the child's. */
typedef struct eop_exit {
    int code;
    int signal;
    double user_s;
    double system_s;
    uint64_t peak_memory_bytes;
} eop_exit;
typedef void (*eop_exit_fn)(const eop_exit *exit, void *user_data);
typedef struct eop_process_options {
    const char *file;        /**< absolute path */
    const char *const *argv; /**< NULL-terminated, with argv[0] */
    const char *const *envp; /**< NULL-terminated; NULL: this process's */
    const char *directory;   /**< working directory; NULL: this one */
    const int
        *fds; /**< fds[i] becomes descriptor i of the child, -1: /dev/null; all others closed */
    size_t fd_count; /**< 3..16 */
} eop_process_options;
/** The child leads its own process group (Ctrl-C on a terminal is not for it), with no signal
 * blocked and all signals at their default. What is left of the group is killed when the child has
 * ended. */
edgeops_status eop_process_start(eop_process **out, edgeops_ctx *ctx,
                                 const eop_process_options *options, eop_exit_fn on_exit,
                                 void *user_data);
/** Through the pidfd, so that a reused pid is never hit. SIGKILL goes to its whole process group.
 * No-op once it has exited. */
void eop_process_kill(eop_process *process, int signal);
pid_t eop_process_pid(const eop_process *process);
/** Peak resident memory of a running process so far, in bytes; 0 when it has exited. */
uint64_t eop_process_peak_memory(const eop_process *process);
/** Kills with SIGKILL and reaps if it still runs; on_exit does not fire any more. Blocks until it
 * is gone, at most 5 s (a process that hangs in the kernel is then left alone, and logged). */
void eop_process_free(eop_process *process);

/* -- shared memory -- */
/** Anonymous memory file (memfd) of size bytes, mapped read-write; *fd can be handed to a child. */
edgeops_status eop_shm_new(int *fd, void **memory, size_t size, const char *name);
/** All of it will be written soon: takes large pages for it where the system has some, since small
 * ones take longer to come than most data to be made. What was written may be lost. */
void eop_shm_use_large_pages(void *memory, size_t size);
/** Forbids shrinking, growing and further writable mappings for everyone else; existing mapping
 * stays. */
edgeops_status eop_shm_seal(int fd);
void eop_shm_free(int fd, void *memory, size_t size);

/* -- local stream sockets (AF_UNIX) carrying frames: u32 little-endian size, then that many bytes,
 * and up to two descriptors (SCM_RIGHTS) with the first byte of a frame. Whoever speaks this
 * without eop_link puts a frame with descriptors into a sendmsg() of its own: the receiver gives
 * descriptors to the last frame that starts in the bytes they came with. -- */
typedef struct eop_link eop_link;
typedef struct eop_link_handler {
    /** One whole frame. data is borrowed for the call, not aligned, no NUL behind it. fds are taken
     * by the callee (close them); fd_count 0..2. */
    void (*on_frame)(eop_link *link, const char *data, size_t size, const int *fds, size_t fd_count,
                     void *user_data);
    /** Peer gone (E_CLOSED) or broke the format (E_PROTOCOL), or E_IO, E_NOMEM; detail in
     * edgeops_error_last(). Once, after all frames that came before. Free it. A paused link does
     * not notice. */
    void (*on_close)(eop_link *link, edgeops_status reason, void *user_data);
    /** Optional: all that eop_link_send() had to queue is written. */
    void (*on_drain)(eop_link *link, void *user_data);
} eop_link_handler;
/** fd: a connected stream socket, taken (also on failure). handler: borrowed, static. Incoming
 * frames over max_frame bytes end the link. */
edgeops_status eop_link_new(eop_link **out, edgeops_ctx *ctx, int fd, size_t max_frame,
                            const eop_link_handler *handler, void *user_data);
/** Queues one frame; tries to write at once. data copied, fds duplicated. E_AGAIN when more than 64
 * MiB would wait; E_CLOSED (no on_close inside this call); E_NOMEM, E_IO: nothing was sent, or half
 * a frame was and the link ends: on_close follows. */
edgeops_status eop_link_send(eop_link *link, const void *data, size_t size, const int *fds,
                             size_t fd_count);
/** Bytes that wait to be written. */
size_t eop_link_queued(const eop_link *link);
/** Stops and starts reading: back-pressure on the peer. What was read already is delivered by the
 * loop, not inside this call. */
void eop_link_pause(eop_link *link, bool paused);
/** uid and pid of the peer as the kernel knows them. */
edgeops_status eop_link_peer(const eop_link *link, uid_t *uid, pid_t *pid);
/** What is queued is dropped. */
void eop_link_free(eop_link *link);

typedef struct eop_listener eop_listener;
/** Gets a connected descriptor, taken by the callee. */
typedef void (*eop_accept_fn)(int fd, void *user_data);
/** Listens on a path (mode 0600; a dead socket file there is replaced, a living one gives
 * E_BUSY). */
edgeops_status eop_listener_new(eop_listener **out, edgeops_ctx *ctx, const char *path,
                                eop_accept_fn fn, void *user_data);
/** Removes the socket file. */
void eop_listener_free(eop_listener *listener);
/** Connects; E_NOTFOUND when nobody listens there, E_TIMEOUT when the listener is overloaded for 10
 * s. Paths may be longer than the 107 bytes of the system. Any thread. */
edgeops_status eop_connect(int *fd, const char *path);
/** Two connected stream sockets, both O_CLOEXEC. */
edgeops_status eop_socketpair(int fds[2]);

/* -- plug-ins -- */
/** Loads a shared object by absolute path, never unloads it, and gives a symbol of it. E_NOTFOUND
 * (no such file or symbol), E_UNSUPPORTED (cannot be loaded, the text says why). */
edgeops_status eop_plugin_symbol(void **symbol, const char *path, const char *name);
/** A function of a library of the system, by its soname: it is loaded when first asked for and
 * stays. E_UNSUPPORTED where it is not there or has no such function. */
edgeops_status eop_library_symbol(void **symbol, const char *soname, const char *name);
/** Folder that libedgeops was loaded from, links resolved; free with eop_free. Any thread. */
edgeops_status eop_library_dir(char **out);

#endif /* EOP_PLATFORM_PLATFORM_H */
