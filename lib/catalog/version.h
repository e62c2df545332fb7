/* SPDX-License-Identifier: Apache-2.0 */
/* The version that tells homes of this program from those of an older or newer one. */
#ifndef EOP_CATALOG_VERSION_H
#define EOP_CATALOG_VERSION_H

/** The version of the homes that this program writes (`user_version` of catalog.db). A newer one is
 * refused with E_VERSION. */
#define EOP_HOME_VERSION 3

#endif /* EOP_CATALOG_VERSION_H */
