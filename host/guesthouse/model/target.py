"""Where a request goes: a URL taken apart, checked, and spelled in exactly one way.

What is checked is what is sent: `Target.url` is put together from the parts that the grants were compared with.
Anything that two parsers might read differently is refused rather than repaired.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from guesthouse.model.hosts import normalise_host

URL_BYTES: Final = 8 * 1024
"""Length of the longest URL, as sent."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_PARTS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_ESCAPED: Final = re.compile(r"""[ "<>^`{}]|[^\x21-\x7e]""")
_ESCAPED_SEPARATOR: Final = re.compile(r"%(?:2f|5c)", re.IGNORECASE)
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2e){1,2}(?:[;/]|$)", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Target:
    """A checked http or https URL without userinfo and fragment."""

    scheme: str
    host: str
    port: int
    path: str
    """Starts with a slash; percent escapes as sent."""
    query: str
    """Empty, or starts with a question mark."""
    url: str
    """Everything above, put together again."""

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Take a URL apart; spaces and non-ASCII characters after the host are percent-encoded, as browsers do.

        Raises ``ValueError`` for other schemes, userinfo, ambiguous hosts, control characters, backslashes, ``%2f`` and
        ``%5c`` in the path, dot segments in any spelling, and URLs over `URL_BYTES`.
        """
        scheme, authority, path, query = split_url(text)
        host, port = split_authority(scheme, authority)
        path = check_path(path)
        query = _escape(query)
        shown = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
        url = f"{scheme}://{host}{shown}{path}{query}"
        if len(url) > URL_BYTES:
            raise ValueError(f"the URL is longer than {URL_BYTES:,} bytes")
        return cls(scheme, host, port, path, query, url)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what browsers call the origin."""
        return self.scheme, self.host, self.port


def split_url(text: str) -> tuple[str, str, str, str]:
    """Split a URL into scheme (http or https), authority, path and query (with its question mark).

    Raises ``ValueError``, whose message says what is wrong.
    """
    if len(text) > URL_BYTES:
        raise ValueError(f"the URL is longer than {URL_BYTES:,} bytes")
    if _FORBIDDEN.search(text):
        raise ValueError("the URL contains a control character or a backslash")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("the URL is not absolute, as in https://api.example.com/v1")
    scheme = parts[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError("the URL's scheme is neither http nor https")
    return scheme, parts[2], parts[3], parts[4] or ""


def split_authority(scheme: str, authority: str) -> tuple[str, int]:
    """Split ``host:port`` into normalised host and port; raises ``ValueError``."""
    text, port = split_port(scheme, authority)
    return normalise_host(text), port


def split_port(scheme: str, authority: str) -> tuple[str, int]:
    """Split ``host:port`` into the host as written and the port; raises ``ValueError``."""
    if "@" in authority:
        raise ValueError("the URL carries user information; send an Authorization header instead")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("the URL's host or port is malformed")
    port = int(match[2]) if match[2] else DEFAULT_PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"the port is not between 1 and {_MAX_PORT}")
    return match[1], port


def check_path(path: str) -> str:
    """Return the path as it will be sent, at least a slash; raises ``ValueError``."""
    if "%" in path and _ESCAPED_SEPARATOR.search(path):
        raise ValueError("the URL's path contains an escaped slash or backslash")
    if "/." in path or "%" in path:
        _refuse_dot_segments(path)
    return _escape(path) or "/"


def _refuse_dot_segments(path: str) -> None:
    if _DOT_SEGMENT.search(path):
        raise ValueError("the URL's path contains a . or .. segment")


def _escape(text: str) -> str:
    if not _ESCAPED.search(text):
        return text
    try:
        return _ESCAPED.sub(lambda match: quote(match[0], safe=""), text)
    except UnicodeEncodeError:
        raise ValueError("the URL contains half of a surrogate pair") from None
