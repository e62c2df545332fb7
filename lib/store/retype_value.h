/* SPDX-License-Identifier: Apache-2.0 */
/* What a value becomes when its channel changes its type. Strict: a value is taken only where
 * nothing of it is lost. Numbers and bools must come back as they were. A text must be what the
 * rules of all readers (codec/rules.h) take for a value of the type: so "007" is no number, and
 * digits that float64 cannot hold are none. No lock. */
#ifndef EOP_STORE_RETYPE_VALUE_H
#define EOP_STORE_RETYPE_VALUE_H

#include "base/str.h"
#include "base/type.h"

typedef struct eop_retype_rule {
    edgeops_type type;
    uint32_t length;
    const char *const *nulls; /**< texts that become null */
    size_t null_count;
} eop_retype_rule;

typedef enum eop_retyped {
    EOP_RETYPED,           /**< also a null */
    EOP_RETYPED_RESPELLED, /**< the text of the new value is another one: "1.50" */
    EOP_RETYPED_NULLED,    /**< it was one of the texts that become null */
    EOP_RETYPED_MISFIT     /**< the new type does not have it */
} eop_retyped;

/** Whether one type can become the other at all. E_INVALID. */
edgeops_status eop_retype_check(edgeops_type from, uint32_t from_length,
                                const eop_retype_rule *rule);
/** *out borrows from buf, and from the value. Look at buf->failed when the work is done. */
eop_retyped eop_retype_value(edgeops_value *out, const edgeops_value *value,
                             const eop_retype_rule *rule, eop_buf *buf);
/** What a person reads of a value that does not fit, and what to do: "'NA' ..., ...". */
#define EOP_MISFIT_TEXT 256u
void eop_retype_explain(char out[EOP_MISFIT_TEXT], const edgeops_value *value,
                        const eop_retype_rule *rule);

#endif /* EOP_STORE_RETYPE_VALUE_H */
