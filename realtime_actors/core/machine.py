"""The session: a deterministic machine that decides and does nothing.

`SessionMachine.handle(message, now)` takes one message and the time (seconds of a
monotonic clock) and gives the effects, in the order in which they are to be done. The
rules live in its parts (`components` makes them); which part a message goes to, and what
follows each of them, is said here.
"""

from __future__ import annotations

from typing import Final, assert_never

from attrs import define, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import RunConfig, SessionModelSettings
from realtime_actors.core.components import Components
from realtime_actors.core.contract import KNOWN, Phase
from realtime_actors.core.effects import (
    Answer,
    Effects,
    Gate,
    Publish,
    Refuse,
    ResolveAgent,
    SetGate,
)
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
    Started,
    TimerFired,
    ToolDisabled,
    ToolFinished,
    ToolProgressed,
    ToolRefused,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.responses.sending import MAX_MESSAGE_BYTES
from realtime_actors.errors import (
    ConfigError,
    SessionClosedError,
)
from realtime_actors.items import Item
from realtime_actors.protocol import MAX_INDEX, ResponseOutputAudioDelta
from realtime_actors.snapshot import Snapshot
from realtime_actors.usage import SessionUsage

__all__ = ["SessionMachine"]


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

_ENDED: Final = Phase.ENDED  # quicker to find than the member: looked at for each message


@define(kw_only=True)
class SessionMachine:
    """All state of one conversation. One owner; changed in place."""

    agent: Agent
    """The agent that the conversation starts with; `current_agent` is the one it has."""
    session_type: str = "realtime"
    """realtime, or transcription: it only listens."""
    settings: SessionModelSettings
    """What the program configured (defaults included), before any agent."""
    attached: bool = False
    """The server's session has settings of its own: see `Configuration.attached`."""
    info: events.EventInfo = events.NO_INFO
    config: RunConfig = field(factory=RunConfig)
    """What holds for all agents. Its `model_settings` are in `settings` already."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """How large a message may be, either way."""
    playback_reported: bool = False
    """A `PlaybackTracker` reports what was heard."""
    model: str | None = None
    """The model that we asked for, until the server says which it is."""

    _parts: Components = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._parts = Components(
            agent=self.agent,
            session_type=self.session_type,
            settings=self.settings,
            attached=self.attached,
            info=self.info,
            config=self.config,
            max_message_bytes=self.max_message_bytes,
            playback_reported=self.playback_reported,
            model=self.model,
        )

    @property
    def phase(self) -> Phase:
        """Where the session is in its life."""
        return self._parts.life.phase

    @property
    def current_agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self._parts.handoffs.agent

    @property
    def history(self) -> Snapshot[Item]:
        """The conversation so far, in its order."""
        return self._parts.history.items

    @property
    def usage(self) -> SessionUsage:
        """What the session has used so far."""
        return self._parts.accounting.usage

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        parts = self._parts
        if parts.life.phase is _ENDED:
            return self._after_the_end(message)
        # Fifty times a second, while everything else comes a few times per turn.
        if (
            type(message) is ResponseOutputAudioDelta
            and 0 <= message.content_index <= MAX_INDEX
            and not message.ignored
            and parts.stalls.speech_came(message.response_id, now)
        ):
            if len(message.delta) & 1 or parts.speech.samples.halves:
                message = parts.speech.samples.whole(message)
            if not message.delta:
                return []
            if parts.airs and parts.speech.is_voice(message.response_id):
                return parts.speech.audio(message, now)
            effects = parts.guarding.speech_came(message, now)
            return [*parts.life.open_gate(now), *effects]
        if isinstance(message, wire.ServerEvent):
            effects = self._heard(message, now)
        else:
            effects = self._message(message, now)
        effects += self._moved()
        effects += self._follow_up(now)
        reconnecting = parts.reconnecting.go_on(effects, now)
        if reconnecting:
            effects += [*reconnecting, *self._follow_up(now)]
        parts.limits.looked(
            now,
            user_speaks=parts.turn_taking.user_speaks,
            judged=parts.life.judged,
            owed=parts.life.owed,
        )
        effects += parts.life.leave(now)
        active_id = parts.responses.active_id
        effects += parts.stalls.sent(effects, active_id, now)
        parts.unanswered.sent(effects, active_id, now)
        parts.unsent.sent(effects)
        # First: what is sent may rely on it that nobody is heard.
        return parts.hook_calls.added([*parts.life.open_gate(now), *effects])

    def _moved(self) -> Effects:
        """Tell of the items that stand somewhere else now."""
        return [] if self._parts.life.phase is _ENDED else self._parts.history.moved()

    def _follow_up(self, now: float) -> Effects:
        """Do what has become possible."""
        parts = self._parts
        effects = parts.turn_taking.end_calls()
        effects += parts.calls.run(lambda: self.history)
        effects += parts.rounds.go_on() + parts.guarding.go_on(now)
        return effects + parts.turns.settle() + parts.turn_taking.ask(now)

    def _message(self, message: Message, now: float) -> Effects:
        parts = self._parts
        match message:
            case Started():
                return [
                    SetGate(Gate(False, "the session is not connected yet")),
                    ResolveAgent(self.agent),
                ]
            case Connected():
                return parts.life.connected()
            case ConnectFailed(error=error):
                return parts.life.end(error)
            case ConnectionLost(code=code, reason=reason):
                return parts.life.connection_lost(code, reason)
            case FellBehind():
                kind = "session_behind"
                return parts.reports.report(kind, str(message), now, type=kind, source="session")
            case AnotherOpened():
                return parts.reconnecting.opened(message)
            case AnotherFailed():
                return parts.reconnecting.failed(message)
            case Asked(verb=verb, caller=caller):
                return self._asked(verb, caller, now)
            case AudioDropped():
                return parts.audio_losses.dropped(message)
            case NotSent():
                return parts.unsent.failed(message)
            case AgentResolved(resolved=resolved):
                return parts.life.agent_resolved(resolved)
            case AgentNotResolved(error=why):
                return parts.life.end(ConfigError(why))
            case ToolsResolved():
                return parts.offers.resolved(message) if parts.life.phase is Phase.LIVE else []
            case ToolsNotResolved():
                return parts.offers.not_resolved(message)
            case ToolDisabled(call_id=call_id):
                return parts.offers.refused(call_id)
            case ToolFinished(call_id=call_id, output=output, error=why):
                not_resolved = parts.handoffs.not_resolved(message)
                if not_resolved is not None:
                    return not_resolved
                return parts.calls.finish(call_id, output, why, message.images)
            case ToolProgressed(call_id=call_id, message=progress):
                return parts.calls.progressed(call_id, progress)
            case ToolRefused():
                return parts.calls.refuse(message)
            case ApprovalNeeded(call_id=call_id):
                return parts.approvals.needed(call_id)
            case HandoffResolved():
                return parts.handoffs.resolved(message)
            case GuardrailsFinished():
                return parts.guarding.judged(message, now)
            case InputScreened():
                return parts.screening.judged(message, now)
            case HookFailed(method=method, error=why):
                return [parts.reports.error("hook_failed", f"{method}: {why}", source="hook")]
            case TimerFired(key=key):
                return parts.timers.fired(key, now)
            case _:
                assert_never(message)

    def _heard(self, event: wire.ServerEvent, now: float) -> Effects:
        """Take what the server says, but not what would land where it must not."""
        parts = self._parts
        problem = wire.out_of_range(event)
        if problem is not None:
            name, why = problem
            kind = f"{event.type}: {name}"
            return parts.reports.report(kind, f"{event.type}: {name} {why}: it was skipped", now)
        effects = parts.course.unannounced(event, now) + self._server_event(event, now)
        effects += parts.refusals.came(event, now)
        if event.ignored:
            what = f"{event.type}: {'; '.join(event.ignored)}: ignored"
            effects += parts.reports.report(f"{event.type}: ignored", what, now)
        return effects

    def _server_event(self, event: wire.ServerEvent, now: float) -> Effects:
        parts = self._parts
        if isinstance(event, _OF_A_TURN):
            parts.responses.out_of_band.user_had_turn = True
        in_time = parts.stalls.came(event, parts.responses.active_id, now)
        if not in_time and isinstance(event, _HEARD_OR_READ):
            return []
        match event:
            case wire.SessionCreated(session=session):
                if parts.life.phase is not Phase.LIVE:  # or it comes late, and is out of date
                    parts.configuration.told(session.settings)
                    parts.settings_answers.use_output_format()
                return []
            case wire.SessionUpdated(session=session):
                return parts.settings_answers.acknowledged(session, now)
            case wire.ServerError(error=error):
                return parts.refusals.told(error, now)
            case wire.MalformedEvent(reason=reason, kind=kind):
                return parts.reports.report(kind or reason, f"{reason}: it was skipped", now)
            case wire.ResponseCreated(response=response):
                return parts.course.created(event, response, now)
            case wire.ResponseDone(response=response):
                return parts.course.done(event, response, now)
            case wire.ResponseOutputAudioDelta():
                piece = parts.speech.samples.whole(event)
                return parts.guarding.speech_came(piece, now) if piece.delta else []
            case wire.ResponseOutputAudioDone():
                return parts.guarding.speech_came(event, now)
            case wire.ResponseOutputAudioTranscriptDelta() | wire.ResponseOutputTextDelta():
                return parts.words.grew(event, now)
            case wire.ResponseOutputAudioTranscriptDone() | wire.ResponseOutputTextDone():
                return parts.words.done(event, now)
            case wire.ResponseContentPartAdded() | wire.ResponseContentPartDone():
                return parts.words.content_part(event, now)
            case wire.ResponseOutputItemAdded(item=item, response_id=response_id):
                effects = parts.words.item(item, None, now, response_id=response_id)
                return effects + parts.calling.item(item, response_id)
            case wire.ResponseOutputItemDone(item=item, response_id=response_id):
                return parts.course.item_done(item, response_id, now)
            case wire.ResponseFunctionCallArgumentsDone():
                return parts.calling.arguments_done(event)
            case wire.ResponseFunctionCallArgumentsDelta():
                parts.calling.arguments_came(event)
                return []
            case wire.ResponseMcpCallArgumentsDone(item_id=item_id, response_id=response_id):
                runs = parts.calling.hosted_call_runs(item_id, response_id)
                return [self._as_it_came(event), *runs]
            case wire.ResponseMcpCallInProgress(item_id=item_id):
                return [self._as_it_came(event), *parts.calling.hosted_call_runs(item_id)]
            case (
                wire.ResponseMcpCallCompleted(item_id=item_id)
                | wire.ResponseMcpCallFailed(item_id=item_id)
            ):
                return [self._as_it_came(event), *parts.calling.hosted_call_ended(item_id)]
            case wire.McpListToolsFailed(item_id=item_id):
                listing = parts.history.conversation.get(item_id)
                return [self._as_it_came(event), *parts.calls.hosted.not_listed(listing, now)]
            case wire.ConversationItemAdded(item=item) | wire.ConversationItemCreated(item=item):
                parts.turn_taking.shown(item)
                effects = parts.words.item(item, event.previous_item_id, now)
                return effects + parts.calling.hosted_call(item)
            case wire.ConversationItemDone(item=item):
                parts.turn_taking.shown(item)
                effects = parts.words.item(item, event.previous_item_id, now, is_done=True)
                effects += parts.calling.hosted_call(item, is_final=True)
                return effects + parts.calling.approval_request(item)
            case wire.ConversationItemRetrieved(item=item):
                return parts.words.item(item, None, now, is_done=True)
            case wire.ConversationItemDeleted(item_id=item_id):
                return parts.history.deleted(item_id)
            case wire.ConversationItemTruncated(item_id=item_id, content_index=index):
                heard_ms = max(0, event.audio_end_ms)
                received_ms = parts.speech.received_ms(item_id, index, now)
                return parts.history.truncated(
                    item_id, index, heard_ms=heard_ms, received_ms=received_ms
                )
            case wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous_id):
                return parts.user_turns.committed(item_id, previous_id, now)
            case wire.InputAudioBufferSpeechStarted():
                return parts.user_turns.began(event, now)
            case wire.InputAudioBufferSpeechStopped():
                return parts.user_turns.stopped(event, now)
            case wire.InputAudioBufferCleared():
                parts.turn_taking.not_listening()
                return [self._as_it_came(event), *parts.words.cleared()]
            case wire.InputAudioBufferTimeoutTriggered():
                return parts.user_turns.timed_out(event, now)
            case wire.ConversationItemInputAudioTranscriptionCompleted():
                return parts.user_turns.transcribed(event)
            case (
                wire.ConversationItemInputAudioTranscriptionDelta()
                | wire.ConversationItemInputAudioTranscriptionSegment()
                | wire.ConversationItemInputAudioTranscriptionFailed()
            ):
                return parts.words.transcription(event)
            case wire.RateLimitsUpdated(rate_limits=limits):
                return [Publish(events.RateLimitsEvent(rate_limits=limits, info=self.info))]
            case wire.UnknownEvent(type="response.cancelled"):
                return parts.course.cancelled(event, now)
            case _:
                return [self._as_it_came(event)]

    def _after_the_end(self, message: Message | wire.ServerEvent) -> Effects:
        match message:
            case Asked(verb=verb, caller=caller) if type(verb) in KNOWN:
                return [Answer(caller, KNOWN[type(verb)](self))]
            case Asked(caller=caller):
                return [Refuse(caller, SessionClosedError("the session has ended"))]
            case _:
                return []

    def _asked(self, verb: messages.Verb, caller: object, now: float) -> Effects:
        parts = self._parts
        match verb:
            case messages.History():
                return [Answer(caller, parts.history.read())]
            case messages.CurrentAgent() | messages.Usage():
                return [Answer(caller, KNOWN[type(verb)](self))]
            case messages.Interrupt():
                return [*parts.turn_taking.interrupt(now), Answer(caller)]
            case messages.PlaybackPosition(item_id=item_id, content_index=index, played_ms=ms):
                try:
                    parts.speech.ledger.played(item_id, index, ms, now, absolute=verb.absolute)
                except (TypeError, OverflowError) as error:
                    return [Refuse(caller, ConfigError(f"played_ms is a number: {error}"))]
                return [Answer(caller)]
            case messages.Close():
                return [*parts.life.end(None), Answer(caller)]
            case _:
                return parts.program.asked(verb, caller, now)

    def _as_it_came(self, event: wire.ServerEvent) -> Publish:
        return Publish(events.RawModelEvent(event=event, info=self.info))
