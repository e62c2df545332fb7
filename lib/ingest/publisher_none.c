/* SPDX-License-Identifier: Apache-2.0 */
/* The publisher of a build without MQTT. */
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "edgeops/ingest.h"
#include "ingest/publisher.h"

void edgeops_publisher_options_init(edgeops_publisher_options *options, size_t struct_size) {
    static const edgeops_publisher_options defaults = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

edgeops_status edgeops_publisher_open(edgeops_publisher **out, edgeops_ctx *ctx,
                                      const edgeops_publisher_options *options) {
    (void)ctx;
    (void)options;
    *out = NULL;
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "publisher",
                    "this libedgeops was built without MQTT; build it with -Dmqtt=enabled");
}

edgeops_status edgeops_publisher_send(edgeops_publisher *publisher,
                                      const edgeops_message *message) {
    (void)publisher;
    (void)message;
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "publisher", "this libedgeops was built without MQTT");
}

void eop_publisher_renew(edgeops_publisher *publisher) {
    (void)publisher;
}

void edgeops_publisher_close(edgeops_publisher *publisher) {
    (void)publisher;
}
