"""Forwardings, behind a login: what is answered, and which channel numbers are taken."""
from session_probes import ask, channel, pause, pty
from wire import string, u32

EOF, CLOSE = b"\x60", b"\x61"


def logged_in(steps):
    def probe(client, key):
        client.login(key)
        pause(client)
        steps(client)
        pause(client, 0.5)
    return probe


def direct(client, host, port, number=0, seconds=0.5):
    channel(client, number, "direct-tcpip", rest=string(host) + u32(port) + string("127.0.0.1") + u32(40000))
    pause(client, seconds)


def glob(client, kind, rest, reply=1):
    client.send(b"\x50" + string(kind) + bytes([reply]) + rest)
    pause(client, 0.2)


def to_ourselves():
    """direct-tcpip to the server's own port."""
    def own(steps=lambda c: None):
        return logged_in(lambda c: (direct(c, "127.0.0.1", c.port), steps(c)))
    yield "own port", own()
    yield "own port by name", logged_in(lambda c: direct(c, "localhost", c.port))
    yield "own port, EOF", own(lambda c: c.send(EOF + u32(0)))
    yield "own port, CLOSE", own(lambda c: c.send(CLOSE + u32(0)))
    yield "own port, request", own(lambda c: ask(c, "shell"))
    yield "own port, HTTP", own(lambda c: c.send(b"\x5e" + u32(0) + string("GET / HTTP/1.0\r\n\r\n")))
    yield "own port, old version", own(lambda c: c.send(b"\x5e" + u32(0) + string("SSH-1.5-x\r\n")))
    yield "own port, HTTP, CLOSE", own(lambda c: (c.send(b"\x5e" + u32(0) + string("GET\r\n")), pause(c), c.send(CLOSE + u32(0))))
    yield "own port twice, then a session", own(lambda c: (direct(c, "127.0.0.1", c.port, 1), channel(c, 2)))


def connections():
    for host, port in (("127.0.0.1", 1), ("localhost", 1), ("::1", 1), ("127.0.0.2", 1), ("0.0.0.0", 1), ("127.0.0.1", 0), ("127.0.0.1", 65536),
                       ("127.0.0.1", 0xFFFFFFFF), ("255.255.255.255", 80), ("fe80::1", 80), ("", 80), ("no such", 80)):
        yield f"direct-tcpip {host!r} {port}", logged_in(lambda c, h=host, p=port: direct(c, h, p))
    yield "direct-tcpip truncated", logged_in(lambda c: channel(c, 0, "direct-tcpip", rest=string("127.0.0.1") + u32(1)))
    yield "direct-tcpip trailing", logged_in(lambda c: channel(c, 0, "direct-tcpip", rest=string("127.0.0.1") + u32(1) + string("") + u32(1) + b"x"))
    yield "direct-tcpip refused, then a session", logged_in(lambda c: (direct(c, "127.0.0.1", 1), channel(c, 1)))
    for path in ("/no/such", "", "/etc/passwd", "/x" * 200):
        yield f"direct-streamlocal {path[:20]!r}", logged_in(
            lambda c, p=path: channel(c, 0, "direct-streamlocal@openssh.com", rest=string(p) + string("") + u32(0)))
    for mode in range(4):
        yield f"tun {mode}", logged_in(lambda c, m=mode: channel(c, 0, "tun@openssh.com", rest=u32(m) + u32(0x7FFFFFFF)))
    yield "tun truncated", logged_in(lambda c: channel(c, 0, "tun@openssh.com"))


def listeners():
    """Each on ports of its own: real sockets are bound."""
    def forward(*asks, session=False):
        def steps(client):
            for kind, host, offset in asks:
                port = client.free if offset == "free" else offset
                glob(client, kind, string(host) + u32(port))
            if session:
                channel(client)
        return logged_in(steps)
    add, cancel = "tcpip-forward", "cancel-tcpip-forward"
    for host in ("", "localhost", "*", "0.0.0.0", "127.0.0.1", "::1", "no.such.example", "no such", "192.0.2.1"):
        yield f"{add} {host!r}", forward((add, host, "free"), session=True)
        yield f"{add} {host!r}, twice", forward((add, host, "free"), (add, host, "free"))
        yield f"{add} {host!r}, cancel, session", forward((add, host, "free"), (cancel, host, "free"), (cancel, host, "free"), session=True)
        yield f"{add} {host!r}, cancel localhost", forward((add, host, "free"), (cancel, "localhost", "free"))
    yield f"{add} both loopbacks", forward((add, "127.0.0.1", "free"), (add, "::1", "free"), (add, "", "free"), session=True)
    yield f"{add} one, then all", forward((add, "127.0.0.1", "free"), (add, "", "free"), (cancel, "127.0.0.1", "free"), session=True)
    yield f"{add} own port", logged_in(lambda c: glob(c, add, string("localhost") + u32(c.port)))
    yield f"{add} without reply", logged_in(lambda c: (glob(c, add, string("") + u32(c.free), 0), channel(c)))
    yield f"{add} 0 without reply", logged_in(lambda c: glob(c, add, string("") + u32(0), 0))
    yield f"{add} truncated", logged_in(lambda c: glob(c, add, string("")))
    yield f"{add} trailing", logged_in(lambda c: glob(c, add, string("") + u32(c.free) + b"x"))
    yield f"{add} NUL", logged_in(lambda c: glob(c, add, string("a\0b") + u32(c.free)))
    yield f"{cancel} nothing", logged_in(lambda c: glob(c, cancel, string("") + u32(c.free)))


def unix_listeners():
    add, cancel = "streamlocal-forward@openssh.com", "cancel-streamlocal-forward@openssh.com"

    def unix(path, *kinds, session=False):
        def steps(client):
            for kind in kinds:
                glob(client, kind, string(path.format(client.free)))
            if session:
                channel(client)
        return logged_in(steps)
    yield f"{add}", unix("/tmp/sandtrap-fidelity-{}", add, cancel)
    yield f"{add} twice", unix("/tmp/sandtrap-fidelity-{}", add, add, cancel, cancel)
    yield f"{add}, session", unix("/tmp/sandtrap-fidelity-{}", add, cancel, session=True)
    yield f"{add}, taken number", unix("/tmp/sandtrap-fidelity-{}", add, session=True)
    yield f"{add} no folder", unix("/no/such/{}", add)
    yield f"{add} long", unix("/tmp/" + "x" * 110, add)
    yield f"{add} truncated", logged_in(lambda c: glob(c, add, u32(5)))


def agent_and_x11():
    def opened(steps):
        return logged_in(lambda c: (channel(c), pause(c, 0.2), steps(c)))

    def x11(client, protocol="MIT-MAGIC-COOKIE-1", cookie="00" * 16, reply=1, number=0):
        ask(client, "x11-req", b"\0" + string(protocol) + string(cookie) + u32(0), number, reply)
    agent = "auth-agent-req@openssh.com"
    yield "agent twice", opened(lambda c: (ask(c, agent), ask(c, agent)))
    yield "agent without reply", opened(lambda c: ask(c, agent, reply=0))
    yield "agent trailing", opened(lambda c: ask(c, agent, b"x"))
    yield "agent takes a number", opened(lambda c: (ask(c, agent), channel(c, 1)))
    yield "agent in the environment", opened(lambda c: (ask(c, agent), ask(c, "exec", string("echo $SSH_AUTH_SOCK | sed 's|ssh-[A-Za-z0-9]\\{10\\}/|ssh-X/|; s|[0-9]*$|PID|'"))))
    yield "no agent in the environment", opened(lambda c: ask(c, "exec", string("echo \"<$SSH_AUTH_SOCK>\"")))
    yield "agent of another channel", opened(lambda c: (ask(c, agent), channel(c, 1), pause(c, 0.2), ask(c, agent, number=2)))
    yield "x11", opened(x11)
    yield "x11 without reply", opened(lambda c: x11(c, reply=0))
    yield "x11 bad cookie", opened(lambda c: x11(c, cookie="0;0"))
    yield "x11 bad protocol", opened(lambda c: x11(c, protocol="a b"))
    yield "x11 truncated", opened(lambda c: ask(c, "x11-req", b"\0"))
    yield "x11 in the environment", opened(lambda c: (x11(c), ask(c, "exec", string("echo \"<$DISPLAY>\""))))


def numbers():
    """When a channel's number is free again: not before the next round of sshd's loop."""
    def one_piece(*payloads):
        def steps(client):
            client.wire.send(b"".join(client.seal_next(p) for p in payloads))
        return logged_in(lambda c: (channel(c), pause(c, 0.2), steps(c)))
    opening = b"\x5a" + string("session") + u32(1) + u32(2097152) + u32(32768)
    yield "close and open in one piece", one_piece(CLOSE + u32(0), opening)
    yield "close twice in one piece", one_piece(CLOSE + u32(0), CLOSE + u32(0))
    yield "close, data in one piece", one_piece(CLOSE + u32(0), b"\x5e" + u32(0) + string("x"))
    yield "close, request in one piece", one_piece(CLOSE + u32(0), b"\x62" + u32(0) + string("shell") + b"\1")
    yield "close, then open", logged_in(lambda c: (channel(c), pause(c, 0.2), c.send(CLOSE + u32(0)), pause(c, 0.2), channel(c, 1)))
    yield "close, then close", logged_in(lambda c: (channel(c), pause(c, 0.2), c.send(CLOSE + u32(0)), pause(c, 0.2), c.send(CLOSE + u32(0))))

    def many(client):
        for i in range(10):
            channel(client, i)
        pause(client, 0.3)
        client.send(CLOSE + u32(3))
        client.send(CLOSE + u32(7))
        pause(client, 0.2)
        for i in range(10, 13):
            channel(client, i)
    yield "ten, two closed, three more", logged_in(many)


def programs():
    """Rhythm and shape of data."""
    def run(command, *steps, terminal=False):
        def go(client):
            channel(client)
            if terminal:
                pty(client)
            ask(client, "exec", string(command))
            pause(client, 0.6)
            for step in steps:
                step(client)
                pause(client, 0.3)
        return logged_in(go)
    yield "500 kB down", run("head -c 500000 /dev/zero | tr '\\0' x")
    yield "a small window", logged_in(lambda c: (channel(c, window=1000, size=300), ask(c, "exec", string("head -c 5000 /dev/zero | tr '\\0' x"))))
    yield "a small packet size", logged_in(lambda c: (channel(c, size=100), ask(c, "exec", string("head -c 1000 /dev/zero | tr '\\0' x"))))
    yield "the program closes its input", run("exec <&-; sleep 0.3; echo x", lambda c: c.send(b"\x5e" + u32(0) + string("y" * 100)))
    yield "the program closes its output", run("exec >&- 2>&-; sleep 0.5")
    yield "signals", run("trap 'echo usr1; exit 3' USR1; while :; do sleep 0.05; done", lambda c: ask(c, "signal", string("USR1")))
    yield "signal after the end", run("true", lambda c: ask(c, "signal", string("TERM")))
    yield "signal on a subsystem", logged_in(lambda c: (channel(c), ask(c, "subsystem", string("sftp")), pause(c), ask(c, "signal", string("TERM"))))
    yield "break on a program", run("sleep 1", lambda c: ask(c, "break", u32(500)))
    yield "break on a terminal", run("sleep 1", lambda c: ask(c, "break", u32(500)), terminal=True)
    yield "break truncated", run("sleep 1", lambda c: ask(c, "break", b"\0"), terminal=True)
    yield "client EOF on a terminal", run("cat", lambda c: c.send(EOF + u32(0)), terminal=True)
    yield "EOF twice", run("cat; sleep 0.3", lambda c: (c.send(EOF + u32(0)), c.send(EOF + u32(0))))
    yield "data behind EOF", run("cat; sleep 0.3", lambda c: (c.send(EOF + u32(0)), c.send(b"\x5e" + u32(0) + string("late"))))
    yield "eow", run("sleep 0.3; echo x; sleep 0.3", lambda c: ask(c, "eow@openssh.com", reply=0))
    for n in (1, 3, 4, 5, 12):
        yield f"{n} packets up", run("cat >/dev/null", lambda c, n=n: [c.send(b"\x5e" + u32(0) + string("x" * 32768)) for _ in range(n)])
    yield "2 MB up", run("wc -c", lambda c: [c.send(b"\x5e" + u32(0) + string("x" * 32768)) for _ in range(62)], lambda c: c.send(EOF + u32(0)))

    def half_closed(client):
        channel(client)
        ask(client, "exec", string("sleep 2; echo x"))
        client.expect(99)
        client.wire.half_close()
    yield "half-close with a program", logged_in(half_closed)


def all_probes():
    for part in (to_ourselves, connections, listeners, unix_listeners, agent_and_x11, numbers, programs):
        for name, probe in part():
            yield f"{part.__name__}: {name}", probe
