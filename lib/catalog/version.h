/* SPDX-License-Identifier: Apache-2.0 */
/* What tells this program from an older or newer one. */
#ifndef EOP_CATALOG_VERSION_H
#define EOP_CATALOG_VERSION_H

/** The version of a home this program writes (`user_version` of catalog.db). A newer one is refused
 * with E_VERSION. */
#define EOP_HOME_VERSION 2

#endif /* EOP_CATALOG_VERSION_H */
