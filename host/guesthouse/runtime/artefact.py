"""What becomes of an uploaded module at deploy: native code and the facts that the host needs about it."""

from typing import Any

import msgspec
from msgspec import Struct

from guesthouse.model.reply import Description
from guesthouse.runtime.wasm.inspect import Inspection

FORMAT = 1
"""Goes up when what is in an artefact, or how snapshots are made, changes; older artefacts are then made anew."""


class Artefact(Struct, frozen=True, kw_only=True):
    """A compiled version of a function."""

    code: bytes
    """Native code for this engine and machine, as the engine serialised it."""
    facts: Inspection
    description: Description
    needs_initialise: bool
    """Whether every instance must run ``_initialize``: the module has one and could not be snapshotted."""
    why_not_snapshotted: str | None
    """For the author; None for a snapshot, and where there was nothing to initialise."""
    memory_min_pages: int
    """Pages of each new instance: those of the snapshot, or the module's own minimum."""


class Built(Struct, frozen=True, kw_only=True, tag="built"):
    """The child's answer when all went well."""

    artefact: Artefact


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The child's answer when the module is at fault."""

    fault: str
    problems: tuple[str, ...]


class Job(Struct, frozen=True, kw_only=True):
    """What the child is asked to do; the module's bytes follow."""

    stack_bytes: int
    memory_ceiling_bytes: int
    table_ceiling_elements: int
    init_fuel: int
    reply_bytes: int
    rlimit_data_bytes: int
    rlimit_cpu_seconds: int


encode = msgspec.msgpack.Encoder().encode
decode_answer: Any = msgspec.msgpack.Decoder(Built | Refused).decode
decode_artefact: Any = msgspec.msgpack.Decoder(Artefact).decode
decode_job: Any = msgspec.msgpack.Decoder(Job).decode
