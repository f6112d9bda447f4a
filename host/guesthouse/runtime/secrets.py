"""The secrets of one invocation: what the guest sees of them, where they may go, and how they are kept out of records.

A guest holds a referenced secret as a random token, new for each invocation. The host puts the value in its place at
the last moment, in headers only, towards hosts that the secret is bound to. Everything that comes back is masked.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from secrets import token_hex
from typing import Final

from guesthouse.model.capability import Exposure, Secret
from guesthouse.model.hosts import host_matches
from guesthouse.runtime.masks import Mask, mask_of

HeaderPairs = Sequence[tuple[str, str]]

ALGORITHMS: Final = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
"""Hashes for HMAC; the old ones are what old webhooks demand."""

_PREFIX: Final = "ghs_"
_TOKEN: Final = re.compile(r"ghs_[0-9a-f]{32}")
_TOKEN_BYTES: Final = 16
_BASIC: Final = re.compile(r"(basic +)([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


def draw_token() -> str:
    """Return a fresh token with 128 random bits."""
    return _PREFIX + token_hex(_TOKEN_BYTES)


class Vault:
    """One invocation's secrets. Values shorter than four characters are used but never masked (see `masks`)."""

    __slots__ = ("_hidden", "_references", "_secrets", "_shown", "settings")

    settings: Mapping[str, str]
    """What the guest gets for each secret: the value, or a token in its place."""

    def __init__(self, secrets: Sequence[Secret] = (), *, draw: Callable[[], str] = draw_token) -> None:
        references = {draw(): secret for secret in secrets if secret.exposure is Exposure.REFERENCE}
        self._secrets = {secret.name: secret for secret in secrets}
        self._references = references
        self._shown: Mask | None = None
        self._hidden: Mask | None = None
        self.settings = {secret.name: secret.value for secret in secrets if secret.exposure is Exposure.VALUE} | {
            secret.name: token for token, secret in references.items()
        }

    @property
    def has_references(self) -> bool:
        """Whether the guest holds any token."""
        return bool(self._references)

    def reveal(self, headers: HeaderPairs, *, scheme: str, host: str, over_http: bool = False) -> HeaderPairs:
        """Return the headers with tokens replaced by the values that may go to this host.

        A token of a secret that isn't bound to *host* stays what it is, and so does every token in plain http unless
        *over_http*. Besides bare tokens, ``Basic`` credentials made with one are taken apart and made again.
        """
        if not self._references or not (scheme == "https" or over_http):
            return headers
        values = {token: one.value for token, one in self._references.items() if _is_bound(one, host)}
        return [(name, _fill(value, values)) for name, value in headers] if values else headers

    def carries(self, text: str) -> bool:
        """Say whether a header's value holds a token or a secret, so that it must not follow to another origin."""
        return self.carries_bytes(text.encode("utf-8", "surrogatepass")) or _fill(text, self._blanks()) != text

    def carries_bytes(self, data: bytes) -> bool:
        """Say whether a body holds a token or a secret."""
        return data in self._mask() or any(token.encode() in data for token in self._references)

    def mask_text(self, text: str) -> str:
        """Return the text for the record: every secret, of both exposures and in every form, blotted out."""
        return self._mask().text(text) if self._secrets else text

    def mask_headers(self, headers: HeaderPairs) -> tuple[tuple[str, str], ...]:
        """Return headers for the record. See `mask_text`."""
        if not self._secrets or not self._mask().is_in("\n".join(chain.from_iterable(headers))):
            return tuple(headers)
        mask = self._mask()
        return tuple((mask.text(name), mask.text(value)) for name, value in headers)

    def mask_bytes(self, data: bytes, limit: int | None = None) -> bytes:
        """Return the data, or its first *limit* bytes, for the record. See `mask_text`."""
        return self._mask().data(data, limit) if self._secrets else data[:limit]

    def concealment(self) -> Mask | None:
        """Return what must be blotted out of responses before the guest reads them; None where that is nothing.

        These are the referenced secrets: the others the guest knows.
        """
        if not self._references:
            return None
        if self._hidden is None:
            self._hidden = mask_of(tuple(secret.value for secret in self._references.values()))
        return self._hidden

    def sign(self, secret: str, algorithm: str, data: bytes) -> bytes | None:
        """Return the HMAC of the data under a secret; None where there is no such secret.

        Raises ``ValueError`` for an algorithm that isn't among `ALGORITHMS`.
        """
        if algorithm not in ALGORITHMS:
            raise ValueError(f"the algorithm is none of {', '.join(sorted(ALGORITHMS))}")
        known = self._secrets.get(secret)
        return hmac.digest(known.value.encode(), data, algorithm) if known else None

    def verify(self, secret: str, algorithm: str, data: bytes, signature: bytes) -> bool | None:
        """Say, in constant time, whether the signature is the HMAC of the data. See `sign` for failures."""
        expected = self.sign(secret, algorithm, data)
        return None if expected is None else hmac.compare_digest(expected, signature)

    def _mask(self) -> Mask:
        if self._shown is None:
            self._shown = mask_of(tuple(secret.value for secret in self._secrets.values()))
        return self._shown

    def _blanks(self) -> dict[str, str]:
        return dict.fromkeys(self._references, "")


def _is_bound(secret: Secret, host: str) -> bool:
    return any(host_matches(pattern, host) for pattern in secret.hosts)


def _fill(value: str, values: Mapping[str, str]) -> str:
    if _PREFIX in value:
        return _TOKEN.sub(lambda match: values.get(match[0], match[0]), value)
    basic = _BASIC.fullmatch(value)
    return basic[1] + _fill_basic(basic[2], values) if basic else value


def _fill_basic(credentials: str, values: Mapping[str, str]) -> str:
    try:
        text = b64decode(credentials, validate=True).decode()
    except ValueError:
        return credentials
    if _PREFIX not in text:
        return credentials
    return b64encode(_TOKEN.sub(lambda match: values.get(match[0], match[0]), text).encode()).decode("ascii")
