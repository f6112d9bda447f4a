"""The root of the error tree."""

from typing import ClassVar


class GuesthouseError(Exception):
    """Whatever Guesthouse itself reports."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False
