"""Python's SSH libraries: Paramiko and AsyncSSH."""
import asyncio
import hashlib
import logging
import re

import asyncssh
import paramiko
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs

from rows import PASSWORD, USER, WRONG, row
from rows_algorithms import CIPHERS, HOST_KEYS, KEX, MACS
from rows_forwarding import Closed
from rows_openssh import PATTERN, SCRIPT

for library in ("paramiko", "asyncssh"):
    logging.getLogger(library).setLevel(logging.CRITICAL)


# ---- Paramiko
def paramiko_transport(side, **lists):
    transport = paramiko.Transport(("127.0.0.1", side.port))
    security = transport.get_security_options()
    for name, value in lists.items():
        setattr(security, name, value)
    transport.start_client(timeout=20)
    return transport


def paramiko_run(transport, command, data=b"", pty=False):
    channel = transport.open_session()
    channel.settimeout(30)
    if pty:
        channel.get_pty("xterm", 100, 30)
    channel.exec_command(command)
    if data:
        channel.sendall(data)
    if not pty:
        channel.shutdown_write()
    return {"stdout": channel.makefile("rb").read().decode(), "stderr": channel.makefile_stderr("rb").read().decode(), "exit": channel.recv_exit_status()}


def raised(call):
    try:
        return call() and "nothing"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@row("python", "Paramiko", "password, terminal, window change", "exit status, outputs, line settings, algorithms", exit=7, stdout="out\n", stderr="err\n")
def paramiko_password(side):
    transport = paramiko_transport(side)
    transport.auth_password(USER, PASSWORD)
    done = paramiko_run(transport, SCRIPT)
    done["terminal"] = paramiko_run(transport, "stty -a; echo $TERM; exit 5", pty=True)
    done["banner"] = re.sub(r"deb12u\d+", "deb12uN", transport.remote_version)
    transport.close()
    return done


@row("python", "Paramiko", "wrong password, none, unknown key", "what is raised", tries=re.compile("Authentication failed"))
def paramiko_wrong(side):
    transport = paramiko_transport(side)
    tries = [raised(lambda: transport.auth_none(USER)), raised(lambda: transport.auth_password(USER, WRONG)),
             raised(lambda: transport.auth_interactive(USER, lambda *_: [WRONG]))]
    transport.close()
    return {"tries": "\n".join(tries)}


for paramiko_kind, paramiko_key in (("rsa", paramiko.RSAKey), ("ecdsa", paramiko.ECDSAKey), ("ed25519", paramiko.Ed25519Key)):
    @row("python", "Paramiko", f"{paramiko_kind} user key", "exit status, outputs", exit=7, stdout="out\n")
    def paramiko_user_key(side, kind=paramiko_kind, load=paramiko_key):
        transport = paramiko_transport(side)
        transport.auth_publickey(USER, load.from_private_key_file(str(side.material.user_keys / kind)))
        done = paramiko_run(transport, SCRIPT)
        transport.close()
        return done


@row("python", "Paramiko", "sftp", "a file to and fro, attributes, what is raised", same=True)
def paramiko_sftp(side):
    transport = paramiko_transport(side)
    transport.auth_password(USER, PASSWORD)
    sftp = paramiko.SFTPClient.from_transport(transport)
    up = side.file("up", PATTERN[:1024 * 1024])
    sftp.put(up, side.remote())
    sftp.chmod(side.remote(), 0o604)
    sftp.utime(side.remote(), (1500000000, 1500000000))
    sftp.get(side.remote(), f"{side.scratch}/down")
    status = sftp.stat(side.remote())
    sftp.posix_rename(side.remote(), side.remote("new"))
    sftp.symlink(side.remote("new"), side.remote("link"))
    link = sftp.readlink(side.remote("link"))
    errors = [raised(lambda: sftp.open("/no/such/file")), raised(lambda: sftp.rmdir("/")), raised(lambda: sftp.mkdir("/tmp"))]
    home = sftp.normalize(".")
    for name in ("link", "new"):
        sftp.remove(side.remote(name))
    transport.close()
    return {"same": side.read("down") == PATTERN[:1024 * 1024], "status": [status.st_size, status.st_mode, status.st_mtime, status.st_uid],
            "link": link, "errors": errors, "home": home}


@row("python", "Paramiko", "forwardings", "what is raised", errors=re.compile("Connect failed"))
def paramiko_forward(side):
    transport = paramiko_transport(side)
    transport.auth_password(USER, PASSWORD)
    with Closed() as closed:
        side.hide(str(closed), "CLOSED")
        side.hide(str(side.server.port), "TAKEN")
        errors = [raised(lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", closed), ("127.0.0.1", 1))),
                  raised(lambda: transport.request_port_forward("127.0.0.1", side.server.port)),
                  raised(lambda: transport.open_channel("x11", src_addr=("127.0.0.1", 1)))]
    transport.close()
    return {"errors": side.mask("\n".join(errors))}


@row("python", "Paramiko", "each algorithm forced", "exit status, outputs, algorithms", exits=[7])
def paramiko_forced(side):
    choices = [{"kex": (one,)} for one in KEX if one in paramiko.Transport._preferred_kex]
    choices += [{"key_types": (one,)} for one in HOST_KEYS] + [{"ciphers": (one,)} for one in CIPHERS if one in paramiko.Transport._cipher_info]
    choices += [{"digests": (one,)} for one in MACS if one in paramiko.Transport._mac_info]
    answers = []
    for choice in choices:
        transport = paramiko_transport(side, **choice)
        transport.auth_password(USER, PASSWORD)
        answers.append(paramiko_run(transport, SCRIPT))
        transport.close()
    return {"exits": sorted({one["exit"] for one in answers}), "answers": answers, "count": len(choices),
            "negotiated": [side.negotiated(n) for n in range(len(choices))]}


# ---- AsyncSSH
def connected(side, work, password=PASSWORD, **options):
    async def run():
        options.setdefault("client_keys", None)
        async with asyncssh.connect("127.0.0.1", side.port, username=USER, password=password, known_hosts=None, config=None, agent_path=None,
                                    **options) as connection:
            return await work(connection)
    return asyncio.run(asyncio.wait_for(run(), 60))


def outcome(result):
    return {"exit": result.exit_status, "stdout": result.stdout, "stderr": result.stderr}


@row("python", "AsyncSSH", "password, terminal", "exit status, outputs, line settings, algorithms", exit=7, stdout="out\n", stderr="err\n")
def asyncssh_password(side):
    async def work(connection):
        done = outcome(await connection.run(SCRIPT))
        done["terminal"] = outcome(await connection.run("stty -a; echo $TERM; exit 5", term_type="xterm", term_size=(100, 30)))
        done["killed"] = (await connection.run("kill -KILL $$")).exit_signal
        return done
    return connected(side, work)


@row("python", "AsyncSSH", "wrong password", "what is raised", error=re.compile("PermissionDenied"))
def asyncssh_wrong(side):
    async def work(_):
        return True
    return {"error": raised(lambda: connected(side, work, password=WRONG))}


for asyncssh_kind in ("rsa", "ecdsa", "ed25519"):
    @row("python", "AsyncSSH", f"{asyncssh_kind} user key", "exit status, outputs", exit=7, stdout="out\n")
    def asyncssh_key(side, kind=asyncssh_kind):
        async def work(connection):
            return outcome(await connection.run(SCRIPT))
        return connected(side, work, password=None, client_keys=[str(side.material.user_keys / kind)])


@row("python", "AsyncSSH", "4 MiB to and fro with compression", "every byte", digest=hashlib.sha256(PATTERN).hexdigest())
def asyncssh_bulk(side):
    async def work(connection):
        done = await connection.run("cat", input=PATTERN, encoding=None)
        return {"exit": done.exit_status, "digest": hashlib.sha256(done.stdout).hexdigest()}
    return connected(side, work, compression_algs=["zlib@openssh.com"])


@row("python", "AsyncSSH", "signal, break, ten sessions and one more", "how each ends", sessions=[f"{n}\n" for n in range(10)])
def asyncssh_sessions(side):
    async def work(connection):
        process = await connection.create_process("echo up; read line; echo alive")
        await process.stdout.readline()
        process.send_signal("TERM")  # sshd obeys only for users other than root
        process.send_break(500)
        process.stdin.write("\n")
        ended = await process.wait()
        processes = [await connection.create_process(f"read line; echo {n}") for n in range(10)]
        extra = await raised_async(connection.create_process("true"))
        for one in processes:
            one.stdin.write("\n")
        sessions = [(await one.wait()).stdout for one in processes]
        return {"signal": [ended.exit_status, ended.exit_signal, ended.stdout], "extra": extra, "sessions": sessions}
    return connected(side, work)


async def raised_async(awaitable):
    try:
        await awaitable
        return "nothing"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@row("python", "AsyncSSH", "sftp and scp", "a tree to and fro, attributes, what is raised", same=True)
def asyncssh_files(side):
    data = PATTERN[:1024 * 1024]

    async def work(connection):
        async with connection.start_sftp_client() as sftp:
            await sftp.put(side.file("up", data), side.remote())
            await sftp.get(side.remote(), f"{side.scratch}/down")
            status = await sftp.stat(side.remote())
            space = await sftp.statvfs("/")
            errors = [await raised_async(sftp.stat("/no/such")), await raised_async(sftp.mkdir("/tmp")), await raised_async(sftp.rmdir("/tmp/..//etc"))]
            names = sorted(name for name in await sftp.listdir("/") if name in ("bin", "etc", "tmp"))
            version = sftp.version
        await asyncssh.scp((connection, side.remote()), f"{side.scratch}/again")
        await connection.run(f"rm {side.remote()}")
        return {"same": side.read("down") == data and side.read("again") == data, "status": [status.size, status.permissions, status.uid],
                "space": space.bsize > 0, "errors": errors, "names": names, "version": version}
    return connected(side, work)


@row("python", "AsyncSSH", "forwardings", "what is raised", errors=re.compile("Connection refused"))
def asyncssh_forward(side):
    async def work(connection):
        with Closed() as closed:
            side.hide(str(closed), "CLOSED")
            side.hide(str(side.server.port), "TAKEN")
            errors = [await raised_async(connection.open_connection("127.0.0.1", closed)), await raised_async(connection.open_unix_connection("/run/no-such")),
                      await raised_async(connection.forward_remote_port("127.0.0.1", side.server.port, "127.0.0.1", 1)),
                      await raised_async(connection.forward_remote_path("/no/such/folder/s", "/x"))]
            return {"errors": side.mask("\n".join(errors))}
    return connected(side, work)


@row("python", "AsyncSSH", "each algorithm forced", "exit status, outputs, algorithms", exits=[7])
def asyncssh_forced(side):
    known = {name.decode() for names in (get_kex_algs(), get_encryption_algs(), get_mac_algs()) for name in names}
    choices = [{"kex_algs": [one]} for one in KEX if one in known] + [{"server_host_key_algs": [one]} for one in HOST_KEYS]
    choices += [{"encryption_algs": [one]} for one in CIPHERS if one in known]
    choices += [{"encryption_algs": ["aes128-ctr"], "mac_algs": [one]} for one in MACS if one in known]

    async def work(connection):
        return outcome(await connection.run(SCRIPT))
    answers = [connected(side, work, **choice) for choice in choices]
    return {"exits": sorted({one["exit"] for one in answers}), "answers": answers, "count": len(choices),
            "negotiated": [side.negotiated(n) for n in range(len(choices))]}


