/* SPDX-License-Identifier: Apache-2.0 */
/* Gives back what Paho's receive buffer grew to.
 *
 * Paho 1.3.12 reads the packets of all connections into one buffer (`def_queue` of SocketBuffer.c),
 * which grows to the largest packet and never shrinks: one message of 100 MB is 100 MB for the life
 * of the process. It gives the buffer to a connection whose packet came in part, makes itself a new
 * one, and frees the old one when that connection ends. So a client of Paho's is connected to this
 * process itself, gets a part of a packet, and loses its connection. */
#ifndef EOP_INGEST_MQTT_RELEASE_H
#define EOP_INGEST_MQTT_RELEASE_H

#include <stddef.h>

/** A packet of that size was received: when it was a large one, the buffer is given back, in the
 * background, within about half a second. Any thread, callbacks of Paho's too. */
void eop_mqtt_release(size_t packet_size);

#endif /* EOP_INGEST_MQTT_RELEASE_H */
