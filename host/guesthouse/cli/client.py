"""Asks a running host through its control API, and turns what goes wrong into the errors that have an exit status."""

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from msgspec import Struct

from guesthouse.cli.arguments_host import DATA_FOLDER
from guesthouse.cli.exits import BadInput
from guesthouse.config import ADDRESS_FILE, TOKEN_FILE
from guesthouse.errors import CallerError, OperatorError, RejectedModule

URL_NAME: Final = "GUESTHOUSE_URL"
TOKEN_NAME: Final = "GUESTHOUSE_TOKEN"  # noqa: S105 - the variable's name, not a token
PREFIX: Final = "/api/v1"
SECONDS: Final = 60.0
UPLOAD_SECONDS: Final = 300.0
MAX_FILE_BYTES: Final = 4_096
PAGE: Final = 500

T = TypeVar("T")
_REJECTED: Final = RejectedModule.code
_CLIENT_ERROR: Final = 400
_HOST_ERROR: Final = 500


class Refused(CallerError):
    """The host refuses what was asked; its own words say why."""

    code = "refused"


class Unreachable(OperatorError):
    """No host answers."""

    code = "unreachable"


class HostFault(OperatorError):
    """The host answers that it is at fault."""

    code = "host_fault"


class Named(Struct, frozen=True):
    """Anything that has an id and a name."""

    id: str
    name: str


class Place(Struct, frozen=True):
    """A host, and the token that it knows us by."""

    url: str
    token: str

    @classmethod
    def find(cls, data: str | None, environment: Mapping[str, str] = os.environ) -> Self:
        """Take the host of a data folder where one is named, else of the environment, else of the usual folder."""
        url, token = environment.get(URL_NAME), environment.get(TOKEN_NAME)
        if data is None and (url or token):
            if not url or not token:
                raise BadInput(f"{URL_NAME} and {TOKEN_NAME} belong together, and only one of them is set")
            if not _is_url(url):
                raise BadInput(f"{URL_NAME} is not an address such as http://127.0.0.1:8080")
            return cls(url.rstrip("/"), _checked(token.strip(), TOKEN_NAME))
        folder = Path(data or DATA_FOLDER)
        return cls(_read_address(folder), _checked(_read(folder / TOKEN_FILE), str(folder / TOKEN_FILE)))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _checked(token: str, where: str) -> str:
    if not token.isascii() or not token.isprintable():
        raise BadInput(f"{where} holds no token")
    return token


def _read_address(folder: Path) -> str:
    try:
        return _read(folder / ADDRESS_FILE)
    except BadInput:
        start = f"start one with guesthouse serve --data {folder}, or set {URL_NAME} and {TOKEN_NAME}"
        raise Unreachable(f"no host serves the data folder {folder}; {start}") from None


def _read(file: Path) -> str:
    try:
        with file.open(encoding="ascii") as stream:
            return stream.read(MAX_FILE_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: can't be read: {getattr(error, 'strerror', None) or error}") from None


class Api:
    """One host's control API; every method raises `Refused`, `RejectedModule`, `HostFault` or `Unreachable`."""

    def __init__(self, client: httpx.Client) -> None:
        """Take a client that knows the host's address and the token."""
        self._client = client

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - a document
        """Ask for a document; what is None isn't asked."""
        return self._ask("GET", path, query=query)

    def read(self, type_: type[T], path: str, **query: object) -> T:
        """Ask for a document of a known type."""
        return read_as(type_, self.get(path, **query))

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - a document
        """Do something."""
        return self._ask("POST", path, body=body)

    def patch(self, path: str, body: object) -> Any:  # noqa: ANN401 - a document
        """Change something."""
        return self._ask("PATCH", path, body=body)

    def upload(self, function: str, module: bytes) -> Any:  # noqa: ANN401 - a document
        """Upload a module as the function's active version."""
        path = f"/functions/{quote(function, safe='')}/versions"
        headers = {"content-type": "application/wasm"}
        return self._answer(self._send("POST", path, content=module, headers=headers, timeout=UPLOAD_SECONDS))

    def pages(self, path: str, limit: int | None = None, **query: object) -> Iterator[Any]:
        """Go through a list of any length, up to *limit* items."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = self.get(path, **query, cursor=cursor, limit=PAGE if left is None else min(left, PAGE))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])

    def every(self, kind: str) -> list[Any]:
        """Give all ``functions``, ``sources`` or ``destinations``."""
        items: list[Any] = self.get(f"/{kind}")["items"]
        return items

    def find(self, kind: str, id_or_name: str) -> Any:  # noqa: ANN401 - a document
        """Give one of them, by id or name."""
        items = self.every(kind)
        found = [item for item in items if id_or_name in {item["id"], item["name"]}]
        if not found:
            names = ", ".join(item["name"] for item in items[:20]) or "none"
            raise Refused(f"there is no {kind.removesuffix('s')} {id_or_name!r:.120}; there are: {names}")
        return found[0]

    def names(self, *kinds: str) -> dict[str, str]:
        """Give the names of all of these kinds by id."""
        return {item["id"]: item["name"] for kind in kinds for item in self.every(kind)}

    def _ask(self, method: str, path: str, *, query: Mapping[str, object] | None = None, body: object = None) -> Any:  # noqa: ANN401 - a document
        asked = {name: str(value) for name, value in (query or {}).items() if value is not None}
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if content is None else {"content-type": "application/json"}
        return self._answer(self._send(method, path, params=asked, content=content, headers=headers))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own options
        try:
            return self._client.request(method, PREFIX + path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self._client.base_url} doesn't answer: {reason}") from None

    def _answer(self, response: httpx.Response) -> Any:  # noqa: ANN401 - a document
        if response.status_code < 300:  # noqa: PLR2004 - successes end here, in HTTP
            return _parse(response) if response.content else None
        problem = _parse(response)
        if not isinstance(problem, dict):
            problem = {}
        detail = problem.get("detail") or f"{response.url} answered {response.status_code}; is it Guesthouse?"
        parts = tuple(map(str, problem.get("problems") or ()))
        if problem.get("code") == _REJECTED:
            raise RejectedModule(str(detail), parts)
        if _CLIENT_ERROR <= response.status_code < _HOST_ERROR:
            raise Refused("\n  - ".join(["the host refuses it:", *parts]) if len(parts) > 1 else str(detail))
        raise HostFault(str(detail))


def read_as(type_: type[T], document: object) -> T:
    """Take a document for what it should be."""
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise HostFault(f"the host's answer isn't understood; is it of another version? ({error})") from None


def _parse(response: httpx.Response) -> Any:  # noqa: ANN401 - a document
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        if response.status_code >= _CLIENT_ERROR:
            return None
        raise HostFault(f"{response.url} answered something that isn't JSON; is it Guesthouse?") from None


@contextmanager
def open_api(arguments: Namespace) -> Iterator[Api]:
    """Open the API of the host that the arguments and the environment mean."""
    place = Place.find(arguments.data)
    is_here = urlsplit(place.url).hostname in {"127.0.0.1", "::1", "localhost"}
    headers = {"authorization": f"Bearer {place.token}", "user-agent": "guesthouse-cli"}
    # No proxy stands between this machine and itself.
    with httpx.Client(base_url=place.url, headers=headers, timeout=SECONDS, trust_env=not is_here) as client:
        yield Api(client)
