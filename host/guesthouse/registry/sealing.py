"""Secrets at rest: AES-256-GCM, bound to where they belong, under a key whose id is stored beside each.

The keys are 32 bytes each in hexadecimal, one on a line: the first encrypts, all decrypt. To rotate, put a new one in
front. They are in the file ``secret.key`` of the data directory (0600, made at the first start) or in
``GUESTHOUSE_SECRET_KEY``, which the composition root hands in.
"""

import contextlib
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guesthouse.errors import StorageFault, UnreadableSecret

KEY_FILE: Final = "secret.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret belongs; it can't be decrypted anywhere else."""

    tenant_id: str
    holder_id: str
    name: str

    def encode(self) -> bytes:
        """Give the associated data: MessagePack, so that no other place has the same."""
        return msgspec.msgpack.encode((self.tenant_id, self.holder_id, self.name))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    key_id: str
    data: bytes = field(repr=False)
    """Nonce, ciphertext and tag."""


class Sealer:
    """Encrypts and decrypts; its keys are never shown."""

    __slots__ = ("_ciphers", "_current")

    def __init__(self, text: str) -> None:
        """Read the keys; raises ``ValueError``, which doesn't quote them."""
        keys = [_parse(number, line) for number, line in enumerate(text.split(), 1)]
        if not keys:
            raise ValueError("there is no secret key")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    @classmethod
    def open(cls, folder: Path) -> "Sealer":
        """Read the folder's key file, making it where it is missing; raises `StorageFault`."""
        path = folder / KEY_FILE
        try:
            if not path.exists():
                _make(path)
            return cls(path.read_text("ascii"))
        except OSError as error:
            raise StorageFault(f"{KEY_FILE} can't be read: {error.strerror}", reason="unreachable") from None
        except ValueError as error:
            raise StorageFault(f"{KEY_FILE} is damaged: {error}", reason="corrupt") from None

    def seal(self, place: Place, value: str) -> Sealed:
        """Encrypt a value for its place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = nonce + self._ciphers[self._current].encrypt(nonce, value.encode(), place.encode())
        return Sealed(self._current, data)

    def unseal(self, place: Place, sealed: Sealed) -> str:
        """Decrypt; raises `UnreadableSecret` where the key is unknown, or data or place aren't those of `seal`."""
        cipher = self._ciphers.get(sealed.key_id)
        nonce, data = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            if cipher is not None:
                return cipher.decrypt(nonce, data, place.encode()).decode()
        except (InvalidTag, ValueError):
            pass
        raise UnreadableSecret(place.name, sealed.key_id)


def _parse(number: int, text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"secret key {number} is not {2 * _KEY_BYTES} hexadecimal digits")
    return key


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"guesthouse secret key" + key).hexdigest()[:16]


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Linked into place whole: of two hosts that start at once, one wins and both use its key.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="new-") as file:
        file.write(secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
