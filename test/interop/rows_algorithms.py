"""OpenSSH's client with every algorithm that the server offers, forced one by one."""
import subprocess

from rows import row
from rows_openssh import ssh

CLIENT = "OpenSSH"
KEX = ("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
       "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512",
       "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256")
AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
CIPHERS = AEAD + ("aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = ("umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com",
        "umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1")
HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512")
REFUSED = {"kex": "diffie-hellman-group14-sha1", "cipher": "aes128-cbc", "mac": "hmac-md5", "host key": "ssh-rsa"}
OPTION = {"kex": "KexAlgorithms", "cipher": "Ciphers", "mac": "MACs", "host key": "HostKeyAlgorithms"}
FIELD = {"kex": "kex", "cipher": "cipher s2c", "mac": "mac s2c", "host key": "host key"}
COMMAND = "cat; exit 5"


def forced(side, **chosen):
    more = [word for kind, name in chosen.items() for word in ("-o", f"{OPTION[kind.replace('_', ' ')]}={name}")]
    return ssh(side, COMMAND, key="ed25519", more=more)


def declare(kind, name):
    data = b"0123456789abcdef" * 4096  # more than one packet

    @row("algorithms", CLIENT, f"{kind} {name}", "64 KiB to and fro, exit status, algorithms", exit=5, same=True, chosen=name)
    def only(side):
        # A message authentication code shows only beside a cipher that has none of its own.
        beside = {"cipher": "aes128-ctr"} if kind == "mac" else {}
        done = subprocess.run([str(w) for w in forced(side, **{kind.replace(" ", "_"): name}, **beside)], input=data, capture_output=True,
                              timeout=40, env=side.environment())
        return {"exit": done.returncode, "same": done.stdout == data, "stderr": side.mask(done.stderr), "chosen": side.negotiated()[FIELD[kind]]}


for all_kind, names in (("kex", KEX), ("cipher", CIPHERS), ("mac", MACS), ("host key", HOST_KEYS)):
    for one in names:
        declare(all_kind, one)


def declare_refused(kind, name):
    @row("algorithms", CLIENT, f"{kind} {name}, which is not offered", "exit status, texts", exit=255)
    def only(side):
        beside = {"cipher": "aes128-ctr"} if kind == "mac" else {}
        # It hangs up on reading the server's list, before or after its own has left.
        return {**side.program(forced(side, **{kind.replace(" ", "_"): name}, **beside)), "negotiated": "nothing"}


for one_kind, one in REFUSED.items():
    declare_refused(one_kind, one)
