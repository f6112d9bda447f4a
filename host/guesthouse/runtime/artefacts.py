"""Compiled modules on disk: authenticated, written whole or not at all, never trusted by name alone.

A compiled module is native code that the host will run, so whoever can change one file in this folder must not become
the host: each carries a MAC over its key and bytes, and what is used is the very bytes that were verified. A file that
fails is as good as none. The key is in the same folder, readable by the host only (0600).
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

_MAC_BYTES = 32
_KEY_FILE = "key"


class ArtefactStore:
    """Artefacts by key; with no folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Open the folder, making it and its key where they are missing."""
        self._folder = folder
        self._key = b"" if folder is None else _open_key(folder)

    def load(self, key: str) -> bytes | None:
        """Give the bytes stored under *key*, or None where there are none or they were tampered with."""
        if self._folder is None:
            return None
        try:
            data = self._path(self._folder, key).read_bytes()
        except OSError:
            return None
        mac, artefact = data[:_MAC_BYTES], data[_MAC_BYTES:]
        return artefact if hmac.compare_digest(mac, self._mac(key, artefact)) else None

    def save(self, key: str, artefact: bytes) -> None:
        """Store bytes under *key*; a reader sees the old file or the new one, never a part."""
        if self._folder is None:
            return
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._mac(key, artefact))
                file.write(artefact)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(self._folder, key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def drop(self, key: str) -> None:
        """Forget what is stored under *key*."""
        if self._folder is not None:
            self._path(self._folder, key).unlink(missing_ok=True)

    def _mac(self, key: str, artefact: bytes) -> bytes:
        # The key's length first, so that no other split of the same bytes has the same MAC.
        name = key.encode()
        mac = hmac.new(self._key, len(name).to_bytes(8, "little") + name, "sha256")
        mac.update(artefact)
        return mac.digest()

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.artefact"


def _open_key(folder: Path) -> bytes:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / _KEY_FILE
    if not path.exists():
        # Linked into place whole: of two hosts that start at once, one wins and both use its key.
        with tempfile.NamedTemporaryFile(dir=folder, prefix="new-") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes()
