"""Compiles the clients that are libraries elsewhere into build/interop, each when its source changed."""
import hashlib
import os
import pathlib
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parents[2] / "build" / "interop"
LOCKS = {name: threading.Lock() for name in ("libssh", "go", "jsch")}


def built(name, source, command, **environment):
    """The folder of what `command` makes of a source; $SOURCE and $OUT stand in its words."""
    text = (HERE / source).read_bytes()
    folder = FOLDER / f"{name}-{hashlib.sha256(text + repr(command).encode()).hexdigest()[:12]}"
    with LOCKS[name]:
        if not (folder / "done").exists():
            folder.mkdir(parents=True, exist_ok=True)
            words = [word.replace("$SOURCE", str(HERE / source)).replace("$OUT", str(folder)) for word in command]
            done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment}, cwd=folder)
            assert done.returncode == 0, f"{words}: {done.stderr}"
            (folder / "done").touch()
    return folder


def libssh():
    return [built("libssh", "libssh_client.c", ["cc", "-O1", "-Wall", "-o", "$OUT/client", "$SOURCE", "-lssh"]) / "client"]


def go():
    # Debian's packages are a GOPATH; nothing is fetched.
    return [built("go", "go_client.go", ["go", "build", "-o", "$OUT/client", "$SOURCE"], GO111MODULE="off", GOPATH="/usr/share/gocode",
                  GOFLAGS="", GOPROXY="off", CGO_ENABLED="0", GOCACHE=str(FOLDER / "go-cache"), HOME=os.environ.get("HOME", "/root")) / "client"]


JARS = "/usr/share/java/jsch.jar:/usr/share/java/jzlib.jar"


def jsch():
    folder = built("jsch", "JschClient.java", ["javac", "-cp", JARS, "-d", "$OUT", "$SOURCE"])
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", f"{JARS}:{folder}", "JschClient"]


def net_ssh2():
    return ["perl", HERE / "net_ssh2.pl"]
