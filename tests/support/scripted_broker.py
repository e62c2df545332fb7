# SPDX-License-Identifier: Apache-2.0
"""An MQTT broker of a hundred lines that says what a test wants it to say: CONNACK, SUBACK, DISCONNECT, silence."""
import socket
import struct
import threading

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0


def number(value):
    """A length as MQTT writes it."""
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(kind, body):
    return bytes([kind]) + number(len(body)) + body


class ScriptedBroker:
    """One client at a time. properties: bytes of CONNACK's properties (version 5); grant: SUBACK's code for a filter, a
    number or a function of (filter, asked); present: the session that CONNACK claims, a list that is used up."""

    def __init__(self, v5=True, properties=b"", grant=None, present=()):
        self.v5, self.properties, self.grant, self.present = v5, properties, grant, list(present)
        self.connects, self.client, self.packets = 0, None, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self):
        self.listener.listen(4)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()
        self.thread.join(10)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.client = client
            try:
                self.talk(client)
            except OSError:
                pass
            client.close()

    def read(self, client, size):
        data = b""
        while len(data) < size:
            more = client.recv(size - len(data))
            if not more:
                raise OSError("the client went")
            data += more
        return data

    def read_packet(self, client):
        kind = self.read(client, 1)[0]
        length, shift = 0, 0
        while True:
            digit = self.read(client, 1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return kind, self.read(client, length)

    def talk(self, client):
        while True:
            kind, body = self.read_packet(client)
            self.packets.append((kind, body))
            if kind == 0x10:
                self.connects += 1
                present = self.present.pop(0) if self.present else 0
                more = number(len(self.properties)) + self.properties if self.v5 else b""
                client.sendall(packet(CONNACK, bytes([present, 0]) + more))
            elif kind == 0x82:
                client.sendall(packet(SUBACK, body[:2] + (b"\x00" if self.v5 else b"") + self.codes(body[2:])))
            elif kind == 0xC0:
                client.sendall(packet(PINGRESP, b""))
            elif kind == DISCONNECT:
                return

    def codes(self, body):
        if self.v5:
            body = body[1 + body[0]:]
        codes = bytearray()
        while body:
            size = struct.unpack(">H", body[:2])[0]
            topic, asked, body = body[2:2 + size].decode(), body[2 + size] & 3, body[3 + size:]
            grant = self.grant(topic, asked) if callable(self.grant) else self.grant
            codes.append(asked if grant is None else grant)
        return bytes(codes)

    def publish(self, topic, payload, qos=0, identifier=1):
        name = topic.encode()
        head = struct.pack(">H", len(name)) + name + (struct.pack(">H", identifier) if qos else b"")
        self.client.sendall(packet(PUBLISH | qos << 1, head + (b"\x00" if self.v5 else b"") + payload))

    def say_disconnect(self, reason):
        """Version 5: DISCONNECT with a reason, and the end of the connection."""
        self.client.sendall(packet(DISCONNECT, bytes([reason, 0])))
        self.hang_up()

    def hang_up(self):
        if self.client is not None:
            try:
                self.client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
