"""Finding secrets in text and bytes, in the forms in which servers and logs repeat them, and blotting them out.

The forms are raw, base64 (both alphabets, all three alignments), URL-escaped and JSON-escaped. Looking for each form by
itself is a scan in C, and finds secrets that overlap, which one regular expression of alternatives would miss.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import quote, quote_plus

SHORTEST_CHARS: Final = 4
"""Shorter values are not masked: they would blot out half of every text."""
BLOT: Final = "***"

Span = tuple[int, int]
Text = TypeVar("Text", str, bytes)

_BLOT_BYTES: Final = BLOT.encode()
_BITS_PER_CHAR: Final = 6


class Mask:
    """The forms of some secret values, ready to be looked for; costs next to nothing where there are none."""

    __slots__ = ("_encoded", "_forms")

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= SHORTEST_CHARS for form in forms_of(value)}
        self._forms = tuple(sorted(forms))
        self._encoded = tuple(form.encode("utf-8", "surrogatepass") for form in self._forms)

    def __bool__(self) -> bool:
        """Say whether there is anything to look for."""
        return bool(self._forms)

    def __contains__(self, data: bytes) -> bool:
        """Say whether the data holds a secret in any form."""
        return any(form in data for form in self._encoded)

    def text(self, text: str) -> str:
        """Return the text with every form of every secret blotted out."""
        if not self.is_in(text):
            return text
        spans = merge(span for form in self._forms for span in _find(text, form, 0, len(text)))
        return BLOT.join(_between(text, spans, len(text)))

    def is_in(self, text: str) -> bool:
        """Say whether the text holds a secret in any form."""
        return any(form in text for form in self._forms)

    def data(self, data: bytes, limit: int | None = None) -> bytes:
        """Return the data, or its first *limit* bytes, with every form of every secret blotted out.

        A secret that the cut divides is blotted out like any other.
        """
        end = len(data) if limit is None else min(limit, len(data))
        if data not in self:
            return data[:end]
        return blot(data, self.spans(data, 0, end), end)

    def spans(self, data: bytes, start: int, stop: int) -> list[Span]:
        """Return the secrets that begin within ``[start, stop)``, in order and apart."""
        return merge(span for form in self._encoded for span in _find(data, form, start, stop))


@lru_cache(maxsize=1024)
def mask_of(values: tuple[str, ...]) -> Mask:
    """Return the mask of some values; made once, because the same secrets come with every invocation."""
    return Mask(values)


def merge(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order; those that touch or overlap become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def blot(data: bytes, spans: list[Span], end: int) -> bytes:
    """Return the first *end* bytes with the spans, which are in order and apart, blotted out."""
    return _BLOT_BYTES.join(_between(data, spans, end)) if spans else data[:end]


def forms_of(value: str) -> set[str]:
    """Return a value as it is and as it looks in base64, URLs and JSON."""
    raw = value.encode("utf-8", "surrogatepass")
    return {value} | _base64_forms(raw) | _url_forms(raw) | _json_forms(value)


def _base64_forms(raw: bytes) -> set[str]:
    forms = set()
    for foreign_bytes in range(3):
        text = b64encode(bytes(foreign_bytes) + raw).decode("ascii")
        first = -(-8 * foreign_bytes // _BITS_PER_CHAR)
        last = 8 * (foreign_bytes + len(raw)) // _BITS_PER_CHAR
        own = text[first:last]
        forms |= {own, own.replace("+", "-").replace("/", "_")}
    return forms


def _url_forms(raw: bytes) -> set[str]:
    forms = {quote(raw, safe=""), quote(raw), quote(raw, safe="!'()*~"), quote_plus(raw)}
    return forms | {_lower_escapes(form) for form in forms}


def _lower_escapes(text: str) -> str:
    head, *escaped = text.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in escaped)])


def _json_forms(value: str) -> set[str]:
    forms = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {form.replace("/", r"\/") for form in forms}
    return forms | {form.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026") for form in forms}


def _find(text: Text, form: Text, start: int, stop: int) -> Iterator[Span]:
    """Yield runs of a form that begin within ``[start, stop)``; occurrences that overlap are one run."""
    size = len(form)
    limit = stop + size - 1
    begin = at = text.find(form, start, limit)
    while at >= 0:
        further = text.rfind(form, at + 1, min(at + 2 * size - 1, limit))
        if further >= 0:
            at = further
        else:
            yield begin, at + size
            begin = at = text.find(form, at + size, limit)


def _between(text: Text, spans: list[Span], end: int) -> Iterator[Text]:
    at = 0
    for start, stop in spans:
        yield text[at:start]
        at = stop
    yield text[at:end]
