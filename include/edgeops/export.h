/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_EXPORT_H
#define EDGEOPS_EXPORT_H

#ifdef __cplusplus
#define EDGEOPS_BEGIN_DECLS extern "C" {
#define EDGEOPS_END_DECLS   }
#else
#define EDGEOPS_BEGIN_DECLS
#define EDGEOPS_END_DECLS
#endif

#if defined(__GNUC__)
#define EDGEOPS_API       __attribute__((visibility("default")))
#define EDGEOPS_NODISCARD __attribute__((warn_unused_result))
#else
#define EDGEOPS_API
#define EDGEOPS_NODISCARD
#endif

#endif /* EDGEOPS_EXPORT_H */
