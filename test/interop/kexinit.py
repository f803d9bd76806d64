"""What two KEXINITs in the clear agree on (RFC 4253 §7.1)."""
import struct

LISTS = ("kex", "host key", "cipher c2s", "cipher s2c", "mac c2s", "mac s2c", "compression c2s", "compression s2c")
OWN_MAC = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


def lists(stream):
    """Name -> offered algorithms, of the first packet behind the identification line."""
    start = stream.find(b"SSH-")
    data = stream[stream.index(b"\n", start) + 1:]
    size, padding = struct.unpack(">IB", data[:5])
    payload = data[5:4 + size - padding]
    if payload[0] != 20:
        raise ValueError(f"message {payload[0]} where KEXINIT belongs")
    at, out = 17, {}
    for name in LISTS:
        (length,) = struct.unpack(">I", payload[at:at + 4])
        out[name] = payload[at + 4:at + 4 + length].decode().split(",")
        at += 4 + length
    return out


def negotiated(connection):
    client, server = map(lists, connection)
    out = {name: next((item for item in client[name] if item in server[name]), None) for name in LISTS}
    for way in ("c2s", "s2c"):
        if out[f"cipher {way}"] in OWN_MAC:
            out[f"mac {way}"] = "its own"
    return out
