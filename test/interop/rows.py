"""A row of the matrix: one client doing one thing, once to sshd and once to SandTrap.

A row's function gets a Side and returns what the client's user would have noticed, as a dictionary.
Both dictionaries must be equal, and sshd's must contain what the row expects: a client that fails in
the same way with both has shown nothing.
"""
import dataclasses
import difflib
import os
import re
import struct
import subprocess
import tempfile
import typing

import kexinit
from relay import Door
from servers import PASSWORD, USER, WRONG

ROWS = []
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclasses.dataclass
class Row:
    group: str
    client: str
    feature: str
    compared: str
    expect: dict
    run: typing.Callable
    strict: bool  # against the default-like honeypot: keys are refused, guesses count

    @property
    def name(self):
        return f"{self.client}: {self.feature}"


def row(group, client, feature, compared, strict=False, **expect):
    def keep(run):
        ROWS.append(Row(group, client, feature, compared, expect, run, strict))
        return run
    return keep


class Side:
    """One server as a row sees it."""

    def __init__(self, server, material, row_, source):
        self.server, self.material, self.source = server, material, source
        self.slug = re.sub(r"[^a-z0-9]+", "-", row_.name.lower()).strip("-")
        self.scratch = tempfile.mkdtemp(prefix="row-", dir=material.base)
        self.secrets, self.doors = {}, []
        self.door = self.new_door()
        self.port = self.door.port

    def new_door(self):
        door = Door(self.server.port, self.source)
        self.doors.append(door)
        self.hide(str(door.port), "PORT")
        return door

    def hide(self, text, name):
        """What differs between two runs of the same client has a name instead."""
        self.secrets[text] = name

    def mask(self, data):
        text = data.decode(errors="backslashreplace") if isinstance(data, bytes) else data
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = re.sub(rf"(?<![0-9]){re.escape(secret)}(?![0-9])", self.secrets[secret], text)
        return text.replace(self.scratch, "DIR")

    def file(self, name, data=b""):
        path = os.path.join(self.scratch, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    def read(self, name):
        path = os.path.join(self.scratch, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()

    def remote(self, name="file"):
        return f"/tmp/{self.slug}.{name}"

    def environment(self, password=PASSWORD, **more):
        return {"HOME": self.scratch, "PATH": PATH, "LC_ALL": "C.UTF-8", "SSH_ASKPASS": str(self.material.askpass),
                "SSH_ASKPASS_REQUIRE": "force", "ASKPASS_ANSWER": password, **more}

    def program(self, argv, stdin=b"", password=PASSWORD, timeout=40, **environment):
        done = subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, timeout=timeout, cwd=self.scratch,
                              env=self.environment(password, **environment), start_new_session=True)
        return {"exit": done.returncode, "stdout": self.mask(done.stdout), "stderr": self.mask(done.stderr)}

    def negotiated(self, index=0):
        try:
            return kexinit.negotiated(self.door.transcript()[index])
        except (IndexError, ValueError, struct.error):  # it left before
            return None

    def close(self):
        for door in self.doors:
            door.close()


def compare(row_, sides):
    """Problems, as lines; none if the row is green."""
    real, ours = (side_answer(row_, side) for side in sides)
    problems = [f"sshd: {key} is {real.get(key)!r}, the row needs {value!r}" for key, value in row_.expect.items()
                if not satisfies(real.get(key), value)]
    for key in sorted(real.keys() | ours.keys()):
        if real.get(key) != ours.get(key):
            problems += [f"{key}:", *difference(real.get(key), ours.get(key))]
    return problems


def difference(real, ours):
    if isinstance(real, str) and isinstance(ours, str) and "\n" in real + ours:
        lines = difflib.unified_diff(real.splitlines(), ours.splitlines(), "sshd", "sandtrap", lineterm="", n=1)
        return ["  " + repr(line)[1:-1][:300] for line in lines]
    return [f"  sshd     {real!r}"[:2000], f"  sandtrap {ours!r}"[:2000]]


def satisfies(value, wanted):
    return wanted.search(str(value)) is not None if isinstance(wanted, re.Pattern) else value == wanted


def side_answer(row_, side):
    try:
        answer = row_.run(side)
        if "negotiated" not in answer:
            answer["negotiated"] = side.negotiated()
        return answer
    finally:
        side.close()


__all__ = ["PASSWORD", "ROWS", "USER", "WRONG", "Row", "Side", "compare", "row"]
