"""One invocation, from a call to a report: drives a guest, does what it asks of the host, judges how it ended."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from guesthouse.abi.call import CallContext, encode_call
from guesthouse.abi.reply import decode_reply, decode_reply_in_steps
from guesthouse.errors import BrokenContract, DeadlineExceeded, FunctionError
from guesthouse.model.capability import Capabilities
from guesthouse.model.limits import Limits
from guesthouse.model.reply import ItemResult, Reply
from guesthouse.model.report import Report, Usage
from guesthouse.runtime.guest import Guest, Steps
from guesthouse.runtime.operations import OPERATIONS
from guesthouse.runtime.outbound import Borrower
from guesthouse.runtime.outbound.exchange import abandon
from guesthouse.runtime.secrets import Vault

if TYPE_CHECKING:
    import asyncio

    from guesthouse.runtime.engine import Engine
    from guesthouse.runtime.modules import Module


_NO_SECRETS = Vault()
_PERFORMING_SECONDS = 0.0005
_DECODED_AT_ONCE = 8 * 1024
"""Bytes of a reply that take less than a time slice to decode, whatever they are."""


Told = TypeVar("Told", Reply, ItemResult)


def _with_masked(told: Told, mask: Callable[[str], str]) -> Told:
    return replace(told, message=told.message and mask(told.message), code=told.code and mask(told.code))


class Call(Struct, frozen=True, kw_only=True):
    """What is asked of a function: see `guesthouse.runtime.modules.Module.invoke`."""

    handler: str
    payload: object
    settings: Mapping[str, object]
    capabilities: Capabilities
    limits: Limits
    context: CallContext
    tenant: str
    destination: str


class Invocation:
    """A guest under way; the scheduler runs it (see `guesthouse.runtime.scheduler.Runnable`)."""

    __slots__ = (
        *("_borrower", "_cleanup", "_cpu_seconds", "_deadline", "_done", "_guest", "_life"),
        *("cache_scope", "call", "engine", "lane", "slice_began", "vault"),
    )

    def __init__(self, engine: "Engine", module: "Module", call: Call) -> None:
        """Encode the call and prepare the guest."""
        self.engine = engine
        self.call = call
        self.lane = (call.tenant, call.destination)
        self.cache_scope = (call.tenant, call.context.function or module.digest)
        self.vault = Vault(call.capabilities.secrets) if call.capabilities.secrets else _NO_SECRETS
        self._borrower: Borrower | None = None
        self._cleanup: list[Callable[[], object]] = []
        self._cpu_seconds = 0.0
        self.slice_began = 0.0
        settings = {**call.settings, **self.vault.settings} if call.capabilities.secrets else call.settings
        message = encode_call(call.handler, call.payload, settings, call.context)
        self._guest = Guest(engine.cell, module, call.limits)
        self._life: Steps[bytes | Reply] = self._guest.life(lambda guest: guest.answer(message))
        self._done: asyncio.Future[Report] = engine.loop.create_future()
        self._deadline = engine.deadlines.add(self, call.limits.deadline_ms / 1000)

    async def result(self) -> Report:
        """Run to the end; cancelling this cancels the guest."""
        self.engine.wake(self)
        try:
            return await self._done
        finally:
            self._release()

    def advance(self) -> bool:
        """See `Runnable.advance`."""
        if self._done.done():
            return False
        guest = self._guest
        try:
            while True:
                if not guest.outbox:
                    if guest.waiting is not None:
                        break
                    next(self._life)
                if not guest.outbox:
                    break
                self._perform()
                if perf_counter() > self.slice_began + _PERFORMING_SECONDS:
                    break
        except StopIteration as stop:
            return self._finish(stop.value)
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever awaits the invocation learns of it
            self._life.close()
            self._end(error)
            return False
        self._cpu_seconds += perf_counter() - self.slice_began
        self.slice_began = 0.0
        return guest.waiting is None or bool(guest.outbox)

    def complete(self, handle: int, result: bytes) -> None:
        """Give the guest the result of a host operation; it runs again if it waited for it."""
        if not self._done.done() and self._guest.complete(handle, result):
            self.engine.wake(self)

    def complete_at_once(self, handle: int, result: bytes) -> None:
        """Like `complete`, for what `OPERATIONS` can do at once: the guest goes on in the slice that it has."""
        self._guest.complete(handle, result)

    def complete_later(self, handle: int, result: bytes, milliseconds: int) -> None:
        """Like `complete`, after a time; nothing later than the deadline matters."""
        if milliseconds <= self.call.limits.deadline_ms:
            timer = self.engine.loop.call_later(milliseconds / 1000, self.complete, handle, result)
            self._cleanup.append(timer.cancel)

    def complete_from(self, handle: int, work: Coroutine[None, None, bytes]) -> None:
        """Like `complete`, with what *work* gives; what it raises ends the guest."""
        self._cleanup.append(self.engine.loop.create_task(self._await(handle, work)).cancel)

    async def _await(self, handle: int, work: Coroutine[None, None, bytes]) -> None:
        try:
            self.complete(handle, await work)
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever awaits the invocation learns of it
            self.stop(error)

    def stop(self, error: BaseException) -> None:
        """End the guest from outside, with *error* as its reason."""
        if self._done.done():
            return
        self._life.close()
        self._end(error)

    @property
    def borrower(self) -> Borrower:
        """The guest's HTTP client, made when it first asks for one."""
        if self._borrower is None:
            self._borrower = self.engine.outbound.borrow(
                tenant=self.lane[0],
                capabilities=self.call.capabilities,
                limits=self.call.limits,
                vault=self.vault,
                clock=self._guest.elapsed_seconds,
            )
        return self._borrower

    def _perform(self) -> None:
        """Do what the guest asked for, as far as the slice goes; the rest is for the next."""
        guest, until = self._guest, self.slice_began + _PERFORMING_SECONDS
        while guest.outbox:
            name, handle, request = guest.take_request()
            OPERATIONS[name](self, handle, request)
            if perf_counter() > until:
                return

    def expire(self) -> None:
        """End the guest: its deadline has passed."""
        self.stop(DeadlineExceeded(self.call.limits.deadline_ms))

    def _end(self, error: BaseException) -> None:
        if self._done.done():
            return
        if isinstance(error, FunctionError):
            self._done.set_result(self._report(None, error))
        else:
            self._done.set_exception(error)

    def _finish(self, answer: bytes | Reply) -> bool:
        """Judge the reply, a large one in slices of its own; whether there is more to do."""
        try:
            if isinstance(answer, bytes):
                if len(answer) > _DECODED_AT_ONCE:
                    self._life = decode_reply_in_steps(answer)
                    return True
                answer = decode_reply(answer)
            self._check_batch(answer)
        except FunctionError as error:
            self._end(error)
        else:
            self._done.set_result(self._report(self._masked(answer), None))
        return False

    def _masked(self, reply: Reply) -> Reply:
        """Blot secrets out of what is told to people; events and responses are the guest's data and stay."""
        if self.vault is _NO_SECRETS:
            return reply
        mask = self.vault.mask_text
        results = reply.results and tuple(_with_masked(item, mask) for item in reply.results)
        return replace(_with_masked(reply, mask), results=results)

    def _check_batch(self, reply: Reply) -> None:
        batch = self.call.payload
        if reply.results is not None and isinstance(batch, list) and len(reply.results) != len(batch):
            raise BrokenContract(f"reply.results has {len(reply.results)} items for a batch of {len(batch)}")

    def _report(self, reply: Reply | None, error: FunctionError | None) -> Report:
        guest, borrower, now = self._guest, self._borrower, perf_counter()
        if borrower:
            abandon(borrower.exchanges, guest.elapsed_ms())
        cpu_seconds = self._cpu_seconds + (now - self.slice_began if self.slice_began else 0.0)
        return Report(
            reply=reply,
            error=error,
            logs=guest.logbook.lines(self.vault.mask_text, guest.elapsed_ms()) if guest.has_logged else (),
            http=tuple(borrower.exchanges) if borrower else (),
            usage=Usage(
                fuel=guest.fuel_used,
                peak_memory_bytes=guest.memory_bytes,
                duration_ms=(now - guest.started) * 1000,
                cpu_ms=cpu_seconds * 1000,
                http_calls=borrower.calls if borrower else 0,
                log_lines_dropped=guest.logbook.dropped if guest.has_logged else 0,
            ),
        )

    def _release(self) -> None:
        self.engine.deadlines.cancel(self, self._deadline)
        self._life.close()
        for cancel in self._cleanup:
            cancel()
