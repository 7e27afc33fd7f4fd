"""GenServer: an actor that handles one message after the other and owns its state.

    class Counter(otp.GenServer):
        def init(self, start: int) -> otp.Ok:
            return otp.Ok(start)

        def handle_call(self, message, from_, state):
            match message:
                case "next":
                    return otp.Reply(state, state + 1)

    counter = otp.start(Counter, 10)
    counter.ask("next")        # 10
    otp.stop(counter)

The state is taken and returned: what a handler that fails did to it is gone, as long
as it made a new state instead of changing the old one. An exception that escapes a
handler ends the server, and nothing but the server: `SystemExit` too.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Final, Self, cast

import pykka
from pykka import messages

from realtime_actors.errors import ConfigError
from realtime_actors.otp.exits import NORMAL, TIMEOUT, Cancelled, Reason, StartFailed, reason_of
from realtime_actors.otp.mailbox import (
    CAST,
    CLOSED,
    TIMED_OUT,
    Bounded,
    BoundedMailbox,
    Mailbox,
    answer_undelivered,
)
from realtime_actors.otp.process import (
    ParentExit,
    Process,
    check,
    end,
    log_crash,
    own_thread,
    start_thread,
    thread_is_done,
    wait,
)
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.returns import KEEP, NOTHING, Ignore, Inherited, NoReply, Ok, Reply, Stop
from realtime_actors.otp.slots import Failed, From, Outcome, Request, StopRequest
from realtime_actors.otp.starting import start_server
from realtime_actors.seconds import seconds_or_none

__all__ = ["GenServer"]

log = logging.getLogger("realtime_actors.otp")

PROXIED: Final = frozenset(
    {messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr, messages._ActorStop}
)
"""What pykka's proxies and `Actor.stop` send."""


class GenServer(pykka.ThreadingActor):
    """Subclass it, define what it does with its messages, start it with `otp.start`.

    Don't override `__init__`: it runs in the starter's thread. What `start` is given
    goes to `init`, which runs in the server's own.
    """

    use_daemon_thread: ClassVar[bool] = True

    ref_class: ClassVar[type[ServerRef]] = ServerRef
    """The class of the server's handle: a subclass of `ServerRef` with verbs of its own."""

    mailbox: ClassVar[Bounded | None] = None
    """How many messages may wait; None: as many as like."""

    kind: ClassVar[str] = "server"
    """What `otp.observe()` calls it."""

    def __init__(self) -> None:
        super().__init__()
        self._process = Process(self.kind, type(self).__name__, cast(Mailbox, self.actor_inbox))
        self._process.obeys_parent = True
        self._process.farewell = (self._farewell,)
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self._state: Any = None

    # -- what a subclass defines -------------------------------------------------------

    def init(self, *args: Any, **kwargs: Any) -> Ok | Ignore | Stop | Inherited:
        """Make the first state. Whoever starts the server waits for this."""
        return Ok()

    def handle_continue(self, message: Any, state: Any, /) -> NoReply | Stop:
        """Handle what `continue_` asked for, before any other message."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_continue")

    def handle_call(self, message: Any, from_: From, state: Any, /) -> Reply | NoReply | Stop:
        """Handle a call. After `NoReply`, `otp.reply(from_, value)` answers it."""
        raise RuntimeError(f"{type(self).__name__} was called, but has no handle_call")

    def handle_cast(self, message: Any, state: Any, /) -> NoReply | Stop:
        """Handle a cast."""
        raise RuntimeError(f"{type(self).__name__} got a cast, but has no handle_cast")

    def handle_info(self, message: Any, state: Any, /) -> NoReply | Stop:
        """Handle any other message: `otp.send`, timers, Down, exits, tasks."""
        log.info("%s dropped a message of type %s", self._process.label, type(message).__name__)
        return NoReply(state)

    def terminate(self, reason: Reason, state: Any, /) -> object:
        """Clean up. Runs after a stop, a crash, or the parent's exit if exits are trapped.

        Not when the server is ended by an exit signal that it does not trap.
        """
        return None

    @property
    def actor_ref(self) -> ServerRef:
        """The server's own handle. Its class is what a type checker expects of `otp.start`."""
        return cast("ServerRef", self._actor_ref)

    @property
    def state(self) -> Any:
        """The state after the last message that was handled."""
        return self._state

    # -- pykka's surface ---------------------------------------------------------------

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Self]:
        """Like `otp.start`, the way pykka spells it; `Ignore` raises `StartFailed`."""
        ref: pykka.ActorRef[Self] | None = start_server(cls, args, kwargs)
        if ref is None:
            raise StartFailed("ignore")
        return ref

    @classmethod
    def _create_actor_inbox(cls) -> Any:
        return Mailbox() if cls.mailbox is None else BoundedMailbox(cls.mailbox, wait)

    def _start_actor_loop(self) -> None:
        start_thread(self._process, self._actor_loop, daemon=self.use_daemon_thread)

    def _farewell(self) -> None:
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self._actor_ref)

    # -- the loop ----------------------------------------------------------------------

    def _actor_loop(self) -> None:
        process = self._process
        own_thread.process = process
        reason: Reason = NORMAL
        try:
            reason = self._live(process)
        except Cancelled:
            pass  # somebody else has ended us: that reason counts
        except BaseException as error:
            reason = reason_of(error)
        finally:
            end(process, reason)
            own_thread.process = None
            thread_is_done(process)

    def _live(self, process: Process) -> Reason:
        """Run from `init` to `terminate`. Gives the reason of the end."""
        check()  # it may have been ended before it began
        args, kwargs = self._arguments
        self._arguments = ((), {})
        started = process.start
        first = self.init(*args, **kwargs)
        if process.dead:
            raise Cancelled(process.reason)
        if isinstance(first, Ok):
            self._state, first.timeout = first.state, _idle_limit(first.timeout)
            if started is not None:
                started.settle(Outcome.ANSWERED, process.ref)
            process.start = None
            return self._loop(process, first)
        if isinstance(first, Ignore):
            process.start = None
            end(process, NORMAL)
            if started is not None:
                started.settle(Outcome.ANSWERED, None)
            return NORMAL
        return first.reason if isinstance(first, Stop) else ("bad_return_value", first)

    def _loop(self, process: Process, first: Ok) -> Reason:
        take, get = process.mailbox.take, process.mailbox.get
        state, timeout, continue_ = first.state, first.timeout, first.continue_
        result: Any
        while True:
            request: Request | None = None
            try:
                if continue_ is not NOTHING:
                    result = self.handle_continue(continue_, state)
                else:
                    try:
                        message = take()
                    except IndexError:
                        message = CLOSED
                    if message is CLOSED:
                        message = get(timeout)
                    kind = type(message)
                    if kind is Request or kind is StopRequest:
                        # First say what we are at, then look whether we live: whoever
                        # ends us does it the other way round, so no caller is forgotten.
                        process.handling = request = message
                    if process.dead:
                        answer_undelivered(message, process.reason)
                        raise Cancelled(process.reason)
                    process.handled += 1
                    if kind is Request:
                        asked = message.message
                        if type(asked) in PROXIED:
                            result = self._proxied_call(asked, state)
                        else:
                            result = self.handle_call(asked, message, state)
                    elif kind is tuple and len(message) == 2 and message[0] is CAST:
                        told = message[1]
                        if type(told) in PROXIED:
                            result = self._proxied_cast(told, state)
                        else:
                            result = self.handle_cast(told, state)
                    elif kind is StopRequest or kind is ParentExit:
                        result = Stop(message.message if request else message.reason)
                        request = None
                    else:
                        if message is TIMED_OUT:
                            message = TIMEOUT
                        result = self.handle_info(message, state)
                if process.dead:
                    raise Cancelled(process.reason)
            except BaseException as error:
                if process.dead:
                    raise Cancelled(process.reason) from None
                return self._terminate(process, reason_of(error), state)
            outcome = type(result)
            if outcome is NoReply:
                state = self._state = result.state
                if request is not None:
                    _defer(process, request)
            elif outcome is Reply and request is not None:
                state = self._state = result.state
                request.answer(result.value)
                process.handling = None
            elif outcome is Stop:
                if result.state is not KEEP:
                    state = self._state = result.state
                reason = self._terminate(process, result.reason, state)
                if request is not None and result.reply is not NOTHING:
                    request.answer(result.reply)
                return reason
            else:
                return self._terminate(process, ("bad_return_value", result), state)
            timeout, continue_ = result.timeout, result.continue_
            if timeout is not None:
                try:
                    timeout = _idle_limit(timeout)
                except ConfigError as error:  # as on the BEAM, the caller has its answer
                    return self._terminate(process, error, state)
            # What was handled may be large, and the next message far away.
            message = asked = told = result = None

    def _terminate(self, process: Process, reason: Reason, state: Any) -> Reason:
        """Run `terminate`, which may replace the reason by failing itself."""
        try:
            self.terminate(reason, state)
        except BaseException as error:
            if process.dead:
                raise Cancelled(process.reason) from None
            reason = reason_of(error)
        log_crash(process, reason)
        return reason

    def _proxied_call(self, message: Any, state: Any) -> Reply | Stop:
        # As in pykka, an exception of a method called through a proxy goes to the caller
        # and the actor lives: it was called like a method, not sent a message.
        if isinstance(message, messages._ActorStop):
            return Stop(NORMAL, reply=None)
        try:
            return Reply(self._handle_receive(message), state)
        except Exception as error:
            return Reply(Failed(error), state)

    def _proxied_cast(self, message: Any, state: Any) -> NoReply | Stop:
        if isinstance(message, messages._ActorStop):
            return Stop(NORMAL)
        self._handle_receive(message)
        return NoReply(state)


def _idle_limit(timeout: float | None) -> float | None:
    return seconds_or_none(timeout, "the timeout that a callback has returned")


def _defer(process: Process, request: Request) -> None:
    """Leave a call unanswered for now, so that its caller hears of our end at least."""
    if not request.settled:
        request.deferred = True
        process.deferred[request] = None
        if request.settled:
            process.deferred.pop(request, None)
    process.handling = None
