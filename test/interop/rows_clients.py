"""Programs other than OpenSSH's: dropbear, PuTTY, curl (libssh2), Twisted Conch."""
import hashlib
import re
import subprocess

import pexpect

from rows import PASSWORD, USER, WRONG, row
from rows_openssh import PATTERN, SCRIPT
from terminal import talk

BULK_COMMAND = "tee /dev/stderr | sha256sum"


# ---- dropbear
def dbclient(side, *words, more=(), user=USER):
    return ["dbclient", "-y", "-y", *more, "-p", side.port, f"{user}@127.0.0.1", *words]


@row("clients", "dropbear", "password", "exit status, both outputs, algorithms", exit=7, stdout="out\n")
def dropbear_password(side):
    return side.program(dbclient(side, SCRIPT), DROPBEAR_PASSWORD=PASSWORD)


@row("clients", "dropbear", "wrong password", "exit status, texts", stderr=re.compile("exited"))
def dropbear_wrong(side):
    return side.program(dbclient(side, SCRIPT), DROPBEAR_PASSWORD=WRONG)


for dropbear_kind in ("rsa", "ecdsa", "ed25519"):
    @row("clients", "dropbear", f"{dropbear_kind} user key", "exit status, both outputs", exit=7, stdout="out\n")
    def dropbear_key(side, kind=dropbear_kind):
        converted = subprocess.run(["dropbearconvert", "openssh", "dropbear", side.material.user_keys / kind, f"{side.scratch}/key"], capture_output=True, check=False)
        assert converted.returncode == 0, converted
        return side.program(dbclient(side, SCRIPT, more=["-i", f"{side.scratch}/key"]))


@row("clients", "dropbear", "4 MiB to and fro", "every byte", exit=0, same=True)
def dropbear_bulk(side):
    return both_ways(side, dbclient(side, BULK_COMMAND), DROPBEAR_PASSWORD=PASSWORD)


def both_ways(side, argv, data=PATTERN, **environment):
    """stdin goes up; comes back on stderr, its digest on stdout."""
    done = subprocess.run([str(w) for w in argv], input=data, capture_output=True, timeout=60, cwd=side.scratch, env=side.environment(**environment), start_new_session=True)
    digest = hashlib.sha256(data).hexdigest()
    return {"exit": done.returncode, "same": data in done.stderr and done.stdout.split()[:1] == [digest.encode()],
            "stdout": side.mask(done.stdout), "stderr": side.mask(done.stderr.replace(data, b"DATA"))}


@row("clients", "dropbear", "shell in a terminal", "the screen: echo, editing, Ctrl-C, resize, end", exit=3)
def dropbear_shell(side):
    return talk(side, ["env", f"DROPBEAR_PASSWORD={PASSWORD}", *dbclient(side, more=["-t"])])


# ---- PuTTY
def putty(side, program, *words, password=PASSWORD, more=(), kind="ed25519"):
    return [program, "-batch", "-hostkey", side.material.fingerprint(kind), "-P", side.port, "-pw", password, *more, *words]


@row("clients", "PuTTY", "plink, password", "exit status, both outputs, algorithms", exit=7, stdout="out\n", stderr="err\n")
def plink_password(side):
    return side.program(putty(side, "plink", f"{USER}@127.0.0.1", SCRIPT))


@row("clients", "PuTTY", "plink, wrong password", "exit status, texts", exit=1, stderr=re.compile("Access denied"))
def plink_wrong(side):
    return side.program(putty(side, "plink", f"{USER}@127.0.0.1", SCRIPT, password=WRONG))


@row("clients", "PuTTY", "plink -v", "the log of a login", exit=0, stderr=re.compile("Remote version"))
def plink_verbose(side):
    done = side.program(putty(side, "plink", f"{USER}@127.0.0.1", "true", more=["-v"]))
    done["stderr"] = re.sub(r"deb12u\d+", "deb12uN", done["stderr"]).split("Started a shell/command")[0]
    return done


@row("clients", "PuTTY", "plink -C, 4 MiB to and fro", "every byte", exit=0, same=True)
def plink_bulk(side):
    return both_ways(side, putty(side, "plink", f"{USER}@127.0.0.1", BULK_COMMAND, more=["-C"]))


@row("clients", "PuTTY", "plink, user key", "exit status, both outputs", exit=7, stdout="out\n")
def plink_key(side):
    made = side.program(["puttygen", side.material.user_keys / "ed25519", "-O", "private", "-o", f"{side.scratch}/key.ppk"])
    assert made["exit"] == 0, made
    return side.program(putty(side, "plink", f"{USER}@127.0.0.1", SCRIPT, more=["-i", f"{side.scratch}/key.ppk"], password=WRONG))


@row("clients", "PuTTY", "plink -t", "every line setting, the output", exit=7, stdout=re.compile("erase = "))
def plink_terminal(side):
    return side.program(putty(side, "plink", f"{USER}@127.0.0.1", "stty -a; echo $TERM; exit 7", more=["-t"]))


@row("clients", "PuTTY", "psftp", "files to and fro, texts", exit=0, same=True)
def psftp(side):
    batch = side.file("batch", f"""put {side.file('up', PATTERN)} {side.remote()}
get {side.remote()} {side.scratch}/down
chmod 600 {side.remote()}
mv {side.remote()} {side.remote('new')}
mkdir {side.remote('folder')}
cd {side.remote('folder')}
pwd
ls
rmdir {side.remote('folder')}
rm {side.remote('new')}
quit
""".encode())
    done = side.program(putty(side, "psftp", f"{USER}@127.0.0.1", more=["-b", batch, "-be"]))
    done["stdout"] = re.sub(r"(?m)^(drwx\S+) .* (\S+)$", r"\1 \2", done["stdout"])
    return {**done, "same": side.read("down") == PATTERN}


for mode in ("-sftp", "-scp"):
    @row("clients", "PuTTY", f"pscp {mode}", "files to and fro, texts", exit=0, same=True)
    def pscp(side, mode=mode):
        there = f"{USER}@127.0.0.1:{side.remote()}"
        up = side.program(putty(side, "pscp", side.file("up", PATTERN), there, more=[mode, "-q"]))
        down = side.program(putty(side, "pscp", there, f"{side.scratch}/down", more=[mode, "-q"]))
        missing = side.program(putty(side, "pscp", there + ".no", f"{side.scratch}/none", more=[mode, "-q"]))
        return {**down, "up": up, "missing": missing, "same": side.read("down") == PATTERN}


# ---- curl, whose SSH is libssh2
def curl(side, url, *words, password=PASSWORD):
    return ["curl", "-sS", "--insecure", "--user", f"{USER}:{password}", *words, url.replace("HOST", f"127.0.0.1:{side.port}")]


@row("clients", "libssh2 (curl)", "sftp://", "files to and fro, listing, texts", exit=0, same=True)
def curl_sftp(side):
    url = f"sftp://HOST{side.remote()}"
    up = side.program(curl(side, url, "-T", side.file("up", PATTERN)))
    down = side.program(curl(side, url, "-o", f"{side.scratch}/down"))
    listing = f"sftp://HOST{side.remote('folder')}/"
    commands = (f"-mkdir {side.remote('folder')}", f"-rename {side.remote()} {side.remote('folder')}/new", f"-rm {side.remote('folder')}/none",
                f"-rm {side.remote('folder')}/new", f"-rmdir {side.remote('folder')}")
    more = [side.program(curl(side, "sftp://HOST/proc/self/task/", "-o", f"{side.scratch}/list", "-Q", command)) for command in commands]
    more.append(side.program(curl(side, listing)))
    return {**down, "up": up, "more": more, "same": side.read("down") == PATTERN}


@row("clients", "libssh2 (curl)", "scp://", "files to and fro, texts", exit=0, same=True)
def curl_scp(side):
    url = f"scp://HOST{side.remote()}"
    up = side.program(curl(side, url, "-T", side.file("up", PATTERN)))
    down = side.program(curl(side, url, "-o", f"{side.scratch}/down"))
    missing = side.program(curl(side, url + ".no"))
    return {**down, "up": up, "missing": missing, "same": side.read("down") == PATTERN}


@row("clients", "libssh2 (curl)", "compression", "every byte", exit=0, same=True)
def curl_compressed(side):
    url = f"scp://HOST{side.remote()}"
    up = side.program(curl(side, url, "--compressed-ssh", "-T", side.file("up", PATTERN)))
    down = side.program(curl(side, url, "--compressed-ssh", "-o", f"{side.scratch}/down"))
    return {**down, "up": up, "same": side.read("down") == PATTERN}


@row("clients", "libssh2 (curl)", "wrong password", "exit status, texts", exit=67, stderr=re.compile("Authentication failure|denied"))
def curl_wrong(side):
    return side.program(curl(side, "sftp://HOST/", password=WRONG))


@row("clients", "libssh2 (curl)", "user key", "a listing's exit status and texts", exit=0)
def curl_key(side):
    key = side.material.user_keys / "ed25519"
    url = f"sftp://127.0.0.1:{side.port}/proc/self/task/"
    done = side.program(["curl", "-sS", "--insecure", "--user", f"{USER}:", "--key", key, "--pubkey", f"{key}.pub", url])
    return {**done, "stdout": bool(done["stdout"])}


# ---- Twisted Conch, which wants a terminal: without one it ends at the end of its stdin
def conch(side, program, *words, key=None, answers=(), until=pexpect.EOF):
    public = [line.split(" ", 1)[1] for line in side.material.known_hosts.read_text().splitlines()]
    known = side.file("known", "".join(f"127.0.0.1 {line}\n" for line in public).encode())
    identity = ["-i", str(side.material.user_keys / key)] if key else ["--user-authentications=password"]
    child = pexpect.spawn(program, [*identity, "--known-hosts", known, "-p", str(side.port), "-l", USER, *words], timeout=30, cwd=side.scratch,
                          dimensions=(24, 200), env={**side.environment(), "PYTHONWARNINGS": "ignore"}, encoding="utf-8")
    screen = []
    for prompt, answer in answers:
        child.expect_exact(prompt)
        screen.append(child.before + child.after)
        child.sendline(answer)
    child.expect(until)
    child.close()
    lines = (side.mask("".join(screen) + child.before)).splitlines()
    return {"exit": child.exitstatus, "screen": "\n".join(line for line in lines if not line.startswith("Warning: "))}


for conch_kind, conch_answers in (("rsa", [("password: ", PASSWORD)]), ("ecdsa", []), ("ed25519", [])):
    @row("clients", "Twisted Conch", f"conch, {conch_kind} user key" + (" (SHA-1: refused), then the password" if conch_answers else ""),
         "all it prints, exit status, algorithms", exit=7, screen=re.compile("out\n"))
    def conch_key(side, kind=conch_kind, answers=tuple(conch_answers)):
        return conch(side, "conch3", "-T", "127.0.0.1", SCRIPT, key=kind, answers=answers)


@row("clients", "Twisted Conch", "conch, wrong password, then the right one", "all it asks and prints, exit status", exit=7, screen=re.compile("out\n"))
def conch_password(side):
    return conch(side, "conch3", "-T", "127.0.0.1", SCRIPT, answers=[("password: ", WRONG), ("password: ", PASSWORD)])


@row("clients", "Twisted Conch", "cftp", "files to and fro, all it prints", exit=0, same=True)
def cftp(side):
    data = PATTERN[:300000]
    side.file("up", data)
    name = f"{side.slug}.file"  # it takes no path here
    commands = [f"put up {name}", f"get {name} down", f"chmod 600 {name}", "pwd", f"rm {name}", f"rm {name}", "exit"]
    done = conch(side, "cftp3", "127.0.0.1", key="ed25519", answers=[("cftp> ", command) for command in commands])
    done["screen"] = re.sub(r"(?m)^.*(ETA|kbps|%).*$", "PROGRESS", done["screen"])
    return {**done, "same": side.read("down") == data}
