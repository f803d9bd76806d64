"""OpenSSH's own client: logins, terminals, files, several sessions, agent."""
import os
import re
import subprocess

from rows import USER, WRONG, row
from terminal import talk

CLIENT = "OpenSSH"
SCRIPT = "echo out; echo err >&2; exit 7"
BULK = 4 * 1024 * 1024
PATTERN = b"".join(b"%07d\n" % n for n in range(BULK // 8))


def options(side, password=True, key=None):
    out = ["-F", "none", "-o", "HostKeyAlias=interop", "-o", f"UserKnownHostsFile={side.material.known_hosts}",
           "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no", "-o", "NumberOfPasswordPrompts=1", "-o", "GlobalKnownHostsFile=none"]
    if key:
        out += ["-i", str(side.material.user_keys / key), "-o", "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey"]
    elif password:
        out += ["-o", "PubkeyAuthentication=no"]
    return out


def ssh(side, *words, more=(), key=None, port=None):
    return ["ssh", *more, *options(side, key=key), "-p", port or side.port, f"{USER}@127.0.0.1", *words]


def copying(side, program, *words, more=(), key="ed25519"):
    return [program, *options(side, key=key), *more, "-P", side.port, *words]


@row("openssh", CLIENT, "password", "exit status, both outputs, algorithms", exit=7, stdout="out\n", stderr="err\n")
def password(side):
    return side.program(ssh(side, SCRIPT))


@row("openssh", CLIENT, "wrong password", "exit status, texts", exit=255, stderr=re.compile("Permission denied"))
def wrong_password(side):
    return side.program(ssh(side, SCRIPT), password=WRONG)


@row("openssh", CLIENT, "three wrong passwords", "exit status, texts, questions asked", exit=255, asked=3)
def three_wrong(side):
    done = side.program(ssh(side, SCRIPT, more=["-o", "NumberOfPasswordPrompts=3"]), password=WRONG)
    return {**done, "asked": side.read("asked").count(b"assword:")}


for kind in ("rsa", "ecdsa", "ed25519"):
    @row("openssh", CLIENT, f"{kind} user key", "exit status, both outputs", exit=7, stdout="out\n")
    def user_key(side, kind=kind):
        return side.program(ssh(side, SCRIPT, key=kind))


@row("openssh", CLIENT, "a key that is refused, then the password", "exit status, both outputs", strict=True, exit=7, stdout="out\n")
def refused_key(side):
    key = side.material.user_keys / "stranger"
    return side.program(ssh(side, SCRIPT, more=["-o", "PubkeyAuthentication=yes", "-i", key, "-o", "IdentitiesOnly=yes"]))


@row("openssh", CLIENT, "verbose log", "every line of -vv up to the start of the command", stderr=re.compile("debug2: KEX algorithms"))
def verbose(side):
    done = side.program(ssh(side, "true", more=["-vv", "-o", "HostKeyAlgorithms=ssh-ed25519"]))
    lines = [re.sub(r"\r", "", line) for line in done["stderr"].splitlines()]
    done["stderr"] = "\n".join(line for line in lines if not re.search(r"rekey after|^debug1: Connecting|bits set:", line))
    done["stderr"] = re.sub(r"deb12u\d+", "deb12uN", done["stderr"]).split("debug2: exec request accepted")[0]
    return done


@row("openssh", CLIENT, "4 MiB to and fro", "every byte", exit=0, same=True)
def bulk(side):
    argv = ssh(side, "cat", key="ed25519")
    done = subprocess.run([str(w) for w in argv], input=PATTERN, capture_output=True, timeout=60, env=side.environment())
    return {"exit": done.returncode, "same": done.stdout == PATTERN, "stderr": side.mask(done.stderr)}


@row("openssh", CLIENT, "compression (-C)", "every byte, algorithms", exit=0, same=True)
def compression(side):
    argv = ssh(side, "cat", key="ed25519", more=["-C"])
    done = subprocess.run([str(w) for w in argv], input=PATTERN, capture_output=True, timeout=60, env=side.environment())
    return {"exit": done.returncode, "same": done.stdout == PATTERN, "stderr": side.mask(done.stderr), "on": side.negotiated()["compression s2c"]}


@row("openssh", CLIENT, "rekey every 64 KiB", "every byte", exit=0, same=True)
def rekey(side):
    data = PATTERN[:512 * 1024]
    argv = ssh(side, "cat", key="ed25519", more=["-o", "RekeyLimit=64K"])
    done = subprocess.run([str(w) for w in argv], input=data, capture_output=True, timeout=60, env=side.environment())
    return {"exit": done.returncode, "same": done.stdout == data, "stderr": side.mask(done.stderr)}


@row("openssh", CLIENT, "no shell (-N), environment, dead peer checks", "exit status, outputs", exit=0, stdout="de_DE.UTF-8 \n")
def environment(side):
    more = ["-o", "SetEnv=LC_INTEROP=de_DE.UTF-8 OTHER=x", "-o", "ServerAliveInterval=1"]
    return side.program(ssh(side, 'sleep 1.5; echo "$LC_INTEROP $OTHER"', key="ed25519", more=more))


@row("openssh", CLIENT, "environment of a command and of a terminal", "names and values, ports and locale aside", exit=0, stdout=re.compile("SSH_CONNECTION=127"))
def variables(side):
    command = "env | grep -Ev '^(_|LANG)=' | sort; umask; cat /proc/self/oom_score_adj"
    done = side.program(ssh(side, command, key="ed25519"))
    done["terminal"] = side.program(ssh(side, command, key="ed25519", more=["-tt"]), TERM="vt100")["stdout"]
    for key in ("stdout", "terminal"):
        done[key] = re.sub(r"(SSH_(?:CLIENT|CONNECTION)=127[\d.]+) \d+(.*) \d+", r"\1 N\2 N", done[key])
        done[key] = re.sub(r"SSH_TTY=/dev/pts/\d+", "SSH_TTY=/dev/pts/N", done[key])
    return done


for text, status in (("kill -TERM $$", 255), ("exec false", 1), ("no-such-command", 127), ("exec 1>&- 2>&-; exit 3", 3), ("sleep 100 & exit 0", 0)):
    @row("openssh", CLIENT, f"end: `{text}`", "exit status, outputs", exit=status)
    def ending(side, text=text):
        command = text if "&-" in text or "kill" in text or "no-such" in text else f"{text} >/dev/null 2>&1" if "sleep" not in text else "sleep 100 >/dev/null 2>&1 </dev/null & exit 0"
        return side.program(ssh(side, command, key="ed25519"))


@row("openssh", CLIENT, "subsystem that there is not", "exit status, texts", exit=255, stderr="subsystem request failed on channel 0\r\n")
def no_subsystem(side):
    return side.program(ssh(side, "netconf", key="ed25519", more=["-s"]))


@row("openssh", CLIENT, "terminal (-tt)", "every line setting, the output", exit=7, stdout=re.compile("erase = "))
def terminal(side):
    return side.program(ssh(side, "stty -a; echo $TERM; test -t 0 && test -t 1 && test -t 2 && echo tty; exit 7", key="ed25519", more=["-tt"]), TERM="xterm")


@row("openssh", CLIENT, "shell in a terminal", "the screen: echo, editing, Ctrl-C, resize, end", exit=3, screen=re.compile("edited"))
def shell(side):
    return talk(side, ssh(side, key="ed25519", more=["-tt"]))


@row("openssh", CLIENT, "sftp", "files to and fro, listing, texts", exit=0, same=True)
def sftp(side):
    batch = side.file("batch", f"""put {side.file('up', PATTERN)} {side.remote()}
get {side.remote()} {side.scratch}/down
chmod 640 {side.remote()}
rename {side.remote()} {side.remote('new')}
ln -s {side.remote('new')} {side.remote('link')}
-mkdir {side.remote('folder')}
cd {side.remote('folder')}
pwd
put {side.file('small', b'small')} small
ls
-get missing
-rmdir {side.remote('folder')}
-put /dev/null /no/such/folder
rm small
cd /
rmdir {side.remote('folder')}
rm {side.remote('link')}
rm {side.remote('new')}
version
""".encode())
    done = side.program(copying(side, "sftp", f"{USER}@127.0.0.1", more=["-b", batch]))
    return {**done, "same": side.read("down") == PATTERN}


@row("openssh", CLIENT, "sftp: listing, attributes, disk", "all lines, times and sizes of file systems aside", exit=0)
def sftp_listing(side):
    batch = side.file("batch", f"put -p {side.file('up', b'x' * 77)} {side.remote()}\nls -ln {side.remote()}\nls -lan /etc/passwd\ndf -i /\nrm {side.remote()}\n".encode())
    os.utime(side.scratch + "/up", (1700000000, 1700000000))
    done = side.program(copying(side, "sftp", f"{USER}@127.0.0.1", more=["-b", batch]))
    done["stdout"] = re.sub(r"(?m)^( *\d+){3} .*%$", "SIZES", re.sub(r"\d+ \w{3} +\d+ +[\d:]+ (?=/etc)", "SIZE TIME ", done["stdout"]))
    return done


for name, words in (("scp", []), ("scp -O", ["-O"])):
    @row("openssh", CLIENT, name, "files to and fro, modes and times, texts", exit=0, same=True)
    def scp(side, words=words):
        side.file("up", PATTERN)
        os.chmod(side.scratch + "/up", 0o640)
        os.utime(side.scratch + "/up", (1600000000, 1600000000))
        there = f"{USER}@127.0.0.1:{side.remote()}"
        up = side.program(copying(side, "scp", f"{side.scratch}/up", there, more=[*words, "-p"]))
        down = side.program(copying(side, "scp", there, f"{side.scratch}/down", more=[*words, "-p"]))
        missing = side.program(copying(side, "scp", there + ".no", f"{side.scratch}/none", more=words))
        status = os.stat(side.scratch + "/down")
        return {**down, "up": up, "missing": missing, "same": side.read("down") == PATTERN, "mode": oct(status.st_mode), "time": status.st_mtime}


@row("openssh", CLIENT, "scp -r", "a tree to and fro", exit=0, same=True)
def scp_tree(side):
    for folder in ("tree", "tree/a", "tree/a/b"):
        os.mkdir(f"{side.scratch}/{folder}")
    for name in ("tree/1", "tree/a/2", "tree/a/b/3"):
        side.file(name, name.encode() * 100)
    there = f"{USER}@127.0.0.1:{side.remote('tree')}"
    up = side.program(copying(side, "scp", f"{side.scratch}/tree", there, more=["-r"]))
    down = side.program(copying(side, "scp", there, f"{side.scratch}/back", more=["-r"]))
    same = subprocess.run(["diff", "-r", f"{side.scratch}/tree", f"{side.scratch}/back"], check=False).returncode == 0
    return {**down, "up": up, "same": same}


@row("openssh", CLIENT, "ControlMaster, six sessions", "each one's exit status and outputs", exit=0)
def control_master(side):
    path = f"{side.scratch}/c"
    shared = ["-o", f"ControlPath={path}"]
    master = side.program(ssh(side, "true", key="ed25519", more=[*shared, "-o", "ControlMaster=yes", "-o", "ControlPersist=30"], ))
    running = [subprocess.Popen([str(w) for w in ssh(side, f"read line; echo {n} $line; exit {n}", more=shared)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=side.environment()) for n in range(6)]
    answers = []
    for process in reversed(running):  # all are open at once: each waits for its line
        out, err = process.communicate(b"go\n", timeout=30)
        answers.append([process.returncode, side.mask(out), side.mask(err)])
    check = side.program(ssh(side, more=[*shared, "-O", "check"]))
    stop = side.program(ssh(side, more=[*shared, "-O", "exit"]))
    check["stderr"] = re.sub(r"pid=\d+", "pid=N", check["stderr"])
    return {**master, "sessions": answers, "check": check, "stop": stop, "connections": len(side.door.transcript())}


@row("openssh", CLIENT, "more sessions than MaxSessions", "the eleventh's exit status and texts", exit=255)
def max_sessions(side):
    shared = ["-o", f"ControlPath={side.scratch}/c"]
    side.program(ssh(side, "true", key="ed25519", more=[*shared, "-o", "ControlMaster=yes", "-o", "ControlPersist=30"]))
    held = [subprocess.Popen([str(w) for w in ssh(side, "echo up; exec cat", more=shared)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, env=side.environment()) for _ in range(10)]
    up = [process.stdout.readline() for process in held]
    last = side.program(ssh(side, "echo no", more=[*shared, "-o", "PasswordAuthentication=no"]))
    for process in held:
        process.communicate(b"", timeout=30)
    side.program(ssh(side, more=[*shared, "-O", "exit"]))
    return {**last, "up": up}


def with_agent(side, argv, **how):
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", f"{side.scratch}/agent"], stdout=subprocess.DEVNULL)
    try:
        environment = {"SSH_AUTH_SOCK": f"{side.scratch}/agent"}
        added = side.program(["sh", "-c", f"until ssh-add -q {side.material.user_keys}/ed25519 2>/dev/null; do sleep 0.05; done"], **environment)
        return {**side.program(argv, **how, **environment), "added": added["exit"]}
    finally:
        agent.terminate()
        agent.wait()


@row("openssh", CLIENT, "key from ssh-agent", "exit status, outputs", exit=7, stdout="out\n", added=0)
def agent_key(side):
    return with_agent(side, ["ssh", *options(side, password=False), "-p", side.port, f"{USER}@127.0.0.1", SCRIPT], password=WRONG)


@row("openssh", CLIENT, "agent forwarding asked for (-A)", "exit status, outputs", exit=7, stdout="out\n", added=0)
def agent_forwarding(side):
    return with_agent(side, ["ssh", "-A", *options(side, password=False), "-p", side.port, f"{USER}@127.0.0.1", SCRIPT], password=WRONG)


for flag in ("-X", "-Y"):
    @row("openssh", CLIENT, f"X11 asked for ({flag})", "exit status, texts, DISPLAY", exit=0, stdout="display=\n")
    def x11(side, flag=flag):
        return side.program(ssh(side, 'echo "display=$DISPLAY"', key="ed25519", more=[flag]), DISPLAY=":77")


@row("openssh", CLIENT, "host keys learned (UpdateHostKeys)", "known_hosts afterwards", exit=0, keys=3)
def update_host_keys(side):
    mine = side.file("known", "".join(line for line in side.material.known_hosts.read_text().splitlines(True) if "ed25519" in line).encode())
    argv = ["ssh", "-F", "none", "-o", "HostKeyAlias=interop", "-o", f"UserKnownHostsFile={mine}", "-o", "GlobalKnownHostsFile=none", "-o", "HashKnownHosts=no",
            "-o", "UpdateHostKeys=yes", "-i", side.material.user_keys / "ed25519", "-p", side.port, f"{USER}@127.0.0.1", "sleep 0.3"]
    done = side.program(argv)
    known = sorted(side.read("known").decode().splitlines())
    return {**done, "keys": len(known), "known": known}
