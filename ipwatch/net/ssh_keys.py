"""Private key files, their public halves and certificates: what can be tried in a login, in ssh's order.

By cryptography, which paramiko stands on: paramiko 5.1 itself can not read a key without comment whose length needs no
padding (`_unpad_openssh`), nor PKCS #8.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from ipwatch.core.host import BadKey, HostKey
from ipwatch.net.ssh_agent import AgentKey
from ipwatch.protocols.ssh_fields import Fields

CERT = "-cert-v01@openssh.com"
_MAGIC = b"openssh-key-v1\0"  # OpenSSH's PROTOCOL.key
_ARMOUR = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_FORMS = {"RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "}


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
    if found[1] not in _FORMS:
        raise KeyFault(f"{path} is a key of a type this engine can not use")
    if found[1] != "OPENSSH ":
        return None, "ENCRYPTED" in found[0]
    try:
        content = base64.b64decode("".join(found[2].split()), validate=True)
        if not content.startswith(_MAGIC):
            raise ValueError
        fields = Fields(content[len(_MAGIC) :])
        cipher, _kdf, _options, _count = fields.octets(), fields.octets(), fields.octets(), fields.number()
        blob = fields.octets()
        kind = Fields(blob).octets().decode("ascii")
    except (binascii.Error, ValueError):
        raise KeyFault(f"{path} is damaged") from None
    if kind.startswith("sk-"):
        raise KeyFault(f'{path} is a hardware key, which needs engine = "openssh"')
    return HostKey(kind, blob), cipher != b"none"


class Private:
    """A private key in use."""

    def __init__(self, key: RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
        self._key = key
        self.public = HostKey.parse(
            key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
        )

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """A signature on the wire (RFC 8332 3, RFC 5656 3.1.2, RFC 8709 6)."""
        if isinstance(self._key, RSAPrivateKey):
            digest = hashes.SHA256() if algorithm == "rsa-sha2-256" else hashes.SHA512()
            return _text(algorithm.encode()) + _text(self._key.sign(data, PKCS1v15(), digest))
        if isinstance(self._key, Ed25519PrivateKey):
            return _text(algorithm.encode()) + _text(self._key.sign(data))
        # RFC 5656 6.2.1: the hash follows the curve's size
        hashed = {256: hashes.SHA256(), 384: hashes.SHA384()}.get(self._key.curve.key_size, hashes.SHA512())
        numbers = decode_dss_signature(self._key.sign(data, ECDSA(hashed)))
        return _text(algorithm.encode()) + _text(b"".join(_text(_mpint(n)) for n in numbers))


def _text(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _mpint(number: int) -> bytes:
    """RFC 4251 5, of a positive number."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def unlock(identity: Identity, passphrase: str | None) -> Private:
    """The private key; raises BadPassphrase or KeyFault."""
    read_key = load_ssh_private_key if "BEGIN OPENSSH" in identity.text else load_pem_private_key
    word = passphrase.encode() if identity.locked and passphrase else None
    try:
        key = read_key(identity.text.encode(), word)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if identity.locked and not isinstance(error, UnsupportedAlgorithm):
            raise BadPassphrase from None
        raise KeyFault(f"{identity.path} can not be used: it is damaged, or of a kind this engine lacks") from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise KeyFault(f"{identity.path} is a key of a type this engine can not use")
    return Private(key)


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
        return Fields(blob).text()
    except ValueError:
        return ""
