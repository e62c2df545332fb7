/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors in somebody else's process. A host may have closed 0-2 and fill them later, as daemons
 * do: whatever of ours lay there would be lost, and its printf() would go into it. So each call that
 * makes a descriptor is one of these, which are as those of the system but never give 0-2. */
#ifndef EOP_BASE_FD_H
#define EOP_BASE_FD_H

#include <dirent.h>
#include <sys/socket.h>
#include <sys/types.h>

/** Gives what was made as 0-2 another number, 3 or more, close-on-exec.
 *
 *  @param fd  taken; -1 is passed on
 *  @return -1 with errno when there is no other number left */
int eop_fd_high(int fd);

int eop_open(const char *path, int flags, ...);
int eop_openat(int folder, const char *path, int flags, ...);
int eop_mkostemp(char *path, int flags);
int eop_dup(int fd); /**< close-on-exec */
int eop_pipe2(int ends[2], int flags);
int eop_socket(int family, int type, int protocol);
int eop_socketpair2(int family, int type, int protocol, int ends[2]);
int eop_accept4(int listener, struct sockaddr *address, socklen_t *size, int flags);
int eop_memfd(const char *name, unsigned flags);
int eop_eventfd(unsigned value, int flags);
DIR *eop_opendir(const char *path);

/** Opens /dev/null on those of 0-2 that are closed, for libraries whose descriptors are not ours to
 * move (libuv, Paho; SQLite does the same by itself). They are the host's to replace. */
void eop_fd_fill_stdio(void);

#endif /* EOP_BASE_FD_H */
