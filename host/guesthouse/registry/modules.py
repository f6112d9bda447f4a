"""The modules of all versions, each a file named by its sha256: written whole or not at all, verified when read."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from guesthouse.errors import MissingModule, StorageFault

FOLDER: Final = "modules"


class ModuleFolder:
    """Content-addressed files; the same bytes of two tenants are one file."""

    def __init__(self, data_folder: Path) -> None:
        """Make the folder where it is missing; raises `StorageFault`."""
        self._folder = data_folder / FOLDER
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _fault(error) from None

    def path(self, digest: str) -> Path:
        """Say where a module is or would be; *digest* is one that the registry gave."""
        return self._folder / f"{digest}.wasm"

    def save(self, module: bytes) -> str:
        """Keep a module, durably when this returns; its digest. Raises `StorageFault`."""
        digest = hashlib.sha256(module).hexdigest()
        try:
            if not self._is_whole(digest):
                self._write(self.path(digest), module)
        except OSError as error:
            raise _fault(error) from None
        return digest

    def read(self, digest: str) -> bytes:
        """Give a module, verified; raises `MissingModule`."""
        try:
            module = self.path(digest).read_bytes()
        except OSError:
            raise MissingModule(digest) from None
        if hashlib.sha256(module).hexdigest() != digest:
            raise MissingModule(digest)
        return module

    def _is_whole(self, digest: str) -> bool:
        try:
            self.read(digest)
        except MissingModule:
            return False
        return True

    def _write(self, path: Path, module: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(module)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
            self._sync()
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _fault(error: OSError) -> StorageFault:
    return StorageFault(f"the folder {FOLDER} can't be written: {error.strerror}", reason="unreachable")
