/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's end of its connection to the host: frames of codec/wire.h over a socket. Only the
 * main thread reads; any thread of a workflow may write, and write_lock keeps frames whole. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "codec/wire.h"
#include "worker/worker.h"

#define HEADER 4

/* Bytes that came with a frame but belong to the next ones. Only the main thread reads. */
static char buffer[65536];
static size_t start;
static size_t end;
/* Any thread of a workflow may report a metric. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

/* @return bytes; 0: nothing now; -1: the host is gone */
static ssize_t receive(void *out, size_t size, bool wait) {
    for (;;) {
        ssize_t n = recv(EOP_WIRE_CONTROL_FD, out, size, wait ? 0 : MSG_DONTWAIT);
        if (n > 0) {
            return n;
        }
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            return -1;
        }
        if (errno == EAGAIN && !wait) {
            return 0;
        }
    }
}

static uint32_t size_at(const char *header) {
    const unsigned char *b = (const unsigned char *)header;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

int eop_channel_peek(size_t *size, bool wait) {
    while (end - start < HEADER) {
        if (start > 0) {
            memmove(buffer, buffer + start, end - start);
            end -= start;
            start = 0;
        }
        ssize_t n = receive(buffer + end, sizeof buffer - end, wait);
        if (n <= 0) {
            return (int)n;
        }
        end += (size_t)n;
    }
    *size = size_at(buffer + start);
    return *size <= EOP_WIRE_MAX_FRAME ? 1 : -1;
}

bool eop_channel_read(void *out, size_t size) {
    char *to = out;
    size_t here = end - start - HEADER;
    size_t n = here < size ? here : size;

    start += HEADER;
    memcpy(to, buffer + start, n);
    start += n;
    while (n < size) {
        ssize_t got = receive(to + n, size - n, true);
        if (got < 0) {
            return false;
        }
        n += (size_t)got;
    }
    return true;
}

bool eop_channel_write(const void *data, size_t size) {
    unsigned char header[HEADER] = {(unsigned char)size, (unsigned char)(size >> 8),
                                    (unsigned char)(size >> 16), (unsigned char)(size >> 24)};
    union {
        const void *in;
        void *out;
    } cast = {.in = data};
    struct iovec iov[2] = {{header, sizeof header}, {cast.out, size}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    size_t left = sizeof header + size;
    bool good = true;

    (void)pthread_mutex_lock(&write_lock);
    while (left > 0) {
        ssize_t n = sendmsg(EOP_WIRE_CONTROL_FD, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            good = false;
            break;
        }
        left -= (size_t)n;
        for (size_t i = 0; i < 2 && n > 0; i++) {
            size_t part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;
            iov[i].iov_base = (char *)iov[i].iov_base + part;
            iov[i].iov_len -= part;
            n -= (ssize_t)part;
        }
    }
    (void)pthread_mutex_unlock(&write_lock);
    return good;
}
