"""What every supervisor does: start a child for a caller, start one again, give up in time.

`supervisor` has children in an order, `dynamic` has many that come and go. Each says how
it keeps them (`Children`), and what it is asked for besides.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Any, ClassVar, Generic, TypeVar

from attrs import define, field, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.otp.child import (
    RESTARTING,
    SUPERVISOR,
    Child,
    ChildError,
    ChildSpec,
    shut_down,
    start_child,
)
from realtime_actors.otp.genserver import GenServer
from realtime_actors.otp.kernel.exits import SHUTDOWN, Reason, StartFailed, is_orderly
from realtime_actors.otp.kernel.process import ExitMessage
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.kernel.slots import Failed
from realtime_actors.otp.returns import NoReply, Reply, Stop
from realtime_actors.otp.strategy import Intensity, Restarts, wants_restart

__all__ = [
    "BaseSupervisor",
    "Children",
    "CountChildren",
    "ListChildren",
    "StartChild",
    "TerminateChild",
]

log = logging.getLogger("realtime_actors.otp")


@frozen
class StartChild:
    """Asks for one child more."""

    spec: ChildSpec
    limited: bool
    """Whether it is not wanted any more once its caller has given up."""
    context: Context = field(factory=copy_context)


@frozen
class TerminateChild:
    """Asks for the end of a child."""

    child: object
    """Its id, or its ref under a dynamic supervisor."""


@frozen
class ListChildren:
    """Asks for all children."""


@frozen
class CountChildren:
    """Asks how many there are."""


@frozen
class TryAgain:
    """To itself: the restart of this child has failed."""

    child: Child


@define(eq=False)
class Children(ABC):
    """A supervisor's children, and its restarts that still count: the state of its server.

    Changed in place: a supervisor that crashes has lost its children anyway.
    """

    intensity: Intensity
    restarts: Restarts = field(factory=Restarts, init=False)

    @abstractmethod
    def admit(self, spec: ChildSpec) -> None:
        """Raise `StartFailed` or `ConfigError` if there is no place for such a child."""

    @abstractmethod
    def keep(self, child: Child) -> None:
        """Note what became of a child's start, the first or a later one."""

    @abstractmethod
    def ended(self, ref: object) -> Child | None:
        """Return the child whose ref this is, which has ended."""

    @abstractmethod
    def waits(self, child: Child) -> bool:
        """Say whether a child still waits for its restart to be tried again."""


C = TypeVar("C", bound=Children)


class BaseSupervisor(GenServer, Generic[C]):
    """A server with children."""

    kind: ClassVar[str] = SUPERVISOR

    def handle_call(self, message: Any, from_: From, state: C) -> Reply | NoReply | Stop:
        try:
            if isinstance(message, StartChild):
                return self._start_for(message, from_, state)
            return Reply(self.asked(message, from_, state), state)
        except (ChildError, ConfigError, StartFailed, TypeError) as error:
            return Reply(Failed(error), state)

    def handle_cast(self, message: Any, state: C) -> NoReply | Stop:
        return self.handle_info(message, state)  # a stranger's: pykka's broadcast, say

    def handle_info(self, message: Any, state: C) -> NoReply | Stop:
        match message:
            case ExitMessage(actor=ref, reason=reason):
                child = state.ended(ref)
                if child is not None:
                    return self._ended(child, reason, state)
            case TryAgain(child=child) if state.waits(child):
                return self._restart(child, state)
        return NoReply(state)

    # -- what the two kinds do each in its way -------------------------------------------

    def asked(self, message: object, from_: From, children: C) -> object:
        """Do what a call asks for. May raise what the caller is to get."""
        raise TypeError(f"{type(self).__name__} does not understand {message!r}")

    def start_first(self, child: Child) -> None:
        """Start a child for the first time. Raises `StartFailed`."""
        start_child(self._process, child)

    def take_down(self, child: Child, children: C) -> Sequence[Child]:
        """End those that go down with a child, and return those to start again, in order."""
        return (child,)

    def let_go(self, child: Child, reason: Reason, children: C) -> NoReply | Stop:
        """Go on without a child that has ended and is not started again."""
        return NoReply(children)

    # -- what they share -----------------------------------------------------------------

    def _start_for(self, message: StartChild, from_: From, children: C) -> NoReply:
        if message.limited and from_.settled:
            return NoReply(children)  # its caller has given up
        children.admit(message.spec)
        child = Child(message.spec, context=message.context)
        self.start_first(child)
        if from_.answer(child.ref) or not message.limited:
            children.keep(child)
        else:  # it has given up meanwhile
            shut_down(self._process, [child])
        return NoReply(children)

    def _ended(self, child: Child, reason: Reason, children: C) -> NoReply | Stop:
        if not wants_restart(child.spec.restart, reason):
            return self.let_go(child, reason, children)
        self.note_end(child, reason)
        child.ref = None
        return self._restart(child, children)

    def note_end(self, child: Child, reason: Reason) -> None:
        """Log the crash of a child."""
        if not is_orderly(reason):
            label, child_id = self._process.label, child.spec.id
            log.warning("%s: child %r (%s) ended: %r", label, child_id, child.ref, reason)

    def _restart(self, child: Child, children: C) -> NoReply | Stop:
        restarts = children.restarts.another(time.monotonic(), children.intensity)
        if restarts is None:
            log.error("%s gives up: too many restarts", self._process.label)
            return Stop(SHUTDOWN, children)
        children.restarts = restarts
        for each in self.take_down(child, children):
            started = self._start_again(each)
            children.keep(each)
            if not started:
                break
        return NoReply(children)

    def _start_again(self, child: Child) -> bool:
        child.restarts += 1
        try:
            start_child(self._process, child)
        except StartFailed as failed:
            label, child_id = self._process.label, child.spec.id
            log.warning("%s: child %r did not restart: %r", label, child_id, failed.reason)
            child.ref = RESTARTING
            # As a message to itself, so that it can be asked and stopped in between.
            self._process.mailbox.put_signal(TryAgain(child))
            return False
        return True
