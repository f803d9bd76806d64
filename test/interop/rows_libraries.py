"""SSH libraries, each in a small program of ours: libssh, Go's x/crypto/ssh, JSch, Net::SSH2 (libssh2).

build.PROGRAM PORT USER SECRET [NAME=VALUE …] MODE ARGUMENT …
"""
import re

from programs import build
from rows import PASSWORD, USER, WRONG, row
from rows_algorithms import AEAD, CIPHERS, HOST_KEYS, KEX, MACS
from rows_clients import both_ways
from rows_forwarding import Closed
from rows_openssh import PATTERN, SCRIPT


def library(side, program, *words, secret=PASSWORD):
    return [*program(), side.port, USER, secret, *words]


def declare_program(client, program, kinds, files):
    @row("libraries", client, "password", "exit status, both outputs, algorithms", exit=7, stdout="out\n", stderr="err\n")
    def password(side):
        return side.program(library(side, program, "exec", SCRIPT))

    @row("libraries", client, "wrong password", "exit status, texts", exit=255, stderr=re.compile(r"(?i)denied|unable|fail"))
    def wrong(side):
        return side.program(library(side, program, "exec", SCRIPT, secret=WRONG))

    for kind, status in kinds.items():
        @row("libraries", client, f"{kind} user key" + (" (SHA-1: refused)" if status == 255 else ""), "exit status, both outputs", exit=status)
        def key(side, kind=kind):
            return side.program(library(side, program, "exec", SCRIPT, secret=f"key:{user_key(side, kind)}"))

    @row("libraries", client, "1 MiB to and fro", "every byte", exit=0, same=True)
    def bulk(side):
        # Not all of these programs read while they write.
        return both_ways(side, library(side, program, "exec", "cat >$0.$$; tee /dev/stderr <$0.$$ | sha256sum; rm $0.$$".replace("$0", side.remote())), PATTERN[:1024 * 1024])

    @row("libraries", client, "terminal", "line settings, exit status", exit=7, stdout=re.compile("erase = "))
    def terminal(side):
        return side.program(library(side, program, "pty", "stty -a; echo $TERM; exit 7"))

    @row("libraries", client, "forwarding to a closed port", "exit status, texts", exit=255)
    def forward(side):
        with Closed() as closed:
            side.hide(str(closed), "CLOSED")
            return side.program(library(side, program, "forward", closed))

    if files:
        @row("libraries", client, "sftp", "a file to and fro, attributes, texts", exit=0, same=True)
        def sftp(side):
            done = side.program(library(side, program, "sftp", side.file("up", PATTERN[:1024 * 1024]), side.remote(), f"{side.scratch}/down"))
            return {**done, "same": side.read("down") == PATTERN[:1024 * 1024]}


def user_key(side, kind):
    """In the older PEM form, which all of them read, where there is one."""
    if kind == "ed25519":
        return side.material.user_keys / kind
    for suffix in ("", ".pub"):
        side.file(f"key{suffix}", (side.material.user_keys / f"{kind}{suffix}").read_bytes())
    converted = side.program(["sh", "-c", "chmod 600 key && ssh-keygen -q -p -m PEM -P '' -N '' -f key"])
    assert converted["exit"] == 0, converted
    return f"{side.scratch}/key"


ALL_KINDS = {"rsa": 7, "ecdsa": 7, "ed25519": 7}
declare_program("libssh", build.libssh, ALL_KINDS, True)
declare_program("Go x/crypto/ssh", build.go, ALL_KINDS, False)
declare_program("JSch", build.jsch, {"rsa": 255, "ecdsa": 7}, True)
declare_program("Net::SSH2 (libssh2)", build.net_ssh2, {**ALL_KINDS, "rsa": 255}, True)


@row("libraries", "Go x/crypto/ssh", "remote forwarding of the server's own port", "exit status, texts", exit=255)
def go_listen(side):
    side.hide(str(side.server.port), "TAKEN")
    return side.program(library(side, build.go, "listen", side.server.port))


def declare_algorithms(client, program, names, host_keys, kexes, ciphers, macs):
    """One row for all that the library has in common with the server, each forced."""
    kex_name, host_key_name, cipher_names, mac_names = names
    choices = [(f"{kex_name}={one}",) for one in kexes] + [(f"{host_key_name}={one}",) for one in host_keys]
    choices += [tuple(f"{name}={one}" for name in cipher_names) for one in ciphers]
    beside = tuple(f"{name}=aes128-ctr" for name in cipher_names)
    choices += [beside + tuple(f"{name}={one}" for name in mac_names) for one in macs]

    @row("libraries", client, f"each of {len(choices)} algorithms forced", "exit status, outputs, algorithms", exit=[7] * len(choices))
    def forced(side):
        answers = [side.program(library(side, program, *choice, "exec", SCRIPT)) for choice in choices]
        return {"exit": [one["exit"] for one in answers], "outputs": [one["stdout"] + one["stderr"] for one in answers],
                "negotiated": [side.negotiated(n) for n in range(len(side.door.transcript()))]}


def without(names, *missing):
    return [name for name in names if name not in missing]


NOT_LIBSSH = ("umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "umac-64@openssh.com", "umac-128@openssh.com")
declare_algorithms("libssh", build.libssh, ("kex", "hostkey", ("cipher",), ("mac",)), HOST_KEYS, without(KEX, KEX[0], KEX[1]), CIPHERS, without(MACS, *NOT_LIBSSH))
declare_algorithms("Go x/crypto/ssh", build.go, ("kex", "hostkey", ("cipher",), ("mac",)), HOST_KEYS,
                   ("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
                    "diffie-hellman-group14-sha256", "diffie-hellman-group-exchange-sha256"),
                   without(CIPHERS, "aes256-gcm@openssh.com"), ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha1"))
declare_algorithms("Net::SSH2 (libssh2)", build.net_ssh2, ("KEX", "HOSTKEY", ("CRYPT_CS", "CRYPT_SC"), ("MAC_CS", "MAC_SC")),
                   without(HOST_KEYS, "rsa-sha2-256", "rsa-sha2-512"),
                   ("curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group-exchange-sha256",
                    "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256"),
                   without(CIPHERS, *AEAD), ("hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"))
