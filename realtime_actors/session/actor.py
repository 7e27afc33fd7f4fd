"""The actor behind a `Session`: a GenServer around the core.

It takes what the transport, the tasks, the timers and the callers say, hands it to the
machine, and does what the machine wants done. It decides nothing itself.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal, TypeVar, assert_never, cast

from attrs import define, field, frozen

from realtime_actors import events, messages, otp
from realtime_actors.agent import Agent
from realtime_actors.core import effects as fx
from realtime_actors.core.contract import Machine, Phase
from realtime_actors.core.messages import (
    AgentNotResolved,
    AnotherFailed,
    AnotherOpened,
    Asked,
    Connected,
    ConnectFailed,
    ConnectionLost,
    FellBehind,
    GuardrailsFinished,
    HookFailed,
    InputScreened,
    Message,
    NotSent,
    Started,
    TimerFired,
    ToolFinished,
    ToolProgressed,
    ToolsNotResolved,
)
from realtime_actors.core.reports import REPORT_AGAIN_AFTER
from realtime_actors.errors import (
    LocalProtocolError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
    StartCause,
    StartError,
    TransportError,
)
from realtime_actors.playback import PlaybackTracker
from realtime_actors.protocol import MalformedEvent, ServerEvent
from realtime_actors.session import Session
from realtime_actors.session.backlog import Backlog
from realtime_actors.session.connections import Successor
from realtime_actors.session.dropped_audio import AudioWasDropped
from realtime_actors.session.subscribers import Only, Subscribers
from realtime_actors.session.tasks import (
    HOOKS_LIMIT,
    NO_MORE_HOOKS,
    HookCalls,
    hand_off,
    judge,
    resolve_agent,
    resolve_tools,
    run_hooks,
    run_tool,
    screen,
)
from realtime_actors.session.tool_runs import ToolRun
from realtime_actors.session.trace_writer import TraceWriter
from realtime_actors.transport.base import Disconnected, Transport
from realtime_actors.usage import NOTHING_USED, SessionUsage

__all__ = ["SessionPlan", "SessionServer", "publish_end"]

T = TypeVar("T")

log = logging.getLogger("realtime_actors.session")

SUBSCRIBERS_GRACE = 0.25
"""Seconds of an orderly end for subscribers of the program's own to take the last events. Ours:
more than any `put` needs that does not wait for something."""

TRACE_GRACE = 0.5
"""Seconds of an orderly end for the trace to be written to its end. Ours."""

GOODBYE = 1.5
"""Seconds of `close()` for the server's own goodbye: what is left of two is for the rest."""


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
    """See `Line.warns_of_ends`."""
    trace: TraceWriter | None = None
    ready: Future[None] = field(factory=Future)
    """Done once the server has taken the configuration, or with what kept it from that."""


@define(eq=False)
class _Frames:
    """What one read of the socket gave."""

    events: Sequence[ServerEvent | Disconnected]
    receiver: _Receiver
    upto: int
    """See `Backlog.handled`."""


@define(eq=False)
class _Receiver:
    """What a connection hands its events to. Each has its own, to be told from the others."""

    session: Session
    backlog: Backlog

    def receive(self, batch: Sequence[ServerEvent | Disconnected]) -> None:
        otp.send_inline(self.session, _Frames(batch, self, self.backlog.came(batch)))


@frozen(eq=False)
class _Due:
    """What a timer sends. One that was taken back, or set anew, may have sent its own already."""

    key: Hashable


@define
class _Running:
    """What the server keeps beside the machine: handles of what it has started."""

    machine: Machine
    tools: dict[str, ToolRun] = field(factory=dict)  # by call id
    calls: dict[str, events.ToolStartEvent] = field(factory=dict)  # that have no end yet
    tasks: dict[otp.MonitorRef, Callable[[object], Message | None]] = field(factory=dict)
    subscribers: dict[otp.MonitorRef, Any] = field(factory=dict)
    timers: dict[Hashable, tuple[_Due, otp.TimerRef]] = field(factory=dict)
    hooks: Any = None
    hook_calls: HookCalls = field(factory=HookCalls)
    ended: fx.End | None = None


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
    kind = "session"
    inline = True

    # -- callbacks -------------------------------------------------------------------

    def init(self, plan: SessionPlan) -> otp.Ok:
        # So that `terminate` runs, and the connection is closed, when a supervisor ends us.
        otp.trap_exit()
        self._plan = plan
        self._session = cast(Session, self.actor_ref)
        self._incarnation = self._session.incarnation
        self._line = self._session.line
        self._line.clock = plan.clock
        self._line.begin()
        self._line.supervisor = plan.supervisor
        self._line.warns_of_ends = plan.warns_of_ends
        # Made by the task that connects, before anything can come of it: that takes time, or
        # fails, and neither is to be a supervisor's business.
        self._transport: Transport | None = None
        self._is_closing = False
        self._warn_at = -math.inf
        tracker = plan.playback_tracker
        if tracker is not None:
            tracker.bind(self._session)
            self._line.playback_tracker = tracker
        running = _Running(plan.machine())
        self._line.machine = running.machine
        self._receiver = self._new_receiver()
        for subscriber in self._line.subscribers.all:  # of the incarnation before
            self._watch(subscriber, running)
        self._info = running.machine.info
        self._is_closed = False  # `terminate` has closed all connections
        self._end = [None]  # popped by whoever tells of the end: we, or who kills us
        self._tells_end = False
        self._process.farewell = (self._say_if_killed, *self._process.farewell)
        return otp.Ok(running, continue_=Started())

    def lends_turn(self) -> bool:
        # The `put` of a subscriber may keep its own session waiting, and no other one.
        return not self._line.subscribers.may_wait

    def handle_continue(self, message: Started, state: _Running) -> otp.NoReply | otp.Stop:
        # Connecting is slow, so it has a task of its own, beside the agent's user code.
        def connected(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return ConnectFailed(StartError(f"connecting failed: {reason!r}", StartCause.NETWORK))

        self._task(state, connected, self._connect, self._receiver)
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
            case _Frames():
                return self._frames(message, state)
            case otp.Down():
                return self._down(message, state)
            case _Due():
                return self._timer_fired(message, state)
            case ToolProgressed(call_id=call_id):
                run = state.tools.get(call_id)
                if run is not None:
                    run.progress_heard += 1
                return self._handle(state, message)
            case AudioWasDropped():
                return self._handle(state, self._line.dropped_audio.take())
            case otp.ExitMessage():
                return otp.NoReply(state)  # of our hooks' runner, at its end
            case _:
                return self._handle(state, message)

    def terminate(self, reason: otp.Reason, state: _Running) -> None:
        machine = state.machine
        self._is_closing = True
        self._tell_end()
        if isinstance(reason, BaseException):
            # Nothing trusts the state of a machine that failed: only say so, and clean up.
            log.error("session %s failed: %s", self.actor_urn, type(reason).__name__)
            failure = SessionFailedError(f"internal error: {type(reason).__name__}")
            failure.__cause__ = reason
            self._line.gate = fx.Gate(False, str(failure))
            self._break_off(state, failure)
        elif self._plan.supervisor is not None and not otp.is_orderly(reason):
            self._break_off(state, SessionClosedError(f"the session was ended: {reason!r}"))
        elif machine.phase is not Phase.ENDED:
            self._perform(state, machine.handle(Asked(messages.Close()), self._now()))
        self._line.over = f"the session has ended ({self._line.gate.reason})"
        self._line.gate = fx.Gate(False, self._line.over)
        for run in state.tools.values():
            run.cancel()
        for _, timer in state.timers.values():
            otp.cancel_timer(timer)
        started = self._plan.ready.done()
        if not started:
            why = state.ended.error if state.ended else None
            if isinstance(reason, Exception):
                why = SessionClosedError(f"the session failed: {reason!r}")
            gone = SessionClosedError("the session was closed while it was starting")
            self._plan.ready.set_exception(why or gone)
        if state.hooks is not None:
            self._let_hooks_finish(state.hooks)
        if self._line.successor is not None:
            self._line.successor.close()
        # Nobody waits for the goodbye of a server that never let us in.
        if self._transport is not None:
            self._transport.close(GOODBYE if started else 0.0)
        self._is_closed = True
        self._line.subscribers.let_finish(SUBSCRIBERS_GRACE)
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

    def close(self) -> None:
        """End the session once this is done."""
        self.stop()

    def _do(self, verb: messages.Verb) -> Any:
        asked = _Proxied()
        self._tell(self.state, Asked(verb, asked))
        asked.is_gone = True
        if isinstance(asked.answer, otp.Failed):
            raise asked.answer.error
        return asked.answer

    # -- what comes in -----------------------------------------------------------------

    def _frames(self, frames: _Frames, state: _Running) -> otp.NoReply | otp.Stop:
        machine, subscribers = state.machine, self._line.subscribers
        now = self._now()  # one read, one time
        for event in frames.events:
            if frames.receiver is not self._receiver:
                break  # it is from a connection that another one has replaced
            if isinstance(event, Disconnected):
                log.info("session %s lost its connection: %s", self.actor_urn, event.code)
                effects = machine.handle(ConnectionLost(code=event.code, reason=event.reason), now)
            else:
                if subscribers.wants_raw:
                    subscribers.publish_raw(events.RawModelEvent(event=event, info=machine.info))
                effects = machine.handle(event, now)
                if type(event) is MalformedEvent and not self._plan.ready.done():
                    self._line.unreadable = event.reason
            self._perform(state, effects)
        frames.receiver.backlog.handled(frames.upto)
        return self._go_on(state)

    def _handle(self, state: _Running, message: Message) -> otp.NoReply | otp.Stop:
        self._tell(state, message)
        return self._go_on(state)

    def _tell(self, state: _Running, message: Message) -> None:
        self._perform(state, state.machine.handle(message, self._now()))

    def _go_on(self, state: _Running) -> otp.NoReply | otp.Stop:
        if state.ended is None:
            return otp.NoReply(state)
        error = state.ended.error
        return otp.Stop(otp.NORMAL if error is None else (otp.SHUTDOWN, error), state)

    def _down(self, down: otp.Down, state: _Running) -> otp.NoReply | otp.Stop:
        subscriber = state.subscribers.pop(down.monitor_ref, None)
        if subscriber is not None:
            self._line.subscribers.remove(subscriber)
            return otp.NoReply(state)
        on_down = state.tasks.pop(down.monitor_ref, None)
        message = on_down(down.reason) if on_down is not None else None
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
                self._line.subscribers.add(
                    subscriber, only=message.only, raw=message.raw, direct=message.direct
                )
                self._watch(subscriber, state)
            case messages.Unsubscribe(subscriber=subscriber):
                self._line.subscribers.remove(subscriber)
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

    def _perform(self, state: _Running, effects: fx.Effects) -> None:
        failure: RealtimeError | None = None
        unsent = 0
        answers: list[fx.Answer] = []
        if effects and isinstance(effects[-1], fx.End):
            self._tell_end()
        for effect in effects:
            if self._process.dead and not self._tells_end:
                raise otp.Cancelled(self._process.reason)  # nothing of ours follows our end
            if isinstance(effect, fx.Publish):  # most are: a `match` takes several times as long
                if type(effect.event) in _OF_CALLS:
                    _note(state, effect.event)
                self._line.subscribers.publish(effect.event)
                continue
            match effect:
                case fx.Send(event=event):
                    if failure is None:
                        try:
                            self._connection.send(event)
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
                    self._resolve(state, agent)
                case fx.ResolveTools(agent=agent):
                    self._resolve_tools(state, agent)
                case fx.RunTool():
                    self._run_tool(state, effect)
                case fx.RunHandoff():
                    self._run_handoff(state, effect)
                case fx.CancelTool(call_id=call_id):
                    run = state.tools.pop(call_id, None)
                    if run is not None:
                        run.cancel()
                case fx.RunGuardrails():
                    self._judge(state, effect)
                case fx.ScreenInput():
                    self._screen(state, effect)
                case fx.CallHook():
                    if state.hooks is None:
                        context = self._plan.context
                        state.hooks = self._as_started(
                            otp.Task.start_link,
                            run_hooks,
                            self._session,
                            context,
                            state.hook_calls,
                        )
                    self._call_hook(state, effect)
                case fx.SetGate(gate=gate):
                    self._line.gate = gate
                case fx.OpenAnother():
                    self._open_another(state, effect)
                case fx.SwitchConnection():
                    self._switch_connection(state)
                case fx.CloseAnother():
                    self._close_another(state)
                case fx.Ready():
                    if not self._plan.ready.done():  # by the incarnation before
                        self._plan.ready.set_result(None)
                case fx.End():
                    state.ended = effect
                case _:
                    assert_never(effect)
        for answer in answers:
            self._answer(answer.caller, answer.value if failure is None else otp.Failed(failure))
        if failure is not None and state.ended is None:
            self._tell(state, NotSent(count=unsent, error=failure, is_told=bool(answers)))

    def _call_hook(self, state: _Running, call: fx.CallHook) -> None:
        calls = state.hook_calls
        if calls.waiting < HOOKS_LIMIT:
            calls.asked += 1
            calls.is_full = False
            otp.send(state.hooks, call)
        elif not calls.is_full:
            calls.is_full = True  # this is told once, until one is called again
            why = f"not called, like those that follow: {HOOKS_LIMIT} hooks wait for one to end"
            otp.send(self._session, HookFailed(call.method, why))

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
        self._line.subscribers.publish(
            events.ErrorEvent(error=info, source="session", info=context)
        )

    def _cancel_timer(self, state: _Running, key: Hashable) -> None:
        _, timer = state.timers.pop(key, (None, None))
        if timer is not None:
            otp.cancel_timer(timer)

    # -- tasks ---------------------------------------------------------------------------

    def _task(
        self,
        state: _Running,
        on_down: Callable[[object], Message | None],
        work: Callable[..., Message | None],
        *arguments: object,
    ) -> Any:
        """Run `work` beside the session; its result, or its death, comes back as a message."""

        def run() -> None:
            message = work(*arguments)
            if message is not None and not self._is_over():
                otp.send(self._session, message)

        task, monitor = self._as_started(otp.Task.start_monitor, run)
        state.tasks[monitor] = on_down
        return task

    def _as_started(self, start: Callable[..., T], *arguments: object) -> T:
        """Start something that sees the context variables as whoever started the session does.

        Whichever thread we are in, and whatever another task of ours has set.
        """
        context = self._process.context
        assert context is not None  # until the end of our own thread
        return context.copy().run(start, *arguments)

    def _connect(self, receiver: _Receiver) -> Message | None:
        try:
            transport = self._transport = self._plan.transport()
            if not self._line.adopt(transport, self._is_ending):
                transport.close(0.0)
                return None
            receiver.backlog.follow(transport)
            transport.connect(receiver.receive)
        except RealtimeError as error:
            return ConnectFailed(error)
        except Exception as error:  # of the program's own transport
            failed = StartError(f"connecting failed: {error!r}", StartCause.NETWORK)
            failed.__cause__ = error
            return ConnectFailed(failed)
        return Connected()

    @property
    def _connection(self) -> Transport:
        if self._transport is None:
            raise NotConnectedError("there is no connection yet: nothing was sent")
        return self._transport

    def _new_receiver(self) -> _Receiver:
        return _Receiver(self._session, Backlog(self._fell_behind))

    def _fell_behind(self, waiting: int) -> None:
        """Say that the socket is not read any more, in the thread that reads it."""
        behind = FellBehind(waiting, self._line.subscribers.held_up_by)
        now = self._now()
        if now >= self._warn_at:  # a session that is slow all the time says it once a minute
            self._warn_at = now + REPORT_AGAIN_AFTER
            log.warning("session %s: %s", self.actor_urn, behind)
        otp.send(self._session, behind)

    def _open_another(self, state: _Running, effect: fx.OpenAnother) -> None:
        def failed(error: RealtimeError) -> AnotherFailed:
            return AnotherFailed(call_id=effect.call_id, error=error)

        def died(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return failed(StartError(f"connecting failed: {reason!r}", StartCause.NETWORK))

        def work() -> Message:
            try:
                answer = successor.open(effect.update, effect.within)
            except RealtimeError as error:
                return failed(error)
            if self._is_over():
                successor.close()  # we were killed meanwhile
            return AnotherOpened(call_id=effect.call_id, answer=answer)

        successor = self._line.successor = Successor(
            self._plan.transport,
            on_lost=lambda error: otp.send(self._session, failed(error)),
            is_over=self._is_over,
            in_use=self._connection,
        )
        self._task(state, died, work)

    def _switch_connection(self, state: _Running) -> None:
        successor = self._line.successor
        assert successor is not None  # the core was told that it is there
        assert successor.transport is not None
        before, self._receiver = self._connection, self._new_receiver()
        # In this order: whenever we are killed, both are closed, by us or in `_say_if_killed`.
        self._transport = self._line.transport = successor.transport
        self._line.successor = None
        _close_beside(before)
        self._receiver.backlog.follow(successor.transport)
        successor.take_over(self._receiver.receive)
        for event in successor.greeting if self._line.subscribers.wants_raw else ():
            raw = events.RawModelEvent(event=event, info=state.machine.info)
            self._line.subscribers.publish_raw(raw)
        log.info("session %s has changed its connection", self.actor_urn)

    def _close_another(self, state: _Running) -> None:
        if state.machine.phase is Phase.ENDED:
            return  # `terminate` does it, and whoever closes us waits for that
        successor, self._line.successor = self._line.successor, None
        if successor is not None:
            _close_beside(successor)

    def _is_ending(self) -> bool:
        return self._is_closing or self._is_over()

    def _is_over(self) -> bool:
        """Whether this incarnation has ended. The handle may stand for the next one."""
        session = self._session
        return session.incarnation != self._incarnation or not session.is_alive()

    def _resolve(self, state: _Running, agent: Agent) -> None:
        def died(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return AgentNotResolved(agent, f"agent {agent.name!r} could not be set up: {reason}")

        self._task(state, died, resolve_agent, agent, self._plan.context)

    def _resolve_tools(self, state: _Running, agent: Agent) -> None:
        def died(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return ToolsNotResolved(agent, f"what {agent.name!r} offers is not known: {reason}")

        self._task(state, died, resolve_tools, agent, self._plan.context)

    def _run_tool(self, state: _Running, effect: fx.RunTool) -> None:
        run = state.tools[effect.call_id] = ToolRun()
        died = self._call_died(state, effect.call_id, run)
        run.task = self._task(state, died, run_tool, effect, run, self._session, self._plan.context)

    def _run_handoff(self, state: _Running, effect: fx.RunHandoff) -> None:
        run = state.tools[effect.call_id] = ToolRun()
        died = self._call_died(state, effect.call_id, run)
        run.task = self._task(state, died, hand_off, effect, self._plan.context)

    def _call_died(
        self, state: _Running, call_id: str, run: ToolRun
    ) -> Callable[[object], Message | None]:
        def died(reason: object) -> Message | None:
            if state.tools.get(call_id) is run:  # and not what it became once it was approved
                del state.tools[call_id]
            if reason == otp.NORMAL:
                return None
            # It has no outcome yet if it ended in a way that no `except` sees.
            how = type(reason).__name__ if isinstance(reason, BaseException) else reason
            why = f"Error: Tool execution failed - {how}"
            return ToolFinished(call_id=call_id, output=why, error=why)

        return died

    def _judge(self, state: _Running, effect: fx.RunGuardrails) -> None:
        def died(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return GuardrailsFinished(
                response_id=effect.response_id,
                item_id=effect.item_id,
                text=effect.text,
                failure=f"a guardrail ended with {reason}",
                failed=", ".join(each.name for each in effect.guardrails),
                attempt=effect.attempt,
            )

        self._task(state, died, judge, effect, self._plan.context)

    def _screen(self, state: _Running, effect: fx.ScreenInput) -> None:
        def died(reason: object) -> Message | None:
            if reason == otp.NORMAL:
                return None
            return InputScreened(
                item_id=effect.item_id,
                text=effect.text,
                failure=f"a guardrail ended with {reason}",
                failed=", ".join(each.name for each in effect.guardrails),
                attempt=effect.attempt,
            )

        self._task(state, died, screen, effect, self._plan.context)

    # -- the end -------------------------------------------------------------------------

    def _let_hooks_finish(self, hooks: Any) -> None:
        """Give the hooks that are due a moment, but no more than that."""
        monitor = otp.monitor(hooks)
        otp.send(hooks, NO_MORE_HOOKS)
        try:
            otp.receive(0.3, match=lambda each: getattr(each, "monitor_ref", None) is monitor)
        except TimeoutError:
            hooks.kill()

    def _say_if_killed(self) -> None:
        """Do what `terminate` had no time for, in the thread of whoever has ended us."""
        line = self._line
        line.subscribers.wait_for_nobody()
        if self._claim_end():  # else it was about to end, and says so itself
            line.over = "the session has ended (it was killed)"
            line.gate = fx.Gate(False, line.over)
            killed = SessionClosedError("the session was killed")
            self._break_off(self.state, killed, wanted=line.closing)
            with suppress(InvalidStateError):  # it is ready, or becomes so just now
                self._plan.ready.set_exception(killed)
        if self._is_closed:
            return
        if self._plan.trace is not None:
            self._plan.trace.finish()
        for connection in line.connections:
            _close_beside(connection)

    def _tell_end(self) -> None:
        """Begin to tell of the end: nothing keeps us from doing it, not even being killed."""
        self._tells_end = self._tells_end or self._claim_end()
        if not self._tells_end:
            raise otp.Cancelled(self._process.reason)
        self._line.subscribers.wait_for_nobody()

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
            for run in tuple(state.tools.values()):
                run.cancel()
            for call in tuple(state.calls.values()):
                self._line.subscribers.publish(_unfinished(call, f"Error: {why}"))
        # To a subscriber "closed" means that nothing follows.
        publish_end(
            self._line.subscribers,
            None if wanted else failure,
            state="closed" if self._plan.supervisor is None else "disconnected",
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


def publish_end(
    subscribers: Subscribers,
    failure: RealtimeError | None,
    *,
    state: Literal["disconnected", "closed"],
    usage: SessionUsage,
    info: events.EventInfo,
) -> None:
    """Say that a session is over, and why; None for an end that was asked for."""
    why = "the session was closed" if failure is None else str(failure)
    if failure is not None:
        error = events.ErrorInfo(type="internal_error", message=why)
        subscribers.publish(
            events.ErrorEvent(error=error, recoverable=False, source="session", info=info)
        )
    subscribers.publish(
        events.ConnectionEvent(state=state, reason=why, error=failure, usage=usage, info=info)
    )


def _usage_of(state: _Running | None) -> SessionUsage:
    return NOTHING_USED if state is None else state.machine.usage


_OF_CALLS: Final = frozenset({events.ToolStartEvent, events.ToolEndEvent})


def _note(state: _Running, event: events.Event) -> None:
    """Remember a call until it has its end."""
    match event:
        case events.ToolStartEvent(call_id=call_id):
            state.calls[call_id] = event
        case events.ToolEndEvent(call_id=call_id):
            state.calls.pop(call_id, None)
        case _:
            pass  # no call


def _unfinished(call: events.ToolStartEvent, why: str) -> events.ToolEndEvent:
    return events.ToolEndEvent(
        agent=call.agent,
        tool=call.tool,
        name=call.name,
        call_id=call.call_id,
        output=why,
        error=why,
        info=call.info,
    )


def _close_beside(connection: Transport | Successor) -> None:
    """Close a connection, which may take a moment: nobody is to wait for that.

    No task does it: a session that was killed can't start one.
    """
    close = partial(connection.close, 0.0)
    threading.Thread(target=close, name="realtime-close", daemon=True).start()
