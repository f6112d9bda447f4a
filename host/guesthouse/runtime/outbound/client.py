"""The HTTP client that guests borrow: who holds the connections.

A tenant's requests share connections and name lookups with each other and with nobody else.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from guesthouse.abi.results import Refusal
from guesthouse.runtime.outbound.addresses import AddressGuard, Listeners, Network
from guesthouse.runtime.outbound.borrower import Borrower
from guesthouse.runtime.outbound.connector import Closing, Line, ThreadResolver, open_line
from guesthouse.runtime.outbound.failures import RefusedError

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import AbstractResolver

    from guesthouse.model.capability import Capabilities
    from guesthouse.model.limits import Limits
    from guesthouse.runtime.secrets import Vault

MAX_LINES: Final = 1_024
"""Tenants whose sessions are kept; beyond, those idle for longest are closed."""


class Outbound:
    """Everything that guests' requests go out through; one for each engine, used within one event loop.

    *allow_private* lists the operator's exceptions to the forbidden addresses, *own_listeners* answers the addresses
    and ports that the host itself listens on, which no exception covers. *connections_per_tenant* bounds a tenant's
    connections; 0 leaves that to the limits of its invocations. *tls* replaces the system's certificate authorities. A
    *resolver* that is handed in stays open.
    """

    def __init__(  # noqa: PLR0913 - what an operator may choose, all of it optional
        self,
        *,
        allow_private: Sequence[Network] = (),
        own_listeners: Listeners = tuple,
        resolver: "AbstractResolver | None" = None,
        connections_per_tenant: int = 0,
        max_lines: int = MAX_LINES,
        tls: "ssl.SSLContext | None" = None,
    ) -> None:
        self._guard = AddressGuard(allow_private, own_listeners)
        self._resolver = resolver
        self._owned_resolver: ThreadResolver | None = None
        self._connections = connections_per_tenant
        self._max_lines = max_lines
        self._tls = tls
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._closing = Closing()
        self._is_closed = False

    def borrow(
        self,
        *,
        tenant: str,
        capabilities: "Capabilities",
        limits: "Limits",
        vault: "Vault",
        clock: Callable[[], float],
    ) -> Borrower:
        """Return the client of one invocation; *clock* answers the seconds since that began."""
        return Borrower(lambda: self._line(tenant), capabilities.grants, limits, vault, clock)

    async def close(self) -> None:
        """Close every connection; requests that are under way fail, later ones are refused."""
        self._is_closed = True
        while self._lines:
            self._closing.start(self._lines.popitem()[1].session.close())
        await self._closing.wait()
        if self._owned_resolver is not None:
            await self._owned_resolver.close()

    def _line(self, tenant: str) -> Line:
        line = self._lines.get(tenant)
        if line is None:
            line = self._lines[tenant] = self._open()
            self._evict()
        else:
            self._lines.move_to_end(tenant)
        return line

    def _open(self) -> Line:
        if self._is_closed:
            raise RefusedError(Refusal.UNAVAILABLE, "the host is closing")
        if self._resolver is None:
            self._resolver = self._owned_resolver = ThreadResolver()
        return open_line(self._guard, self._resolver, connections=self._connections, tls=self._tls)

    def _evict(self) -> None:
        """Close the session that was idle for longest, if there are too many."""
        if len(self._lines) <= self._max_lines:
            return
        idle = next((tenant for tenant, line in self._lines.items() if not line.busy), None)
        newest = next(reversed(self._lines))
        if idle is not None and idle != newest:
            self._closing.start(self._lines.pop(idle).session.close())
