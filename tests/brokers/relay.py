# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between a node and its broker that reads along, independent of both.

    relay.py LISTEN-PORT BROKER-PORT LOG

It writes one line per fact to LOG, each with the monotonic time in seconds:
    listens T        the broker answers again; the relay, which refuses as long as the broker does, listens again
    up T N           connection N of the node has its SUBACK
    down T N         connection N, which was up, ended
    ack T SEQ        the node acknowledged (PUBACK or PUBREC without an error) the message with that "seq"
    left T SEQ       the node had the message, and its connection ended before it acknowledged
What the node wrote is read and noted also when the node is dead by then: it promised.
"""
import asyncio
import contextlib
import itertools
import re
import sys
import time

SEQ = re.compile(rb'"seq": ?(\d+)')
CONNECT, PUBLISH, PUBACK, PUBREC, SUBACK = 1, 3, 4, 5, 9
POLL_S = 0.005


def length_at(data, at):
    """Reads a variable byte integer; gives it and where it ends, or None where it is not all there."""
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    return None


class Packets:
    """Cuts a stream of bytes into MQTT packets: (first byte, body)."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        data = self.rest + data
        at = 0
        while at + 1 < len(data):
            found = length_at(data, at + 1)
            if found is None or found[1] + found[0] > len(data):
                break
            size, body = found
            yield data[at], data[body:body + size]
            at = body + size
        self.rest = data[at:]


class Relay:
    def __init__(self, port, broker, log):
        self.port, self.broker, self.log = port, broker, log
        self.connections = 0
        self.open = set()
        self.ended = asyncio.Event()

    def note(self, *words):
        print(*words, file=self.log)

    async def pump(self, reader, writer, see):
        """One direction; ends with the stream, after what was read is noted."""
        packets = Packets()
        try:
            while data := await reader.read(65536):
                for first, body in packets.feed(data):
                    see(first, body)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    async def serve(self, node_reader, node_writer):
        self.connections += 1
        number, up, pending = self.connections, False, {}
        version = 4

        def from_node(first, body):
            nonlocal version
            kind = first >> 4
            if kind == CONNECT:
                version = body[2 + int.from_bytes(body[:2], "big")]
            elif kind in (PUBACK, PUBREC):
                seqs = pending.get(int.from_bytes(body[:2], "big"))
                seq = seqs.pop(0) if seqs else None
                if seq is not None and (len(body) < 3 or body[2] < 0x80):
                    self.note("ack", f"{time.monotonic():.4f}", seq)

        def from_broker(first, body):
            nonlocal up
            kind = first >> 4
            if kind == SUBACK and not up:
                up = True
                self.note("up", f"{time.monotonic():.4f}", number)
            elif kind == PUBLISH and first & 6:
                topic = 2 + int.from_bytes(body[:2], "big")
                seq = SEQ.search(body, topic + 2)
                if seq:
                    # aedes may give two messages under way one number: the oldest is answered first.
                    pending.setdefault(int.from_bytes(body[topic:topic + 2], "big"), []).append(int(seq[1]))

        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.broker)
        except OSError:
            node_writer.transport.abort()
            self.ended.set()
            return
        ways = [asyncio.ensure_future(self.pump(node_reader, broker_writer, from_node)),
                asyncio.ensure_future(self.pump(broker_reader, node_writer, from_broker))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if up:
            self.note("down", f"{time.monotonic():.4f}", number)
            up = False
        if ways[1].done():
            # The broker went: what the node still says until it notices is a promise, too.
            with contextlib.suppress(OSError):
                node_writer.write_eof()
            await asyncio.wait(ways, timeout=1)
            self.ended.set()
        for way in ways:
            way.cancel()
        for seq in itertools.chain.from_iterable(pending.values()):
            self.note("left", f"{time.monotonic():.4f}", seq)
        node_writer.transport.abort()
        broker_writer.close()

    async def answers(self):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.broker)
        except OSError:
            return False
        writer.close()
        return True

    async def run(self):
        while True:
            while not await self.answers():
                await asyncio.sleep(POLL_S)
            server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=1 << 20)
            self.note("listens", f"{time.monotonic():.4f}")
            self.ended.clear()
            while True:
                await self.ended.wait()
                self.ended.clear()
                if not await self.answers():
                    break
            server.close()


if __name__ == "__main__":
    with open(sys.argv[3], "w", buffering=1) as lines:
        asyncio.run(Relay(int(sys.argv[1]), int(sys.argv[2]), lines).run())
