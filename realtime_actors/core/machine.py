"""The session: a deterministic machine that decides and does nothing.

    STARTING --connected, and the agent resolved--> CONFIGURING --session.updated--> LIVE
    LIVE --connection lost--> DISCONNECTED
    any of them --closed, or the server said that it is over--> ENDED

`SessionMachine.handle(message, now)` takes one message and the time (seconds of a
monotonic clock) and gives the effects, in the order in which they are to be done. The
rules of each part of the conversation live in that part's module; here is what connects
them.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final, assert_never

from attrs import define, evolve, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, TranscriptionConfig
from realtime_actors.core.agents.reconnecting import LIMIT_TIMER, QUIET_TIMER
from realtime_actors.core.components import START, Parts
from realtime_actors.core.contract import KNOWN, Phase
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    Effects,
    End,
    Gate,
    Publish,
    Ready,
    Refuse,
    ResolveAgent,
    SetGate,
)
from realtime_actors.core.limits import DURATION_TIMER, GOODBYE_TIMER, IDLE_TIMER
from realtime_actors.core.messages import (
    AgentNotResolved,
    AgentResolved,
    AnotherFailed,
    AnotherOpened,
    ApprovalNeeded,
    Asked,
    AudioDropped,
    Connected,
    ConnectFailed,
    ConnectionLost,
    FellBehind,
    GuardrailsFinished,
    HandoffResolved,
    HookFailed,
    InputScreened,
    Message,
    NotSent,
    ResolvedAgent,
    Started,
    TimerFired,
    ToolDisabled,
    ToolFinished,
    ToolProgressed,
    ToolRefused,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.responses.response import (
    ANSWER_TIMER,
    RETRY_TIMER,
    was_talked_over,
    with_status,
)
from realtime_actors.core.responses.turn_taking import TURN_TIMER
from realtime_actors.core.responses.unanswered import CANCEL, DELETE, UPDATE, Sent, is_clear
from realtime_actors.core.server_errors import (
    error_info,
    is_active_response,
    is_fatal,
    is_no_response_active,
    is_no_such_item,
    message_of,
)
from realtime_actors.core.settings import (
    ForBarrier,
    ForCaller,
    ForHandoff,
    ForNobody,
    ForStart,
    Pending,
)
from realtime_actors.core.speech.audio_losses import LOSSES_TIMER
from realtime_actors.core.tools.offers import OFFERS_TIMER
from realtime_actors.errors import (
    ConfigError,
    LocalProtocolError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
    SessionUpdateError,
)
from realtime_actors.items import Item, McpListToolsItem
from realtime_actors.protocol import MAX_INDEX, ResponseOutputAudioDelta

__all__ = ["SessionMachine"]


ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455: the connection broke, nobody closed it."""

LOST: Final = "the connection was lost"
"""What a transport says too, of a connection that broke without a word."""

_OF_A_TURN: Final = (
    wire.InputAudioBufferSpeechStarted,
    wire.InputAudioBufferSpeechStopped,
    wire.InputAudioBufferCommitted,
    wire.InputAudioBufferTimeoutTriggered,
)
"""What says that the user has had a turn, whatever else a server leaves out."""

_HEARD_OR_READ: Final = (
    wire.ResponseOutputAudioDelta,
    wire.ResponseOutputAudioDone,
    wire.ResponseOutputAudioTranscriptDelta,
    wire.ResponseOutputTextDelta,
)

_GROWS: Final = (
    wire.ResponseOutputItemAdded,
    wire.ResponseContentPartAdded,
    wire.ResponseOutputAudioDelta,
    wire.ResponseOutputAudioTranscriptDelta,
    wire.ResponseOutputTextDelta,
    wire.ResponseFunctionCallArgumentsDelta,
)
"""What says that a response is in progress, whether its beginning was told or not."""

_ENDED: Final = Phase.ENDED  # quicker to find than the member: looked at for each message


@define(kw_only=True)
class SessionMachine(Parts):
    """All state of one conversation. One owner; changed in place."""

    phase: Phase = field(default=Phase.STARTING, init=False)
    _resolved: ResolvedAgent | None = field(default=None, init=False)
    _connected: bool = field(default=False, init=False)
    _refusal: wire.ErrorDetail | None = field(default=None, init=False)  # the last error
    _gate: Gate | None = field(default=None, init=False)  # the open one, as it was published

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        if self.phase is _ENDED:
            return self._after_the_end(message)
        # Fifty times a second, while everything else comes a few times per turn.
        if (
            type(message) is ResponseOutputAudioDelta
            and 0 <= message.content_index <= MAX_INDEX
            and not message.ignored
            and self._stalls.speech_came(message.response_id, now)
        ):
            if len(message.delta) & 1 or self._speech.samples.halves:
                message = self._speech.samples.whole(message)
                if not message.delta:
                    return []
            if self._airs and self._speech.is_voice(message.response_id):
                return self._speech.audio(message, now)
            effects = self._guarding.speech_came(message, now)
            return [*self._set_gate(now), *effects]
        if isinstance(message, wire.ServerEvent):
            effects = self._heard(message, now)
        else:
            effects = self._message(message, now)
        effects += self._moved()
        effects += self._follow_up(now)
        reconnecting = self._reconnecting.go_on(effects, now)
        if reconnecting:
            effects += [*reconnecting, *self._follow_up(now)]
        self._limits.looked(
            now,
            user_speaks=self._turn_taking.user_speaks,
            judged=self._judged,
            owed=self._owed,
        )
        effects += self._leave(now)
        active_id = self._responses.active_id
        effects += self._stalls.sent(effects, active_id, now)
        self._unanswered.sent(effects, active_id, now)
        self._unsent.sent(effects)
        # First: what is sent may rely on it that nobody is heard.
        return self._with_hooks([*self._set_gate(now), *effects])

    def _moved(self) -> Effects:
        """Tell of the items that stand somewhere else now."""
        return [] if self.phase is _ENDED else self._history.moved()

    def _follow_up(self, now: float) -> Effects:
        """Do what has become possible."""
        effects = self._turn_taking.end_calls()
        effects += self._calls.run(lambda: self.history)
        effects += self._rounds.go_on() + self._guarding.go_on(now)
        return effects + self._turns.settle() + self._turn_taking.ask(now)

    def _message(self, message: Message, now: float) -> Effects:
        match message:
            case Started():
                return [
                    SetGate(Gate(False, "the session is not connected yet")),
                    ResolveAgent(self.agent),
                ]
            case Connected():
                self._connected = True
                return self._configure()
            case ConnectFailed(error=error):
                return self._end(error)
            case ConnectionLost(code=code, reason=reason):
                return self._connection_lost(code, reason)
            case FellBehind():
                kind = "session_behind"
                return self._reports.report(kind, str(message), now, type=kind, source="session")
            case AnotherOpened():
                return self._reconnecting.opened(message)
            case AnotherFailed():
                return self._reconnecting.failed(message)
            case Asked(verb=verb, caller=caller):
                return self._asked(verb, caller, now)
            case AudioDropped():
                return self._audio_losses.dropped(message)
            case NotSent():
                return self._unsent.failed(message)
            case AgentResolved(resolved=resolved):
                self._resolved = resolved
                return self._configure()
            case AgentNotResolved(error=why):
                return self._end(ConfigError(why))
            case ToolsResolved():
                return self._offers.resolved(message) if self.phase is Phase.LIVE else []
            case ToolsNotResolved():
                return self._offers.not_resolved(message)
            case ToolDisabled(call_id=call_id):
                return self._offers.refused(call_id)
            case ToolFinished(call_id=call_id, output=output, error=why):
                not_resolved = self._handoffs.not_resolved(message)
                if not_resolved is not None:
                    return not_resolved
                return self._calls.finish(call_id, output, why, message.images)
            case ToolProgressed(call_id=call_id, message=progress):
                return self._calls.progressed(call_id, progress)
            case ToolRefused():
                return self._calls.refuse(message)
            case ApprovalNeeded(call_id=call_id):
                return self._approvals.needed(call_id)
            case HandoffResolved():
                return self._handoffs.resolved(message)
            case GuardrailsFinished():
                return self._guarding.judged(message, now)
            case InputScreened():
                return self._screening.judged(message, now)
            case HookFailed(method=method, error=why):
                return [self._error("hook_failed", f"{method}: {why}", source="hook")]
            case TimerFired(key=key):
                return self._timer_fired(key, now)
            case _:
                assert_never(message)

    def _heard(self, event: wire.ServerEvent, now: float) -> Effects:
        """Take what the server says, but not what would land where it must not."""
        problem = wire.out_of_range(event)
        if problem is not None:
            name, why = problem
            kind = f"{event.type}: {name}"
            return self._reports.report(kind, f"{event.type}: {name} {why}: it was skipped", now)
        effects = self._unannounced(event, now) + self._server_event(event, now)
        self._unanswered.came(event, self._awaited)
        cleared_up = self._unanswered.cleared_up(self._awaited, now)
        if cleared_up is not None:
            sent, error = cleared_up
            effects += self._refused(error, sent, now)
        if event.ignored:
            what = f"{event.type}: {'; '.join(event.ignored)}: ignored"
            effects += self._reports.report(f"{event.type}: ignored", what, now)
        return effects

    def _server_event(self, event: wire.ServerEvent, now: float) -> Effects:
        if isinstance(event, _OF_A_TURN):
            self._responses.out_of_band.user_had_turn = True
        in_time = self._stalls.came(event, self._responses.active_id, now)
        if not in_time and isinstance(event, _HEARD_OR_READ):
            return []
        match event:
            case wire.SessionCreated(session=session):
                if self.phase is not Phase.LIVE:  # or it comes late, and is out of date
                    self._configuration.told(session.settings)
                    self._use_output_format()
                return []
            case wire.SessionUpdated(session=session):
                return self._session_updated(session, now)
            case wire.ServerError(error=error):
                return self._server_error(error, now)
            case wire.MalformedEvent(reason=reason, kind=kind):
                return self._reports.report(kind or reason, f"{reason}: it was skipped", now)
            case wire.ResponseCreated(response=response):
                return self._response_created(event, response, now)
            case wire.ResponseDone(response=response):
                return self._response_done(event, response, now)
            case wire.ResponseOutputAudioDelta():
                return self._guarding.speech_came(self._speech.samples.whole(event), now)
            case wire.ResponseOutputAudioDone():
                return self._guarding.speech_came(event, now)
            case wire.ResponseOutputAudioTranscriptDelta() | wire.ResponseOutputTextDelta():
                return self._words.grew(event, now)
            case wire.ResponseOutputAudioTranscriptDone() | wire.ResponseOutputTextDone():
                return self._words.done(event, now)
            case wire.ResponseContentPartAdded() | wire.ResponseContentPartDone():
                return self._words.content_part(event, now)
            case wire.ResponseOutputItemAdded(item=item, response_id=response_id):
                effects = self._words.item(item, None, now, response_id=response_id)
                return effects + self._calling.item(item, response_id)
            case wire.ResponseOutputItemDone(item=item, response_id=response_id):
                return self._output_item_done(item, response_id, now)
            case wire.ResponseFunctionCallArgumentsDone():
                return self._calling.arguments_done(event)
            case wire.ResponseFunctionCallArgumentsDelta():
                self._calling.arguments_came(event)
                return []
            case wire.ResponseMcpCallArgumentsDone(item_id=item_id, response_id=response_id):
                runs = self._calling.hosted_call_runs(item_id, response_id)
                return [self._as_it_came(event), *runs]
            case wire.ResponseMcpCallInProgress(item_id=item_id):
                return [self._as_it_came(event), *self._calling.hosted_call_runs(item_id)]
            case (
                wire.ResponseMcpCallCompleted(item_id=item_id)
                | wire.ResponseMcpCallFailed(item_id=item_id)
            ):
                return [self._as_it_came(event), *self._calling.hosted_call_ended(item_id)]
            case wire.McpListToolsFailed(item_id=item_id):
                return [self._as_it_came(event), *self._tools_not_listed(item_id, now)]
            case wire.ConversationItemAdded(item=item) | wire.ConversationItemCreated(item=item):
                self._turn_taking.shown(item)
                effects = self._words.item(item, event.previous_item_id, now)
                return effects + self._calling.hosted_call(item)
            case wire.ConversationItemDone(item=item):
                self._turn_taking.shown(item)
                effects = self._words.item(item, event.previous_item_id, now, is_done=True)
                effects += self._calling.hosted_call(item, is_final=True)
                return effects + self._calling.approval_request(item)
            case wire.ConversationItemRetrieved(item=item):
                return self._words.item(item, None, now, is_done=True)
            case wire.ConversationItemDeleted(item_id=item_id):
                return self._history.deleted(item_id)
            case wire.ConversationItemTruncated(item_id=item_id, content_index=index):
                heard_ms = max(0, event.audio_end_ms)
                received_ms = self._speech.received_ms(item_id, index, now)
                return self._history.truncated(
                    item_id, index, heard_ms=heard_ms, received_ms=received_ms
                )
            case wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous_id):
                self._user_spoke()
                self._rounds.start_anew()
                self._screening.committed(item_id)
                self._turn_taking.user_committed(item_id, now)
                return self._words.committed(item_id, previous_id)
            case wire.InputAudioBufferSpeechStarted():
                return self._speech_started(event, now)
            case wire.InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=end_ms):
                self._turn_taking.user_stopped(item_id, now)
                stopped = events.SpeechStoppedEvent(
                    item_id=item_id, audio_end_ms=end_ms, info=self.info
                )
                return [Publish(stopped), *self._words.turn_stopped(item_id)]
            case wire.InputAudioBufferCleared():
                self._turn_taking.not_listening()
                return [self._as_it_came(event), *self._words.cleared()]
            case wire.InputAudioBufferTimeoutTriggered(item_id=item_id):
                self._turn_taking.user_stopped(item_id, now)
                return [Publish(self._idle_timeout(event))]
            case wire.ConversationItemInputAudioTranscriptionCompleted(usage=usage):
                again = self._transcripts.is_counted(event)
                counted = [] if again else self._transcription_counted(usage)
                return counted + self._words.transcription(event)
            case (
                wire.ConversationItemInputAudioTranscriptionDelta()
                | wire.ConversationItemInputAudioTranscriptionSegment()
                | wire.ConversationItemInputAudioTranscriptionFailed()
            ):
                return self._words.transcription(event)
            case wire.RateLimitsUpdated(rate_limits=limits):
                return [Publish(events.RateLimitsEvent(rate_limits=limits, info=self.info))]
            case wire.UnknownEvent(type="response.cancelled"):
                return self._response_cancelled(event, now)
            case _:
                return [self._as_it_came(event)]

    # -- the beginning and the end -------------------------------------------------

    def _configure(self) -> Effects:
        """Send the whole configuration, once we know it and can."""
        if not self._connected or self._resolved is None or self.phase is not Phase.STARTING:
            return []
        self.phase = Phase.CONFIGURING
        whole = self._configuration.at_start(self._resolved)
        return self._configuration.update(whole, ForStart(self._resolved))

    def _session_updated(self, session: wire.SessionInfo, now: float) -> Effects:
        pending = self._configuration.acknowledged(session.settings)
        self._use_output_format()
        if self._configuration.settings.turn_detection is OFF:
            self._turn_taking.not_listening()
        effects: Effects = [Publish(events.SessionUpdatedEvent(session=session, info=self.info))]
        if pending is None:
            return effects  # the server changed something by itself
        effects.append(CancelTimer(pending.timer))
        if pending.changes.input_audio_transcription is not None:
            self._transcripts.reconfigured()
        match pending.purpose:
            case ForStart(resolved=resolved):
                self.phase = Phase.LIVE
                self._handoffs.current = resolved
                self._responses.release(START)
                connected = events.ConnectionEvent(state="connected", info=self.info)
                effects += [Publish(connected), Ready()]
                effects += self._limits.start(now)
            case ForCaller(caller=caller):
                self._configuration.keep(pending)
                effects.append(Answer(caller))
            case ForHandoff(handoff=handoff):
                effects += self._handoffs.acknowledged(handoff)
            case ForBarrier():
                self._reconnecting.answered()
            case ForNobody():
                pass
        return effects

    def _update_refused(self, pending: Pending, error: wire.ErrorDetail) -> Effects:
        failure = _update_refusal(error)
        effects: Effects = [CancelTimer(pending.timer)]
        match pending.purpose:
            case ForStart() as start if without := self._configuration.without_default(
                pending, error
            ):
                effects += self._configuration.update(without, start)
            case ForStart():
                effects += self._end(failure)
            case ForCaller(caller=caller):
                effects.append(Refuse(caller, failure))
            case ForHandoff(handoff=handoff):
                effects += self._handoffs.refused(handoff, message_of(error))
            case ForBarrier():
                self._reconnecting.answered()
            case ForNobody():
                pass
        return effects

    def _update_unanswered(self, event_id: str) -> Effects:
        pending = self._configuration.give_up(event_id)
        if pending is None:
            return []
        failure = SessionUpdateError("the server did not answer")
        if pending.doubt is not None:
            failure = _update_refusal(pending.doubt)
        match pending.purpose:
            case ForStart():
                return self._end(failure)
            case ForCaller(caller=caller):
                return [Refuse(caller, failure)]
            case ForHandoff(handoff=handoff):
                return self._handoffs.unanswered(handoff, str(failure), pending.changes)
            case ForBarrier():
                self._reconnecting.unanswered()
                return []
            case ForNobody():
                return []

    def _connection_lost(self, code: int | None, reason: str) -> Effects:
        if self.phase in (Phase.STARTING, Phase.CONFIGURING):
            return self._end(self._hung_up(code, reason))
        self.phase = Phase.DISCONNECTED
        lost = events.ConnectionEvent(
            state="disconnected", code=code, reason=reason, info=self.info
        )
        why = f"{LOST}: {(reason or str(code)).removeprefix(f'{LOST}: ')}"
        if reason == LOST:
            why = LOST
        return [
            SetGate(Gate(False, why)),
            Publish(lost),
            self._error("connection_lost", why, code=str(code) if code else None),
            *self._abandon(NotConnectedError(why)),
        ]

    def _hung_up(self, code: int | None, reason: str) -> RealtimeError:
        """Why the server didn't let us start: what it said last, or how it closed."""
        if self._refusal is not None:
            return _failed(self._refusal)
        if code is not None and code != ABNORMAL_CLOSURE:
            return SessionFailedError(f"the server hung up: {reason or code}", code=str(code))
        return NotConnectedError(f"the connection was lost while starting: {reason or code}")

    def _leave(self, now: float) -> Effects:
        """End because a limit is reached, once what the model says has been heard."""
        if self.phase is _ENDED:
            return []
        effects = self._limits.leave(now)
        if effects is None:
            return self._end(None, f"{self._limits.reached} of the run is reached")
        return effects

    @property
    def _owed(self) -> bool:
        """Something is owed: an answer, an outcome, a decision."""
        return self.phase is Phase.LIVE and (
            self._turn_taking.owed or not self._responses.at_rest or self._calls.owed
        )

    @property
    def _judged(self) -> bool:
        """A verdict is awaited, or speech is held back for one."""
        return self.phase is Phase.LIVE and (
            bool(self._speech.held) or self._guarding.judges or self._screening.judges
        )

    def _end(self, error: RealtimeError | None, reason: str = "the session was closed") -> Effects:
        """Leave nothing open, and nobody waiting."""
        why = str(error) if error else reason
        waiting = error or SessionClosedError(why)
        effects: Effects = [SetGate(Gate(False, why)), *self._abandon(waiting)]
        closed = events.ConnectionEvent(
            state="closed", reason=why, error=error, usage=self.usage, info=self.info
        )
        self.phase = Phase.ENDED
        return [*effects, Publish(closed), End(error)]

    def _abandon(self, error: RealtimeError) -> Effects:
        """Give every open matter its end: the server can't any more."""
        effects: Effects = [
            *self._audio_losses.tell_the_rest(),
            *self._reconnecting.lost(),
            *self._approvals.lost(),
            *self._offers.lost(),
            *self._calls.cancel_all(f"Error: {error}"),
        ]
        active, started = self._responses.active_id, self._responses.is_active
        effects += [*self._responses.lost(), *self._stalls.lost()]
        self._unanswered.clear()
        if started:
            effects += self._turns.broke_off(active)
        effects += self._handoffs.lost(error)
        self._guarding.lost()
        self._screening.lost()
        effects += self._transcripts.lost()
        self._speech.lost()
        self._turn_taking.lost()
        effects += self._turns.settle()
        for pending in self._configuration.lost():
            effects.append(CancelTimer(pending.timer))
            if isinstance(pending.purpose, ForCaller):
                effects.append(Refuse(pending.purpose.caller, error))
        return effects

    def _after_the_end(self, message: Message | wire.ServerEvent) -> Effects:
        match message:
            case Asked(verb=verb, caller=caller) if type(verb) in KNOWN:
                return [Answer(caller, KNOWN[type(verb)](self))]
            case Asked(caller=caller):
                return [Refuse(caller, SessionClosedError("the session has ended"))]
            case _:
                return []

    # -- what is asked of us -------------------------------------------------------

    def _asked(self, verb: messages.Verb, caller: object, now: float) -> Effects:
        match verb:
            case messages.History():
                return [Answer(caller, self._history.read())]
            case messages.CurrentAgent() | messages.Usage():
                return [Answer(caller, KNOWN[type(verb)](self))]
            case messages.Interrupt():
                return [*self._turn_taking.interrupt(now), Answer(caller)]
            case messages.PlaybackPosition(item_id=item_id, content_index=index, played_ms=ms):
                try:
                    self._speech.ledger.played(item_id, index, ms, now, absolute=verb.absolute)
                except (TypeError, OverflowError) as error:
                    return [Refuse(caller, ConfigError(f"played_ms is a number: {error}"))]
                return [Answer(caller)]
            case messages.Close():
                return [*self._end(None), Answer(caller)]
            case _:
                pass  # what needs a connection
        if self.phase is not Phase.LIVE:
            return [Refuse(caller, NotConnectedError(self._why_not_live()))]
        if self._limits.reached is not None and self._requests.speaks(verb):
            why = f"{self._limits.reached} of the run is reached: nothing is answered any more"
            return [Refuse(caller, SessionClosedError(f"the session is ending: {why}"))]
        self._limits.active(now)
        self._responses.mark()
        if isinstance(verb, messages.SendMessage | messages.AddItem):
            self._user_spoke()
        try:
            effects = self._requests.send(verb, caller)
        except (ConfigError, LocalProtocolError) as error:
            return [Refuse(caller, error)]
        except (TypeError, ValueError, AttributeError) as error:
            # What a caller hands over may be anything; the conversation is not to end for it.
            why = f"{type(verb).__name__} does not take these arguments: {error}"
            return [Refuse(caller, ConfigError(why))]
        if isinstance(verb, messages.SendMessage):
            self._screening.written()
        if isinstance(verb, messages.UpdateSession):
            effects += self._offers.ask()
        if self._requests.speaks(verb):
            self._turn_taking.program_spoke()
        return effects

    # -- responses -----------------------------------------------------------------

    def _unannounced(self, event: wire.ServerEvent, now: float) -> Effects:
        """Learn from what a response makes that it has begun, or its id, if that was not told."""
        if not isinstance(event, _GROWS):
            return []
        response_id = event.response_id
        if not response_id or self._responses.is_known(response_id):
            return []
        if not self._responses.is_expected:
            return self._learn_id(response_id)
        response = wire.Response(id=response_id)
        asked_for = self._responses.is_requested
        effects = self._responses.began_unannounced(response)
        return effects + self._response_began(response, asked_for=asked_for, now=now)

    def _learn_id(self, response_id: str | None) -> Effects:
        """Take an id for that of the response in progress, if it began without one."""
        if response_id is None or not self._responses.learn_id(response_id):
            return []
        self._speech.learn_id(response_id)
        return self._stalls.learn_id(response_id)

    def _response_created(
        self, event: wire.ServerEvent, response: wire.Response, now: float
    ) -> Effects:
        if self._responses.is_known(response.id):
            return []  # it came twice, or after something of it
        if response.id is None and not self._responses.may_be_of_conversation(response):
            return [self._as_it_came(event)]  # out of band: nothing of it will be known by its id
        asked_for = self._responses.is_requested
        effects = self._responses.created(response)
        if not self._responses.is_out_of_band(response.id):
            return effects + self._response_began(response, asked_for=asked_for, now=now)
        effects += self._stalls.began(response.id, now)
        self._announcements.began(response.id)
        stopped = self._turn_taking.began_out_of_band(str(response.id), now)
        return [*effects, self._as_it_came(event), *stopped]

    def _response_began(self, response: wire.Response, *, asked_for: bool, now: float) -> Effects:
        """A response of the conversation is in progress."""
        effects = self._stalls.began(response.id, now)
        self._announcements.began(response.id)
        self._words.began(response.id)
        effects += self._turns.began(response) + self._turn_taking.began(now)
        if self._limits.reached is not None and not asked_for and response.id is not None:
            effects += self._speech.refuse(response.id)
        return effects + self._screening.began(response.id, asked_for=asked_for, now=now)

    def _response_done(
        self, event: wire.ServerEvent, response: wire.Response, now: float
    ) -> Effects:
        if self._responses.is_over(response.id):
            return self._response_done_again(response, now)
        self._limits.active(now)
        response = with_status(evolve(response, id=self._responses.id_of_end(response)))
        effects: Effects = []
        if self._responses.may_be_of_conversation(response):
            effects += self._learn_id(response.id)
        has_begun = self._responses.has_begun(response.id)
        effects += [*self._responses.done(response), *self._stalls.over(response.id)]
        if was_talked_over(response):
            effects += self._talked_over(response.id, now)
        effects += self._response_counted(response)
        self._turn_taking.done(response)
        self._speech.response_done(response.id)
        if self._responses.is_out_of_band(response.id):
            effects += self._words_of_response(response, now)
            if self._stalls.is_given_up(response.id):
                return effects
            failure = self._turns.failure(response)
            return [*effects, *failure, self._as_it_came(event), *self._end_if_fatal(response)]
        if not has_begun:  # the server has not said so
            self._words.began(response.id)
            effects += self._turns.began(response)
        effects += self._words_of_response(response, now)
        effects += self._calling.response_done(response)
        self._rounds.response_done(response.id)
        effects += self._rounds.go_on()
        effects += self._turns.failure(response) + self._turns.ended(response)
        return effects + self._end_if_fatal(response)

    def _response_counted(self, response: wire.Response) -> Effects:
        if response.usage is None:
            return self._accounting.not_counted()
        model = self._configuration.settings.model
        effects = self._accounting.response(response.id, response.usage, model)
        return effects + self._limits.spent(self._accounting.known_cost)

    def _transcription_counted(self, usage: wire.TranscriptionUsage | None) -> Effects:
        settings = self._configuration.settings.input_audio_transcription
        model = settings.model if isinstance(settings, TranscriptionConfig) else None
        effects = self._accounting.transcription(usage, model)
        return effects + self._limits.spent(self._accounting.known_cost)

    def _response_done_again(self, response: wire.Response, now: float) -> Effects:
        """Take what is new in the end of a response that was given up; else it came twice."""
        if not self._stalls.late_end(response.id):
            return []
        effects: Effects = []
        for item in response.output:
            effects += self._output_item_done(item, response.id, now)
        if response.usage is not None:
            effects += self._response_counted(response)
        return effects

    def _stalled(self, response_id: str | None, now: float) -> Effects:
        """Look whether a response in progress is silent for too long."""
        effects, is_lost = self._stalls.fired(
            response_id,
            now,
            has_open_call=any(call.response_id == response_id for call in self._calls.open),
            unapproved=self._calls.hosted.unapproved,
        )
        if not is_lost:
            return effects
        error = self._error(
            "response_stalled",
            "the server said nothing more of a response, nor of its end, and did not answer when it"
            " was cancelled: it was given up",
            response_id=response_id,
            source="response",
        )
        return [error, *self._response_lost(response_id, now)]

    def _response_lost(self, response_id: str | None, now: float, status: str = "lost") -> Effects:
        """Go on without a response whose end the server has not told."""
        self._stalls.give_up(response_id)
        response = wire.Response(id=response_id, status=status)
        return self._response_done(wire.ResponseDone(response=response), response, now)

    def _response_cancelled(self, event: wire.UnknownEvent, now: float) -> Effects:
        """Take the event by which some servers answer a cancel, with nothing else in it."""
        cancelled = self._unanswered.cancelled()
        if cancelled is None or not self._stalls.watches(cancelled.about):
            return [self._as_it_came(event)]
        return [self._as_it_came(event), *self._response_lost(cancelled.about, now, "cancelled")]

    def _end_if_fatal(self, response: wire.Response) -> Effects:
        error = response.status_details.error if response.status_details else None
        return self._end(_failed(error)) if error is not None and is_fatal(error) else []

    def _talked_over(self, response_id: str | None, now: float) -> Effects:
        """The server has stopped a response for the user's speech, whatever its settings say."""
        self._configuration.interrupted()
        if response_id is None or self._configuration.patient:
            return []
        return self._speech.talked_over(response_id, now)

    def _words_of_response(self, response: wire.Response, now: float) -> Effects:
        """Take what a response says at its end of its words."""
        effects: Effects = []
        for item in response.output:
            effects += self._words.item(item, None, now, response_id=response.id, is_done=True)
        effects += self._words.ended(response)
        return effects + self._guarding.response_done(response.id, now)

    def _output_item_done(self, item: Item, response_id: str | None, now: float) -> Effects:
        self._speech.ended(item.id)
        effects = self._words.item(item, None, now, response_id=response_id, is_done=True)
        return effects + self._calling.item_done(item, response_id)

    # -- speech --------------------------------------------------------------------

    def _speech_started(self, event: wire.InputAudioBufferSpeechStarted, now: float) -> Effects:
        started = events.SpeechStartedEvent(
            item_id=event.item_id, audio_start_ms=event.audio_start_ms, info=self.info
        )
        self._limits.user_began(now)
        self._user_spoke()
        self._rounds.start_anew()
        return [
            Publish(started),
            *self._words.turn_began(event.item_id),
            *self._turn_taking.user_began(now),
        ]

    def _idle_timeout(
        self, event: wire.InputAudioBufferTimeoutTriggered
    ) -> events.InputAudioTimeoutTriggeredEvent:
        return events.InputAudioTimeoutTriggeredEvent(
            item_id=event.item_id,
            audio_start_ms=event.audio_start_ms,
            audio_end_ms=event.audio_end_ms,
            info=self.info,
        )

    def _use_output_format(self) -> None:
        name = self._configuration.settings.output_audio_format
        if name is not None:
            self._speech.use_format(name)

    def _set_gate(self, now: float) -> Effects:
        """Say what the microphone has to mind, if that has changed."""
        gate = None
        if self.phase is Phase.LIVE:
            audio_format = self._configuration.settings.input_audio_format or "pcm16"
            gate = Gate(True, audio_format=audio_format, echo=self._echo.echo(now))
        before, self._gate = self._gate, gate
        return [] if gate is None or gate == before else [SetGate(gate)]

    # -- errors and timers -----------------------------------------------------------

    def _server_error(self, error: wire.ErrorDetail, now: float) -> Effects:
        fatal = is_fatal(error)
        sent = self._unanswered.refused(error, self._awaited, now)
        event = events.ErrorEvent(
            error=error_info(error),
            recoverable=not fatal,
            source="error",
            info=self.info,
        )
        effects: Effects = [Publish(event)]
        if fatal:
            return effects + self._end(_failed(error))
        self._refusal = error
        return effects + self._refused(error, sent, now)

    def _refused(self, error: wire.ErrorDetail, sent: Sent | None, now: float) -> Effects:
        """Go on without what the server has refused, as far as it is known what that was."""
        event_id = error.event_id or (sent.event_id if sent else None)
        self._editing.refused(event_id)
        told = self._calls.outputs.refused(event_id, error.message)
        if told:
            return told
        given_up = self._approvals.refused(event_id)
        if given_up:
            return given_up
        if sent is not None and sent.kind == UPDATE and not is_clear(error):
            return self._configuration.doubted(event_id, error)
        pending = self._configuration.refused(event_id)
        if pending is not None:
            return self._update_refused(pending, error)
        if is_active_response(error):
            return self._responses.refused(event_id)
        if sent is not None and sent.kind == CANCEL and is_no_response_active(error):
            is_lost = self._stalls.watches(sent.about)
            return self._response_lost(sent.about, now) if is_lost else []
        if sent is not None and sent.kind == DELETE and sent.about and is_no_such_item(error):
            return self._history.deleted(sent.about)
        return self._responses.failed(event_id)

    @property
    def _awaited(self) -> Set[str | None]:
        """The names of the updates and responses that are not answered."""
        return self._configuration.awaited | self._responses.awaited

    def _timer_fired(self, key: object, now: float) -> Effects:
        match key:
            case ("tool", str(call_id)):
                return self._calls.time_out(call_id)
            case ("handoff", str(call_id)):
                return self._handoffs.time_out(call_id)
            case ("approval", str(call_id)):
                return self._approvals.time_out(call_id)
            case ("hosted", str(call_id)):
                return self._calls.hosted.time_out(call_id)
            case ("transcript", str(item_id)):
                return self._words.transcript_timer_fired(item_id)
            case ("guardrail", str(response_id)):
                return self._guarding.time_out(response_id, now)
            case ("screening", str(item_id)):
                return self._screening.time_out(item_id, now)
            case ("update", str(event_id)):
                return self._update_unanswered(event_id)
            case _ if key == LOSSES_TIMER:
                return self._audio_losses.second_is_over()
            case _ if key == OFFERS_TIMER:
                return self._offers.time_out()
            case _ if key == DURATION_TIMER:
                return self._limits.out_of_time()
            case _ if key == IDLE_TIMER:
                return self._limits.idle(now)
            case _ if key == GOODBYE_TIMER:
                self._limits.looks()
                return []
            case _ if key == LIMIT_TIMER:
                return self._reconnecting.out_of_time()
            case _ if key == QUIET_TIMER:
                return []  # to look whether all was heard: see `go_on`
            case ("stall", (str() | None) as response_id):
                return self._stalled(response_id, now)
            case ("out_of_band", str(event_id)):
                return self._out_of_band_unanswered(event_id)
            case _ if key == TURN_TIMER:
                return []  # to look whose turn it is: see `ask`
            case _ if key == RETRY_TIMER:
                self._responses.retry()
                return []
            case _ if key == ANSWER_TIMER and self._responses.unanswered():
                return [
                    self._error(
                        "response_unanswered",
                        "the server did not answer a response.create",
                        source="response.create",
                    )
                ]
            case _:
                return []

    def _out_of_band_unanswered(self, event_id: str) -> Effects:
        if not self._responses.out_of_band.give_up(event_id):
            return []
        return [
            self._error(
                "response_unanswered",
                "the server did not answer a response.create out of band; where a server names no"
                " conversations, metadata tell its response from others",
                source="response.create",
            )
        ]

    def _tools_not_listed(self, item_id: str, now: float) -> Effects:
        """Report an MCP server whose tools the model can't be offered."""
        item = self._history.conversation.get(item_id)
        label = item.server_label if isinstance(item, McpListToolsItem) else ""
        what = f"the MCP server {label!r}" if label else "an MCP server"
        return self._reports.report(
            f"mcp_list_tools.failed: {label}",
            f"the server could not get the tools of {what}: the model can't call any of them. Look"
            " at its URL and its authorization, and whether it can be reached from outside",
            now,
            type="mcp_list_tools_failed",
            source="mcp",
        )

    def _as_it_came(self, event: wire.ServerEvent) -> Publish:
        return Publish(events.RawModelEvent(event=event, info=self.info))

    def _error(
        self,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        response_id: str | None = None,
        source: str = "session",
    ) -> Publish:
        return Publish(
            events.ErrorEvent(
                error=events.ErrorInfo(type=kind, message=message, code=code),
                response_id=response_id,
                source=source,
                info=self.info,
            )
        )

    def _with_hooks(self, effects: Effects) -> Effects:
        agent = self.current_agent
        if agent.hooks is None:
            return effects
        published = [each.event for each in effects if isinstance(each, Publish)]
        for event in published:
            # Not for a hook that raised: it would be told of itself, for ever.
            if isinstance(event, events.ErrorEvent) and event.source != "hook":
                effects.append(CallHook(agent, "on_error", (event.error,)))
        if any(
            isinstance(event, events.HistoryAddedEvent | events.HistoryUpdatedEvent)
            for event in published
        ):
            effects.append(CallHook(agent, "on_history", (self.history,)))
        return effects

    def _why_not_live(self) -> str:
        if self.phase is Phase.DISCONNECTED:
            return f"{LOST}: close this session and run a new one"
        return "the session is not connected yet"


def _update_refusal(error: wire.ErrorDetail) -> SessionUpdateError:
    """The server's words as an error at whoever asked for the update."""
    return SessionUpdateError(
        f"the server refused the settings: {message_of(error)}", code=error.code, param=error.param
    )


def _failed(error: wire.ErrorDetail) -> SessionFailedError:
    return SessionFailedError(f"the server ended the session: {message_of(error)}", code=error.code)
