"""What guests of one engine start from and share: a module; the library, the engine, and which guest is running."""

from typing import TYPE_CHECKING, Protocol

from guesthouse.runtime.scratch import ScratchPool

if TYPE_CHECKING:
    from guesthouse.clock import Clock
    from guesthouse.runtime.capi import Library
    from guesthouse.runtime.guest import Guest


class Startable(Protocol):
    """A module that instances can be made of."""

    instance_pre: int
    memory_min_bytes: int
    """What each instance starts with."""
    needs_initialise: bool
    """Whether each instance must run ``_initialize`` first, because the module isn't a snapshot."""


class Cell:
    """Shared by the guests of one engine; all of it belongs to the event loop's thread."""

    __slots__ = ("clock", "engine", "guest", "lib", "scratches")

    def __init__(self, lib: "Library", engine: int, clock: "Clock") -> None:
        """Take the loaded library and the engine's address."""
        self.lib = lib
        self.engine = engine
        self.clock = clock
        self.guest: Guest | None = None
        """The guest inside the poll that is going on: host calls happen nowhere else, so this is whose they are."""
        self.scratches = ScratchPool()
