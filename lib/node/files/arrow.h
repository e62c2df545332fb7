/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet and Arrow files by way of CSV: a program of ours (lib/worker/arrow.py) runs beside a job,
 * with pyarrow where the interpreter has it. It is started and ends on the loop; the job only reads
 * or writes a pipe of it. */
#ifndef EOP_NODE_FILES_ARROW_H
#define EOP_NODE_FILES_ARROW_H

#include "node/home/home.h"

typedef struct eop_arrow eop_arrow;

/** Loop. Starts it.
 *
 *  @param mode     "read" or "write"
 *  @param options  JSON, see arrow.py
 *  @param fds      its descriptors 0, 1 and 3, copied; fds[2] is -1 for none
 *  @return EDGEOPS_OK; E_NOTFOUND: no such program or interpreter; E_IO; E_NOMEM */
edgeops_status eop_arrow_start(eop_arrow **out, edgeops_node *node, const char *mode,
                               const eop_json *options, const int fds[3]);
/** Loop. One that makes a Parquet or Arrow file of CSV.
 *
 *  @param rows    gets the end of a pipe that takes the CSV; closing it is the end of the rows
 *  @param options {"format", "asset", "channels": {"name": [type, unit]}}
 *  @param output  gets the file */
edgeops_status eop_arrow_start_writer(eop_arrow **out, int *rows, edgeops_node *node,
                                      const eop_json *options, int output);
/** Adds a channel to those options' "channels". */
void eop_arrow_add_channel(eop_json *channels, const char *name, const char *type,
                           const char *unit);
/** Loop. Kills it: nothing more is wanted of it. */
void eop_arrow_kill(eop_arrow *arrow);
/** Loop. Calls fn once it has ended, in this call if it has. */
void eop_arrow_wait(eop_arrow *arrow, eop_fn fn, void *user_data);
/** After its end. EDGEOPS_OK, also when it was killed or ended because its pipe was closed; else
 * E_INVALID or E_UNSUPPORTED with what it said. what: the file. */
edgeops_status eop_arrow_result(const eop_arrow *arrow, const char *what);
void eop_arrow_free(eop_arrow *arrow);

/** The program that an import reads or an export writes. {0}: there is none, the rows are the input
 * or the output. */
typedef struct eop_arrow_end {
    eop_arrow *arrow;
    int rows;              /**< this end of the pipe between them; 0: closed */
    edgeops_status status; /**< of the job, while the program ends */
    eop_kept_error kept;
} eop_arrow_end;

/** Job. No more rows are read, or all are written: without it no whole file is made. */
void eop_arrow_end_close(eop_arrow_end *end);
/** Loop. After the job, whose status and error are kept: calls fn once the program has ended, at
 * once where there is none. */
void eop_arrow_end_wait(eop_arrow_end *end, edgeops_status status, eop_fn fn, void *user_data);
/** In fn: what became of both. A file that the program could not read or write is the reason,
 * whatever the job made of its end. what: the file. */
edgeops_status eop_arrow_end_result(const eop_arrow_end *end, const char *what);
void eop_arrow_end_dispose(eop_arrow_end *end);

#endif /* EOP_NODE_FILES_ARROW_H */
