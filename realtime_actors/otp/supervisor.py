"""Supervisors: start children in order, start them again when they end, give up in time.

    supervisor = otp.start(
        otp.Supervisor,
        [otp.child_spec(Store, name="store"), otp.child_spec(Server, 8080)],
        strategy="rest_for_one",
    )

A supervisor that has to restart more than `max_restarts` times in `max_seconds` ends
its children in reverse order and ends itself, with `"shutdown"`: then it is for *its*
supervisor to say what happens. What is decided is in `strategy`; here it is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, frozen

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
from realtime_actors.otp.kernel.exits import SHUTDOWN, Reason, StartFailed, is_orderly
from realtime_actors.otp.kernel.process import ExitMessage
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.kernel.slots import Failed
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.returns import NoReply, Ok, Reply, Stop
from realtime_actors.otp.strategy import (
    AutoShutdown,
    Intensity,
    Restart,
    Restarts,
    Strategy,
    affected,
    auto_shutdown,
    wants_restart,
)

__all__ = ["Supervisor", "SupervisorRef"]

log = logging.getLogger("realtime_actors.otp")


@frozen
class _StartChild:
    spec: ChildSpec
    limited: bool
    """Whether it is not wanted any more once its caller has given up."""
    context: Context = field(factory=copy_context)


@frozen
class _TerminateChild:
    id: Hashable


@frozen
class _RestartChild:
    id: Hashable


@frozen
class _DeleteChild:
    id: Hashable


@frozen
class _Children:
    pass


@frozen
class _CountChildren:
    pass


@frozen
class _TryAgain:
    """To itself: the restart of this child has failed."""

    child: Child


class SupervisorRef(ServerRef):
    """A running supervisor."""

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> ChildRef | None:
        """Start one child more, after the others. None if it ignored the start.

        Raises `StartFailed`: `("already_started", ref)` or `"already_present"` if there
        is a child with this id, else `(reason, spec)` with what its start ended with.
        Raises `CallTimeout` after `timeout` seconds: then it is not started, or ended again.
        """
        started: ChildRef | None = call(self, _StartChild(spec, timeout is not None), timeout)
        return started

    def terminate_child(self, child_id: Hashable) -> None:
        """End a child; it stays listed, unless it is temporary. Raises `ChildError`."""
        call(self, _TerminateChild(child_id), None)

    def restart_child(self, child_id: Hashable) -> ChildRef | None:
        """Start a child that does not run. Raises `ChildError`, `StartFailed`."""
        started: ChildRef | None = call(self, _RestartChild(child_id), None)
        return started

    def delete_child(self, child_id: Hashable) -> None:
        """Forget a child that does not run. Raises `ChildError`."""
        call(self, _DeleteChild(child_id), None)

    def children(self) -> tuple[ChildInfo, ...]:
        """All children, the newest first."""
        listed: tuple[ChildInfo, ...] = call(self, _Children(), None)
        return listed

    def count_children(self) -> ChildCount:
        """How many there are, of which kind, and how many run."""
        counted: ChildCount = call(self, _CountChildren(), None)
        return counted


@define(eq=False)
class _Group:
    """A supervisor's children, and what it has been told to do about them.

    Changed as it goes: a supervisor that crashes has lost its children anyway.
    """

    strategy: Strategy
    intensity: Intensity
    auto_shutdown: AutoShutdown
    restarts: Restarts = field(factory=Restarts)
    children: list[Child] = field(factory=list)

    def by_id(self, child_id: Hashable) -> Child | None:
        return next((each for each in self.children if each.spec.id == child_id), None)

    def by_ref(self, ref: object) -> Child | None:
        return next((each for each in self.children if ref is not None and each.ref is ref), None)


class Supervisor(GenServer):
    """Starts, watches and restarts a list of children."""

    ref_class: ClassVar[type[ServerRef]] = SupervisorRef
    kind: ClassVar[str] = SUPERVISOR

    if TYPE_CHECKING:

        @property
        def actor_ref(self) -> SupervisorRef: ...

    def init(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy | str = Strategy.ONE_FOR_ONE,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown | str = AutoShutdown.NEVER,
    ) -> Ok | Stop:
        """Start the children, in order.

        If one does not start, those before it are ended and the supervisor does not
        start either: `("shutdown", ("failed_to_start_child", id, reason))`.
        """
        self._process.trap_exit = True
        group = _Group(
            Strategy(strategy), Intensity(max_restarts, max_seconds), AutoShutdown(auto_shutdown)
        )
        specs = list(children)
        for at, spec in enumerate(specs):
            if any(spec.id == before.id for before in specs[:at]):
                return Stop(("start_spec", ("duplicate_child_name", spec.id)))
        for spec in specs:
            child = Child(spec)
            try:
                start_child(self._process, child)
            except StartFailed as failed:
                self._end_all(group.children)
                return Stop((SHUTDOWN, ("failed_to_start_child", spec.id, failed.reason)))
            if child.ref is not None or spec.restart is not Restart.TEMPORARY:
                group.children.append(child)
        return Ok(group)

    def handle_call(self, message: Any, from_: From, state: _Group) -> Reply | NoReply | Stop:
        try:
            if isinstance(message, _StartChild):
                return self._start(message, from_, state)
            return Reply(self._asked(message, state), state)
        except (ChildError, StartFailed, TypeError) as error:
            return Reply(Failed(error), state)

    def handle_cast(self, message: Any, state: _Group) -> NoReply | Stop:
        return self.handle_info(message, state)  # a stranger's: pykka's broadcast, say

    def handle_info(self, message: Any, state: _Group) -> NoReply | Stop:
        match message:
            case ExitMessage(actor=ref, reason=reason):
                child = state.by_ref(ref)
                if child is not None:
                    return self._ended(child, reason, state)
            case _TryAgain(child=child) if child.ref == RESTARTING and child in state.children:
                return self._restart(child, state)
        return NoReply(state)

    def terminate(self, reason: Reason, state: _Group) -> object:
        self._end_all(state.children)
        return None

    # -- what it is asked for ----------------------------------------------------------

    def _asked(self, message: object, group: _Group) -> object:
        match message:
            case _TerminateChild(id=child_id):
                child = self._find(child_id, group)
                shut_down(self._process, [child])
                child.ref = None
                if child.spec.restart is Restart.TEMPORARY:
                    group.children.remove(child)
                return None
            case _RestartChild(id=child_id):
                child = self._find_stopped(child_id, group)
                start_child(self._process, child)
                return child.ref
            case _DeleteChild(id=child_id):
                group.children.remove(self._find_stopped(child_id, group))
                return None
            case _CountChildren():
                return count(group.children)
            case _Children():
                return tuple(each.info for each in reversed(group.children))
            case _:
                raise TypeError(f"a supervisor does not understand {message!r}")

    def _find(self, child_id: Hashable, group: _Group) -> Child:
        child = group.by_id(child_id)
        if child is None:
            raise ChildError("not_found", child_id)
        return child

    def _find_stopped(self, child_id: Hashable, group: _Group) -> Child:
        child = self._find(child_id, group)
        if child.ref == RESTARTING:
            raise ChildError("restarting", child_id)
        if child.ref is not None:
            raise ChildError("running", child_id)
        return child

    def _start(self, message: _StartChild, from_: From, group: _Group) -> NoReply:
        spec = message.spec
        if message.limited and from_.settled:
            return NoReply(group)  # its caller has given up
        there = group.by_id(spec.id)
        if there is not None:
            running = there.process is not None
            raise StartFailed(("already_started", there.ref) if running else "already_present")
        child = Child(spec, context=message.context)
        try:
            start_child(self._process, child)
        except StartFailed as failed:
            raise StartFailed((failed.reason, spec)) from failed
        if not from_.answer(child.ref) and message.limited:  # it has given up meanwhile
            shut_down(self._process, [child])
        elif child.ref is not None or spec.restart is not Restart.TEMPORARY:
            group.children.append(child)
        return NoReply(group)

    # -- what happens by itself --------------------------------------------------------

    def _ended(self, child: Child, reason: Reason, group: _Group) -> NoReply | Stop:
        if not is_orderly(reason):
            log.warning("%s: child %r ended: %r", self._process.label, child.spec.id, reason)
        child.ref = None
        if wants_restart(child.spec.restart, reason):
            return self._restart(child, group)
        if child.spec.restart is Restart.TEMPORARY:
            group.children.remove(child)
        others = [each for each in group.children if each is not child and each.spec.significant]
        if auto_shutdown(
            group.auto_shutdown,
            ended_significant=child.spec.significant,
            significant_left=sum(each.process is not None for each in others),
        ):
            return Stop(SHUTDOWN, group)
        return NoReply(group)

    def _restart(self, child: Child, group: _Group) -> NoReply | Stop:
        restarts = group.restarts.another(time.monotonic(), group.intensity)
        if restarts is None:
            log.error("%s gives up: too many restarts", self._process.label)
            return Stop(SHUTDOWN, group)
        group.restarts = restarts
        children = affected(group.strategy, group.children, child)
        self._end_all(children)
        gone = [each for each in children if each.spec.restart is Restart.TEMPORARY]
        for each in gone:
            group.children.remove(each)
        for each in children:
            if each in gone:
                continue
            each.restarts += 1
            try:
                start_child(self._process, each)
            except StartFailed as failed:
                log.warning(
                    "%s: child %r did not restart: %r",
                    self._process.label,
                    each.spec.id,
                    failed.reason,
                )
                each.ref = RESTARTING
                # As a message to itself, so that it can be asked and stopped in between.
                self._process.mailbox.put_signal(_TryAgain(each))
                break
        return NoReply(group)

    def _end_all(self, children: Sequence[Child]) -> None:
        for child in reversed(children):
            shut_down(self._process, [child])
