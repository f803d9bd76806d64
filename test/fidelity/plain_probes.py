"""Probes before encryption: name -> list of steps. A step is bytes, a pause in seconds, or "EOF"."""
import itertools

from wire import ID, kexinit, packet, string, u32

STRICT = "curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com"
KX, XS = packet(kexinit()), packet(kexinit(kex=STRICT))
LINE = ID + b"\r\n"


def identifications():
    lines = [
        b"\n", b"\r\n", b"\r\r\n", b"hello\r\n", b"SSH-\r\n", b"SSH-x\r\n", b"SSH\r\n", b"SSH-2\r\n", b"S\n", b"SSH-2.0\r\n",
        b"SSH-2.0-\r\n", b"SSH-2.-x\r\n", b"SSH-2-x\r\n", b"SSH-2.0 x\r\n", b"ssh-2.0-x\r\n", b" SSH-2.0-x\r\n", b"SSH-.0-x\r\n",
        b"SSH-1.5-x\r\n", b"SSH-1.0-x\r\n", b"SSH-1.99-x\r\n", b"SSH-1.100-x\r\n", b"SSH-1.98-x\r\n", b"SSH-3.0-x\r\n",
        b"SSH-0.0-x\r\n", b"SSH--2.0-x\r\n", b"SSH-2.0-x\r\n", b"SSH-2.0-x\n", b"SSH-2.1-x\r\n", b"SSH-2.99-x\r\n",
        b"SSH-02.00-x\r\n", b"SSH-+2.+0-x\r\n", b"SSH- 2. 0-x\r\n", b"SSH-2.0- \r\n", b"SSH-2.0-x \r\n", b"SSH-2.0-x comment\r\n",
        b"SSH-2.0-\xff\xfe\r\n", b"SSH-4294967298.0-x\r\n", b"SSH-2.0-x\r\r\n", b"SSH-2.0--\r\n", b"SSH-2.0-x-y\r\n",
        b"SSH-2.0-a\rb\r\n", b"\0SSH-2.0-x\r\n", b"SSH-2.0-a\0b\r\n", b"SSH-2.0-x\0\r\n", b"SSH-2.0-" + b"a" * 247 + b"\r\n",
        b"SSH-2.0-" + b"a" * 1000 + b"\r\n", b"SSH-2.0-" + b"a" * 8183 + b"\r\n", b"SSH-2.0-" + b"a" * 8184 + b"\n",
        b"SSH-2.0-" + b"a" * 8185 + b"\r\n", b"a" * 8192, b"a" * 8193, b"a" * 9000 + b"\r\n", b"SSH-2.0-x\r", b"SSH-2.0-x",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 40 + b"\n" + b"\x5a" * 20,
        b"welcome\r\nSSH-2.0-x\r\n", b"\r\nSSH-2.0-x\r\n", b"\n\n", b"SSH-2.0-x\r\nSSH-2.0-x\r\n", b"SSH-2.0-x\nGET / HTTP/1.0\n\n",
        b"SSH-1.5-x\r\nmore", b"SSH-2.0\r\nmore", b"help\nmore\n", KX, KX + LINE, b"EHLO x\r\n", b"\x00\x00\x00\x14" + b"\0" * 20,
        b"SSH-2.0-Probe-1\r\n", b"SSH-2.0-Probe-\r\n", b"SSH-2.0-xProbe-1\r\n", b"SSH-2.0-1.0 SSH_Version_Mapper\r\n",
        b"SSH-2.0-OpenSSH_6.5\r\n", b"SSH-2.0-OpenSSH_6.6\r\n", b"SSH-2.0-OpenSSH_6.6.1p1\r\n", b"SSH-2.0-OpenSSH_6.7\r\n",
        b"SSH-2.0-PuTTY_Release_0.63\r\n", b"SSH-2.0-PuTTY_Release_0.64\r\n", b"SSH-2.0-PuTTY_Release_0.65\r\n",
        b"SSH-2.0-PuTTY_Local: x\r\n", b"SSH-2.0-PuTTY-Release-0.5x\r\n", b"SSH-2.0-FuTTY\r\n", b"SSH-2.0-WinSCP_release_4.3\r\n",
        b"SSH-2.0-WinSCP_release_5.0\r\n", b"SSH-2.0-WinSCP_release_5.1.3\r\n", b"SSH-2.0-WinSCP_release_5.2\r\n",
        b"SSH-2.0-WinSCP_release_5.7.4\r\n", b"SSH-2.0-WinSCP_release_5.7.5\r\n", b"SSH-2.0-TTSSH/2.70 Win32\r\n",
        b"SSH-2.0-Cisco-1.25\r\n", b"SSH-2.0-Go\r\n", b"SSH-2.0-libssh_0.9.6\r\n", b"SSH-2.0-paramiko_2.12\r\n",
        b"SSH-2.2-OpenSSH \r\n", b"SSH-2.0-dropbear_2022.83\r\n", b"SSH-2.0-JSCH-0.1.54\r\n", b"SSH-2.0-OpenSSH_2.3\r\n",
        b"SSH-2.0-OpenSSH_3.4\r\n", b"SSH-2.0-OpenSSH_4.3\r\n", b"SSH-2.0-OpenSSH_5.9\r\n",
    ]
    for line in lines:
        yield f"id {line[:40]!r}[{len(line)}]", [line]
    for line in (b"", b"SSH-2.0", b"SSH-2.0-x\r\n", b"hello"):
        yield f"id {line!r} then EOF", [line, "EOF"]
    for line in (b"SSH-2.0-x\r\n", b"SSH-1.5-x\r\n", b"SSH-2.0-a\0b\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        yield f"id {line!r} byte by byte", list(itertools.chain.from_iterable((bytes([b]), 0.002) for b in line))


def kexinits():
    """Variants of KEXINIT behind a good identification."""
    variants = {
        "plain": {}, "strict": {"kex": STRICT}, "group1": {"kex": "diffie-hellman-group1-sha1"}, "no kex": {"kex": ""},
        "pseudo only": {"kex": "ext-info-c,kex-strict-c-v00@openssh.com"}, "unknown kex": {"kex": "foo@bar"},
        "unknown then known": {"kex": "foo@bar,curve25519-sha256"}, "no host key": {"host_key": ""},
        "ssh-rsa": {"host_key": "ssh-rsa"}, "ssh-dss": {"host_key": "ssh-dss"}, "rsa-sha2-256": {"host_key": "rsa-sha2-256"},
        "certificates": {"host_key": "ssh-ed25519-cert-v01@openssh.com"}, "cbc": {"enc_c2s": "aes128-cbc", "enc_s2c": "aes128-cbc"},
        "3des": {"enc_c2s": "3des-cbc"}, "cbc back": {"enc_s2c": "aes128-cbc"}, "no cipher": {"enc_c2s": ""},
        "md5": {"mac_c2s": "hmac-md5", "mac_s2c": "hmac-md5"}, "md5 with gcm": {"enc_c2s": "aes128-gcm@openssh.com", "enc_s2c": "aes128-gcm@openssh.com", "mac_c2s": "hmac-md5", "mac_s2c": "hmac-md5"},
        "md5 one gcm": {"enc_c2s": "aes128-gcm@openssh.com", "mac_c2s": "hmac-md5", "mac_s2c": "hmac-md5"},
        "no mac": {"mac_c2s": ""}, "zlib": {"comp_c2s": "zlib", "comp_s2c": "zlib"}, "zlib@": {"comp_c2s": "zlib@openssh.com", "comp_s2c": "zlib@openssh.com"},
        "no compression": {"comp_c2s": ""}, "languages": {"lang_c2s": "de,en", "lang_s2c": "x"}, "reserved": {"reserved": 7},
        "follows": {"follows": 1}, "follows 255": {"follows": 255}, "long": {"kex": "curve25519-sha256," + ",".join(f"x{i}@y" for i in range(4000))},
        "comma": {"kex": ",curve25519-sha256"}, "two commas": {"kex": "x,,curve25519-sha256"}, "comma behind": {"kex": "curve25519-sha256,"},
        "nul": {"kex": "curve25519-sha256\0"}, "blank": {"kex": "curve25519-sha256, x"}, "tail": {"tail": b"x"}, "high": {"kex": b"\xff\xfe,curve25519-sha256"},
        "nul mac": {"mac_c2s": "a\0b"}, "comma cipher": {"enc_c2s": "aes128-ctr,,"}, "comma lang": {"lang_c2s": ",,"},
    }
    for name, lists in variants.items():
        yield f"kexinit {name}", kexinit(**lists)


def after_kexinit():
    """Messages once the client's KEXINIT is out, strict and not."""
    for kind in [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 29, 31, 32, 33, 34, 35, 40, 49, 50, 51, 52, 60, 61, 80, 81, 90, 94, 98, 100, 127, 128, 191, 192, 193, 200, 255]:
        yield f"type {kind}", bytes([kind]) + (string("text") if kind in (2,) else string("ssh-userauth") if kind == 5 else b"")
    yield "disconnect", b"\x01" + u32(11) + string("bye") + string("")
    yield "debug", b"\x04\x01" + string("hello") + string("")
    yield "unimplemented", b"\x03" + u32(7)


def ecdh():
    good = bytes([9]) + b"\0" * 31
    values = {"zero": b"\0" * 32, "one": b"\x01" + b"\0" * 31, "short": good[:31], "long": good + b"\0", "empty": b"",
              "low order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
              "p-1": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "good": good}
    for name, value in values.items():
        yield f"ecdh {name}", b"\x1e" + string(value)
    yield "ecdh trailing", b"\x1e" + string(good) + b"x"
    yield "ecdh truncated", b"\x1e" + u32(32) + b"\0" * 20
    yield "ecdh nothing", b"\x1e"


def shapes():
    """Packets whose frame is wrong."""
    whole = kexinit()
    for n in (0, 1, 2, 3):
        yield f"padlen {n}", packet(whole, pad=n, length=(1 + len(whole) + n + 7 - (4 + 1 + len(whole) + n - 1) % 8))
    size = len(packet(whole)) - 4
    for name, length in {"zero": 0, "one": 1, "four": 4, "five": 5, "seven": 7, "odd": size + 1, "even": size + 4, "262144": 262144, "262140": 262140,
                         "262145": 262145, "262148": 262148, "35000": 35004, "2^31": 2**31, "all ones": 2**32 - 1}.items():
        yield f"length {name}", u32(length) + packet(whole)[4:]
    for n in (64, 200, 206):
        pad = n - (n + 5 + len(whole)) % 8
        yield f"padding {pad}", packet(whole, pad=pad)
    yield "padding over the packet", u32(12) + bytes([12]) + b"\x14" + b"\0" * 10
    yield "padding eats the type", u32(12) + bytes([11]) + b"\x14" + b"\0" * 10
    yield "padding leaves the type", u32(12) + bytes([10]) + b"\x14" + b"\0" * 10
    yield "padding not zero", packet(whole, fill=b"\xaa")
    yield "sixteen zeros", b"\0" * 16
    for cut in (4, 5, 20, 100, len(packet(whole)) - 1):
        yield f"cut at {cut}", packet(whole)[:cut]


def dh():
    def one(kex, *payloads):
        return [LINE, packet(kexinit(kex=kex)), *[packet(p) if isinstance(p, bytes) else p for p in payloads]]

    def number(n):
        raw = n.to_bytes((n.bit_length() + 8) // 8, "big") if n else b""
        return string(raw)
    for kex in ("diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512"):
        for name, value in {"0": b"", "1": b"\1", "2": b"\2", "7": b"\7", "15": b"\x0f", "negative": b"\x80", "two zeros": b"\0\0\x0f"}.items():
            yield f"{kex} e={name}", one(kex, b"\x1e" + string(value))
        yield f"{kex} trailing", one(kex, b"\x1e" + number(15) + b"x")
    gex = "diffie-hellman-group-exchange-sha256"
    for low, want, high in ((2048, 2048, 2048), (1024, 1024, 8192), (2048, 9000, 16384), (1024, 1024, 1024), (2048, 1024, 8192), (0, 0, 0),
                            (9000, 9000, 9000), (2048, 3072, 8192), (2048, 4096, 4096), (2048, 8192, 8192), (4096, 2048, 8192), (2048, 8192, 4096)):
        yield f"gex {low},{want},{high}", one(gex, b"\x22" + u32(low) + u32(want) + u32(high))
    yield "gex old request", one(gex, b"\x1e" + u32(2048))
    yield "gex init early", one(gex, b"\x20" + number(15))
    yield "gex truncated", one(gex, b"\x22" + u32(2048))
    yield "gex trailing", one(gex, b"\x22" + u32(2048) * 3 + b"x")
    yield "gex init after group", one(gex, b"\x22" + u32(2048) * 3, 0.2, b"\x20" + number(15))
    for kex, size in (("ecdh-sha2-nistp256", 65), ("ecdh-sha2-nistp384", 97), ("ecdh-sha2-nistp521", 133)):
        for name, value in {"zeros": b"\0" * size, "infinity": b"\0", "off curve": b"\4" + b"\1" * (size - 1), "compressed": b"\2" + b"\1" * (size // 2), "empty": b""}.items():
            yield f"{kex} {name}", one(kex, b"\x1e" + string(value))
    for kex in ("sntrup761x25519-sha512@openssh.com", "sntrup761x25519-sha512"):
        for name, value in {"zeros": b"\0" * 1190, "short": b"\0" * 1189, "long": b"\0" * 1191, "base point": b"\0" * 1158 + b"\t" + b"\0" * 31}.items():
            yield f"{kex} {name}", one(kex, b"\x1e" + string(value))


def all_probes():
    yield from identifications()
    for name, payload in kexinits():
        yield name, [LINE, packet(payload)]
        yield name + ", one segment", [LINE + packet(payload)]
    for software in (b"SSH-2.0-Go\r\n", b"SSH-1.99-x\r\n", b"SSH-2.2-OpenSSH \r\n", b"SSH-2.0-PuTTY_Release_0.63\r\n"):
        for name, payload in itertools.islice(kexinits(), 20):
            yield f"{software[8:-2]!r} {name}", [software, packet(payload)]
    for name, payload in after_kexinit():
        yield f"before kexinit {name}", [LINE, packet(payload)]
        yield f"before strict kexinit {name}", [LINE, packet(payload), XS]
        yield f"after kexinit {name}", [LINE, KX, packet(payload)]
        yield f"after strict kexinit {name}", [LINE, XS, packet(payload)]
    for name, payload in ecdh():
        yield name, [LINE, KX, packet(payload)]
        yield name + " strict", [LINE, XS, packet(payload)]
    for name, raw in shapes():
        yield name, [LINE, raw]
        yield name + " after kexinit", [LINE, KX, raw]
    yield from dh()
    guess = packet(kexinit(follows=1))
    yield "wrong guess then right", [LINE, guess, packet(b"\x1e" + string(b"\0" * 32)), packet(b"\x1e" + string(bytes([9]) + b"\0" * 31))]
    yield "strict two kexinits", [LINE, XS, XS]
    yield "two kexinits", [LINE, KX, KX]
    yield "kexinit, EOF", [LINE, KX, "EOF"]
    yield "ecdh then service before newkeys", [LINE, KX, packet(b"\x1e" + string(bytes([9]) + b"\0" * 31)), 0.1, packet(b"\x05" + string("ssh-userauth"))]
    yield "second ecdh", [LINE, KX, packet(b"\x1e" + string(bytes([9]) + b"\0" * 31)), 0.1, packet(b"\x1e" + string(bytes([9]) + b"\0" * 31))]
    for size in (1, 3, 7, 100):
        data = LINE + KX
        yield f"in pieces of {size}", list(itertools.chain.from_iterable((data[i:i + size], 0.001) for i in range(0, len(data), size)))
