"""Where the numbers come from: the machine, and what this process takes of it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

from msgspec import Struct

_PACKAGES: Final = ("aiohttp", "extism", "msgpack", "msgspec", "uvloop", "wasmtime")


class Machine(Struct, frozen=True, kw_only=True):
    """What results depend on."""

    processor: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    packages: dict[str, str]
    load_average: tuple[float, float, float]
    """When the run began: the machine may be shared."""


def describe() -> Machine:
    """Ask the running machine."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=_kib("/proc/meminfo", "MemTotal") // 1024,
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
        load_average=os.getloadavg(),
    )


class Footprint(Struct, frozen=True, kw_only=True):
    """What a process holds."""

    resident_kib: int
    proportional_kib: int
    """Resident memory, with what several mappings share counted once in all."""
    page_tables_kib: int
    """Kernel memory that isn't in the other two."""
    descriptors: int
    mappings: int


def footprint() -> Footprint:
    """Measure this process, exactly: the kernel walks its page tables for it."""
    return Footprint(
        resident_kib=_kib("/proc/self/smaps_rollup", "Rss"),
        proportional_kib=_kib("/proc/self/smaps_rollup", "Pss"),
        page_tables_kib=_kib("/proc/self/status", "VmPTE"),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a Path for each of 10,000 is waste
        mappings=Path("/proc/self/maps").read_bytes().count(b"\n"),
    )


def _kib(path: str, name: str) -> int:
    return int(_field(path, name).removesuffix("kB") or 0)


def _field(path: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(path).read_text(encoding="utf-8").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")
