"""A filter that tells in which hours an id may have been seen: 32 Bloom filters that are read in one go. No I/O.

One array of words; bit *h* of every word belongs to the filter of hour *h* (modulo 32). An id has four positions, and
the bits that are set at all four are the hours in which it may be. So an id costs four lookups, not four for each of 24
hours. (A bit-sliced signature; Bloom 1970, Faloutsos 1985.)

The array doubles by repeating itself: positions are taken modulo a power of two, so everything known stays found.
"""

import sys
from array import array
from collections.abc import Collection
from struct import Struct

HOURS = 32
KEY_BYTES = 16
_POSITIONS = Struct("<4I")
_SMALLEST = 1 << 12
_CHUNK = 1 << 16
_WORD_BYTES = 4
_WORDS_PER_KEY = 16
"""An hour suspects one in 400 keys wrongly, all 24 together one in 17."""


class Sieve:
    """Which hours an id may have been seen in; never wrong about where it wasn't."""

    def __init__(self, largest: int = 1 << 25) -> None:
        """Take the number of words at which growth ends: 128 MiB, reached past a million ids an hour."""
        self._words = array("I", bytes(_WORD_BYTES * _SMALLEST))
        self._largest = largest
        self._counts = [0] * HOURS

    @property
    def memory_bytes(self) -> int:
        """What the filter takes."""
        return len(self._words) * _WORD_BYTES

    def add(self, hour: int, keys: Collection[bytes]) -> None:
        """Note keys (16 bytes each, evenly distributed) as seen in an hour."""
        slot = hour % HOURS
        self._counts[slot] += len(keys)
        while self._counts[slot] * _WORDS_PER_KEY > len(self._words) < self._largest:
            self._words += self._words
        words, mask, bit = self._words, len(self._words) - 1, 1 << slot
        for key in keys:
            a, b, c, d = _POSITIONS.unpack(key)
            words[a & mask] |= bit
            words[b & mask] |= bit
            words[c & mask] |= bit
            words[d & mask] |= bit

    def hours(self, key: bytes) -> int:
        """Answer the hours that may know the key, as bits by hour modulo 32."""
        words, mask = self._words, len(self._words) - 1
        a, b, c, d = _POSITIONS.unpack(key)
        found: int = words[a & mask] & words[b & mask] & words[c & mask] & words[d & mask]
        return found

    def forget(self, hour: int) -> None:
        """Empty an hour's filter. Takes some 80 ms at full size."""
        slot = hour % HOURS
        if not self._counts[slot]:
            return
        self._counts[slot] = 0
        keep = int.from_bytes((~(1 << slot) & 0xFFFFFFFF).to_bytes(_WORD_BYTES, sys.byteorder) * _CHUNK, "little")
        for start in range(0, len(self._words), _CHUNK):
            chunk = self._words[start : start + _CHUNK].tobytes()
            kept = int.from_bytes(chunk, "little") & keep
            self._words[start : start + _CHUNK] = array("I", kept.to_bytes(len(chunk), "little"))
