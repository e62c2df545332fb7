/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_WORKFLOW_H
#define EDGEOPS_WORKFLOW_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** How the rows that one prediction sees are cut, live and in training by the same code. Given by
 *  the library only, from a manifest; its size never changes. The reserved members have no key in
 *  the manifest of this version: a manifest that uses one is EDGEOPS_E_INVALID. */
typedef struct edgeops_window_spec {
    uint32_t rows;            /**< rows of a window, 1..1,000,000 */
    uint32_t step;            /**< rows from one window to the next, from 1 */
    edgeops_duration max_gap; /**< a longer pause between two rows starts a new window; 0: never */
    edgeops_duration period;  /**< > 0: rows are first put on this grid (manifest: "rate") */
    edgeops_fill fill;        /**< on the grid */
    edgeops_missing missing;  /**< what an input gets in a row that lacks it */
    edgeops_duration wait;    /**< how long a live row that lacks an input waits for its parts, from
                                   when its first one was durable; only where the rows of the asset
                                   come in parts. 0..1 h, default 1 s, with MISSING_PREVIOUS 0 */
    edgeops_label_rule mixed; /**< reserved: EDGEOPS_LABEL_RULE_SKIP in this version */
    uint32_t reserved32;      /**< 0 in this version */
    uint64_t reserved[2];     /**< 0 in this version */
} edgeops_window_spec;

/** A named, typed value of the manifest's `inputs` or `outputs`. Given in arrays: its size never
 *  changes. */
typedef struct edgeops_port {
    const char *name;
    const char *unit; /**< never NULL */
    edgeops_type type;
    uint32_t length; /**< elements of an array input, else 1 */
} edgeops_port;

/** What a manifest says, with all defaults filled in. Borrowed from its workflow. */
typedef struct edgeops_manifest {
    const char *name;            /**< [a-z][a-z0-9-]{0,62} */
    const char *version;         /**< MAJOR.MINOR.PATCH */
    const char *description;     /**< never NULL */
    const char *module;          /**< Python module with train() and predict() */
    const char *requires_python; /**< such as ">=3.9"; "" for any */
    const char *const *path;     /**< folders put on sys.path before the root, relative */
    size_t path_count;
    const edgeops_port *inputs;
    size_t input_count; /**< 1..1024 */
    const edgeops_port *outputs;
    size_t output_count; /**< 1..64 */
    edgeops_window_spec window;
    const char *label; /**< name of what is predicted; "" for none: unsupervised */
    const char *const *classes;
    size_t class_count;
    const char *parameters_json; /**< JSON object: name -> {type, default, minimum, maximum, ...} */
    uint64_t memory_bytes;       /**< default 512 MiB */
    edgeops_duration train_timeout;   /**< default 30 min */
    edgeops_duration predict_timeout; /**< default 1 s, for one window */
    const char *json;                 /**< the text of workflow.json in the package */
} edgeops_manifest;

/** What is known of a workflow. Borrowed from it. */
typedef struct edgeops_workflow_info {
    const edgeops_manifest *manifest;
    const char *digest;    /**< SHA-256 of the content, 64 hex digits: same files, same digest */
    const char *directory; /**< with the files, from the root; "" for a checked zip or tar */
    uint64_t size_bytes;   /**< of all files */
} edgeops_workflow_info;

/** Reads and checks a package or a folder with a workflow.json; writes nothing. A package is a zip,
 *  or a tar packed with gzip, zstd or xz: its content tells which, not its name. All of them obey
 *  one policy (regular files and folders; limits on names, entries, sizes and packing), and the
 *  same files have the same digest in each. A leading "./" in a tar's names does not count.
 *  libarchive is loaded for the first tar.
 *
 *  @param out   optional; NULL after a failure; close with edgeops_workflow_close()
 *  @param path  a package or a directory
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a manifest that breaks its schema (message: line,
 *          column, key and what to do); EDGEOPS_E_CORRUPT for a file that is not a sound zip or
 *          tar; EDGEOPS_E_DENIED for an entry that policy refuses; EDGEOPS_E_UNSUPPORTED for
 *          wheels, foreign packages, and tars where libarchive is not installed; EDGEOPS_E_LIMIT;
 *          EDGEOPS_E_NOTFOUND; EDGEOPS_E_IO
 *  Threads: any. Blocks while all files are read and hashed. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_check(edgeops_workflow **out,
                                                                    const char *path);

/** Writes the skeleton of a workflow: workflow.json, a module with train() and predict(),
 *  README.md.
 *
 *  @param directory  must not exist or be empty
 *  @param name       [a-z][a-z0-9-]{0,62}
 *  @return EDGEOPS_OK; EDGEOPS_E_EXISTS; EDGEOPS_E_INVALID; EDGEOPS_E_IO
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_init(const char *directory,
                                                                   const char *name);

/** Packs a folder into a zip. The same files give the same bytes.
 *
 *  @param directory  holds workflow.json; caches (`__pycache__`, *.pyc, dot-files) are left out;
 *                    what the manifest's python.include names is added at the root
 *  @param zip        written atomically; NULL: NAME-VERSION.zip in the current directory
 *  @param written    optional; the path written, free with edgeops_free()
 *  @return as edgeops_workflow_check()
 *  Threads: any. Blocks while all files are read and written. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_pack(char **written,
                                                                   const char *directory,
                                                                   const char *zip);

/** Installs a package in a content store: verified, extracted, immutable. What is there already is
 *  not written again.
 *
 *  @param out    optional; NULL after a failure; close with edgeops_workflow_close()
 *  @param store  directory, made where absent
 *  @param path   a package (see edgeops_workflow_check()) or a directory, of which the files are
 *                taken that edgeops_workflow_pack() takes
 *  @return EDGEOPS_OK; EDGEOPS_DONE if it was installed already; EDGEOPS_E_EXISTS if the name and
 *          version are there with other content; EDGEOPS_E_BUSY while another process installs;
 *          else as edgeops_workflow_check()
 *  Threads: any, one at a time for a store. Blocks while all files are read and written. Since 0.1.
 *  */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_install(edgeops_workflow **out,
                                                                      const char *store,
                                                                      const char *path);

/** Opens an installed workflow.
 *
 *  @param out        NULL after a failure; close with edgeops_workflow_close()
 *  @param store      directory, as in edgeops_workflow_install()
 *  @param reference  NAME (the highest version), NAME@VERSION or a digest (at least 8 digits of it)
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_open(edgeops_workflow **out,
                                                                   const char *store,
                                                                   const char *reference);

/** Gets one workflow of a walk.
 *
 *  @param workflow  borrowed for the call
 *  @return EDGEOPS_OK to go on; anything else ends the walk and is passed through */
typedef edgeops_status (*edgeops_workflow_fn)(const edgeops_workflow *workflow, void *user_data);

/** Walks the installed workflows, sorted by name and version.
 *
 *  @param store  directory, as in edgeops_workflow_install(); one that is absent has none
 *  @param fn     called on this thread, inside the call
 *  @return EDGEOPS_OK, also without any; EDGEOPS_E_IO; EDGEOPS_E_NOMEM; what fn returned
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_list(const char *store,
                                                                   edgeops_workflow_fn fn,
                                                                   void *user_data);

/** Removes an installed workflow. Models that were trained with it cannot be opened any more.
 *
 *  @param store      directory, as in edgeops_workflow_install()
 *  @param reference  as in edgeops_workflow_open()
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_BUSY while another process installs;
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any, one at a time for a store. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_workflow_remove(const char *store,
                                                                     const char *reference);

/** What is known of a workflow; NULL for NULL. Borrowed from the workflow.
 *  Threads: any. Since 0.1. */
EDGEOPS_API const edgeops_workflow_info *edgeops_workflow_info_of(const edgeops_workflow *workflow);

/** Closes the handle; what is installed stays.
 *
 *  @param workflow  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_workflow_close(edgeops_workflow *workflow);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_WORKFLOW_H */
