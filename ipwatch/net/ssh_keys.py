"""Private key files, their public halves and certificates: what can be tried in a login, in ssh's order."""

import base64
import binascii
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paramiko import ECDSAKey, Ed25519Key, RSAKey
from paramiko.pkey import PKey
from paramiko.ssh_exception import SSHException

from ipwatch.core.host import BadKey, HostKey
from ipwatch.net.ssh_agent import AgentKey

CERT = "-cert-v01@openssh.com"
_MAGIC = b"openssh-key-v1\0"  # OpenSSH's PROTOCOL.key
_ARMOUR = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_PEM = {"RSA ": "ssh-rsa", "EC ": "ecdsa-sha2-nistp256", "OPENSSH ": ""}


class KeyFault(Exception):
    """The file can not be used; str() is a clause that names it."""


class BadPassphrase(Exception):
    """The passphrase does not open the file."""


class Identity(NamedTuple):
    """A private key file. public: None when it is known only with the passphrase. text: "" when there is only the
    public half, whose private one may be in an agent."""

    path: Path
    public: HostKey | None
    certificate: HostKey | None
    text: str
    locked: bool


class Credential(NamedTuple):
    """One thing to try. public: what the server is asked about, None when it is not known yet. in_agent: the agent
    signs with this key; else the file does."""

    label: str
    public: HostKey | None
    in_agent: bytes | None
    identity: Identity | None


def read(path: Path) -> Identity:
    """Read a private key file; raises KeyFault. FileNotFoundError passes when there is no public half either."""
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise KeyFault(f"{path} can not be read: {(error.strerror or str(error)).lower()}") from None
    beside = _public(Path(f"{path}.pub"))
    certificate = _public(Path(f"{path}-cert.pub"))
    if not text:
        if beside is None:
            raise FileNotFoundError(path)
        return Identity(path, beside, certificate, "", locked=False)
    if (listed := _line(text)) is not None:
        return Identity(path, listed, certificate, "", locked=False)
    public, locked = _inside(path, text)
    return Identity(path, public or beside, certificate, text, locked)


def _public(path: Path) -> HostKey | None:
    try:
        return _line(path.read_text("utf-8", "replace"))
    except OSError:
        return None


def _line(text: str) -> HostKey | None:
    try:
        return HostKey.parse(text)
    except BadKey:
        return None


def _inside(path: Path, text: str) -> tuple[HostKey | None, bool]:
    """The public half as far as the file shows it, and whether a passphrase is needed."""
    found = _ARMOUR.search(text)
    if found is None:
        raise KeyFault(f"{path} is no private key")
    if found[1] not in _PEM:
        raise KeyFault(f"{path} is in a form only OpenSSL uses: `ssh-keygen -p -f {path}` rewrites it")
    if found[1] != "OPENSSH ":
        return None, "ENCRYPTED" in found[2]
    try:
        content = base64.b64decode("".join(found[2].split()), validate=True)
        if not content.startswith(_MAGIC):
            raise ValueError
        fields = _Fields(content[len(_MAGIC) :])
        cipher, _kdf, _options, _count = fields.text(), fields.text(), fields.text(), fields.number()
        blob = fields.text()
        kind = _Fields(blob).text().decode("ascii")
    except (binascii.Error, ValueError):
        raise KeyFault(f"{path} is damaged") from None
    if kind.startswith("sk-"):
        raise KeyFault(f'{path} is a hardware key, which needs engine = "openssh"')
    return HostKey(kind, blob), cipher != b"none"


class _Fields:
    """Takes RFC 4251 5 fields apart; raises ValueError where they are too short."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def text(self) -> bytes:
        return self._take(self.number())

    def _take(self, size: int) -> bytes:
        piece = self._content[self._at : self._at + size]
        if len(piece) < size:
            raise ValueError
        self._at += size
        return piece


def unlock(identity: Identity, passphrase: str | None) -> PKey:
    """The private key; raises BadPassphrase or KeyFault."""
    kind = identity.public.kind if identity.public else ""
    found = _ARMOUR.search(identity.text)
    kind = kind or (_PEM[found[1]] if found else "")
    reader: type[RSAKey | Ed25519Key | ECDSAKey]
    reader = RSAKey if kind == "ssh-rsa" else Ed25519Key if kind == "ssh-ed25519" else ECDSAKey
    if not kind.startswith(("ssh-rsa", "ssh-ed25519", "ecdsa-")):
        raise KeyFault(f"{identity.path} is a key of type {kind[:40]}, which this engine can not use")
    try:
        return reader.from_private_key(io.StringIO(identity.text), passphrase)
    except (SSHException, ValueError, TypeError, IndexError) as error:
        if identity.locked:
            raise BadPassphrase from None
        raise KeyFault(f"{identity.path} can not be used: {str(error)[:80] or 'it is damaged'}") from None


def credentials(identities: Sequence[Identity], agent: Sequence[AgentKey], *, only: bool) -> list[Credential]:
    """What to try, in the order of ssh (sshconnect2.c, pubkey_prepare, OpenSSH 9.2): certificates, then the agent's
    keys that are configured, then its others unless `only`, then keys that are in files alone."""
    held = {key.blob: key for key in agent}
    tried: dict[bytes, Credential] = {}
    for one in identities:
        if one.certificate is not None:
            key = one.certificate if one.certificate.blob in held else one.public
            signer = key.blob if key and key.blob in held else None
            if signer or one.text:
                label = f"{one.path}-cert.pub"
                tried[one.certificate.blob] = Credential(label, one.certificate, signer, one)
    for one in identities:
        if one.public is not None and one.public.blob in held:
            tried.setdefault(one.public.blob, Credential(str(one.path), one.public, one.public.blob, one))
    for key_ in () if only else agent:
        public = HostKey(_kind(key_.blob), key_.blob)
        label = f"{key_.comment or public.fingerprint} of the agent"
        tried.setdefault(key_.blob, Credential(label, public, key_.blob, None))
    unknown = []
    for one in identities:
        if not one.text:
            continue
        alone = Credential(str(one.path), one.public, None, one)
        if one.public is None:
            unknown.append(alone)
        else:
            tried.setdefault(one.public.blob, alone)
    return [*tried.values(), *unknown]


def _kind(blob: bytes) -> str:
    try:
        return _Fields(blob).text().decode("ascii", "replace")
    except ValueError:
        return ""
