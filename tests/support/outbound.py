"""What tests of outgoing HTTP share: a client with loopback allowed, and name servers that say what a test wants."""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from time import monotonic
from typing import Any

import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from guesthouse.abi.requests import HttpRequest
from guesthouse.model.capability import Capabilities, Grant, Secret
from guesthouse.model.limits import Limits
from guesthouse.runtime.outbound import Borrower, Outbound
from guesthouse.runtime.secrets import Vault

LOOPBACK = ip_network("127.0.0.0/8")


class FakeResolver(AbstractResolver):
    """Answers each lookup of a name with the next of its answers, and the last one for ever."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self._answers: dict[str, Iterator[str]] = {name: iter(found) for name, found in answers.items()}
        self._last: dict[str, str] = {}
        self.lookups: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Answer with one address, or fail as a name server does."""
        self.lookups.append(host)
        name = host.split(".", maxsplit=1)[0]
        if name not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is unknown at 10.9.8.7")
        self._last[name] = next(self._answers[name], self._last.get(name, ""))
        return [ResolveResult(hostname=host, host=self._last[name], port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Outbound]:  # noqa: ANN401 - whatever `Outbound` takes
    """Open a client, loopback allowed unless the test says otherwise, and close it."""
    outbound = Outbound(**{"allow_private": [LOOPBACK], **options})
    try:
        yield outbound
    finally:
        await outbound.close()


def borrow(
    outbound: Outbound,
    *grants: str | Grant,
    secrets: Sequence[Secret] = (),
    vault: Vault | None = None,
    tenant: str = "tenant",
    **limits: int,
) -> Borrower:
    """Borrow the client for one invocation."""
    parsed = tuple(Grant.parse(grant) if isinstance(grant, str) else grant for grant in grants)
    return outbound.borrow(
        tenant=tenant,
        capabilities=Capabilities(grants=parsed, secrets=tuple(secrets)),
        limits=Limits(**limits),
        vault=vault or Vault(secrets),
        clock=monotonic,
    )


def request(url: str, method: str = "GET", **fields: Any) -> HttpRequest:  # noqa: ANN401 - whatever a request has
    """Make a request as a guest would."""
    return HttpRequest(method=method, url=url, **fields)


async def send(borrower: Borrower, url: str, method: str = "GET", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - see above
    """Send a request and decode the result as a guest would."""
    result: dict[str, Any] = msgspec.msgpack.decode(await borrower.send(request(url, method, **fields)))
    return result


async def code_of(borrower: Borrower, url: str, method: str = "GET", **fields: Any) -> str:  # noqa: ANN401 - see above
    """Send a request that is refused or fails, and return the code."""
    result = await send(borrower, url, method, **fields)
    assert set(result) == {"error"}, result
    code: str = result["error"]["code"]
    return code
