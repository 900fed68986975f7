"""The text of ssh's configuration: a block a host, and the one Include line in the user's own file.

Sources: ssh_config(5) of OpenSSH 9.2; for Windows how its port starts a ProxyCommand (PowerShell/openssh-portable,
contrib/win32/win32compat/w32fd.c, 2025): by CreateProcess, without a shell, so neither "&&" nor %VAR%, the program's
full path with ".exe"; no file descriptors can be passed and ControlMaster does not exist.
"""

from collections.abc import Sequence
from typing import NamedTuple

INCLUDED = "ipwatch.conf"
HEADER = "# Written by `ipwatch ssh-config --install`, which replaces it: changes made here are lost."
_WHOSE = "# From ipwatch; `ipwatch ssh-config --uninstall` takes this line and the next away."
_WHOSE_FILE = "# From ipwatch, which made this file; `ipwatch ssh-config --uninstall` takes it away."
_ALIVE_INTERVAL = 10  # seconds; with three unanswered ones a dead connection ends within 40 s
_ALIVE_COUNT = 3
_PATIENCE = 60  # seconds ssh waits for a host that is awake, or beyond the boot of one that is not
_SHELL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")


class BadPath(ValueError):
    """A path can not be written into ssh's configuration; str() is a clause."""


class Entry(NamedTuple):
    """One host. user: "" for ssh's own choice. boot: seconds a wake may take, 0 without one."""

    name: str
    user: str = ""
    port: int = 22
    identities: tuple[str, ...] = ()
    boot: int = 0


class Machine(NamedTuple):
    """Where the configuration is used.

    windows: Microsoft's port of OpenSSH. program: the words that start ipwatch, the first with its full path.
    config: the laptop.toml that is named to it, "" for none. known_hosts: files of pinned keys.
    """

    windows: bool
    program: tuple[str, ...]
    known_hosts: tuple[str, ...]
    config: str = ""


def file_text(entries: Sequence[Entry], machine: Machine) -> str:
    """The whole included file; raises BadPath."""
    return "\n".join([HEADER + "\n", *(block(entry, machine) for entry in entries)])


def block(entry: Entry, machine: Machine) -> str:
    """One host's block.

    HostName is never looked up, because a ProxyCommand makes the connection; it is what ssh's messages show. No key
    but a pinned one counts: neither the system's file, nor DNS, nor a key that the server offers for later.
    """
    settings = [
        ("HostName", entry.name),
        *([("User", entry.user)] if entry.user else []),
        ("Port", str(entry.port)),
        *(("IdentityFile", _word(path, machine)) for path in entry.identities),
        ("HostKeyAlias", entry.name),
        ("UserKnownHostsFile", " ".join(_word(path, machine) for path in machine.known_hosts)),
        ("GlobalKnownHostsFile", "/dev/null"),  # Windows' port knows it, too
        ("StrictHostKeyChecking", "yes"),
        ("CheckHostIP", "no"),
        ("VerifyHostKeyDNS", "no"),
        ("UpdateHostKeys", "no"),
        ("ServerAliveInterval", str(_ALIVE_INTERVAL)),
        ("ServerAliveCountMax", str(_ALIVE_COUNT)),
        ("ConnectTimeout", str(entry.boot + _PATIENCE)),
        *([("ControlMaster", "no"), ("ControlPath", "none")] if machine.windows else [("ProxyUseFdpass", "yes")]),
        ("ProxyCommand", proxy_command(entry.name, machine)),
    ]
    return f"Host {entry.name}\n" + "".join(f"    {key} {value}\n" for key, value in settings)


def proxy_command(name: str, machine: Machine) -> str:
    """The line ssh runs. The host's name stands in it, not %n: nothing that was typed reaches a shell."""
    words = [*machine.program, "proxy", *(() if machine.windows else ("--pass-fd",))]
    words += ["--config", machine.config] if machine.config else []
    quote = _windows_quoted if machine.windows else _shell_quoted
    return " ".join(quote(_printable(word)) for word in [*words, name]).replace("%", "%%")


def _shell_quoted(word: str) -> str:
    """For the user's shell, which runs the command (sh, csh and fish read this the same way)."""
    return word if word and set(word) <= _SHELL else "'" + word.replace("'", "'\"'\"'") + "'"


def _windows_quoted(word: str) -> str:
    """For CreateProcess. A path there holds no quotation mark; a backslash before one must be doubled."""
    if '"' in word:
        raise BadPath(f"{word} holds a quotation mark")
    if word and set(word) <= _SHELL:
        return word
    return '"' + word + "\\" * (len(word) - len(word.rstrip("\\"))) + '"'


def _word(path: str, machine: Machine) -> str:
    """A path as an argument of an option that knows percent signs and ${VARIABLES}."""
    path = _printable(path)
    if "${" in path:
        raise BadPath(f"{path} holds ${{, which ssh reads as a variable")
    if machine.windows:
        path = path.replace("\\", "/")  # a backslash would be an escape
    path = path.replace("%", "%%")
    if set(path) <= _SHELL:
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _printable(path: str) -> str:
    if not path.isprintable():
        raise BadPath(f"{path!r} holds a sign that can not be written")
    return path


def with_include(text: bytes | None, included: str = INCLUDED) -> bytes:
    """The user's file with our line before all Host and Match blocks, since inside one it would count for that alone.

    None: there is no file. A file that has the line in force already is given back as it is. included: a name below
    ~/.ssh, or a full path.
    """
    line = f'Include "{included}"' if set(included) - _SHELL else f"Include {included}"
    if text is None:
        return f"{_WHOSE_FILE}\n{line}\n".encode()
    if _in_force(text):
        return text
    rest = without_include(text) or b""
    end = b"\r\n" if rest.partition(b"\n")[0].endswith(b"\r") else b"\n"
    return b"".join(row.encode() + end for row in (_WHOSE, line)) + rest


def without_include(text: bytes) -> bytes | None:
    """The user's file without our two lines; None when ipwatch made it and nothing else is in it."""
    rows, kept, made = text.split(b"\n"), [], False
    while rows:
        row = rows.pop(0)
        if row.strip() in {_WHOSE.encode(), _WHOSE_FILE.encode()} and rows and _is_include(rows[0]):
            made = made or row.strip() == _WHOSE_FILE.encode()
            rows.pop(0)
            if not rows:  # the last line had no end
                kept.append(b"")
        else:
            kept.append(row)
    rest = b"\n".join(kept)
    return None if made and not rest else rest


def is_ours(text: bytes) -> bool:
    """Whether the included file was written by ipwatch."""
    return text.startswith(HEADER.encode())


def _in_force(text: bytes) -> bool:
    for row in text.split(b"\n"):
        words = _words(row)
        if words and words[0].lower() in {b"host", b"match"}:
            return False
        if _is_include(row):
            return True
    return False


def _is_include(row: bytes) -> bool:
    words = _words(row)
    names = (word.strip(b'"') for word in words[1:])
    return bool(words) and words[0].lower() == b"include" and any(n.endswith(INCLUDED.encode()) for n in names)


def _words(row: bytes) -> list[bytes]:
    return row.replace(b"=", b" ", 1).split()
