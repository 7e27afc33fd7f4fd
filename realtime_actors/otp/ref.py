"""The handle of a server: a pykka `ActorRef` whose `ask` is a call and `tell` a cast."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, overload

import pykka

from realtime_actors.otp.answer import Answer
from realtime_actors.otp.kernel.calls import CALL, STOP, ask, await_answer, deliver, stop_process
from realtime_actors.otp.kernel.exits import NORMAL, CallExit, was_there
from realtime_actors.otp.kernel.mailbox import CAST
from realtime_actors.otp.kernel.process import Process, ProcessRef, own_thread
from realtime_actors.otp.kernel.requests import Request, StopRequest
from realtime_actors.seconds import seconds_or_none

__all__ = ["ServerActor", "ServerRef"]


class ServerRef(ProcessRef, pykka.ActorRef[Any]):
    """A running server. Safe to use from any thread, and to keep after the server's end.

    Subclass it to give a server verbs of its own (`GenServer.ref_class`).
    """

    incarnation: int
    """How many servers this handle has stood for: more than 1 if it outlived a restart."""

    def __init__(self, actor: ServerActor) -> None:
        self.incarnation = 0
        self._stand_for(actor)

    def _stand_for(self, actor: ServerActor) -> None:
        """Make this the handle of `actor`, the first or the next incarnation."""
        if self.incarnation:
            actor.actor_urn = self.actor_urn
        pykka.ActorRef.__init__(self, actor)
        self._process = actor._process
        self.incarnation += 1

    def is_alive(self) -> bool:
        """Whether the server has not ended yet. True while `terminate` runs."""
        return not self._process.dead

    def tell(self, message: Any) -> None:
        """Send a cast: don't wait, never raise because the server is gone."""
        if own_thread.process is None:  # `deliver` would do it, for the price of a call
            self._process.mailbox.put((CAST, message))
        else:
            deliver(self._process, (CAST, message))

    @overload
    def ask(
        self, message: Any, *, block: Literal[False], timeout: float | None = None
    ) -> Answer[Any]: ...
    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...
    @overload
    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None
    ) -> Any | Answer[Any]: ...
    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None
    ) -> Any | Answer[Any]:
        """Call the server and give its answer, or a future of it if not `block`.

        Raises what `otp.call` raises: the error that the server foresaw, `CallExit`
        (a `pykka.ActorDeadError`), `CallTimeout` (a `pykka.Timeout`), `DeadlockError`.
        `timeout` is in seconds; None waits for ever.
        """
        timeout = seconds_or_none(timeout, "the timeout of a call")
        if block:
            return ask(self._process, message, timeout)
        request = Request(message, own_thread.process, self._process)
        answer: Answer[Any] = Answer.to(
            request, lambda timeout: await_answer(request, timeout, CALL, again=True)
        )
        deliver(self._process, request)
        return answer

    @overload
    def stop(self, *, block: Literal[True], timeout: float | None = None) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> Answer[bool]: ...
    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Answer[bool]: ...
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Answer[bool]:
        """Ask the server to end, after what it was sent before. False if it was dead.

        Unlike `otp.stop`, doesn't mind how it ended.
        """
        timeout = seconds_or_none(timeout, "the timeout of a stop")
        if not block:
            request = StopRequest(NORMAL, own_thread.process, self._process)
            answer = Answer.to(request, lambda timeout: _stopped(request, timeout))
            deliver(self._process, request)
            return answer
        try:
            stop_process(self._process, NORMAL, timeout)
        except CallExit as exit_:
            return was_there(exit_.reason)
        return True


class ServerActor(pykka.ThreadingActor):
    """The base of `GenServer`: what its handle and its start know of it."""

    ref_class: ClassVar[type[ServerRef]] = ServerRef
    """The class of the server's handle: a subclass of `ServerRef` with verbs of its own."""

    _process: Process
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    @classmethod
    def check_arguments(cls, *args: Any, **kwargs: Any) -> None:
        """Raise `ConfigError` for arguments that `init` can't use.

        Called in the thread of whoever starts the server or makes a child's spec of it, so that
        a mistake is raised where it is made. Does nothing, unless a subclass has its own.
        """


def _stopped(request: StopRequest, timeout: float | None) -> bool:
    try:
        await_answer(request, timeout, STOP, again=True)
    except CallExit as exit_:
        return was_there(exit_.reason)
    return True
