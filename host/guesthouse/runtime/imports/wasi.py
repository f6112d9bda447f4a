"""The small part of WASI preview 1 that ordinary toolchains need; everything else answers "not capable".

There are no files: stdout and stderr become log lines, arguments and environment are empty. The monotonic clock starts
at the wall clock's time, so that a snapshot taken in another process never sees it run backwards.

Source: the ``wasi_snapshot_preview1`` witx definitions.
"""

import os
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.errors import BrokenContract, Trapped
from guesthouse.runtime.imports.trampolines import HOST_CALL_FUEL, HostFunction
from guesthouse.runtime.wasm.wasi_signatures import WASI_MODULE, WASI_SIGNATURES

if TYPE_CHECKING:
    from guesthouse.runtime.guest import Guest

SUCCESS, BADF, INVAL, NOTCAPABLE = 0, 8, 28, 76
_REALTIME = 0
_CLOCKS = 4
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_MAX_VECTORS = 1_024
_VECTOR_FUEL = 2_000
"""Fuel for each vector or subscription of one call, by the time that looking at it takes."""
_RANDOM_BYTE_FUEL = 16
_COSTLY_FUEL = {"fd_write": 20_000, "random_get": 20_000, "poll_oneoff": 40_000}
_MAX_WRITE = 64 << 10
_MAX_RANDOM = 64 << 10
_MAX_SUBSCRIPTIONS = 64
_CHARACTER_DEVICE = 2
_RIGHT_TO_WRITE = 1 << 6
_FDSTAT = struct.Struct("<BxHxxxxQQ")
_SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")
_EVENT = struct.Struct("<QHB21x")
_TAG_CLOCK = 0
_ABSOLUTE = 1
_MILLISECOND = 1_000_000
_LONGEST_MS = (1 << 31) - 1
_MONOTONIC_START = time.time_ns() - time.monotonic_ns()


def clock_res_get(guest: "Guest", clock: int, out: int) -> int:
    """Resolution: a microsecond for every clock."""
    if clock >= _CLOCKS:
        return INVAL
    guest.write("clock_res_get", out, (1_000).to_bytes(8, "little"))
    return SUCCESS


def clock_time_get(guest: "Guest", clock: int, _precision: int, out: int) -> int:
    """Time in nanoseconds; the CPU clocks answer the monotonic one."""
    if clock >= _CLOCKS:
        return INVAL
    guest.write("clock_time_get", out, _nanoseconds(clock).to_bytes(8, "little"))
    return SUCCESS


def _nanoseconds(clock: int) -> int:
    return time.time_ns() if clock == _REALTIME else _MONOTONIC_START + time.monotonic_ns()


def random_get(guest: "Guest", pointer: int, length: int) -> int:
    """Random bytes."""
    if length > _MAX_RANDOM:
        raise BrokenContract(f"random_get: {length:,} bytes; {_MAX_RANDOM:,} may be asked for at once")
    guest.charge(_RANDOM_BYTE_FUEL * length)
    guest.write("random_get", pointer, os.urandom(length))
    return SUCCESS


def fd_write(guest: "Guest", stream: int, vectors: int, count: int, out: int) -> int:
    """Stdout and stderr become log lines; a large write is taken in part, as POSIX allows."""
    if stream not in {_STDOUT, _STDERR}:
        return BADF
    if count > _MAX_VECTORS:
        return INVAL
    guest.charge(_VECTOR_FUEL * count)
    written, parts = 0, []
    for pointer, length in struct.iter_unpack("<II", guest.read("fd_write", vectors, 8 * count)):
        taken = min(length, _MAX_WRITE - written)
        parts.append(guest.read("fd_write", pointer, taken))
        written += taken
    guest.charge(written)
    guest.logbook.write(stream, b"".join(parts), guest.elapsed_ms())
    guest.write("fd_write", out, written.to_bytes(4, "little"))
    return SUCCESS


def fd_fdstat_get(guest: "Guest", descriptor: int, out: int) -> int:
    """Say that the three standard streams are character devices."""
    if descriptor > _STDERR:
        return BADF
    rights = 0 if descriptor == _STDIN else _RIGHT_TO_WRITE
    guest.write("fd_fdstat_get", out, _FDSTAT.pack(_CHARACTER_DEVICE, 0, rights, 0))
    return SUCCESS


def fd_prestat_get(_guest: "Guest", _descriptor: int, _out: int) -> int:
    """No folders are open; this is how C libraries learn that."""
    return BADF


def nothing(guest: "Guest", count: int, size: int) -> int:
    """No arguments and no environment: zero of them, zero bytes."""
    guest.write("sizes", count, bytes(4))
    guest.write("sizes", size, bytes(4))
    return SUCCESS


def success(_guest: "Guest", *_arguments: int) -> int:
    """Nothing to do."""
    return SUCCESS


def not_capable(_guest: "Guest", *_arguments: int) -> int:
    """Refuse what a guest has no capability for."""
    return NOTCAPABLE


def proc_exit(_guest: "Guest", status: int) -> None:
    """End the attempt."""
    raise Trapped("exit", f"the guest exited with status {status} before it answered")


def poll_oneoff(  # noqa: PLR0913, PLR0917 - WASI's signature, and where its result goes
    guest: "Guest", subscriptions: int, events: int, count: int, out: int, result: int
) -> int | None:
    """Sleep until the first of the clocks; anything that isn't a clock is ready at once, with EBADF."""
    if not 0 < count <= _MAX_SUBSCRIPTIONS:
        raise BrokenContract(f"poll_oneoff: {count:,} subscriptions; 1 to {_MAX_SUBSCRIPTIONS} are allowed")
    guest.charge(_VECTOR_FUEL * count)
    clocks, ready = [], []
    data = guest.read("poll_oneoff", subscriptions, count * _SUBSCRIPTION.size)
    for user, tag, clock, timeout, _precision, flags in _SUBSCRIPTION.iter_unpack(data):
        if tag == _TAG_CLOCK:
            left = timeout - (_nanoseconds(clock) if flags & _ABSOLUTE else 0)
            clocks.append((max(left, 0), _EVENT.pack(user, SUCCESS, tag)))
        else:
            ready.append(_EVENT.pack(user, BADF, tag))
    nanoseconds, first = (0, b"".join(ready)) if ready else min(clocks)
    # Only the host's timer can end this sleep, so the events can be written before it.
    guest.write("poll_oneoff", events, first)
    guest.write("poll_oneoff", out, (len(first) // _EVENT.size).to_bytes(4, "little"))
    return None if ready else guest.nap(_milliseconds(nanoseconds), result)


def _milliseconds(nanoseconds: int) -> int:
    """Round up, so that no sleep is too short; but less than a millisecond only yields."""
    return min(-(-nanoseconds // _MILLISECOND), _LONGEST_MS) if nanoseconds >= _MILLISECOND else 0


_ANSWERED: dict[str, Callable[..., int | None]] = {
    "args_sizes_get": nothing,
    "args_get": success,
    "environ_sizes_get": nothing,
    "environ_get": success,
    "sched_yield": success,
    **{
        run.__name__: run
        for run in (clock_res_get, clock_time_get, random_get, fd_write, fd_fdstat_get, fd_prestat_get)
    },
    "proc_exit": proc_exit,
    "poll_oneoff": poll_oneoff,
}

FUNCTIONS = tuple(
    HostFunction(
        *(WASI_MODULE, name, signature, _ANSWERED.get(name, not_capable)),
        fuel=_COSTLY_FUEL.get(name, HOST_CALL_FUEL),
        suspends=name == "poll_oneoff",
    )
    for name, signature in WASI_SIGNATURES.items()
)
