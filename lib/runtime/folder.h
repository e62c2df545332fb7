/* SPDX-License-Identifier: Apache-2.0 */
/* A folder that comes into being whole: filled under another name beside its place, then
 * renamed. */
#ifndef EOP_RUNTIME_FOLDER_H
#define EOP_RUNTIME_FOLDER_H

#include "edgeops/status.h"

typedef struct eop_new_folder {
    char *parent;    /**< absolute */
    char *place;     /**< its later path */
    char *temporary; /**< where it is filled: parent/.tmp-NAME-XXXXXX */
    int lock;        /**< descriptor of it with an flock: says that somebody is at work */
} eop_new_folder;
/** Nothing to dispose of. */
#define EOP_NEW_FOLDER_NONE ((eop_new_folder){.lock = -1})

/** Makes the temporary folder, and removes what a process that died left of the same name. E_EXISTS
 * when there is something at path; E_INVALID, E_DENIED, E_IO, E_NOMEM. */
edgeops_status eop_new_folder_begin(eop_new_folder *folder, const char *path);
/** Gives it its name, durably; what is in it is on the disk already. E_EXISTS: somebody was faster.
 * Any thread. */
edgeops_status eop_new_folder_commit(eop_new_folder *folder);
/** Removes the temporary folder unless it was committed. */
void eop_new_folder_dispose(eop_new_folder *folder);

#endif /* EOP_RUNTIME_FOLDER_H */
