"""A supervisor of children that come and go: many of the same kind, started on demand."""

from __future__ import annotations

import logging
import time
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, evolve, field, frozen

from realtime_actors.otp.child import (
    RESTARTING,
    SUPERVISOR,
    Child,
    ChildCount,
    ChildError,
    ChildInfo,
    ChildRef,
    ChildSpec,
    count,
    shut_down,
    start_child,
)
from realtime_actors.otp.genserver import GenServer
from realtime_actors.otp.kernel.calls import call
from realtime_actors.otp.kernel.counts import check_count
from realtime_actors.otp.kernel.exits import SHUTDOWN, Reason, StartFailed, is_orderly
from realtime_actors.otp.kernel.process import ExitMessage
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.kernel.slots import Failed
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.returns import NoReply, Ok, Reply, Stop
from realtime_actors.otp.strategy import Intensity, Restarts, wants_restart

__all__ = ["DynamicSupervisor", "DynamicSupervisorRef"]

log = logging.getLogger("realtime_actors.otp")

MAX_CHILDREN = "max_children"


@frozen
class StartChild:
    """Asks for one child more."""

    spec: ChildSpec
    limited: bool = False
    """Whether it is not wanted any more once its caller has given up."""
    context: Context = field(factory=copy_context)


@frozen
class TerminateChild:
    """Asks for the end of a child."""

    ref: ChildRef


@frozen
class ListChildren:
    """Asks for all children."""


@frozen
class CountChildren:
    """Asks how many there are."""


@frozen
class _TryAgain:
    """To itself: the restart of this child has failed."""

    child: Child


class DynamicSupervisorRef(ServerRef):
    """A running dynamic supervisor."""

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> ChildRef | None:
        """Start a child. None if it ignored the start: then it is not kept.

        The spec's `id` means nothing here. Raises `StartFailed` with what its start
        ended with, or `"max_children"`, and `CallTimeout` after `timeout` seconds: then it
        is not started, or ended again.
        """
        started: ChildRef | None = call(self, StartChild(spec, timeout is not None), timeout)
        return started

    def terminate_child(self, ref: ChildRef) -> None:
        """End a child and forget it. Raises `ChildError`."""
        call(self, TerminateChild(ref), None)

    def children(self) -> tuple[ChildInfo, ...]:
        """All children."""
        listed: tuple[ChildInfo, ...] = call(self, ListChildren(), None)
        return listed

    def count_children(self) -> ChildCount:
        """How many there are, of which kind, and how many run."""
        counted: ChildCount = call(self, CountChildren(), None)
        return counted


@define(eq=False)
class Flock:
    """The children, by ref; one whose restart has failed is under none."""

    max_children: int | None
    intensity: Intensity
    restarts: Restarts = field(factory=Restarts)
    running: dict[object, Child] = field(factory=dict)
    restarting: dict[Child, None] = field(factory=dict)

    @property
    def children(self) -> list[Child]:
        return [*self.running.values(), *self.restarting]

    @property
    def full(self) -> bool:
        limit = self.max_children
        return limit is not None and len(self.running) + len(self.restarting) >= limit


class DynamicSupervisor(GenServer):
    """Starts children on demand, watches and restarts them.

    When it ends, its children end all at the same time. `max_children` None is as many
    as like.
    """

    ref_class: ClassVar[type[ServerRef]] = DynamicSupervisorRef
    kind: ClassVar[str] = SUPERVISOR

    if TYPE_CHECKING:

        @property
        def actor_ref(self) -> DynamicSupervisorRef: ...

    def init(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> Ok:
        self._process.trap_exit = True
        if max_children is not None:
            check_count(max_children, "max_children", least=0)
        return Ok(Flock(max_children, Intensity(max_restarts, max_seconds)))

    def handle_call(self, message: Any, from_: From, state: Flock) -> Reply | NoReply | Stop:
        try:
            if isinstance(message, StartChild):
                return self._start(message, from_, state)
            return Reply(self.asked(message, from_, state), state)
        except (ChildError, StartFailed, TypeError) as error:
            return Reply(Failed(error), state)

    def handle_cast(self, message: Any, state: Flock) -> NoReply | Stop:
        return self.handle_info(message, state)  # a stranger's: pykka's broadcast, say

    def asked(self, message: object, from_: From, flock: Flock) -> object:
        """Do what a call asks for. May raise what the caller is to get."""
        match message:
            case TerminateChild(ref=ref):
                ended = flock.running.pop(ref, None)
                if ended is None:
                    raise ChildError("not_found", ref)
                shut_down(self._process, [ended])
                return None
            case ListChildren():
                return tuple(evolve(each.info, id=None) for each in flock.children)
            case CountChildren():
                return count(flock.children)
            case _:
                raise TypeError(f"{type(self).__name__} does not understand {message!r}")

    def _start(self, message: StartChild, from_: From, flock: Flock) -> NoReply:
        if message.limited and from_.settled:
            return NoReply(flock)  # its caller has given up
        if flock.full:
            raise StartFailed(MAX_CHILDREN)
        child = Child(message.spec, context=message.context)
        start_child(self._process, child)
        if from_.answer(child.ref) or not message.limited:
            if child.ref is not None:
                flock.running[child.ref] = child
        else:  # it has given up meanwhile
            shut_down(self._process, [child])
        return NoReply(flock)

    def handle_info(self, message: Any, state: Flock) -> NoReply | Stop:
        match message:
            case ExitMessage(actor=ref, reason=reason):
                child = state.running.pop(ref, None)
                if child is not None:
                    return self._ended(child, reason, state)
            case _TryAgain(child=child) if child in state.restarting:
                del state.restarting[child]
                return self._restart(child, state)
        return NoReply(state)

    def terminate(self, reason: Reason, state: Flock) -> object:
        shut_down(self._process, state.children)
        return None

    def _ended(self, child: Child, reason: Reason, flock: Flock) -> NoReply | Stop:
        if not wants_restart(child.spec.restart, reason):
            return NoReply(flock)
        if not is_orderly(reason):
            log.warning("%s: child %s ended: %r", self._process.label, child.ref, reason)
        return self._restart(child, flock)

    def _restart(self, child: Child, flock: Flock) -> NoReply | Stop:
        child.ref = None
        restarts = flock.restarts.another(time.monotonic(), flock.intensity)
        if restarts is None:
            log.error("%s gives up: too many restarts", self._process.label)
            return Stop(SHUTDOWN, flock)
        flock.restarts = restarts
        child.restarts += 1
        try:
            start_child(self._process, child)
        except StartFailed as failed:
            log.warning("%s: a child did not restart: %r", self._process.label, failed.reason)
            child.ref = RESTARTING
            flock.restarting[child] = None
            self._process.mailbox.put_signal(_TryAgain(child))
        else:
            if child.ref is not None:
                flock.running[child.ref] = child
        return NoReply(flock)
