"""The operator's settings, one frozen dataclass for each part; each part gets only its own."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

MIB = 1 << 20
TOKEN_FILE = "admin.token"  # noqa: S105 - the file's name, not a token
"""The file in the data folder with an administrator's token: the token and nothing else."""
ADDRESS_FILE = "address"
"""The file in the data folder in which a running host says where it listens, for the commands on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerConfig:
    """Bounds of the child process that handles uploaded bytes."""

    module_bytes: int = 32 * MIB
    memory_bytes: int = 1536 * MIB
    """RLIMIT_DATA of the child."""
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    children: int = 2
    """Children at once; further uploads wait."""
    init_fuel: int = 10_000_000_000
    """Fuel for ``_initialize`` and the first ``guesthouse_describe``, both once, at upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """The engine's size and the ceilings of its guests."""

    slots: int = 1_000
    """Instances at once; address space, not memory: 4 GiB each."""
    memory_ceiling_bytes: int = 256 * MIB
    """The highest ``Limits.memory_bytes`` that a guest may have."""
    table_ceiling_elements: int = 65_536
    keep_resident_bytes: int = 64 * 1024
    """Memory that every slot ever used keeps: ``slots * keep_resident_bytes`` is a budget."""
    stack_bytes: int = 1 * MIB
    """WebAssembly stack of a guest; deeper recursion is a trap."""
    turn_seconds: float = 0.002
    """Guest CPU for each turn of the event loop."""
    cache_folder: Path | None = None
    """Where compiled artefacts are kept; None keeps none on disk."""
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    """Exceptions to the table of addresses that guests never reach."""
    own_listeners: tuple[tuple[str, int], ...] = ()
    """Addresses and ports that the host itself listens on; no exception covers them."""
    compiler: CompilerConfig = field(default_factory=CompilerConfig)
