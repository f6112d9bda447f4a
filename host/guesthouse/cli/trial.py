"""What ``guesthouse run`` does: one invocation, and what to tell its author besides the report."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from guesthouse.abi.results import Refusal
from guesthouse.cli.exits import BadInput
from guesthouse.config import EngineConfig
from guesthouse.errors import RejectedModule
from guesthouse.model.capability import Capabilities
from guesthouse.model.hosts import is_ip
from guesthouse.model.limits import Limits
from guesthouse.model.reply import Description, Reply
from guesthouse.model.report import HttpExchange, Report, Usage
from guesthouse.model.target import DEFAULT_PORTS, Target
from guesthouse.model.verdict import Verdict
from guesthouse.runtime.engine import Engine

if TYPE_CHECKING:
    from guesthouse.runtime.modules import Module

_NO_USAGE = Usage(fuel=0, peak_memory_bytes=0, duration_ms=0.0, cpu_ms=0.0)
_NAME = "run"
"""The tenant and the destination on whose behalf the function runs."""


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that one run is made of."""

    wasm: bytes
    handler: str
    payload: object
    settings: Mapping[str, object]
    capabilities: Capabilities
    allow_private: tuple[IPv4Network | IPv6Network, ...]
    limits: Limits


class Trial(Struct, frozen=True, kw_only=True):
    """What came of it."""

    handler: str
    limits: Limits
    report: Report
    digest: str | None = None
    """None where the module was rejected."""
    notes: tuple[str, ...] = ()
    """Sentences for the author: what looks forgotten."""

    @property
    def went_well(self) -> bool:
        """Whether the function said done or drop, and of each event of a batch."""
        reply = self.report.reply
        if reply is None:
            return False
        verdicts = {reply.verdict, *(item.verdict for item in reply.results or ())}
        return verdicts <= {Verdict.DONE, Verdict.DROP}


async def carry_out(plan: Plan) -> Trial:
    """Load the module and invoke it once; a rejected module is a trial too, one that broke at once."""
    async with Engine.open(EngineConfig(slots=1, allow_private=plan.allow_private)) as engine:
        try:
            module = await engine.load(plan.wasm)
        except RejectedModule as error:
            report = Report(reply=None, error=error, usage=_NO_USAGE)
            return Trial(handler=plan.handler, limits=plan.limits, report=report)
        if plan.handler not in module.description.handlers:
            report = unsupported(plan.handler, module.description)
        else:
            report = await _invoke(module, plan)
        notes = (*_settings_notes(plan, module.description), *_http_notes(report))
        return Trial(handler=plan.handler, limits=plan.limits, report=report, digest=module.digest, notes=notes)


async def _invoke(module: "Module", plan: Plan) -> Report:
    try:
        return await module.invoke(
            plan.handler,
            plan.payload,
            settings=plan.settings,
            capabilities=plan.capabilities,
            limits=plan.limits,
            tenant=_NAME,
            destination=_NAME,
        )
    except ValueError as error:
        raise BadInput(f"the event or the settings can't be handed to a function: {error}") from None


def unsupported(handler: str, description: Description) -> Report:
    """Answer as the host does for a handler that the function lacks: without running it."""
    message = f"the function has no {handler}; it has {', '.join(description.handlers) or 'no handlers'}"
    return Report(reply=Reply(verdict=Verdict.UNSUPPORTED, message=message), error=None, usage=_NO_USAGE)


def _settings_notes(plan: Plan, description: Description) -> Iterator[str]:
    given = {*plan.settings, *(secret.name for secret in plan.capabilities.secrets)}
    for setting in description.settings:
        if setting.required and setting.name not in given:
            option = f"--secret {setting.name}=..." if setting.secret else "--settings"
            yield f"the function requires the setting {setting.name}; give it with {option}"


def _http_notes(report: Report) -> Iterator[str]:
    """Tell which option would have let a denied request through, once for each place."""
    yield from dict.fromkeys(note for exchange in report.http if (note := _http_note(exchange)))


def _http_note(exchange: HttpExchange) -> str | None:
    try:
        target = Target.parse(exchange.url)
    except ValueError:
        return None
    port = "" if target.port == DEFAULT_PORTS[target.scheme] else f":{target.port}"
    place = f"{target.scheme}://{target.host}{port}"
    if exchange.error == Refusal.DENIED_HOST:
        return f"nothing is reachable unless it is granted; --allow {place} grants this"
    if exchange.error == Refusal.DENIED_ADDRESS:
        return f"{place} is at an address that functions never reach; {_network_of(target.host)} makes an exception"
    return None


def _network_of(host: str) -> str:
    if not is_ip(host):
        return "--allow-private with its network"
    address = ip_address(host.strip("[]"))
    return f"--allow-private {'127.0.0.0/8' if address.version == 4 and address.is_loopback else address}"  # noqa: PLR2004 - IPv4
