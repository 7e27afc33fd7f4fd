"""A supervisor of children that come and go: many of the same kind, started on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, evolve, field

from realtime_actors.errors import ConfigError
from realtime_actors.otp.answer import Answer
from realtime_actors.otp.child import (
    Child,
    ChildCount,
    ChildError,
    ChildInfo,
    ChildRef,
    ChildSpec,
    check_spec,
    count,
    shut_down,
)
from realtime_actors.otp.kernel.calls import call
from realtime_actors.otp.kernel.exits import Reason, StartFailed
from realtime_actors.otp.kernel.options import check_limit, options_of
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.returns import Ok
from realtime_actors.otp.strategy import Intensity
from realtime_actors.otp.supervising import (
    BaseSupervisor,
    Children,
    CountChildren,
    ListChildren,
    StartChild,
    TerminateChild,
)

__all__ = ["DynamicSupervisor", "DynamicSupervisorRef"]

MAX_CHILDREN = "max_children"


class DynamicSupervisorRef(ServerRef):
    """A running dynamic supervisor."""

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> ChildRef | None:
        """Start a child. None if it ignored the start: then it is not kept.

        The spec's `id` means nothing here. Raises `StartFailed` with what its start
        ended with, or `"max_children"`, and `CallTimeout` after `timeout` seconds: then it
        is not started, or ended again. A `significant` child is a `ConfigError`: its end
        means nothing to a supervisor of this kind.
        """
        check_spec(spec)
        started: ChildRef | None = call(self, StartChild(spec, timeout is not None), timeout)
        return started

    def begin_child(self, spec: ChildSpec) -> Answer[ChildRef | None]:
        """Start a child without waiting for that: what `start_child` gives comes later.

        One that is given up (`Answer.give_up`) is not started, or ended again.
        """
        check_spec(spec)
        return self.ask(StartChild(spec, limited=True), block=False)

    def terminate_child(self, ref: ChildRef) -> None:
        """End a child and forget it. Raises `ChildError`."""
        call(self, TerminateChild(ref), None)

    def children(self) -> tuple[ChildInfo, ...]:
        """Return all children."""
        listed: tuple[ChildInfo, ...] = call(self, ListChildren(), None)
        return listed

    def count_children(self) -> ChildCount:
        """Count the children: how many there are, of which kind, and how many run."""
        counted: ChildCount = call(self, CountChildren(), None)
        return counted


@define(eq=False)
class ChildrenByRef(Children):
    """Children by their refs. One whose restart has failed has none."""

    max_children: int | None
    running: dict[object, Child] = field(factory=dict)
    restarting: dict[Child, None] = field(factory=dict)

    @property
    def all(self) -> list[Child]:
        return [*self.running.values(), *self.restarting]

    def check_room(self) -> None:
        """Raise `StartFailed` if there are as many as there may be."""
        most = self.max_children
        if most is not None and len(self.running) + len(self.restarting) >= most:
            raise StartFailed(MAX_CHILDREN)

    def admit(self, spec: ChildSpec) -> None:
        if spec.significant:
            raise ConfigError(
                f"significant is True for the child {spec.id!r}: allowed is False under a"
                " DynamicSupervisor, which does not end because a child has"
            )
        self.check_room()

    def keep(self, child: Child) -> None:
        if isinstance(child.ref, str):
            self.restarting[child] = None
        elif child.ref is not None:
            self.running[child.ref] = child

    def ended(self, ref: object) -> Child | None:
        return self.running.pop(ref, None)

    def waits(self, child: Child) -> bool:
        waiting = child in self.restarting
        self.restarting.pop(child, None)
        return waiting


class DynamicSupervisor(BaseSupervisor[ChildrenByRef]):
    """Starts children on demand, watches and restarts them.

    When it ends, its children end all at the same time. `max_children` None: no limit.
    """

    ref_class: ClassVar[type[ServerRef]] = DynamicSupervisorRef

    if TYPE_CHECKING:

        @property
        def actor_ref(self) -> DynamicSupervisorRef: ...

    @classmethod
    def check_arguments(cls, *args: Any, **kwargs: Any) -> None:
        if cls.init is DynamicSupervisor.init:
            _no_children(**options_of(cls, cls.init, args, kwargs))

    def init(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> Ok:
        self._process.trap_exit = True
        return Ok(_no_children(max_children, max_restarts, max_seconds))

    def asked(self, message: object, from_: From, children: ChildrenByRef) -> object:
        match message:
            case TerminateChild(child=ref):
                ended = children.running.pop(ref, None)
                if ended is None:
                    raise ChildError("not_found", ref)
                shut_down(self._process, [ended])
                return None
            case ListChildren():
                return tuple(evolve(each.info, id=None) for each in children.all)
            case CountChildren():
                return count(children.all)
            case _:
                return super().asked(message, from_, children)

    def terminate(self, reason: Reason, state: ChildrenByRef) -> object:
        shut_down(self._process, state.all)
        return None


def _no_children(max_children: int | None, max_restarts: int, max_seconds: float) -> ChildrenByRef:
    """Check the options of a dynamic supervisor, and make its first state of them."""
    intensity = Intensity(max_restarts, max_seconds)
    return ChildrenByRef(intensity, check_limit(max_children, "max_children"))
