"""A host that listens: the parts of `guesthouse.app` behind the API, from the first request to the last."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector

from guesthouse.api.app import Api, Ports
from guesthouse.api.connection import BoundedProtocol
from guesthouse.api.control.operation import Services
from guesthouse.app import CACHE_FOLDER, Host, open_host
from guesthouse.clock import SystemClock
from guesthouse.config import ADDRESS_FILE, TOKEN_FILE, EngineConfig
from guesthouse.errors import NotFound, OperatorError
from guesthouse.model.registry import Role
from guesthouse.registry.protocol import Registry

TENANT: Final = "default"
TOKEN_NAME: Final = "admin"  # noqa: S105 - its name, not the token
"""The name of the token in `TOKEN_FILE`."""
_WORKER: Final = "guesthouse-worker"
"""What `open_host` names the task that works."""
GRACE_SECONDS: Final = 10
"""How long requests may go on when the host stops."""


class CannotListen(OperatorError):
    """The address can't be listened on; mostly because another program does."""

    code = "cannot_listen"

    def __init__(self, host: str, port: int, reason: str) -> None:
        """Take the address and what the system says about it."""
        super().__init__(f"can't listen on {host}:{port}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """What the operator decides."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes any that is free."""
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What can be told once the host answers."""

    url: str
    token_file: Path
    is_token_new: bool


async def serve(config: ServeConfig, stop: asyncio.Event, on_ready: Callable[[Started], None]) -> None:
    """Answer requests and work until *stop* is set; then requests and running guests end, or are given back.

    Raises `OperatorError`: what can't be used of the address, the folder or the system.
    """
    with listening(config.host, config.port) as listener:

        def tell(started: Started) -> None:
            announcing.enter_context(announced(config.data, started.url))
            on_ready(started)

        with ExitStack() as announcing:
            await answer(config, listener, stop, tell)


async def answer(
    config: ServeConfig, listener: socket.socket, stop: asyncio.Event, on_ready: Callable[[Started], None]
) -> None:
    """Do as `serve` does on a socket that is there, which other processes may share."""
    engine = EngineConfig(
        cache_folder=config.data / CACHE_FOLDER,
        allow_private=config.allow_private,
        own_listeners=(listener.getsockname()[:2],),
    )
    async with open_host(config.data, engine=engine) as host:
        file = config.data / TOKEN_FILE
        is_token_new = await provide_token(host.registry, file)
        async with _answering(make_api(host), listener) as serving:
            on_ready(Started(url=url_of(listener), token_file=file, is_token_new=is_token_new))
            await _first(serving, stop)


def make_api(host: Host) -> Api:
    """Put the API before a host."""
    services = Services(registry=host.registry, ledger=host.ledger, deployer=host.deployments, work=host.work)
    return Api(
        Ports(
            door=host.door,
            hooks=host.hooks,
            services=services,
            health=HostHealth(host),
            metrics=_metrics(host),
            clock=SystemClock(),
        )
    )


class HostHealth:
    """See `guesthouse.api.ports.Health`."""

    def __init__(self, host: Host) -> None:
        """Take whose health it is."""
        self._host = host

    async def problems(self) -> Sequence[str]:
        """See `guesthouse.api.ports.Health.problems`."""
        found = [] if _has_worker() else ["worker: it has stopped; restart the host"]
        for what, question in (("registry", self._host.registry.revision), ("queue", self._host.queue.depths)):
            try:
                await question()
            except OperatorError as error:
                found.append(f"{what}: {error}")
        return found


def _has_worker() -> bool:
    return any(task.get_name() == _WORKER for task in asyncio.all_tasks())


def _metrics(host: Host) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    guests = Gauge("guesthouse_engine_guests", "Guests alive, each in a slot of its own.", registry=registry)
    guests.set_function(lambda: host.engine.active)
    slots = Gauge("guesthouse_engine_slots", "Slots for guests.", registry=registry)
    slots.set(host.engine.config.slots)
    return registry


async def provide_token(registry: Registry, file: Path) -> bool:
    """Write an administrator's token to *file* unless there is one; make the tenant too. Says whether it is new.

    A token that was written there before and lost is good no longer.
    """
    if await asyncio.to_thread(file.exists):
        return False
    try:
        tenant = await registry.tenant(TENANT)
    except NotFound:
        tenant = await registry.create_tenant(TENANT)
    part = registry.within(tenant.id)
    for lost in [token for token in await part.tokens() if token.name == TOKEN_NAME]:
        await part.delete_token(lost.id)
    _, text = await part.create_token(TOKEN_NAME, Role.ADMIN)
    await asyncio.to_thread(_write, file, text)
    return True


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner reads: all of it, or none."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the address before anything else: whoever can't have it needn't open a host."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2_048)
    except OSError as error:
        # The socket module adds the address to the system's words; names that aren't found have numbers below 0.
        reason = os.strerror(error.errno) if (error.errno or 0) > 0 else error.strerror  # type: ignore[arg-type]
        raise CannotListen(host, port, reason or str(error)) from None
    with listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    """Say where a listener is reached from this machine."""
    host, port = listener.getsockname()[:2]
    address = ip_address(host.partition("%")[0])
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4
    return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"  # noqa: PLR2004 - IPv4


@contextmanager
def announced(data: Path, url: str) -> Iterator[None]:
    """Say in the data folder where the host is, for as long as it is."""
    file = data / ADDRESS_FILE
    _write(file, f"{url}\n")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


class _Server(uvicorn.Server):
    """Uvicorn, but that it says when it listens, and leaves signals to us: their handlers must not raise."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _answering(api: Api, listener: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    server = _Server(
        uvicorn.Config(
            api,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="guesthouse-server")
    try:
        await _first(serving, server.listens)
        yield serving
    finally:
        server.should_exit = True
        await serving


async def _first(serving: "asyncio.Task[None]", event: asyncio.Event) -> None:
    """Wait for an event, or for the server to end by itself, which it should not."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
