"""Doors: a port of its own in front of a server for each row. It gives the row a source address, keeps
what was said in the clear, and masks nothing: ends and resets travel on.

The bytes move in a process of their own: a client library that computes in this one (Python's big
numbers hold the interpreter's lock for seconds) must not stall the others.
"""
import atexit
import base64
import json
import socket
import struct
import subprocess
import sys
import threading

KEPT = 16 * 1024  # bytes of each direction: enough for the exchange of KEXINITs


class Door:
    process = None
    lock = threading.Lock()

    def __init__(self, server_port, source):
        self.port = self.ask("open", server_port, source)

    def transcript(self):
        """(client's bytes, server's bytes) of each connection so far."""
        return [tuple(base64.b64decode(text) for text in pair) for pair in self.ask("transcript", self.port)]

    def close(self):
        self.ask("close", self.port)

    @classmethod
    def ask(cls, *words):
        with cls.lock:
            if cls.process is None:
                cls.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                atexit.register(cls.process.terminate)
            cls.process.stdin.write(json.dumps(words) + "\n")
            cls.process.stdin.flush()
            return json.loads(cls.process.stdout.readline())


class Relay:
    def __init__(self, server_port, source):
        self.server_port, self.source, self.connections = server_port, source, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            kept = [bytearray(), bytearray()]
            self.connections.append(kept)
            threading.Thread(target=self.carry, args=(client, kept), daemon=True).start()

    def carry(self, client, kept):
        server = socket.create_connection(("127.0.0.1", self.server_port), source_address=(self.source, 0))
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=pump, args=(server, client, kept[1]), daemon=True)
        back.start()
        pump(client, server, kept[0])
        back.join()
        client.close()
        server.close()

    def transcript(self):
        return [[base64.b64encode(side).decode() for side in kept] for kept in self.connections]


def pump(source, target, kept):
    try:
        while data := source.recv(65536):
            if len(kept) < KEPT:
                kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except ConnectionResetError:
        for end in (source, target):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            hang_up(end)
    except OSError:  # the other direction has ended this connection
        hang_up(source)


def hang_up(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def main():
    relays = {}
    for line in sys.stdin:
        verb, *words = json.loads(line)
        if verb == "open":
            relay = Relay(*words)
            relays[relay.port] = relay
            answer = relay.port
        else:
            relay = relays[words[0]]
            answer = relay.transcript() if verb == "transcript" else relay.listener.close()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
