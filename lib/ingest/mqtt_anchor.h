/* SPDX-License-Identifier: Apache-2.0 */
/* A client handle of Paho's that lives as long as the process, connected to ourselves.
 *
 * It keeps Paho's two threads alive: destroying the last handle stops them, which races with a new
 * one being made. And it lets us wake the thread that receives. Paho 1.3.12 polls its sockets for
 * up to a second, a new one only from the next round on, and of a new one that it can be written to
 * (that is: TCP is up, CONNECT can go) only when a round ends. Left to itself each connection takes
 * one to two seconds, also on loopback. So while one is coming about, the anchor is sent a PINGRESP
 * every few milliseconds, which ends a round and does nothing else.
 *
 * The anchor's broker is a listening socket on 127.0.0.1 that accepts one connection, answers with
 * CONNACK, and is closed. A stranger who gets there first learns nothing, and costs us the speed
 * only; so does a machine without loopback, or http_proxy, which Paho would obey. */
#ifndef EOP_INGEST_MQTT_ANCHOR_H
#define EOP_INGEST_MQTT_ANCHOR_H

/** Makes the anchor; after the first time nothing. Any thread whose signals are all blocked: Paho's
 * threads inherit the mask. */
void eop_mqtt_anchor_make(void);
/** Makes Paho look every 100 ms whether a ping is due, on all handles: it takes that pace from the
 * handle that connects last, so call this when one is up. */
void eop_mqtt_anchor_pace(void);
/** Wakes Paho's receiving thread. Any thread; neither waits nor takes Paho's locks. */
void eop_mqtt_anchor_wake(void);
/** Listens on 127.0.0.1 for one client of Paho's in this process. Returns the port; 0 and -1 in *fd
 * when that cannot be: no loopback, no descriptors, or a http_proxy. Close *fd. */
unsigned eop_mqtt_anchor_listen(int *fd);

#endif /* EOP_INGEST_MQTT_ANCHOR_H */
