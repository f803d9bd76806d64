"""Fixed answers of Debian 12's sshd (9.2p1 deb12u10), byte by byte: checked on both servers, so that
an error in the comparison itself cannot hide. `KI` stands for the server's KEXINIT."""
from wire import ID, kexinit, packet, string, u32

STRICT = "curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com"
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
INVALID = b"Invalid SSH identification string.\r\n"
MAJOR = b"Protocol major versions differ.\r\n"
LINE = ID + b"\r\n"
KX, XS = packet(kexinit()), packet(kexinit(kex=STRICT))
KI = object()
KI_SIZE = 1136
KI_HEAD = bytes.fromhex("0000046c0b14")
KI_LISTS = bytes.fromhex("0000013d") + b"sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,"


def unimplemented(sequence):
    return bytes.fromhex("0000000c0603") + u32(sequence) + b"\0" * 6


def disconnect(text, size, pad):
    return u32(size) + bytes([pad, 1]) + u32(2) + string(text) + u32(0) + b"\0" * pad


VIOLATION = "strict KEX violation: "
# name, what the client sends, what the server answers behind its banner, how it ends
VECTORS = [
    ("nothing", [], [], "open"),
    ("LF", [b"\n"], [INVALID], "FIN"),
    ("HTTP", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], [INVALID], "RST"),
    ("1.5", [b"SSH-1.5-probe\r\n"], [MAJOR], "FIN"),
    ("1.99", [b"SSH-1.99-probe\r\n"], [KI], "open"),
    ("bare LF", [b"SSH-2.0-probe\n"], [KI], "open"),
    ("no software", [b"SSH-2.0\r\n"], [INVALID], "FIN"),
    ("NUL", [b"SSH-2.0-a\0b\r\n"], [INVALID], "RST"),
    ("8193 bytes", [b"SSH-2.0-" + b"a" * 8185 + b"\r\n"], [INVALID], "RST"),
    ("two identifications", [b"SSH-2.0-x\r\nSSH-2.0-x\r\n"], [KI], "FIN"),
    ("Probe-", [b"SSH-2.0-Probe-1\r\n"], [], "FIN"),
    ("group1 only", [LINE, packet(kexinit(kex="diffie-hellman-group1-sha1"))], [KI], "FIN"),
    ("two KEXINIT", [LINE, KX, KX], [KI, unimplemented(1)], "open"),
    ("two strict KEXINIT", [LINE, XS, XS], [KI, disconnect(VIOLATION + "unexpected packet type 20 (seqnr 1)", 0x4C, 5)], "FIN"),
    ("strict, IGNORE", [LINE, XS, packet(b"\x02" + string("x"))], [KI, disconnect(VIOLATION + "unexpected packet type 2 (seqnr 1)", 0x4C, 6)], "FIN"),
    ("IGNORE, strict", [LINE, packet(b"\x02" + string("x")), XS], [KI, disconnect(VIOLATION + "KEXINIT was not the first packet", 0x4C, 8)], "FIN"),
    ("EXT_INFO, strict", [LINE, packet(b"\x07" + u32(0)), XS],
     [KI, unimplemented(0), disconnect(VIOLATION + "KEXINIT was not the first packet", 0x4C, 8)], "FIN"),
    ("ECDH of zeros", [LINE, KX, packet(b"\x1e" + string(b"\0" * 32))], [KI], "FIN"),
    ("sixteen zeros", [LINE, b"\0" * 16], [KI], "FIN"),
    ("padding 0", [LINE, u32(8 * (len(kexinit()) // 8) + 12) + b"\0" + kexinit() + b"\0" * 32], [KI, disconnect("Corrupted padlen 0 on input.", 0x34, 10)], "FIN"),
    ("type 0", [LINE, packet(b"\0")], [KI, disconnect("Invalid ssh2 packet type: 0", 0x34, 11)], "FIN"),
    ("service request", [LINE, packet(b"\x05" + string("ssh-userauth"))], [KI, unimplemented(0)], "open"),
    ("type 50", [LINE, packet(b"\x32")], [KI], "FIN"),
    ("type 192", [LINE, packet(b"\xc0")], [KI, disconnect("Invalid ssh2 packet type: 192", 0x34, 9)], "FIN"),
    ("NEWKEYS early", [LINE, KX, packet(b"\x15")], [KI, unimplemented(1)], "open"),
]


def wrong(received, end, expected, expected_end):
    """"" if the answer is the vector's, else what is not."""
    if not received.startswith(BANNER):
        return f"banner {received[:60]!r}"
    rest = received[len(BANNER):]
    for piece in expected:
        if piece is KI:
            if rest[:6] != KI_HEAD or rest[22:22 + len(KI_LISTS)] != KI_LISTS or rest[KI_SIZE - 16:KI_SIZE] != b"\0" * 16:
                return f"KEXINIT {rest[:120]!r}"
            rest = rest[KI_SIZE:]
        else:
            # The line's end is a write of its own, and may come behind the reset.
            if expected_end == "RST" and rest == piece[:-2]:
                piece = rest
            if not rest.startswith(piece):
                return f"{rest[:100]!r} instead of {piece!r}"
            rest = rest[len(piece):]
    if rest:
        return f"{rest[:100]!r} too much"
    return "" if end == expected_end else f"{end} instead of {expected_end}"
