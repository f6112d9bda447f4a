"""Random texts that open doors: write keys, hook tokens, tokens of the control API."""

import hashlib
import re
import secrets
from typing import Final

_BYTES: Final = 24
_WRITE_KEY: Final = "ghw_"
_HOOK_TOKEN: Final = "ghh_"  # noqa: S105 - a prefix, no password
_TOKEN: Final = "ght_"  # noqa: S105 - a prefix, no password
_FORM: Final = re.compile(r"gh[wht]_[A-Za-z0-9_-]{32}")


def new_write_key() -> str:
    """Draw a write key: 192 random bits."""
    return _WRITE_KEY + secrets.token_urlsafe(_BYTES)


def new_hook_token() -> str:
    """Draw a hook token: 192 random bits, fit for a URL."""
    return _HOOK_TOKEN + secrets.token_urlsafe(_BYTES)


def new_token() -> str:
    """Draw a token of the control API: 192 random bits."""
    return _TOKEN + secrets.token_urlsafe(_BYTES)


def is_well_formed(text: str) -> bool:
    """Say whether a text could be any of them, so that nobody asks the database about anything else."""
    return _FORM.fullmatch(text) is not None


def hash_token(text: str) -> str:
    """Give what is stored of a token. A plain hash does: nobody guesses 192 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
