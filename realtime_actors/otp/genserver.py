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
from collections.abc import Callable
from functools import partial
from threading import current_thread, main_thread
from typing import Any, ClassVar, Final, Self, cast

import pykka
from attrs import frozen
from pykka import messages

from realtime_actors.errors import ConfigError
from realtime_actors.otp.kernel.ends import end, log_crash
from realtime_actors.otp.kernel.exits import (
    NORMAL,
    TIMEOUT,
    Cancelled,
    Reason,
    StartFailed,
    reason_of,
)
from realtime_actors.otp.kernel.mailbox import (
    CAST,
    TIMED_OUT,
    Bounded,
    BoundedMailbox,
    Mailbox,
    Signal,
    answer_undelivered,
)
from realtime_actors.otp.kernel.options import check_class, check_flag, check_instance
from realtime_actors.otp.kernel.process import (
    ParentExit,
    Process,
    check,
    own_thread,
    start_thread,
    thread_is_done,
    wait,
)
from realtime_actors.otp.kernel.requests import From, Request, StopRequest
from realtime_actors.otp.kernel.slots import Asked, Failed, Outcome
from realtime_actors.otp.ref import ServerActor, ServerRef
from realtime_actors.otp.returns import KEEP, NOTHING, Ignore, Inherited, NoReply, Ok, Reply, Stop
from realtime_actors.otp.starting import start_server
from realtime_actors.seconds import seconds_or_none

__all__ = ["GenServer"]

log = logging.getLogger("realtime_actors.otp")

PROXIED: Final = frozenset(
    {messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr, messages._ActorStop}
)
"""What pykka's proxies and `Actor.stop` send."""


class GenServer(ServerActor):
    """Subclass it, define what it does with its messages, start it with `otp.start`.

    Don't override `__init__`: it runs in the starter's thread. What `start` is given
    goes to `init`, which runs in the server's own.
    """

    use_daemon_thread: ClassVar[bool] = True

    mailbox: ClassVar[Bounded | None] = None
    """How many messages may wait; None: as many as like."""

    inline: ClassVar[bool] = False
    """Whether a thread that brings a message may handle it, as the server: one that calls (any
    but the main thread), or sends it by `otp.send_inline`.

    A promise of the class: no handler waits for anything, and none minds which thread it runs
    in. Callbacks still run one at a time and in order; `init`, `handle_continue` and `terminate`
    run in the server's own thread.
    """

    kind: ClassVar[str] = "server"
    """What `otp.observe()` calls it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_instance(cls.mailbox, f"{cls.__name__}.mailbox", (Bounded, type(None)))
        check_flag(cls.inline, f"{cls.__name__}.inline")
        check_class(cls.ref_class, f"{cls.__name__}.ref_class", ServerRef)

    def __init__(self) -> None:
        super().__init__()
        self._process = Process(self.kind, type(self).__name__, cast(Mailbox, self.actor_inbox))
        self._process.obeys_parent = True
        self._process.farewell = (self._farewell,)
        self._process.handle_here = self._call_back_here
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

    def lends_turn(self) -> bool:
        """Say whether the promise of `inline` can be kept now. Asked before each such message."""
        return True

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
        start_thread(
            self._process,
            self._actor_loop,
            daemon=self.use_daemon_thread,
            enter=not type(self).inline,
        )

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
        first = self._within(self.init)(*args, **kwargs)
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

    def _within(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Have a callback see our context variables, whichever thread calls it."""
        if not type(self).inline:
            return callback  # the one thread that calls it is within them
        context = self._process.context
        assert context is not None  # until the end of our own thread
        return partial(context.run, callback)

    def _loop(self, process: Process, first: Ok) -> Reason:
        mailbox, handle = process.mailbox, self._within(self._call_back)
        take, get, rest = mailbox.take, mailbox.get, mailbox.rest
        timeout, continue_, inline = first.timeout, first.continue_, type(self).inline
        result: Any
        while True:
            try:
                if continue_ is not NOTHING:
                    result = self._within(self.handle_continue)(continue_, self._state)
                else:
                    try:
                        message = take()
                    except IndexError:
                        # Whose time may run out handles what comes itself.
                        message = rest() if timeout is None and inline else get(timeout)
                    result = message.result() if type(message) is _Left else handle(message)
                if process.dead:
                    raise Cancelled(process.reason)
            except BaseException as error:
                if process.dead:
                    raise Cancelled(process.reason) from None
                return self._terminate(process, reason_of(error))
            if not self._proceed(result):
                return self._conclude(process, result)
            timeout, continue_ = result.timeout, result.continue_
            if timeout is not None:
                try:
                    timeout = _idle_limit(timeout)
                except ConfigError as error:  # as on the BEAM, the caller has its answer
                    return self._terminate(process, error)
            # What was handled may be large, and the next message far away.
            message = result = None

    def _call_back_here(self, message: object) -> bool:
        """Handle a message in a thread that has borrowed the turn: see `process.take_turn`.

        Whatever is more than a new state and an answer is left to our own thread.
        """
        if not self.lends_turn():
            return False
        left = None
        try:
            result = self._call_back(message)
            if self._process.dead or not (_is_plain(result) and self._proceed(result)):
                left = _Left(result)
        except BaseException as error:
            left = _Left(None, error)
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise  # it ends the server, and is the program's business all the same
        finally:
            if left is not None:
                self._process.mailbox.leave(left)
        return True

    def _call_back(self, message: Any) -> Any:
        """Have the callback that it is for handle a message. Gives what it returns."""
        process, state, kind = self._process, self._state, type(message)
        if kind is Request or kind is StopRequest:
            # First say what we are at, then look whether we live: whoever
            # ends us does it the other way round, so no caller is forgotten.
            process.handling = message
        if process.dead:
            answer_undelivered(message, process.reason)
            raise Cancelled(process.reason)
        process.handled += 1
        if kind is Request:
            asked = message.message
            if type(asked) in PROXIED:
                return self._proxied_call(asked, state)
            return self.handle_call(asked, message, state)
        if kind is tuple and len(message) == 2 and message[0] is CAST:
            told = message[1]
            if type(told) in PROXIED:
                return self._proxied_cast(told, state)
            return self.handle_cast(told, state)
        if kind is StopRequest:
            return Stop(message.message)
        if kind is ParentExit:
            return Stop(message.reason)
        return self.handle_info(TIMEOUT if message is TIMED_OUT else message, state)

    def _proceed(self, result: Any) -> bool:
        """Take the new state, and answer. False for a result with which nothing goes on."""
        process, outcome = self._process, type(result)
        request = process.handling
        if outcome is NoReply:
            self._state = result.state
            if request is not None:
                _defer(process, request)
            return True
        if outcome is Reply and request is not None:
            self._state = result.state
            request.answer(result.value)
            process.handling = None
            return True
        return False

    def _conclude(self, process: Process, result: Any) -> Reason:
        """End as a callback wants it, or because it gave something that none may give."""
        if type(result) is not Stop:
            return self._terminate(process, ("bad_return_value", result))
        if result.state is not KEEP:
            self._state = result.state
        reason = self._terminate(process, result.reason)
        if process.handling is not None and result.reply is not NOTHING:
            process.handling.answer(result.reply)
        return reason

    def _terminate(self, process: Process, reason: Reason) -> Reason:
        """Run `terminate`, which may replace the reason by failing itself."""
        try:
            self._within(self.terminate)(reason, self._state)
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


@frozen
class _Left(Signal):
    """What a borrowed turn has left to the server's own thread: what a handler gave, or raised."""

    returned: Any
    raised: BaseException | None = None

    def result(self) -> Any:
        if self.raised is not None:
            raise self.raised
        return self.returned


def _is_plain(result: Any) -> bool:
    """Whether a result says no more than how to go on: no time limit, nothing to continue with."""
    return (
        type(result) in (NoReply, Reply) and result.timeout is None and result.continue_ is NOTHING
    )


def _idle_limit(timeout: float | None) -> float | None:
    return seconds_or_none(timeout, "the timeout that a callback has returned")


def _defer(process: Process, request: Asked) -> None:
    """Leave a call unanswered for now, so that its caller hears of our end at least."""
    if not request.settled:
        request.deferred = True
        process.deferred[request] = None
        if request.settled:
            process.deferred.pop(request, None)
    process.handling = None
