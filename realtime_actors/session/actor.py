"""The actor behind a `Session`: a GenServer around the core.

It takes what the transport, the tasks, the timers and the callers say, hands it to the
machine, and does what the machine wants done. It decides nothing itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Final, assert_never, cast

from attrs import define, evolve, field, frozen

from realtime_actors import events, messages, otp
from realtime_actors.agent import Agent
from realtime_actors.core import effects as fx
from realtime_actors.core.contract import Machine, Phase
from realtime_actors.core.messages import (
    Asked,
    ConnectionLost,
    Message,
    NotSent,
    Started,
    TimerFired,
    ToolProgressed,
)
from realtime_actors.errors import (
    ConnectionLostError,
    LocalProtocolError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
    TransportError,
)
from realtime_actors.playback import PlaybackTracker
from realtime_actors.protocol import MalformedEvent
from realtime_actors.session import Session
from realtime_actors.session.closing import SESSION
from realtime_actors.session.connections import (
    Connections,
    Frames,
    Receiver,
    close_in_background,
)
from realtime_actors.session.dropped_audio import AudioWasDropped
from realtime_actors.session.ending import publish_end, unfinished
from realtime_actors.session.subscribers import Only
from realtime_actors.session.tasks import Tasks
from realtime_actors.session.trace_writer import TraceWriter
from realtime_actors.transport.base import Disconnected, Transport
from realtime_actors.usage import NOTHING_USED, SessionUsage

__all__ = ["SessionPlan", "SessionServer"]

log = logging.getLogger("realtime_actors.session")

SUBSCRIBERS_GRACE = 0.25
"""Seconds of an orderly end for subscribers of the program's own to take the last events. Ours:
more than any `put` needs that does not wait for something."""

NEWS_WITHIN = 2.0
"""Seconds after something could not be sent, in which the transport has to say that the connection
is lost. Ours: it is bound to, and a program's own may not."""

ABNORMAL_CLOSURE = 1006
"""RFC 6455: the connection broke."""

TRACE_GRACE = 0.5
"""Seconds of an orderly end for the trace to be written to its end. Ours."""


@frozen(kw_only=True)
class SessionPlan:
    """All that a session needs to start."""

    machine: Callable[[], Machine]
    transport: Callable[[], Transport]
    agent: Agent
    context: object = field(default=None, repr=False)
    clock: Callable[[], float]
    playback_tracker: PlaybackTracker | None = None
    supervisor: otp.ServerRef | None = None
    """Who may start the session again: it fails, but it is not over then."""
    warns_of_ends: bool = False
    """See `SharedState.warns_of_ends`."""
    outage_seconds: float | None = None
    """See `SharedState.outage_seconds`."""
    trace: TraceWriter | None = None
    ready: Future[None] = field(factory=Future)
    """Done once the server has taken the configuration, or with what kept it from that."""


@frozen(eq=False)
class _Due:
    """What a timer sends. One that was taken back, or set anew, may have sent its own already."""

    key: Hashable


@frozen(eq=False)
class _FoundLost:
    """Told to us by ourselves: by now it must be known that this connection is lost."""

    receiver: Receiver


@define
class _Running:
    """What the server keeps beside the machine: handles of what it has started."""

    machine: Machine
    tasks: Tasks
    connections: Connections
    calls: dict[str, events.ToolStartEvent] = field(factory=dict)  # that have no end yet
    subscribers: dict[otp.MonitorRef, Any] = field(factory=dict)
    timers: dict[Hashable, tuple[_Due, otp.TimerRef]] = field(factory=dict)
    ended: fx.End | None = None
    found_lost: bool = False  # something could not be sent: there will be news of the connection
    asking_again: list[Asked] = field(factory=list)  # verbs that could not be sent meanwhile


@define(eq=False)
class _Proxied:
    """A caller in our own thread, which can't wait."""

    answer: object = None
    is_gone: bool = False


class SessionServer(otp.GenServer):
    """The actor behind a `Session`.

    No handler waits: what may take long is a task's, or left to `terminate`. So whoever brings a
    message may handle it, the thread that reads the sockets above all.
    """

    ref_class = Session
    kind = SESSION
    inline = True

    # -- callbacks -------------------------------------------------------------------

    def init(self, plan: SessionPlan) -> otp.Ok:
        # So that `terminate` runs, and the connection is closed, when a supervisor ends us.
        otp.trap_exit()
        self._plan = plan
        self._session = cast(Session, self.actor_ref)
        self._incarnation = self._session.incarnation
        self._shared = self._session.shared
        self._shared.clock = plan.clock
        self._shared.begin()
        self._shared.supervisor = plan.supervisor
        self._shared.warns_of_ends = plan.warns_of_ends
        self._shared.outage_seconds = plan.outage_seconds
        tracker = plan.playback_tracker
        if tracker is not None:
            tracker.bind(self._session)
            self._shared.playback_tracker = tracker
        variables = self._process.context
        assert variables is not None  # until the end of our own thread
        tasks = Tasks(self._session, plan.context, variables, self._is_over)
        connections = Connections(self._session, plan.transport, tasks, self._is_over, self._now)
        running = _Running(plan.machine(), tasks, connections)
        self._shared.machine = running.machine
        for subscriber in self._shared.subscribers.all:  # of the incarnation before
            self._watch(subscriber, running)
        self._info = running.machine.info
        self._end = [None]  # popped by whoever tells of the end: we, or who kills us
        self._tells_end = False
        self._process.farewell = (self._say_if_killed, *self._process.farewell)
        return otp.Ok(running, continue_=Started())

    def lends_turn(self) -> bool:
        # The `put` of a subscriber may keep its own session waiting, and no other one.
        return not self._shared.subscribers.may_wait

    def handle_continue(self, message: Started, state: _Running) -> otp.NoReply | otp.Stop:
        state.connections.open()  # slow, so it has a task of its own, beside the user's code
        return self._handle(state, message)

    def handle_call(
        self, message: Any, from_: otp.From, state: _Running
    ) -> otp.Reply | otp.NoReply | otp.Stop:
        match message:
            case messages.Subscribe() | messages.Unsubscribe() | messages.SendAudio():
                try:
                    self._for_the_shell(message, state)
                except RealtimeError as error:
                    return otp.Reply(otp.Failed(error), state)
                return otp.Reply(None, state)
            case _:
                return self._handle(state, Asked(message, from_))

    def handle_cast(self, message: Any, state: _Running) -> otp.NoReply | otp.Stop:
        match message:
            case messages.Subscribe() | messages.Unsubscribe() | messages.SendAudio():
                try:
                    self._for_the_shell(message, state)
                except RealtimeError as error:
                    self._report(error)
                return otp.NoReply(state)
            case _:
                return self._handle(state, Asked(message))

    def handle_info(self, message: Any, state: _Running) -> otp.NoReply | otp.Stop:
        match message:
            case Frames():
                return self._frames(message, state)
            case otp.Down():
                return self._down(message, state)
            case _Due():
                return self._timer_fired(message, state)
            case _FoundLost(receiver=receiver):
                if receiver is state.connections.receiver:  # else there was news
                    why = "nothing could be sent any more"
                    self._tell(state, ConnectionLost(code=ABNORMAL_CLOSURE, reason=why))
                    self._ask_again(state)
                return self._go_on(state)
            case ToolProgressed(call_id=call_id):
                state.tasks.progress_was_heard(call_id)
                return self._handle(state, message)
            case AudioWasDropped():
                return self._handle(state, self._shared.dropped_audio.take())
            case otp.ExitMessage():
                return otp.NoReply(state)  # of our hooks' runner, at its end
            case _:
                return self._handle(state, message)

    def terminate(self, reason: otp.Reason, state: _Running) -> None:
        machine = state.machine
        state.connections.is_closing = True
        self._tell_end()
        if isinstance(reason, BaseException):
            # Nothing trusts the state of a machine that failed: only say so, and clean up.
            log.error("session %s failed: %s", self.actor_urn, type(reason).__name__)
            failure = SessionFailedError(f"internal error: {type(reason).__name__}")
            failure.__cause__ = reason
            self._shared.gate = fx.Gate(False, str(failure))
            self._break_off(state, failure)
        elif (
            self._plan.supervisor is not None and not otp.is_orderly(reason) and state.ended is None
        ):
            self._break_off(state, SessionClosedError(f"the session was ended: {reason!r}"))
        elif machine.phase is not Phase.ENDED:
            self._perform(state, machine.handle(Asked(messages.Close()), self._now()))
        self._shared.over = f"the session has ended ({self._shared.gate.reason})"
        self._shared.gate = fx.Gate(False, self._shared.over)
        self._shared.kept_audio.discard()
        state.tasks.cancel_tools()
        for _, timer in state.timers.values():
            otp.cancel_timer(timer)
        started = self._plan.ready.done()
        if not started:
            why = state.ended.error if state.ended else None
            if isinstance(reason, Exception):
                why = SessionClosedError(f"the session failed: {reason!r}")
            gone = SessionClosedError("the session was closed while it was starting")
            self._plan.ready.set_exception(why or gone)
        self._shared.waits_for = "the hook that runs"
        state.tasks.let_hooks_finish()
        self._shared.waits_for = "the connection to close"
        state.connections.close(goodbye=started)
        self._shared.waits_for = "subscribers to take the last events"
        late = self._shared.subscribers.let_finish(SUBSCRIBERS_GRACE)
        if late:
            names = ", ".join(late)
            log.warning("session %s ends before %s has taken its end", self.actor_urn, names)
        self._shared.waits_for = "the trace to be written"
        if self._plan.trace is not None:
            self._plan.trace.finish(TRACE_GRACE)

    # -- what `proxy()` shows: the verbs, done in the session's own thread ---------------

    def send_audio(self, audio: bytes, *, commit: bool = False) -> None:
        """Send audio of the user, as the handle does it."""
        self._session.send_audio(audio, commit=commit)

    def subscribe(
        self, subscriber: Any, *, only: Only = None, raw: bool = False, direct: bool = False
    ) -> None:
        """Hand events to a subscriber: the shell's business, and not the machine's."""
        message = messages.Subscribe(subscriber, only=only, raw=raw, direct=direct)
        self._for_the_shell(message, self.state)

    def unsubscribe(self, subscriber: Any) -> None:
        """Hand no more events to a subscriber."""
        self._for_the_shell(messages.Unsubscribe(subscriber), self.state)

    def close(
        self, *, after_playback: bool | float = False, after_turn: bool | float = False
    ) -> None:
        """End the session once this is done."""
        self._session.tell(messages.Close(after_playback=after_playback, after_turn=after_turn))

    def _do(self, verb: messages.Verb) -> Any:
        asked = _Proxied()
        self._tell(self.state, Asked(verb, asked))
        asked.is_gone = True
        if isinstance(asked.answer, otp.Failed):
            raise asked.answer.error
        return asked.answer

    # -- what comes in -----------------------------------------------------------------

    def _frames(self, frames: Frames, state: _Running) -> otp.NoReply | otp.Stop:
        machine, subscribers = state.machine, self._shared.subscribers
        now = self._now()  # one read, one time
        for event in frames.events:
            if frames.receiver is not state.connections.receiver:
                break  # it is from a connection that another one has replaced
            if isinstance(event, Disconnected):
                log.info("session %s lost its connection: %s", self.actor_urn, event.code)
                self._tell(state, ConnectionLost(code=event.code, reason=event.reason))
                self._ask_again(state)
                continue
            if subscribers.wants_raw:
                subscribers.publish_raw(events.RawModelEvent(event=event, info=machine.info))
            effects = machine.handle(event, now)
            if type(event) is MalformedEvent and not self._plan.ready.done():
                self._shared.unreadable = event.reason
            self._perform(state, effects)
        frames.receiver.backlog.handled(frames.upto)
        return self._go_on(state)

    def _handle(self, state: _Running, message: Message) -> otp.NoReply | otp.Stop:
        self._tell(state, message)
        return self._go_on(state)

    def _tell(self, state: _Running, message: Message) -> None:
        self._perform(state, state.machine.handle(message, self._now()), message)

    def _go_on(self, state: _Running) -> otp.NoReply | otp.Stop:
        if state.ended is None:
            return otp.NoReply(state)
        match state.ended.error:
            case None:
                return otp.Stop(otp.NORMAL, state)
            case ConnectionLostError() as error:  # a supervisor may start it again
                return otp.Stop(("connection_lost", error), state)
            case error:
                return otp.Stop((otp.SHUTDOWN, error), state)

    def _down(self, down: otp.Down, state: _Running) -> otp.NoReply | otp.Stop:
        subscriber = state.subscribers.pop(down.monitor_ref, None)
        if subscriber is not None:
            self._shared.subscribers.remove(subscriber)
            return otp.NoReply(state)
        message = state.tasks.down(down)
        return self._handle(state, message) if message is not None else self._go_on(state)

    def _timer_fired(self, due: _Due, state: _Running) -> otp.NoReply | otp.Stop:
        current, _ = state.timers.get(due.key, (None, None))
        if current is not due:
            return otp.NoReply(state)
        del state.timers[due.key]
        return self._handle(state, TimerFired(due.key))

    def _for_the_shell(
        self,
        message: messages.Subscribe | messages.Unsubscribe | messages.SendAudio,
        state: _Running,
    ) -> None:
        """What needs no decision of the core."""
        match message:
            case messages.Subscribe(subscriber=subscriber):
                self._shared.subscribers.add(
                    subscriber, only=message.only, raw=message.raw, direct=message.direct
                )
                self._watch(subscriber, state)
            case messages.Unsubscribe(subscriber=subscriber):
                self._shared.subscribers.remove(subscriber)
                for monitor, known in tuple(state.subscribers.items()):
                    if known is subscriber:
                        del state.subscribers[monitor]
                        otp.demonitor(monitor, flush=True)
            case messages.SendAudio(audio=audio, commit=commit):
                self._session.send_audio(audio, commit=commit)

    def _watch(self, subscriber: Any, state: _Running) -> None:
        """Hear of the end of a subscriber that can tell us."""
        if isinstance(subscriber, otp.ServerRef):
            known = state.subscribers.values()
            if not any(each is subscriber for each in known):
                state.subscribers[otp.monitor(subscriber)] = subscriber

    # -- what goes out -----------------------------------------------------------------

    def _perform(
        self, state: _Running, effects: fx.Effects, message: Message | None = None
    ) -> None:
        """Do what the machine wants done, because of this message (None: an event)."""
        failure: RealtimeError | None = None
        unsent = 0
        answers: list[fx.Answer] = []
        if effects and isinstance(effects[-1], fx.End):
            self._tell_end()
        for effect in effects:
            if self._process.dead and not self._tells_end:
                raise otp.Cancelled(self._process.reason)  # nothing of ours follows our end
            if isinstance(effect, fx.Publish):  # most are: a `match` takes several times as long
                told = effect.event
                if type(told) in _NOTED:
                    told = self._note(state, told)
                self._shared.subscribers.publish(told)
                continue
            match effect:
                case fx.Send(event=event):
                    if failure is None:
                        try:
                            state.connections.send(event)
                        except (NotConnectedError, TransportError) as error:
                            # The news that the connection is down is on its way to us;
                            # whoever asked for this hears it now.
                            failure = error
                        except LocalProtocolError as error:
                            # What can't be written ends no conversation; only a start is over.
                            if not self._plan.ready.done():
                                raise
                            failure = error
                            self._report(error)
                    unsent += failure is not None
                case fx.Answer():
                    answers.append(effect)  # what is sent for it may come after it
                case fx.Refuse(caller=caller, error=error):
                    self._answer(caller, otp.Failed(error))
                case fx.SetTimer(key=key, delay=delay):
                    self._cancel_timer(state, key)
                    due = _Due(key)
                    state.timers[key] = due, otp.send_after(self._session, due, delay)
                case fx.CancelTimer(key=key):
                    self._cancel_timer(state, key)
                case fx.ResolveAgent(agent=agent):
                    state.tasks.resolve(agent)
                case fx.ResolveTools(agent=agent):
                    state.tasks.resolve_tools(agent)
                case fx.RunTool():
                    state.tasks.run_tool(effect)
                case fx.RunHandoff():
                    state.tasks.run_handoff(effect)
                case fx.CancelTool(call_id=call_id):
                    state.tasks.cancel_tool(call_id)
                case fx.RunGuardrails() | fx.ScreenInput():
                    state.tasks.judge(effect)
                case fx.CallHook():
                    state.tasks.call_hook(effect)
                case fx.SetGate(gate=gate):
                    self._shared.gate = gate
                case fx.OpenStandby():
                    state.connections.open_standby(effect)
                case fx.SwitchConnection():
                    state.connections.switch(state.machine.info)
                case fx.CloseStandby():
                    if state.machine.phase is not Phase.ENDED:  # else `terminate` does it
                        state.connections.close_standby()
                case fx.DropConnection(keep_audio_ms=keep_ms):
                    state.connections.drop(keep_ms)
                case fx.SendKeptAudio():
                    state.connections.send_kept_audio()
                case fx.Ready():
                    if not self._plan.ready.done():  # by the incarnation before
                        self._plan.ready.set_result(None)
                case fx.End():
                    state.ended = effect
                case _:
                    assert_never(effect)
        if failure is not None and self._is_lost(state, failure):
            self._lost(state, failure, unsent, message, answers)
            return
        for answer in answers:
            self._answer(answer.caller, answer.value if failure is None else otp.Failed(failure))
        if failure is not None and state.ended is None:
            self._tell(state, NotSent(count=unsent, error=failure, is_told=bool(answers)))

    def _is_lost(self, state: _Running, failure: RealtimeError) -> bool:
        """Whether what was not sent says that the connection is lost, and there may be another."""
        return (
            isinstance(failure, NotConnectedError)
            and self._shared.outage_seconds is not None
            and state.machine.phase is Phase.LIVE
            and state.ended is None
        )

    def _lost(
        self,
        state: _Running,
        failure: RealtimeError,
        unsent: int,
        message: Message | None,
        answers: list[fx.Answer],
    ) -> None:
        """The connection is lost, and the news of that is on its way to us.

        Who has asked for what was not sent asks again when it is here, and waits for the next
        connection. Of the rest the machine knows what it has told the server.
        """
        if not state.found_lost:
            otp.send_after(self._session, _FoundLost(state.connections.receiver), NEWS_WITHIN)
        state.found_lost = True
        if isinstance(message, Asked) and answers:
            self._tell(state, NotSent(count=unsent, error=failure, is_told=True))
            state.asking_again.append(message)
            return
        for answer in answers:
            self._answer(answer.caller, answer.value)

    def _ask_again(self, state: _Running) -> None:
        """Ask for what was not sent, now that the machine knows why."""
        state.found_lost = False
        asked, state.asking_again = state.asking_again, []
        for each in asked:
            if state.ended is None:
                self._tell(state, each)
            else:
                gone = SessionClosedError("the session has ended")
                self._answer(each.caller, otp.Failed(state.ended.error or gone))

    def _note(self, state: _Running, event: events.Event) -> events.Event:
        """Remember a call until it has its end. Return the event as subscribers get it."""
        match event:
            case events.ToolStartEvent(call_id=call_id):
                state.calls[call_id] = event
            case events.ToolEndEvent(call_id=call_id):
                state.calls.pop(call_id, None)
            case events.ConnectionEvent(state="closed", error=ConnectionLostError()):
                if self._plan.supervisor is not None:
                    # To a subscriber "closed" means that nothing follows.
                    return evolve(event, state="lost")
            case _:
                pass  # as it is
        return event

    def _answer(self, caller: object, answer: object) -> None:
        if isinstance(caller, otp.From):
            otp.reply(caller, answer)
        elif isinstance(caller, _Proxied) and not caller.is_gone:
            caller.answer = answer
        elif isinstance(answer, otp.Failed):
            self._report(answer.error)  # nobody waits: it was told, or does not wait that long

    def _report(self, error: Exception) -> None:
        info = events.ErrorInfo(type=type(error).__name__, message=str(error))
        context = events.EventInfo(self._plan.context)
        self._shared.subscribers.publish(
            events.ErrorEvent(error=info, source="session", info=context)
        )

    def _cancel_timer(self, state: _Running, key: Hashable) -> None:
        _, timer = state.timers.pop(key, (None, None))
        if timer is not None:
            otp.cancel_timer(timer)

    def _is_over(self) -> bool:
        """Whether this incarnation has ended. The handle may stand for the next one."""
        session = self._session
        return session.incarnation != self._incarnation or not session.is_alive()

    # -- the end -------------------------------------------------------------------------

    def _say_if_killed(self) -> None:
        """Do what `terminate` had no time for, in the thread of whoever has ended us."""
        shared = self._shared
        shared.subscribers.wait_for_nobody()
        if self._claim_end():  # else it was about to end, and says so itself
            shared.over = "the session has ended (it was killed)"
            shared.gate = fx.Gate(False, shared.over)
            killed = SessionClosedError("the session was killed")
            self._break_off(self.state, killed, wanted=shared.closing)
            with suppress(InvalidStateError):  # it is ready, or becomes so just now
                self._plan.ready.set_exception(killed)
        if self.state is not None and self.state.connections.is_closed:
            return
        if self._plan.trace is not None:
            self._plan.trace.finish()
        for connection in shared.connections:
            close_in_background(connection)

    def _tell_end(self) -> None:
        """Begin to tell of the end: nothing keeps us from doing it, not even being killed."""
        self._tells_end = self._tells_end or self._claim_end()
        if not self._tells_end:
            raise otp.Cancelled(self._process.reason)
        self._shared.subscribers.wait_for_nobody()

    def _claim_end(self) -> bool:
        try:
            self._end.pop()
        except IndexError:
            return False
        return True

    def _break_off(
        self, state: _Running | None, failure: RealtimeError, *, wanted: bool = False
    ) -> None:
        """End without the machine: nothing trusts it, or it is in the middle of something.

        The tools are ended and have their outcome, as `close()` does it; then subscribers
        are told that nothing follows, and why, unless this end was `wanted`.
        """
        why = "the session was closed" if wanted else str(failure)
        if state is not None:
            state.tasks.cancel_tools()
            for call in tuple(state.calls.values()):
                self._shared.subscribers.publish(unfinished(call, f"Error: {why}"))
        # To a subscriber "closed" means that nothing follows.
        publish_end(
            self._shared.subscribers,
            None if wanted else failure,
            state="closed" if self._plan.supervisor is None else "lost",
            usage=_usage_of(state),
            info=self._info,
        )

    def _now(self) -> float:
        return self._plan.clock()


def _proxied(name: str, verb: type[messages.Verb]) -> Callable[..., Any]:
    """Make the method that `proxy()` shows of a verb; it does not wait for the server."""

    def method(self: SessionServer, *args: Any, **kwargs: Any) -> Any:
        return self._do(verb(*args, **kwargs))

    method.__name__, method.__doc__ = name, f"See `Session.{name}`."
    return method


for _name, _verb in messages.VERBS.items():
    if _name not in vars(SessionServer):
        setattr(SessionServer, _name, _proxied(_name, _verb))


def _usage_of(state: _Running | None) -> SessionUsage:
    return NOTHING_USED if state is None else state.machine.usage


_NOTED: Final = frozenset({events.ToolStartEvent, events.ToolEndEvent, events.ConnectionEvent})
