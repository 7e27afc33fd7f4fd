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

from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.otp.child import (
    RESTARTING,
    Child,
    ChildCount,
    ChildError,
    ChildInfo,
    ChildRef,
    ChildSpec,
    DuplicateChildError,
    check_spec,
    count,
    shut_down,
    start_child,
)
from realtime_actors.otp.kernel.calls import call
from realtime_actors.otp.kernel.exits import SHUTDOWN, Reason, StartFailed
from realtime_actors.otp.kernel.options import check_word, options_of, wrong
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.returns import NoReply, Ok, Stop
from realtime_actors.otp.strategy import (
    AutoShutdown,
    Intensity,
    Restart,
    Strategy,
    affected,
    auto_shutdown,
)
from realtime_actors.otp.supervising import (
    BaseSupervisor,
    Children,
    CountChildren,
    ListChildren,
    StartChild,
    TerminateChild,
)

__all__ = ["Supervisor", "SupervisorRef"]


@frozen
class _RestartChild:
    """Asks for the start of a child that does not run."""

    id: Hashable


@frozen
class _DeleteChild:
    """Asks to forget a child that does not run."""

    id: Hashable


class SupervisorRef(ServerRef):
    """A running supervisor."""

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> ChildRef | None:
        """Start one child more, after the others. None if it ignored the start.

        Raises `StartFailed`: `("already_started", ref)` or `"already_present"` if there
        is a child with this id, else `(reason, spec)` with what its start ended with.
        Raises `CallTimeout` after `timeout` seconds: then it is not started, or ended again.
        """
        check_spec(spec)
        started: ChildRef | None = call(self, StartChild(spec, timeout is not None), timeout)
        return started

    def terminate_child(self, child_id: Hashable) -> None:
        """End a child; it stays listed, unless it is temporary. Raises `ChildError`."""
        call(self, TerminateChild(child_id), None)

    def restart_child(self, child_id: Hashable) -> ChildRef | None:
        """Start a child that does not run. Raises `ChildError`, `StartFailed`."""
        started: ChildRef | None = call(self, _RestartChild(child_id), None)
        return started

    def delete_child(self, child_id: Hashable) -> None:
        """Forget a child that does not run. Raises `ChildError`."""
        call(self, _DeleteChild(child_id), None)

    def children(self) -> tuple[ChildInfo, ...]:
        """Return all children, the newest first."""
        listed: tuple[ChildInfo, ...] = call(self, ListChildren(), None)
        return listed

    def count_children(self) -> ChildCount:
        """Count the children: how many there are, of which kind, and how many run."""
        counted: ChildCount = call(self, CountChildren(), None)
        return counted


@define(eq=False)
class ChildrenInOrder(Children):
    """Children in the order in which they are started, each with an id of its own."""

    strategy: Strategy
    auto_shutdown: AutoShutdown
    all: list[Child] = field(factory=list)

    def find(self, child_id: Hashable) -> Child:
        """Return the child with this id. Raises `ChildError`."""
        child = self._with(child_id)
        if child is None:
            raise ChildError("not_found", child_id)
        return child

    def find_stopped(self, child_id: Hashable) -> Child:
        """Return the child with this id, if it does not run. Raises `ChildError`."""
        child = self.find(child_id)
        if child.ref == RESTARTING:
            raise ChildError("restarting", child_id)
        if child.ref is not None:
            raise ChildError("running", child_id)
        return child

    def admit(self, spec: ChildSpec) -> None:
        _check_significance(spec, self.auto_shutdown)
        there = self._with(spec.id)
        if there is not None:
            running = there.process is not None
            raise StartFailed(("already_started", there.ref) if running else "already_present")

    def keep(self, child: Child) -> None:
        if child.ref is None and child.spec.restart is Restart.TEMPORARY:
            return
        if child not in self.all:
            self.all.append(child)

    def ended(self, ref: object) -> Child | None:
        return next((each for each in self.all if ref is not None and each.ref is ref), None)

    def waits(self, child: Child) -> bool:
        return child.ref == RESTARTING and child in self.all

    def _with(self, child_id: Hashable) -> Child | None:
        return next((each for each in self.all if each.spec.id == child_id), None)


class Supervisor(BaseSupervisor[ChildrenInOrder]):
    """Starts, watches and restarts a list of children."""

    ref_class: ClassVar[type[ServerRef]] = SupervisorRef

    if TYPE_CHECKING:

        @property
        def actor_ref(self) -> SupervisorRef: ...

    @classmethod
    def check_arguments(cls, *args: Any, **kwargs: Any) -> None:
        if cls.init is Supervisor.init:
            _checked(**options_of(cls, cls.init, args, kwargs))

    def init(
        self,
        children: Collection[ChildSpec] = (),
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
        try:
            state = _checked(children, strategy, max_restarts, max_seconds, auto_shutdown)
        except DuplicateChildError as error:
            return Stop(error.reason)
        for spec in children:
            child = Child(spec)
            try:
                start_child(self._process, child)
            except StartFailed as failed:
                self._end_all(state.all)
                return Stop((SHUTDOWN, ("failed_to_start_child", spec.id, failed.reason)))
            state.keep(child)
        return Ok(state)

    def terminate(self, reason: Reason, state: ChildrenInOrder) -> object:
        self._end_all(state.all)
        return None

    def asked(self, message: object, from_: From, children: ChildrenInOrder) -> object:
        match message:
            case TerminateChild(child=child_id):
                child = children.find(child_id)
                shut_down(self._process, [child])
                child.ref = None
                if child.spec.restart is Restart.TEMPORARY:
                    children.all.remove(child)
                return None
            case _RestartChild(id=child_id):
                child = children.find_stopped(child_id)
                start_child(self._process, child)
                return child.ref
            case _DeleteChild(id=child_id):
                children.all.remove(children.find_stopped(child_id))
                return None
            case CountChildren():
                return count(children.all)
            case ListChildren():
                return tuple(each.info for each in reversed(children.all))
            case _:
                return super().asked(message, from_, children)

    def start_first(self, child: Child) -> None:
        try:
            super().start_first(child)
        except StartFailed as failed:
            raise StartFailed((failed.reason, child.spec)) from failed

    def take_down(self, child: Child, children: ChildrenInOrder) -> Sequence[Child]:
        down = affected(children.strategy, children.all, child)
        self._end_all(down)
        again = [each for each in down if each.spec.restart is not Restart.TEMPORARY]
        for each in down:
            if each not in again:
                children.all.remove(each)
        return again

    def let_go(self, child: Child, reason: Reason, children: ChildrenInOrder) -> NoReply | Stop:
        self.note_end(child, reason)
        child.ref = None
        if child.spec.restart is Restart.TEMPORARY:
            children.all.remove(child)
        others = [each for each in children.all if each is not child and each.spec.significant]
        if auto_shutdown(
            children.auto_shutdown,
            ended_significant=child.spec.significant,
            significant_left=sum(each.process is not None for each in others),
        ):
            return Stop(SHUTDOWN, children)
        return NoReply(children)

    def _end_all(self, children: Sequence[Child]) -> None:
        for child in reversed(children):
            shut_down(self._process, [child])


def _checked(
    children: Collection[ChildSpec],
    strategy: Strategy | str,
    max_restarts: int,
    max_seconds: float,
    auto_shutdown: AutoShutdown | str,
) -> ChildrenInOrder:
    """Check the options of a supervisor, and make a state of them that has no children yet."""
    state = ChildrenInOrder(
        Intensity(max_restarts, max_seconds),
        check_word(strategy, "strategy", Strategy),
        check_word(auto_shutdown, "auto_shutdown", AutoShutdown),
    )
    if not isinstance(children, Collection) or isinstance(children, str):
        # What can be read only once would leave nothing to start when it is started again.
        raise wrong(children, "children", "a list of child specs")
    seen = set[Hashable]()
    for spec in children:
        check_spec(spec)
        _check_significance(spec, state.auto_shutdown)
        if spec.id in seen:
            raise DuplicateChildError(spec.id)
        seen.add(spec.id)
    return state


def _check_significance(spec: ChildSpec, policy: AutoShutdown) -> None:
    if spec.significant and policy is AutoShutdown.NEVER:
        raise ConfigError(
            f"significant is True for the child {spec.id!r}: allowed is False, since the"
            " supervisor's auto_shutdown is 'never'. Say 'any_significant' or 'all_significant'"
        )
