"""Probes behind encryption: name -> function(client, key) that drives a fresh connection."""
from wire import string, u32

WINDOW, PACKET = 2097152, 32768


def pause(client, seconds=0.3):
    client.pull(seconds)


def request(user, service, method, rest=b""):
    return b"\x32" + string(user) + string(service) + string(method) + rest


def channel(client, number=0, kind="session", window=WINDOW, size=PACKET, rest=b""):
    client.send(b"\x5a" + string(kind) + u32(number) + u32(window) + u32(size) + rest)


def ask(client, kind, rest=b"", number=0, reply=1):
    client.send(b"\x62" + u32(number) + string(kind) + bytes([reply]) + rest)


def pty(client, number=0, modes=b"\0", reply=1):
    ask(client, "pty-req", string("xterm") + u32(80) + u32(24) + u32(0) + u32(0) + string(modes), number, reply)


def transport():
    """After the key exchange, before any service."""
    kinds = [0, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 30, 31, 33, 34, 40, 49, 50, 51, 52, 60, 61, 63, 80, 81, 90, 91, 93, 94, 96, 97, 98, 99, 100, 127, 128, 192, 193, 200, 255]
    for kind in kinds:
        def probe(client, key, kind=kind):
            client.send(bytes([kind]) + (string("x") if kind == 2 else b""))
            pause(client)
        yield f"transport type {kind}", probe
    bad = {"pad 0": {"pad": 0}, "length 0": {"length": 0}, "length 7": {"length": 7}, "length huge": {"length": 300000}, "mac": {"break_mac": True}, "length odd": {"length": 21}}
    for name, how in bad.items():
        def probe(client, key, how=how):
            client.send(b"\x05" + string("ssh-userauth"), **how)
            pause(client)
        yield f"transport {name}", probe
    for name in ("ssh-userauth", "ssh-connection", "", "x" * 300, "ssh-userauth\0"):
        def probe(client, key, name=name):
            client.send(b"\x05" + string(name))
            pause(client)
            client.send(b"\x05" + string(name))
            pause(client)
        yield f"service {name[:20]!r}", probe

    def ext_info(client, key):
        client.send(b"\x07" + u32(1) + string("ext-info-in-auth@openssh.com") + string("0"))
        client.service()
    yield "client ext-info", ext_info

    def early_rekey(client, key):
        from wire import kexinit
        client.send(kexinit())
        pause(client)
    yield "rekey before authentication", early_rekey


def authentication():
    blob = string("ssh-ed25519") + string(b"\x07" * 32)
    rsa = string("ssh-rsa") + string(b"\x01\0\x01") + string(b"\0" + b"\xa5" * 256)
    tries = {
        "none": ("none", b""), "unknown": ("foo", b""), "empty method": ("", b""), "keyboard-interactive": ("keyboard-interactive", string("") + string("")),
        "hostbased": ("hostbased", b""), "gssapi": ("gssapi-with-mic", u32(0)), "empty password": ("password", b"\0" + string("")),
        "change password": ("password", b"\1" + string("a") + string("b")), "long password": ("password", b"\0" + string("a" * 1025)),
        "query": ("publickey", b"\0" + string("ssh-ed25519") + string(blob)), "query wrong alg": ("publickey", b"\0" + string("rsa-sha2-256") + string(blob)),
        "query unknown alg": ("publickey", b"\0" + string("foo") + string(blob)), "query garbage": ("publickey", b"\0" + string("ssh-ed25519") + string(b"garbage")),
        "query rsa": ("publickey", b"\0" + string("rsa-sha2-256") + string(rsa)), "query ssh-rsa": ("publickey", b"\0" + string("ssh-rsa") + string(rsa)),
        "query trailing": ("publickey", b"\0" + string("ssh-ed25519") + string(blob) + b"x"), "query truncated": ("publickey", b"\0" + string("ssh-ed25519")),
        "bad signature": ("publickey", b"\1" + string("ssh-ed25519") + string(blob) + string(string("ssh-ed25519") + string(b"\0" * 64))),
        "password truncated": ("password", b"\0"), "password trailing": ("password", b"\0" + string("") + b"x"), "query cert": ("publickey", b"\0" + string("ssh-ed25519-cert-v01@openssh.com") + string(blob)),
        "hostbound": ("publickey-hostbound-v00@openssh.com", b"\0" + string("ssh-ed25519") + string(blob) + string(blob)),
    }
    for user in ("root", "no-such-user"):
        for name, (method, rest) in tries.items():
            def probe(client, key, user=user, method=method, rest=rest):
                client.service()
                client.send(request(user, "ssh-connection", method, rest))
                pause(client, 1)
            yield f"auth {user} {name}", probe

    def before_service(client, key):
        client.send(request("root", "ssh-connection", "none"))
        pause(client)
    yield "auth before service", before_service

    def change_user(client, key):
        client.service()
        client.send(request("root", "ssh-connection", "none"))
        pause(client)
        client.send(request("other", "ssh-connection", "none"))
        pause(client)
    yield "auth change of user", change_user

    def change_service(client, key):
        client.service()
        client.send(request("root", "ssh-connection", "none"))
        pause(client)
        client.send(request("root", "foo", "none"))
        pause(client)
    yield "auth change of service", change_service

    def other_service(client, key):
        client.service()
        client.send(request("root", "foo", "none"))
        pause(client)
    yield "auth other service", other_service

    def style(client, key):
        client.service()
        client.send(request("root:skey", "ssh-connection", "none"))
        pause(client)
        client.send(request("root", "ssh-connection", "none"))
        pause(client)
    yield "auth style", style

    def seven(client, key, first):
        client.service()
        for i in range(9):
            client.send(request("root", "ssh-connection", first if i == 0 else "foo"))
            pause(client, 0.15)
    yield "auth nine unknown", lambda c, k: seven(c, k, "foo")
    yield "auth none then unknown", lambda c, k: seven(c, k, "none")

    def empty_user(client, key):
        client.service()
        client.send(request("", "ssh-connection", "none"))
        pause(client)
    yield "auth empty user", empty_user

    def after(client, key):
        client.login(key)
        client.send(request("root", "ssh-connection", "none"))
        client.send(b"\x05" + string("ssh-userauth"))
        pause(client)
    yield "auth after success", after


def global_requests():
    asks = {"unknown": ("foo@bar", b""), "keepalive": ("keepalive@openssh.com", b""), "no-more-sessions": ("no-more-sessions@openssh.com", b""),
            "cancel": ("cancel-tcpip-forward", string("") + u32(1)), "prove unknown": ("hostkeys-prove-00@openssh.com", string(b"x")),
            "prove nothing": ("hostkeys-prove-00@openssh.com", b""), "hostkeys": ("hostkeys-00@openssh.com", b""), "empty": ("", b"")}
    for name, (kind, rest) in asks.items():
        for reply in (0, 1):
            def probe(client, key, kind=kind, rest=rest, reply=reply):
                client.login(key)
                pause(client)
                client.send(b"\x50" + string(kind) + bytes([reply]) + rest)
                pause(client)
            yield f"global {name} {reply}", probe

    def prove(client, key):
        client.login(key)
        pause(client)
        client.send(b"\x50" + string("hostkeys-prove-00@openssh.com") + b"\1" + string(client.host_key))
        pause(client)
    yield "global prove", prove

    def truncated(client, key):
        client.login(key)
        pause(client)
        client.send(b"\x50" + u32(20) + b"x")
        pause(client)
    yield "global truncated", truncated

    def no_more(client, key):
        client.login(key)
        pause(client)
        client.send(b"\x50" + string("no-more-sessions@openssh.com") + b"\0")
        channel(client)
        pause(client)
    yield "session after no-more-sessions", no_more


def channels():
    def opened(steps):
        def probe(client, key):
            client.login(key)
            pause(client)
            channel(client)
            pause(client)
            steps(client)
            pause(client, 0.6)
        return probe

    for kind in ("session", "x11", "forwarded-tcpip", "auth-agent@openssh.com", "foo", ""):
        def probe(client, key, kind=kind):
            client.login(key)
            pause(client)
            channel(client, kind=kind)
            pause(client)
        yield f"open {kind}", probe

    def tun(client, key):
        client.login(key)
        pause(client)
        channel(client, kind="tun@openssh.com", rest=u32(1) + u32(0))
        pause(client)
    yield "open tun", tun

    def eleven(client, key):
        client.login(key)
        pause(client)
        for i in range(12):
            channel(client, i)
        pause(client)
    yield "open twelve", eleven

    def truncated(client, key):
        client.login(key)
        pause(client)
        client.send(b"\x5a" + string("session") + u32(0))
        pause(client)
    yield "open truncated", truncated

    asks = {"unknown": ("foo", b""), "keepalive": ("keepalive@openssh.com", b""), "eow": ("eow@openssh.com", b""), "window-change": ("window-change", u32(1) * 4),
            "signal": ("signal", string("TERM")), "break": ("break", u32(500)), "env LANG": ("env", string("LANG") + string("C")), "env other": ("env", string("FOO") + string("C")),
            "env LC_X": ("env", string("LC_X") + string("C")), "subsystem unknown": ("subsystem", string("foo")), "exit-status": ("exit-status", u32(0)),
            "xon-xoff": ("xon-xoff", b"\1"), "exec truncated": ("exec", u32(100)), "pty truncated": ("pty-req", string("xterm")), "env truncated": ("env", string("LANG")),
            "shell trailing": ("shell", b"x")}
    for name, (kind, rest) in asks.items():
        for reply in (0, 1):
            yield f"request {name} {reply}", opened(lambda c, kind=kind, rest=rest, reply=reply: ask(c, kind, rest, reply=reply))
    yield "second pty", opened(lambda c: (pty(c), pty(c)))
    yield "pty", opened(pty)
    yield "pty bad modes", opened(lambda c: pty(c, modes=b"\x01"))
    yield "pty no end", opened(lambda c: pty(c, modes=b""))
    yield "pty then break", opened(lambda c: (pty(c), ask(c, "break", u32(500))))

    def started(command, steps=lambda c: None, before=lambda c: None, seconds=0.6):
        def run(c):
            before(c)
            ask(c, "exec", string(command))
            c.pull(seconds)
            steps(c)
        return opened(run)

    yield "exec again", started("sleep 2", lambda c: ask(c, "exec", string("true")))
    yield "shell on started", started("sleep 2", lambda c: ask(c, "shell"))
    yield "env on started", started("sleep 2", lambda c: ask(c, "env", string("LANG") + string("C")))
    yield "pty on started", started("sleep 2", pty)
    yield "window-change on started", started("sleep 2", lambda c: ask(c, "window-change", u32(1) * 4))
    yield "signal unknown on started", started("sleep 2", lambda c: ask(c, "signal", string("FOO")))
    yield "signal TERM on started", started("sleep 5", lambda c: ask(c, "signal", string("TERM")))
    yield "exec true", started("true")
    yield "exec false", started("false")
    yield "exec echo", started("echo out")
    yield "exec err", started("echo err >&2")
    yield "exec exit 7", started("exit 7")
    yield "exec kill TERM", started("kill -TERM $$")
    yield "exec kill KILL", started("kill -KILL $$")
    yield "exec kill BUS", started("kill -BUS $$")
    yield "exec missing", started("/no/such")
    yield "exec without reply", opened(lambda c: ask(c, "exec", string("echo x"), reply=0))
    yield "exec cat, EOF", started("cat", lambda c: c.send(b"\x60" + u32(0)))
    yield "exec cat, data, EOF", started("cat", lambda c: (c.send(b"\x5e" + u32(0) + string("hello")), c.pull(0.3), c.send(b"\x60" + u32(0))))
    yield "exec, CLOSE", started("sleep 1", lambda c: (c.send(b"\x61" + u32(0)), c.pull(1.5)))
    yield "exec true, CLOSE back", started("true", lambda c: c.send(b"\x61" + u32(0)))
    yield "exec true, CLOSE back, open again", started("true", lambda c: (c.send(b"\x61" + u32(0)), channel(c, 5)))
    yield "extended data from the client", started("cat", lambda c: (c.send(b"\x5f" + u32(0) + u32(1) + string("x")), c.send(b"\x60" + u32(0))))
    yield "data over the packet size", started("cat", lambda c: (c.send(b"\x5e" + u32(0) + string("x" * 40000)), c.pull(0.3), c.send(b"\x60" + u32(0))))
    yield "200 kB up", started("wc -c", lambda c: ([c.send(b"\x5e" + u32(0) + string("x" * 32768)) for _ in range(6)], c.pull(0.3), c.send(b"\x60" + u32(0))))
    yield "data before start", opened(lambda c: (c.send(b"\x5e" + u32(0) + string("early")), ask(c, "exec", string("wc -c")), c.pull(0.4), c.send(b"\x60" + u32(0))))

    strays = {"data": b"\x5e" + u32(9) + string("x"), "extended": b"\x5f" + u32(9) + u32(1) + string("x"), "eof": b"\x60" + u32(9), "close": b"\x61" + u32(9),
              "adjust": b"\x5d" + u32(9) + u32(1), "request": b"\x62" + u32(9) + string("shell") + b"\1", "eof truncated": b"\x60", "close truncated": b"\x61\0",
              "confirm": b"\x5b" + u32(9) * 4, "failure": b"\x5c" + u32(9) + u32(1) + string("") + string(""), "success": b"\x63" + u32(0), "failed": b"\x64" + u32(0),
              "request success": b"\x51", "request failure": b"\x52", "pong": b"\xc1" + string("x"), "ping": b"\xc0" + string("x"), "type 101": b"\x65",
              "adjust huge": b"\x5d" + u32(0) + u32(0xFFFFFFFF), "adjust truncated": b"\x5d" + u32(0)}
    for name, payload in strays.items():
        yield f"stray {name}", opened(lambda c, payload=payload: c.send(payload))

    def rekey(client, key):
        client.login(key)
        pause(client)
        client.kex()
        channel(client)
        pause(client)
        ask(client, "exec", string("echo x"))
        pause(client, 0.6)
    yield "rekey then exec", rekey

    def half(client, key):
        client.login(key)
        pause(client)
        client.wire.half_close()
        pause(client)
    yield "half-close after login", half

    def bye(client, key):
        client.login(key)
        pause(client)
        client.send(b"\x01" + u32(11) + string("disconnected by user") + string(""))
        pause(client)
    yield "disconnect after login", bye
    for user, port in (("127.0.0.1", 70000), ("127.0.0.1", 1)):
        def direct(client, key, user=user, port=port):
            client.login(key)
            pause(client)
            channel(client, kind="direct-tcpip", rest=string(user) + u32(port) + string("127.0.0.1") + u32(1))
            pause(client, 1)
        yield f"direct-tcpip port {port}", direct


def all_probes():
    yield from transport()
    yield from authentication()
    yield from global_requests()
    yield from channels()
