"""Answers written straight to ASGI, for paths that don't go through starlette."""

from collections.abc import Iterable
from typing import Final

from guesthouse.api.bodies import Send
from guesthouse.api.problems import MEDIA_TYPE, Problem, encode_problem

Header = tuple[bytes, bytes]

CLOSE: Final[Header] = (b"connection", b"close")
"""For requests whose body was not read to its end: what is left of it is not the next request."""


async def answer(send: Send, status: int, body: bytes, headers: Iterable[Header]) -> None:
    """Send a whole answer; its length is added."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(send: Send, problem: Problem, headers: Iterable[Header] = ()) -> None:
    """Send a problem."""
    await answer(send, problem.status, encode_problem(problem), [(b"content-type", MEDIA_TYPE), *headers])
