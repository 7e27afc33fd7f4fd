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

from decimal import Decimal
from enum import Enum
from typing import Final, Protocol, assert_never

from attrs import define, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import (
    BargeIn,
    GuardrailsSettings,
    SessionModelSettings,
    merge_settings,
)
from realtime_actors.core.approvals import Approvals
from realtime_actors.core.configuration import (
    Configuration,
    ForBarrier,
    ForCaller,
    ForHandoff,
    ForNobody,
    ForStart,
    Pending,
    agent_settings,
)
from realtime_actors.core.conversation import Stream
from realtime_actors.core.echo import EchoPolicy
from realtime_actors.core.editing import Editing
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
    SetTimer,
)
from realtime_actors.core.faults import error_info, is_active_response, is_fatal
from realtime_actors.core.guarding import Guarding
from realtime_actors.core.handoffs import Handoffs
from realtime_actors.core.history import History
from realtime_actors.core.limits import DURATION_TIMER, GOODBYE_TIMER, IDLE_TIMER, Limits
from realtime_actors.core.messages import (
    AgentNotResolved,
    AgentResolved,
    AnotherFailed,
    AnotherOpened,
    ApprovalNeeded,
    Asked,
    Connected,
    ConnectFailed,
    ConnectionLost,
    GuardrailsFinished,
    HandoffResolved,
    HookFailed,
    InputScreened,
    Message,
    ResolvedAgent,
    Started,
    TimerFired,
    ToolFinished,
    ToolProgressed,
    ToolRefused,
)
from realtime_actors.core.playback import PlaybackLedger
from realtime_actors.core.reconnecting import LIMIT_TIMER, QUIET_TIMER, Reconnecting
from realtime_actors.core.requests import Requests
from realtime_actors.core.response import ANSWER_TIMER, RETRY_TIMER, ResponseMachine
from realtime_actors.core.screening import Screening
from realtime_actors.core.speech import Speech
from realtime_actors.core.tool_calls import Call, ToolCalls, is_json
from realtime_actors.core.transcripts import Transcripts
from realtime_actors.core.turns import Turns
from realtime_actors.errors import (
    ConfigError,
    LocalProtocolError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
    SessionUpdateError,
)
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.items import FunctionCallItem, Item, McpApprovalRequestItem
from realtime_actors.protocol import ResponseOutputAudioDelta
from realtime_actors.usage import PRICES, Pricing

__all__ = ["Machine", "Phase", "SessionMachine"]


ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455: the connection broke, nobody closed it."""

_START: Final = "start"
"""Why no response is asked for before the server has taken the configuration."""


class Phase(Enum):
    """Where a session is in its life."""

    STARTING = "starting"
    CONFIGURING = "configuring"
    LIVE = "live"
    DISCONNECTED = "disconnected"
    ENDED = "ended"


_ENDED: Final = Phase.ENDED  # quicker to find than the member: looked at for each message


class Machine(Protocol):
    """What the shell needs of a machine."""

    @property
    def phase(self) -> Phase:
        """Where the session is in its life."""
        ...

    @property
    def info(self) -> events.EventInfo:
        """What is the same for every event."""
        ...

    @property
    def airing(self) -> str | None:
        """The response whose speech is published as it comes, and nothing else follows from it.

        None when there is none, or each piece of it needs a decision.
        """
        ...

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        ...


@define(kw_only=True)
class SessionMachine:
    """All state of one conversation. One owner; changed in place."""

    agent: Agent
    """The agent that the conversation starts with; `current_agent` is the one it has."""
    session_type: str = "realtime"
    """realtime, or transcription: it only listens."""
    settings: SessionModelSettings
    """What the program configured (defaults included), before any agent."""
    info: events.EventInfo = events.NO_INFO
    guardrails: tuple[OutputGuardrail, ...] = ()
    """Guardrails of the run, added to each agent's own."""
    input_guardrails: tuple[InputGuardrail, ...] = ()
    guardrails_settings: GuardrailsSettings = field(factory=GuardrailsSettings)
    barge_in: BargeIn = field(factory=BargeIn)
    max_handoffs_per_turn: int = 5
    parallel_tools: bool = True
    approval_timeout: float | None = None
    """Seconds until a call that nobody approves counts as rejected; None for no limit."""
    max_concurrency: int | None = None
    """How many tools may run at once; None for as many as the model calls."""
    tool_timeout: float | None = None
    """Seconds for tools that set none themselves; None for no limit."""
    playback_reported: bool = False
    """A `PlaybackTracker` reports what was heard."""
    model: str | None = None
    """The model that we asked for, until the server says which it is."""
    pricing: Pricing = PRICES
    max_cost: Decimal | None = None
    max_duration: float | None = None
    idle_timeout: float | None = None

    phase: Phase = field(default=Phase.STARTING, init=False)
    _resolved: ResolvedAgent | None = field(default=None, init=False)
    _connected: bool = field(default=False, init=False)
    _refusal: wire.ErrorDetail | None = field(default=None, init=False)  # the last error
    _event_ids: int = field(default=0, init=False)
    _call_names: dict[str, str] = field(factory=dict, init=False)
    _gate: Gate | None = field(default=None, init=False)  # the open one, as it was published
    _configuration: Configuration = field(init=False)
    _responses: ResponseMachine = field(init=False)
    _history: History = field(init=False)
    _speech: Speech = field(init=False)
    _echo: EchoPolicy = field(init=False)
    _calls: ToolCalls = field(init=False)
    _handoffs: Handoffs = field(init=False)
    _approvals: Approvals = field(init=False)
    _guarding: Guarding = field(init=False)
    _screening: Screening = field(init=False)
    _turns: Turns = field(init=False)
    _requests: Requests = field(init=False)
    _limits: Limits = field(init=False)
    _transcripts: Transcripts = field(init=False)
    _reconnecting: Reconnecting = field(init=False)
    _airs: bool = field(init=False)  # speech is published as it comes: nothing is to be decided

    def __attrs_post_init__(self) -> None:
        self._configuration = Configuration(
            new_id=self._new_id,
            base=self.settings,
            session_type=self.session_type,
            patient=self.barge_in.mode == "off",
        )
        self._responses = ResponseMachine(self._new_id)
        self._responses.hold(_START)
        self._history = History(self.info)
        ledger = PlaybackLedger(reported=self.playback_reported)
        self._speech = Speech(self.info, self._history, self._responses, ledger)
        self._echo = EchoPolicy(self.barge_in, self._speech)
        self._calls = ToolCalls(
            info=self.info,
            at_once=self.max_concurrency if self.parallel_tools else 1,
            timeout=self.tool_timeout,
        )
        editing = Editing(self._new_id, self._history, self._calls)
        self._transcripts = Transcripts(self.info, self._history)
        self._handoffs = Handoffs(
            info=self.info,
            current=ResolvedAgent(
                agent=self.agent, instructions="", tools={}, handoffs={}, definitions=()
            ),
            configuration=self._configuration,
            responses=self._responses,
            calls=self._calls,
            editing=editing,
            speech=self._speech,
            reconnect=lambda handoff: self._reconnecting.begin(handoff),
            limit=self.max_handoffs_per_turn,
        )
        self._approvals = Approvals(
            info=self.info,
            calls=self._calls,
            handoffs=self._handoffs,
            timeout=self.approval_timeout,
        )
        self._guarding = Guarding(
            info=self.info,
            handoffs=self._handoffs,
            speech=self._speech,
            responses=self._responses,
            guardrails=self.guardrails,
            debounce=self.guardrails_settings.debounce_text_length,
            holds=self.guardrails_settings.mode == "hold",
            play=self._play,
        )
        self._screening = Screening(
            info=self.info,
            handoffs=self._handoffs,
            speech=self._speech,
            responses=self._responses,
            guardrails=self.input_guardrails,
        )
        self._turns = Turns(
            self.info,
            self._responses,
            self._calls,
            self._handoffs,
            self._history,
            self._speech.held,
        )
        self._reconnecting = Reconnecting(
            info=self.info,
            new_id=self._new_id,
            configuration=self._configuration,
            responses=self._responses,
            handoffs=self._handoffs,
            history=self._history,
            speech=self._speech,
            calls=self._calls,
            turns=self._turns,
            guarding=self._guarding,
            transcripts=self._transcripts,
        )
        self._requests = Requests(
            self._configuration, self._responses, self._speech, editing, self._approvals
        )
        self._limits = Limits(
            info=self.info,
            responses=self._responses,
            speech=self._speech,
            model=lambda: self._configuration.settings.model or self.model,
            pricing=self.pricing,
            max_cost=self.max_cost,
            max_duration=self.max_duration,
            idle_timeout=self.idle_timeout,
        )
        self._airs = not (self._guarding.holds or self._echo.follows_speech)

    @property
    def current_agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self._handoffs.agent

    @property
    def history(self) -> tuple[Item, ...]:
        """The conversation so far, in its order."""
        return self._history.items

    @property
    def airing(self) -> str | None:
        """See `Machine.airing`."""
        response_id = self._responses.active_id
        if response_id is None or not self._airs:
            return None
        return None if self._speech.is_silenced(response_id) else response_id

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        if self.phase is _ENDED:
            return self._after_the_end(message)
        # Fifty times a second, while everything else comes a few times per turn.
        if type(message) is ResponseOutputAudioDelta:
            if self._airs:
                return self._speech.audio(message, now)
            if self._guarding.holds:
                effects = self._guarding.speech_came(message, now)
            else:
                effects = self._play(message, now)
            return [*self._set_gate(now), *effects]
        if isinstance(message, wire.ServerEvent):
            effects = self._server_event(message, now)
        else:
            effects = self._message(message, now)
        effects += self._follow_up(now)
        reconnecting = self._reconnecting.go_on(effects, now)
        if reconnecting:
            effects += [*reconnecting, *self._follow_up(now)]
        # First: what is sent may rely on it that nobody is heard.
        return self._with_hooks([*self._set_gate(now), *effects])

    def _follow_up(self, now: float) -> Effects:
        """Do what has become possible."""
        effects = self._calls.run(lambda: self.history)
        if self._calls.take_answered():
            self._responses.want()
        effects += self._settle(now)
        return effects + self._responses.flush()

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
            case AnotherOpened():
                return self._reconnecting.opened(message)
            case AnotherFailed():
                return self._reconnecting.failed(message)
            case Asked(verb=verb, caller=caller):
                return self._asked(verb, caller, now)
            case AgentResolved(resolved=resolved):
                self._resolved = resolved
                return self._configure()
            case AgentNotResolved(error=why):
                return self._end(ConfigError(why))
            case ToolFinished(call_id=call_id, output=output, error=why):
                return self._calls.finish(call_id, output, why, message.images)
            case ToolProgressed(call_id=call_id, message=progress):
                return self._calls.progressed(call_id, progress)
            case ToolRefused(call_id=call_id, guardrail=guardrail, reason=reason):
                return self._calls.refuse(call_id, guardrail, reason)
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

    def _server_event(self, event: wire.ServerEvent, now: float) -> Effects:
        match event:
            case wire.SessionCreated(session=session):
                self._configuration.told(session.settings)
                self._use_output_format()
                return []
            case wire.SessionUpdated(session=session):
                return self._session_updated(session, now)
            case wire.ServerError(error=error):
                return self._server_error(error)
            case wire.MalformedEvent(reason=reason):
                return [self._error("invalid_event", reason, source="protocol")]
            case wire.ResponseCreated(response=response):
                return self._response_created(event, response, now)
            case wire.ResponseDone(response=response):
                return self._response_done(event, response, now)
            case wire.ResponseOutputAudioDone():
                return self._guarding.speech_came(event, now)
            case wire.ResponseOutputAudioTranscriptDelta():
                return self._history.transcript_delta(event) + self._grow(event)
            case wire.ResponseOutputTextDelta():
                return self._history.text_delta(event) + self._grow(event)
            case wire.ResponseOutputAudioTranscriptDone(transcript=words):
                return self._words_done(event, "audio", words, now)
            case wire.ResponseOutputTextDone(text=words):
                return self._words_done(event, "text", words, now)
            case wire.ResponseOutputItemAdded(item=item, response_id=response_id):
                return self._output_item(item, response_id)
            case wire.ResponseOutputItemDone(item=item, response_id=response_id):
                return self._output_item_done(item, response_id)
            case wire.ResponseFunctionCallArgumentsDone(call_id=call_id, arguments=arguments):
                if not is_json(arguments):
                    # Cut off by an interruption, or wrong: the item's status will say.
                    return []
                name = event.name or self._call_names.get(call_id or "")
                return self._call(call_id, name, arguments, event.response_id)
            case wire.ConversationItemAdded(item=item) | wire.ConversationItemCreated(item=item):
                return self._history.item(item, event.previous_item_id)
            case wire.ConversationItemDone(item=item):
                effects = self._history.item(item, event.previous_item_id)
                return effects + self._approval_request(item)
            case wire.ConversationItemRetrieved(item=item):
                effects = self._history.item(item, None) + self._transcripts.retrieved(item)
                return self._screened(effects)
            case wire.ConversationItemDeleted(item_id=item_id):
                return self._history.deleted(item_id)
            case wire.ConversationItemTruncated(item_id=item_id, content_index=index):
                end_ms = event.audio_end_ms
                return self._history.truncated(item_id, index, heard_ms=end_ms, received_ms=end_ms)
            case wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous_id):
                self._user_spoke()
                self._screening.committed(item_id)
                self._turns.committed(item_id, answered=self._configuration.answers_turns)
                self._history.announced(item_id, previous_id)
                enabled = self._configuration.transcribes
                return self._transcripts.committed(item_id, enabled=enabled)
            case wire.InputAudioBufferSpeechStarted():
                return self._speech_started(event, now)
            case wire.InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=end_ms):
                self._turns.stopped(item_id)
                stopped = events.SpeechStoppedEvent(
                    item_id=item_id, audio_end_ms=end_ms, info=self.info
                )
                return [Publish(stopped)]
            case wire.InputAudioBufferTimeoutTriggered(item_id=item_id):
                self._turns.stopped(item_id)
                return [Publish(self._idle_timeout(event))]
            case wire.ConversationItemInputAudioTranscriptionDelta():
                return self._transcripts.delta(event)
            case wire.ConversationItemInputAudioTranscriptionCompleted(usage=usage):
                self._limits.transcription(usage)
                return self._screened(self._transcripts.completed(event))
            case wire.ConversationItemInputAudioTranscriptionFailed():
                return self._transcripts.failed(event)
            case wire.RateLimitsUpdated(rate_limits=limits):
                return [Publish(events.RateLimitsEvent(rate_limits=limits, info=self.info))]
            case (
                wire.ResponseContentPartAdded()
                | wire.ResponseContentPartDone()
                | wire.ResponseFunctionCallArgumentsDelta()
            ):
                return []  # what they say comes again, in the events above
            case _:
                return [self._as_it_came(event)]

    # -- the beginning and the end -------------------------------------------------

    def _configure(self) -> Effects:
        """Send the whole configuration, once we know it and can."""
        if not self._connected or self._resolved is None or self.phase is not Phase.STARTING:
            return []
        self.phase = Phase.CONFIGURING
        whole = merge_settings(self.settings, agent_settings(self.settings, self._resolved))
        return self._configuration.update(whole, ForStart(self._resolved))

    def _session_updated(self, session: wire.SessionInfo, now: float) -> Effects:
        pending = self._configuration.acknowledged(session.settings)
        self._use_output_format()
        effects: Effects = [Publish(events.SessionUpdatedEvent(session=session, info=self.info))]
        if pending is None:
            return effects  # the server changed something by itself
        effects.append(CancelTimer(pending.timer))
        match pending.purpose:
            case ForStart(resolved=resolved):
                self.phase = Phase.LIVE
                self._handoffs.current = resolved
                self._responses.release(_START)
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
        failure = SessionUpdateError(
            f"the server refused the settings: {error.message}", code=error.code, param=error.param
        )
        effects: Effects = [CancelTimer(pending.timer)]
        match pending.purpose:
            case ForStart():
                effects += self._end(failure)
            case ForCaller(caller=caller):
                effects.append(Refuse(caller, failure))
            case ForHandoff(handoff=handoff):
                effects += self._handoffs.refused(handoff, error.message or "refused")
            case ForBarrier():
                self._reconnecting.answered()
            case ForNobody():
                pass
        return effects

    def _update_unanswered(self, event_id: str) -> Effects:
        pending = self._configuration.give_up(event_id)
        match pending and pending.purpose:
            case ForCaller(caller=caller):
                return [Refuse(caller, SessionUpdateError("the server did not answer"))]
            case ForHandoff(handoff=handoff):
                return self._handoffs.unanswered(handoff)
            case ForBarrier():
                self._reconnecting.unanswered()
                return []
            case _:
                return []

    def _connection_lost(self, code: int | None, reason: str) -> Effects:
        if self.phase in (Phase.STARTING, Phase.CONFIGURING):
            return self._end(self._hung_up(code, reason))
        self.phase = Phase.DISCONNECTED
        lost = events.ConnectionEvent(
            state="disconnected", code=code, reason=reason, info=self.info
        )
        why = f"the connection was lost: {reason or code}"
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
        delay = self._limits.goodbye(now)
        if delay is None:
            return []
        if delay > 0:
            return [SetTimer(GOODBYE_TIMER, delay)]
        return self._end(None, f"{self._limits.reached} of the run is reached")

    def _end(self, error: RealtimeError | None, reason: str = "the session was closed") -> Effects:
        """Leave nothing open, and nobody waiting."""
        why = str(error) if error else reason
        waiting = error or SessionClosedError(why)
        effects: Effects = [SetGate(Gate(False, why)), *self._abandon(waiting)]
        closed = events.ConnectionEvent(state="closed", reason=why, error=error, info=self.info)
        self.phase = Phase.ENDED
        return [*effects, Publish(closed), End(error)]

    def _abandon(self, error: RealtimeError) -> Effects:
        """Give every open matter its end: the server can't any more."""
        effects: Effects = [
            *self._reconnecting.lost(),
            *self._approvals.lost(),
            *self._calls.cancel_all(f"Error: {error}"),
        ]
        active, started = self._responses.active_id, self._responses.is_active
        effects += self._responses.lost()
        if started:
            effects += self._turns.broke_off(active)
        self._handoffs.lost()
        self._guarding.lost()
        self._screening.lost()
        effects += self._transcripts.lost()
        self._speech.lost()
        effects += self._turns.settle()
        for pending in self._configuration.lost():
            effects.append(CancelTimer(pending.timer))
            if isinstance(pending.purpose, ForCaller):
                effects.append(Refuse(pending.purpose.caller, error))
        return effects

    def _after_the_end(self, message: Message | wire.ServerEvent) -> Effects:
        if isinstance(message, Asked):
            return [Refuse(message.caller, SessionClosedError("the session has ended"))]
        return []

    # -- what is asked of us -------------------------------------------------------

    def _asked(self, verb: messages.Verb, caller: object, now: float) -> Effects:
        match verb:
            case messages.History():
                return [Answer(caller, self.history)]
            case messages.CurrentAgent():
                return [Answer(caller, self.current_agent)]
            case messages.Interrupt():
                return [*self._speech.interrupt(now, cancel=True), Answer(caller)]
            case messages.PlaybackPosition(item_id=item_id, content_index=index, played_ms=ms):
                try:
                    self._speech.ledger.played(item_id, index, ms, absolute=verb.absolute)
                except (TypeError, OverflowError) as error:
                    return [Refuse(caller, ConfigError(f"played_ms is a number: {error}"))]
                return [Answer(caller)]
            case messages.Usage():
                return [Answer(caller, self._limits.usage)]
            case messages.Close():
                return [*self._end(None), Answer(caller)]
        if self.phase is not Phase.LIVE:
            return [Refuse(caller, NotConnectedError(self._why_not_live()))]
        self._limits.active(now)
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
        return effects

    # -- responses -----------------------------------------------------------------

    def _response_created(
        self, event: wire.ServerEvent, response: wire.Response, now: float
    ) -> Effects:
        if self._responses.is_known(response.id):
            return []  # it came twice
        asked_for = self._responses.is_requested
        effects = self._responses.created(response)
        if self._responses.is_out_of_band(response.id):
            return [*effects, self._as_it_came(event)]
        effects += self._turns.began(response)
        return effects + self._screening.began(response.id, asked_for=asked_for, now=now)

    def _response_done(
        self, event: wire.ServerEvent, response: wire.Response, now: float
    ) -> Effects:
        if self._responses.is_over(response.id):
            return []  # it came twice
        self._limits.active(now)
        effects = self._responses.done(response)
        if response.usage is not None:
            effects += self._limits.response(response.id, response.usage)
        self._speech.response_done(response.id)
        if self._responses.is_out_of_band(response.id):
            failure = self._turns.failure(response)
            return [*effects, *failure, self._as_it_came(event), *self._end_if_fatal(response)]
        for item in response.output:
            effects += self._output_item_done(item, response.id)
        effects += self._guarding.response_done(response.id, now)
        self._calls.response_done(response.id)
        if self._calls.take_answered():
            self._responses.want()
        effects += self._turns.failure(response) + self._turns.ended(response)
        return effects + (self._end_if_fatal(response) or self._leave(now))

    def _end_if_fatal(self, response: wire.Response) -> Effects:
        error = response.status_details.error if response.status_details else None
        return self._end(_failed(error)) if error is not None and is_fatal(error) else []

    def _settle(self, now: float) -> Effects:
        """End the responses that have been held, and the session if it only waited for them."""
        ended = self._turns.settle()
        return ended + self._leave(now) if ended else []

    def _play(self, event: wire.ResponseOutputAudioDelta, now: float) -> Effects:
        """Let a piece of speech be heard."""
        if self._echo.follows_speech:
            self._echo.audio(event.delta, now)
        return self._speech.audio(event, now)

    def _grow(
        self, event: wire.ResponseOutputAudioTranscriptDelta | wire.ResponseOutputTextDelta
    ) -> Effects:
        return self._guarding.grow(
            event.response_id, event.item_id, event.content_index, event.delta
        )

    def _words_done(
        self,
        event: wire.ResponseOutputAudioTranscriptDone | wire.ResponseOutputTextDone,
        stream: Stream,
        words: str,
        now: float,
    ) -> Effects:
        item_id, index = event.item_id, event.content_index
        effects = self._history.words_done(item_id, index, stream, words)
        return effects + self._guarding.part_done(event.response_id, item_id, index, words, now)

    # -- tools and handoffs ----------------------------------------------------------

    def _output_item(self, item: Item, response_id: str | None) -> Effects:
        if isinstance(item, FunctionCallItem) and item.call_id is not None:
            # Beta servers leave the name out of `function_call_arguments.done`.
            self._call_names[item.call_id] = item.name
        if self._responses.is_out_of_band(response_id):
            return []
        return self._history.item(item, None)

    def _output_item_done(self, item: Item, response_id: str | None) -> Effects:
        effects = self._output_item(item, response_id)
        if isinstance(item, FunctionCallItem) and item.status in ("completed", None):
            call_id = item.call_id or item.id
            effects += self._call(call_id, item.name, item.arguments, response_id)
        return effects + self._approval_request(item, response_id)

    def _approval_request(self, item: Item, response_id: str | None = None) -> Effects:
        if not isinstance(item, McpApprovalRequestItem):
            return []
        if self._responses.is_out_of_band(response_id):
            return []
        return self._approvals.requested(item)

    def _call(
        self, call_id: str | None, name: str | None, arguments: str, response_id: str | None
    ) -> Effects:
        # A response out of band has no place in the conversation, so neither would the
        # tool's output: who asked for it answers its calls.
        if call_id is None or name is None or self._responses.is_out_of_band(response_id):
            return []
        current = self._handoffs.current
        call = Call(
            call_id=call_id,
            response_id=response_id,
            name=name,
            arguments=arguments,
            agent=current.agent,
            target=current.handoffs.get(name) or current.tools.get(name),
        )
        effects = self._calls.called(call, late=self._responses.is_over(response_id))
        return effects + self._handoffs.called(call) if effects else []

    def _screened(self, effects: Effects) -> Effects:
        """Put what the user is known to have said before the guardrails."""
        said = [each.event for each in effects if isinstance(each, Publish)]
        for event in said:
            if isinstance(event, events.InputTranscriptEvent) and event.status == "completed":
                effects += self._screening.said(event.item_id, event.text)
        return effects

    # -- speech --------------------------------------------------------------------

    def _speech_started(self, event: wire.InputAudioBufferSpeechStarted, now: float) -> Effects:
        started = events.SpeechStartedEvent(
            item_id=event.item_id, audio_start_ms=event.audio_start_ms, info=self.info
        )
        self._limits.active(now)
        self._user_spoke()
        self._turns.started()
        effects: Effects = [Publish(started)]
        protected = self._speech.protected_until(now) is not None
        if self._configuration.interrupts_on_speech and not protected:
            # The server stops its response by itself.
            effects += self._speech.interrupt(now, cancel=False)
        return effects

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

    def _server_error(self, error: wire.ErrorDetail) -> Effects:
        fatal = is_fatal(error)
        event = events.ErrorEvent(
            error=error_info(error), recoverable=not fatal, source="error", info=self.info
        )
        effects: Effects = [Publish(event)]
        if fatal:
            return effects + self._end(_failed(error))
        self._refusal = error
        pending = self._configuration.refused(error)
        if pending is not None:
            return effects + self._update_refused(pending, error)
        if is_active_response(error):
            return effects + self._responses.refused(error.event_id)
        return effects + self._responses.failed(error.event_id, error.param)

    def _timer_fired(self, key: object, now: float) -> Effects:
        match key:
            case ("tool", str(call_id)):
                return self._calls.time_out(call_id)
            case ("approval", str(call_id)):
                return self._approvals.time_out(call_id)
            case ("transcript", str(item_id)):
                return self._transcripts.timer_fired(item_id)
            case ("update", str(event_id)):
                return self._update_unanswered(event_id)
            case _ if key == DURATION_TIMER:
                return self._limits.out_of_time() + self._leave(now)
            case _ if key == IDLE_TIMER:
                return self._limits.idle(now) + self._leave(now)
            case _ if key == GOODBYE_TIMER:
                return self._leave(now)
            case _ if key == LIMIT_TIMER:
                return self._reconnecting.out_of_time()
            case _ if key == QUIET_TIMER:
                return []  # to look whether all was heard: see `go_on`
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
            return "the connection was lost: close this session and run a new one"
        return "the session is not connected yet"

    def _user_spoke(self) -> None:
        self._handoffs.user_spoke()
        self._guarding.user_spoke()

    def _new_id(self) -> str:
        self._event_ids += 1
        return f"ra_{self._event_ids}"


def _failed(error: wire.ErrorDetail) -> SessionFailedError:
    return SessionFailedError(f"the server ended the session: {error.message}", code=error.code)
