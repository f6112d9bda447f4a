"""Read the producers section: which language and which tools made a module. A hint for people, so faults are forgiven.

Source: WebAssembly tool conventions, "Producers Section".
"""

from typing import Final

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import Reader, printable
from guesthouse.runtime.wasm.shape import Producer

SECTION: Final = "producers"
_MOST: Final = 50


def parse_producers(data: bytes, start: int, end: int) -> tuple[Producer, ...]:
    """Parse the section's content; whatever is malformed or beyond 50 lines is left out."""
    found: list[Producer] = []
    reader = Reader(data, start, end)
    try:
        for _ in range(min(reader.u32(), _MOST)):
            field = reader.name()
            for _ in range(min(reader.u32(), _MOST)):
                found.append(Producer(printable(field), printable(reader.name()), printable(reader.name())))
                if len(found) == _MOST:
                    return tuple(found)
    except RejectedModule:
        pass
    return tuple(found)
