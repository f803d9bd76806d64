"""Answers with what varies by nature masked: cookies, keys, signatures, primes."""
import re

from wire import Reader, u32

KEY_PLACE = re.compile(rb"/[^ ]*:1:")


def mask(payload):
    """One server message as comparable text."""
    kind = payload[0]
    if kind == 20:
        return "KEXINIT " + payload[17:].hex()
    if kind == 31 and len(payload) > 5:
        try:
            reader = Reader(payload[1:])
            first = reader.string()
            if first[4:11] in (b"ssh-ed2", b"ssh-rsa", b"ecdsa-s"):
                return f"KEX_REPLY key {first[:15].hex()} {len(first)} value {len(reader.string())} signature {len(reader.string())}"
            return f"GEX_GROUP p {len(first)}"
        except EOFError:
            pass
    if kind == 33:
        return "GEX_REPLY"
    if kind == 4:  # where the user's key was found
        return f"4 {KEY_PLACE.sub(b'<path>:1:', payload[6:])!r}"
    if kind == 80 and b"hostkeys-00@openssh.com" in payload:
        return f"hostkeys-00 {len(payload)}"
    if kind == 81 and len(payload) > 40:
        return f"proofs {len(payload)}"
    return f"{kind} {payload[1:]!r}"


def plain(received):
    """Everything the server sent before encryption, then the number of ciphertext bytes."""
    if b"\r\n" not in received:
        return [f"raw {received!r}"]
    banner, rest = received.split(b"\r\n", 1)
    out = [f"banner {banner.decode(errors='replace')}"]
    while rest:
        size = Reader(rest).u32() if len(rest) >= 4 else 0
        if not 5 <= size <= 35000 or len(rest) < 4 + size:
            out.append(f"raw {rest!r}")
            break
        body, rest = rest[4:4 + size], rest[4 + size:]
        pad = body[0]
        zero = body[size - pad:] == b"\0" * pad
        out.append(f"{mask(body[1:size - pad])} length {size} pad {pad} zero {zero}")
        if body[1] == 21:
            out.append(f"ciphertext {len(rest)}")
            break
    return out


def settle_race(packets):
    """exit-status (and eow) before the last output and EOF is put behind them.

    sshd learns of the end of a program and of its output in one loop, and the sooner it gets the
    processor, the more often the output's end is seen first: an idle sshd nearly always sends EOF
    first, a busy one exit-status.
    """
    out = list(packets)
    for status in [p for p in packets if p[0] == 98 and p[5:].startswith((b"\0\0\0\x0bexit-status", b"\0\0\0\x0bexit-signal"))]:
        first = next(i for i, p in enumerate(out) if p is status)
        behind = first + 1
        if out[behind:behind + 1] and out[behind].endswith(b"eow@openssh.com\0"):
            behind += 1
        end = behind
        while end < len(out) and out[end][0] in (94, 95):
            end += 1
        if end < len(out) and out[end] == b"\x60" + status[1:5]:
            out[first:end + 1] = out[behind:end + 1] + out[first:behind]
    return out


def join_output(packets):
    """Output in one piece: where it was cut depends on when the program wrote and the server read.

    Of much output the largest piece is told, which is the server's block.
    """
    out, largest = [], []
    for p in packets:
        head = {94: 5, 95: 9}.get(p[0], 0)
        size = len(p) - head - 4 if head else 0
        if head and out and out[-1][:head] == p[:head]:
            body = out[-1][head + 4:] + p[head + 4:]
            out[-1], largest[-1] = p[:head] + u32(len(body)) + body, max(largest[-1], size)
        else:
            out.append(p)
            largest.append(size)
    return [p if len(p) < 65536 else p[:1] + f"{len(p)} in pieces of {size} and less".encode() for p, size in zip(out, largest)]


def session(packets, free=0):
    """The messages; how input was cut into window adjustments depends on when the program read it.

    `free` is the port that this connection's probe uses where another one uses another.
    """
    out = []
    for p in join_output(settle_race(packets)):
        grown = p[0] == 93 and len(p) == 9 and p[5:] != u32(2097152) and Reader(p[5:]).u32() % 32768 == 0
        line = "93 by some blocks" if grown else mask(p)
        line = line.replace(str(free), "<port>") if free else line
        if not (grown and out and out[-1] == line):
            out.append(line)
    return out


assert u32(1) == b"\0\0\0\1"
