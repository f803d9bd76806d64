"""A small SSH client that can send anything: the probe of the fidelity test.

Independent of SandTrap's own engine on purpose (python3-cryptography only), so that an error in
ours cannot hide in the instrument. RFC 4253; curve25519-sha256, ssh-ed25519, aes128-ctr,
hmac-sha2-256-etm@openssh.com.
"""
import hashlib
import hmac
import os
import select
import socket
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ID = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"
LISTS = ("kex", "host_key", "enc_c2s", "enc_s2c", "mac_c2s", "mac_s2c", "comp_c2s", "comp_s2c", "lang_c2s", "lang_s2c")
DEFAULTS = {
    "kex": "curve25519-sha256,ext-info-c", "host_key": "ssh-ed25519,rsa-sha2-512",
    "enc_c2s": "aes128-ctr", "enc_s2c": "aes128-ctr",
    "mac_c2s": "hmac-sha2-256-etm@openssh.com", "mac_s2c": "hmac-sha2-256-etm@openssh.com",
    "comp_c2s": "none", "comp_s2c": "none", "lang_c2s": "", "lang_s2c": "",
}


def u32(n):
    return struct.pack(">I", n & 0xFFFFFFFF)


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return u32(len(data)) + data


def mpint(raw):
    raw = raw.lstrip(b"\0")
    return string((b"\0" if raw and raw[0] & 0x80 else b"") + raw)


def kexinit(cookie=b"\x11" * 16, follows=0, reserved=0, tail=b"", **lists):
    chosen = {**DEFAULTS, **lists}
    return (b"\x14" + cookie + b"".join(string(chosen[name]) for name in LISTS)
            + bytes([follows]) + u32(reserved) + tail)


def packet(payload, block=8, pad=None, length=None, fill=b"\0", counted=5):
    """A plaintext packet; pad and length may lie."""
    if pad is None:
        pad = block - (len(payload) + counted) % block
        pad += block if pad < 4 else 0
    size = 1 + len(payload) + pad if length is None else length
    return u32(size) + bytes([pad & 0xFF]) + payload + fill * pad


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        out = self.data[self.at:self.at + n]
        if len(out) < n:
            raise EOFError
        self.at += n
        return out

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def string(self):
        return self.take(self.u32())


class Wire:
    """One connection: bytes out, bytes in, and how it ended ("open", "FIN", "RST")."""

    def __init__(self, port, idle=0.25):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received, self.end, self.idle = b"", "open", idle

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def collect(self, idle=None, until=None):
        """Reads until nothing comes for `idle` seconds, the end, or until(self) holds."""
        while self.end == "open" and not (until and until(self)):
            if not select.select([self.socket], [], [], self.idle if idle is None else idle)[0]:
                break
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                self.end = "RST"
                break
            if not data:
                self.end = "FIN"
            self.received += data
        return self.received

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()


def free_port():
    """A port that nobody uses, outside of what the kernel gives away."""
    while True:
        port = 10000 + int.from_bytes(os.urandom(2), "big") % 20000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Keys:
    def __init__(self, secret, digest, session, letters):
        def derive(letter, size):
            out = hashlib.sha256(secret + digest + letter + session).digest()
            while len(out) < size:
                out += hashlib.sha256(secret + digest + out).digest()
            return out[:size]
        iv, key, mac = (derive(letter, n) for letter, n in zip(letters, (16, 16, 32)))
        self.cipher, self.mac_key = Cipher(algorithms.AES(key), modes.CTR(iv)), mac


class Client:
    """A client past its key exchange. Packets are (type, payload) without the type byte removed."""

    def __init__(self, port, software=ID, strict=False, idle=0.25, **lists):
        self.wire, self.port = Wire(port, idle), port
        self.free = free_port()  # for probes that want one listened on
        self.software, self.strict = software, strict
        self.seq_out = self.seq_in = 0
        self.encryptor = self.decryptor = self.keys_out = self.keys_in = None
        self.packets, self.buffer, self.session = [], b"", None
        self.lists = dict(lists)
        if strict:
            self.lists["kex"] = self.lists.get("kex", DEFAULTS["kex"]) + ",kex-strict-c-v00@openssh.com"
        self._exchange()

    # ---- key exchange
    def _exchange(self):
        self.wire.send(self.software + b"\r\n")
        self.wire.collect(2, until=lambda w: b"\n" in w.received)
        self.banner, self.buffer = self.wire.received.split(b"\r\n", 1)
        self.wire.received = b""
        self.kex(first=True)

    def kex(self, first=False):
        mine = kexinit(cookie=os.urandom(16), **self.lists)
        self.send(mine)
        theirs = self.expect(20)
        private = X25519PrivateKey.generate()
        point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.send(b"\x1e" + string(point))
        reply = Reader(self.expect(31)[1:])
        self.host_key, server_point, self.signature = reply.string(), reply.string(), reply.string()
        secret = mpint(private.exchange(X25519PublicKey.from_public_bytes(server_point)))
        digest = hashlib.sha256(string(self.software) + string(self.banner) + string(mine) + string(theirs)
                                + string(self.host_key) + string(point) + string(server_point) + secret).digest()
        self.session = self.session or digest
        out, back = Keys(secret, digest, self.session, (b"A", b"C", b"E")), Keys(secret, digest, self.session, (b"B", b"D", b"F"))
        self.send(b"\x15")
        self.encryptor, self.keys_out = out.cipher.encryptor(), out
        if self.strict:
            self.seq_out = 0
        self.expect(21)
        self.decryptor, self.keys_in = back.cipher.decryptor(), back
        if self.strict:
            self.seq_in = 0

    # ---- packets
    def seal(self, payload, pad=None, length=None, break_mac=False):
        if self.encryptor is None:
            return packet(payload, pad=pad, length=length)
        clear = packet(payload, 16, pad, length, counted=1)
        body = clear[:4] + self.encryptor.update(clear[4:])
        mac = hmac.new(self.keys_out.mac_key, u32(self.seq_out) + body, "sha256").digest()
        return body + (bytes([mac[0] ^ 1]) + mac[1:] if break_mac else mac)

    def send(self, payload, **how):
        self.wire.send(self.seal(payload, **how))
        self.seq_out += 1

    def seal_next(self, payload):
        """The packet, for a segment that holds several."""
        sealed = self.seal(payload)
        self.seq_out += 1
        return sealed

    def _next(self):
        if self.decryptor is None:
            if len(self.buffer) < 4 or len(self.buffer) < 4 + Reader(self.buffer).u32():
                return None
            size = Reader(self.buffer).u32()
            clear, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
        else:
            if len(self.buffer) < 4 or len(self.buffer) < 4 + Reader(self.buffer).u32() + 32:
                return None
            size = Reader(self.buffer).u32()
            body, mac = self.buffer[:4 + size], self.buffer[4 + size:36 + size]
            assert mac == hmac.new(self.keys_in.mac_key, u32(self.seq_in) + body, "sha256").digest(), "server's MAC"
            clear, self.buffer = self.decryptor.update(body[4:]), self.buffer[36 + size:]
        self.seq_in += 1
        return clear[1:len(clear) - clear[0]]

    def pull(self, idle=None, until=None):
        """Reads packets until quiet; returns those that came now."""
        new = []
        while True:
            payload = self._next()
            if payload is not None:
                new.append(payload)
                if until and until(payload):
                    break
                continue
            before = len(self.buffer)
            self.wire.collect(idle, until=lambda w: bool(w.received))
            self.buffer, self.wire.received = self.buffer + self.wire.received, b""
            if len(self.buffer) == before:
                break
        self.packets += new
        return new

    def expect(self, kind, idle=5):
        got = self.pull(idle, until=lambda p: p[0] == kind)
        if not got or got[-1][0] != kind:
            raise EOFError(f"message {kind} did not come, but {[p[0] for p in got]}, {self.wire.end}")
        return got[-1]

    # ---- steps that most probes share
    def service(self, name="ssh-userauth"):
        self.send(b"\x05" + string(name))
        return self.expect(6)

    def login(self, key, user="root"):
        self.service()
        blob = string("ssh-ed25519") + string(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        request = b"\x32" + string(user) + string("ssh-connection") + string("publickey") + b"\x01" + string("ssh-ed25519") + string(blob)
        signature = string("ssh-ed25519") + string(key.sign(string(self.session) + request))
        self.send(request + string(signature))
        return self.expect(52)

    def close(self):
        self.wire.close()


def load_key(path):
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    key = load_ssh_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key
