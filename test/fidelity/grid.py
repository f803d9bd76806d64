"""The method of "Bitter Harvest" (Vetterl and Clayton, 2018): a grid of identifications and KEXINIT
packets, answers as vectors of features, cosine similarity between the real server and ours.

That work looks for the probe with the lowest similarity between a honeypot and OpenSSH; here the
lowest of the whole grid has to be 1.
"""
import collections
import itertools
import math

from wire import kexinit, packet

NAMES = (b"OpenSSH", b"OpenSSH_7.4", b"Go", b"libssh2_1.4.3", b"")
OLD = {"kex": "diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1", "host_key": "ssh-dss,ssh-rsa", "enc_c2s": "3des-cbc,blowfish-cbc",
       "enc_s2c": "3des-cbc,blowfish-cbc", "mac_c2s": "hmac-md5,hmac-sha1-96", "mac_s2c": "hmac-md5,hmac-sha1-96"}


def identifications():
    """The paper's: protocol in both cases, versions from 0.0 to 3.2, with and without name, blank and CR."""
    for proto, version, name, tail in itertools.product((b"SSH", b"ssh"), (b"0.0", b"1.99", b"2.0", b"2.2", b"3.2"), NAMES[:4], (b"\r\n", b" \r\n", b"\n")):
        yield proto + b"-" + version + b"-" + name + tail


def kexinits():
    """Few lists, all kinds of damage to padding and length."""
    for lists in ({}, OLD, {"comp_c2s": "zlib"}):
        whole = kexinit(**lists)
        yield packet(whole)
        yield packet(whole, pad=4 + (8 - (5 + len(whole) + 4) % 8) % 8 + 8)
        yield packet(whole, pad=3, length=len(whole) + 4)
        yield packet(whole, length=len(whole) + 1)


def probes():
    for line in identifications():
        yield f"grid {line!r}", [line]
    for line in (b"SSH-2.0-OpenSSH\r\n", b"SSH-2.2-OpenSSH \r\n", b"SSH-2.0-Go\r\n", b"SSH-1.99-x\n", b"SSH-2.0-libssh2_1.4.3\r\n"):
        for i, data in enumerate(kexinits()):
            yield f"grid {line!r} kexinit {i}", [line, data]


def features(answer):
    """Every line as its words and their neighbours; the end of the connection is a word."""
    words = " | ".join(answer).replace(",", " ").split()
    return collections.Counter(words) + collections.Counter(zip(words, words[1:]))


def cosine(a, b):
    a, b = features(a), features(b)
    if a == b:
        return 1.0
    dot = sum(n * b[k] for k, n in a.items())
    return dot / math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
