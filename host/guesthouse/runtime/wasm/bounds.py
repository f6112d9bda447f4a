"""What a module may have at most, so that reading, compiling and snapshotting it stay bounded.

Go's largest modules (10,000 functions, 2,000 types) fit many times over; where the engine has a bound of its own that
no toolchain comes near to, ours is at or below it.
"""

from typing import Final

TYPES: Final = 20_000
PARAMETERS: Final = 1_000
IMPORTS: Final = 1_000
FUNCTIONS: Final = 200_000
TABLES: Final = 100
"""Read, so that the refusal of a second one can name the rule."""
MEMORIES: Final = 100
TAGS: Final = 1_000
GLOBALS: Final = 20_000
EXPORTS: Final = 20_000
ELEMENT_SEGMENTS: Final = 20_000
ELEMENTS: Final = 500_000
DATA_SEGMENTS: Final = 100_000
CUSTOM_SECTIONS: Final = 1_000
LOCALS: Final = 50_000
"""Locals of one function."""
LOCAL_GROUPS: Final = 1_000_000
"""Declarations of locals in the whole module."""
BODY_BYTES: Final = 2 << 20
"""One function's code in an upload; the largest that toolchains make are a few hundred KiB."""
REWRITTEN_BODY_BYTES: Final = BODY_BYTES + (64 << 10)
"""One function's code at all: slicing makes the largest ones a little larger."""
NESTED_LOOPS: Final = 1_000
"""Loops inside one another: the engine's time to compile them grows with the square (100,000: 35 s)."""
NESTED_BLOCKS: Final = 50_000
"""Blocks of any kind inside one another; Go nests one for each place where a function can be resumed."""
CHECKED_BLOCKS: Final = 3_000_000
"""Blocks, opened or closed, in all functions that may nest deeply."""
SNAPSHOT_MEMORY_BYTES: Final = 64 << 20
"""Memory that a snapshot may hold."""
SNAPSHOT_SEGMENTS: Final = 50_000
"""Data segments that a snapshot may have."""
BULK_OPERATIONS: Final = 200_000
"""Instructions that are sliced; Go's largest modules have a few thousand."""
INITIALISED_SEGMENTS: Final = 1_000
"""Data segments that code copies from: each needs a function of its own."""
CHECKED_BRANCHES: Final = 3_000_000
"""Branches, and blocks opened or closed, in large functions; Go's largest modules have a few hundred thousand."""
