"""Grants as people write them: one line, kept as text and read whenever it is needed."""

from typing import Final

from guesthouse.model.capability import Grant

_OVER_HTTP: Final = "secrets-over-http"


def parse_grant(text: str) -> Grant:
    """Read ``[METHODS] URL [secrets-over-http]``, such as ``GET,POST https://api.example.com/v1``.

    Raises ``ValueError`` for what `Grant.parse` refuses and for words that mean nothing.
    """
    words = text.split()
    over_http = words[-1:] == [_OVER_HTTP]
    if over_http:
        words.pop()
    match words:
        case [url]:
            return Grant.parse(url, secrets_over_http=over_http)
        case [methods, url]:
            return Grant.parse(url, methods=methods.split(","), secrets_over_http=over_http)
    raise ValueError(f"the grant {text!r:.200} is not written as [METHODS] URL [{_OVER_HTTP}]")
