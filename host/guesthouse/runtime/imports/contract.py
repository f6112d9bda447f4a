"""The imports of contract v1 on the fiber, in the order of ``guest-sdks/ABI.md``.

Pointers and lengths arrive unsigned, so that a negative one is far out of bounds.
"""

import hashlib
import os
from collections.abc import Callable
from ctypes import c_int32
from typing import TYPE_CHECKING

from guesthouse.abi import contract
from guesthouse.errors import BrokenContract
from guesthouse.model.report import LogLevel
from guesthouse.runtime.imports.trampolines import HOST_CALL_FUEL, HostFunction

if TYPE_CHECKING:
    from guesthouse.runtime.guest import Guest

_NEGATIVE = 1 << 31
_BYTE_FUEL = 1
_HASHED_BYTE_FUEL = 4
_RANDOM_BYTE_FUEL = 16
_HANDLE_FUEL = 200
_MAX_WAIT = contract.WAIT_MAX_HANDLES


def log(guest: "Guest", level: int, pointer: int, length: int) -> None:
    """Keep one line, or what fits of it."""
    if level >= len(LogLevel):
        raise BrokenContract(f"log: {_signed(level)} is not a level")
    guest.address("log", pointer, length)
    room = guest.logbook.room(length)
    if room is not None:
        guest.charge(room * _BYTE_FUEL)
        guest.logbook.add(LogLevel(level), guest.read("log", pointer, room), guest.elapsed_ms())


def http_send(guest: "Guest", pointer: int, length: int) -> int:
    """Start a request."""
    limit = guest.limits.http_request_bytes + contract.HTTP_HEAD_MAX_BYTES
    return _operation(guest, "http_send", limit, pointer, length)


def sleep(guest: "Guest", milliseconds: int) -> int:
    """Start a timer."""
    if milliseconds >= _NEGATIVE:
        raise BrokenContract(f"sleep: {_signed(milliseconds)} milliseconds")
    return guest.operate("sleep", milliseconds.to_bytes(4, "little"))


def wait(guest: "Guest", pointer: int, count: int, result: int) -> int | None:
    """Suspend the guest until a handle is ready."""
    if not 0 < count <= _MAX_WAIT:
        raise BrokenContract(f"wait: {count:,} handles; 1 to {_MAX_WAIT:,} may be waited for")
    guest.charge(count * _HANDLE_FUEL)
    handles = (c_int32 * count).from_address(guest.address("wait", pointer, 4 * count))
    return guest.suspend(tuple(handles), result)


def result_size(guest: "Guest", handle: int) -> int:
    """Size of a result, or not ready."""
    return guest.handles.size(_signed(handle))


def result_read(guest: "Guest", handle: int, pointer: int) -> int:
    """Copy a result into the guest's memory and close its handle."""
    handle = _signed(handle)
    result = guest.handles.peek(handle)
    if result is None:
        return contract.NOT_READY
    guest.charge(len(result) * _BYTE_FUEL)
    guest.write("result_read", pointer, result)
    guest.handles.close(handle)
    return len(result)


def now(guest: "Guest") -> int:
    """Wall clock."""
    return guest.cell.clock.now_ms()


def random(guest: "Guest", pointer: int, length: int) -> None:
    """Fill memory with random bytes."""
    if length > contract.RANDOM_MAX_BYTES:
        raise BrokenContract(f"random: {length:,} bytes; {contract.RANDOM_MAX_BYTES:,} may be asked for at once")
    guest.charge(length * _RANDOM_BYTE_FUEL)
    guest.write("random", pointer, os.urandom(length))


def digest(guest: "Guest", algorithm: int, pointer: int, length: int, out: int) -> int:
    """Hash bytes at once."""
    name = contract.DIGEST_ALGORITHMS.get(algorithm)
    if name is None:
        return contract.UNKNOWN_ALGORITHM
    if length > contract.DIGEST_MAX_BYTES:
        raise BrokenContract(f"digest: {length:,} bytes; {contract.DIGEST_MAX_BYTES:,} may be hashed at once")
    guest.charge(length * _HASHED_BYTE_FUEL)
    hashed = hashlib.new(name, guest.read("digest", pointer, length), usedforsecurity=False).digest()
    guest.write("digest", out, hashed)
    return len(hashed)


def _small(name: str) -> HostFunction:
    def start(guest: "Guest", pointer: int, length: int) -> int:
        return _operation(guest, name, contract.REQUEST_MAX_BYTES, pointer, length)

    return _function(start, name, fuel=50_000)


def _operation(guest: "Guest", name: str, limit: int, pointer: int, length: int) -> int:
    if length > limit:
        raise BrokenContract(f"{name}: a request of {length:,} bytes; {limit:,} are allowed")
    guest.charge(length * _BYTE_FUEL)
    return guest.operate(name, guest.read(name, pointer, length))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= _NEGATIVE else value


def _function(
    run: Callable[..., int | None], name: str | None = None, *, fuel: int = HOST_CALL_FUEL, suspends: bool = False
) -> HostFunction:
    name = name or run.__name__
    return HostFunction(contract.IMPORT_MODULE, name, contract.IMPORTS[name], run, fuel=fuel, suspends=suspends)


FUNCTIONS = (
    _function(log, fuel=20_000),
    _function(http_send, fuel=200_000),
    _function(sleep, fuel=28_000),
    _function(wait, fuel=28_000, suspends=True),
    _function(result_size),
    _function(result_read, fuel=12_000),
    _function(now),
    _function(random, fuel=20_000),
    _function(digest, fuel=20_000),
    *(_small(name) for name in ("hmac_sign", "hmac_verify", "cache_get", "cache_set", "cache_delete")),
)
