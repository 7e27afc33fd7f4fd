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
from realtime_actors.core.components import Components
from realtime_actors.core.contract import KNOWN, Phase
from realtime_actors.core.effects import Effects, Gate, ResolveAgent, SetGate
from realtime_actors.core.messages import (
    AgentNotResolved,
    AgentResolved,
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
    StandbyFailed,
    StandbyOpened,
    Started,
    TimerFired,
    ToolDisabled,
    ToolFinished,
    ToolProgressed,
    ToolRefused,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.setup import Setup
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


@define
class SessionMachine:
    """All state of one conversation. One owner; changed in place."""

    setup: Setup
    """What it was given; `current_agent` is the agent that it has now."""
    _outbox: Outbox = field(init=False)
    _parts: Components = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._outbox = Outbox(self.setup.info)
        self._parts = Components(self.setup, self._outbox)

    @property
    def info(self) -> events.EventInfo:
        """What is the same for every event."""
        return self.setup.info

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
            self._after_the_end(message)
            return self._outbox.drain()
        # Fifty times a second, while everything else comes a few times per turn.
        if (
            type(message) is ResponseOutputAudioDelta
            and 0 <= message.content_index <= MAX_INDEX
            and not message.ignored
            and parts.stalls.speech_came(message.response_id, now)
        ):
            speech = parts.speech
            if len(message.delta) & 1 or speech.samples.halves:
                message = speech.samples.whole(message)
            if not message.delta:
                return []
            if parts.airs and speech.is_voice(message.response_id):
                speech.audio(message, now)
            else:
                parts.guarding.speech_came(message, now)
                parts.life.open_gate(now)
            return self._outbox.drain()
        if isinstance(message, wire.ServerEvent):
            self._heard(message, now)
        else:
            self._message(message, now)
        for kept in parts.moving.take_verbs():
            if isinstance(kept.verb, messages.Interrupt):
                parts.turn_taking.interrupt(now)  # who has asked was answered then
            else:
                parts.program.asked(kept.verb, kept.caller, now)
        self._tell_of_moves()
        self._follow_up(now)
        if parts.moving.go_on(now):
            self._follow_up(now)
        owed, judged = self._is_owed, self._is_judged
        parts.limits.looked(
            now, user_speaks=parts.turn_taking.user_speaks, judged=judged, owed=owed
        )
        parts.life.leave(now, owed=owed or judged)
        to_server, active_id = self._outbox.to_server, parts.responses.active_id
        parts.stalls.sent(to_server, active_id, now)
        parts.unanswered.sent(to_server, active_id, now)
        parts.unsent.sent(to_server)
        parts.crossing.note_sent()
        parts.life.open_gate(now)
        parts.hook_calls.follow()
        effects = self._outbox.drain()
        return parts.ids.translated(effects) if parts.ids.is_translating else effects

    def _tell_of_moves(self) -> None:
        if self._parts.life.phase is not _ENDED:
            self._parts.history.tell_of_moves()

    def _follow_up(self, now: float) -> None:
        """Do what has become possible."""
        parts = self._parts
        parts.turn_taking.end_calls()
        parts.calls.run(lambda: self.history)
        parts.rounds.go_on()
        parts.guarding.go_on(now)
        parts.turns.settle()
        parts.turn_taking.ask(now)

    @property
    def _is_owed(self) -> bool:
        """Something is owed: an answer, an outcome, a decision."""
        parts = self._parts
        if parts.life.phase is Phase.RECONNECTING:
            return True  # it is not the user who is idle
        return parts.life.phase is Phase.LIVE and (
            parts.turn_taking.owed or not parts.responses.at_rest or parts.calls.owed
        )

    @property
    def _is_judged(self) -> bool:
        """A verdict is awaited, or speech is held back for one."""
        parts = self._parts
        return not parts.life.is_starting and (
            bool(parts.speech.held) or parts.guarding.judges or parts.screening.judges
        )

    def _message(self, message: Message, now: float) -> None:
        parts = self._parts
        match message:
            case Started():
                self._outbox.do(SetGate(Gate(False, "the session is not connected yet")))
                self._outbox.publish(events.ConnectionEvent, state="connecting")
                self._outbox.do(ResolveAgent(self.setup.agent))
            case Connected(unix_time=unix_time):
                parts.moving.connected(unix_time, now)
                parts.life.connected()
            case ConnectFailed(error=error):
                parts.life.end(error)
            case ConnectionLost(code=code, reason=reason):
                if parts.life.is_starting:
                    parts.life.did_not_start(code, reason)
                else:
                    parts.moving.lost(code, reason, now)
            case FellBehind():
                kind = "session_behind"
                parts.reports.report(kind, str(message), now, type=kind, source="session")
            case StandbyOpened():
                parts.moving.opened(message, now)
            case StandbyFailed():
                parts.moving.failed(message, now)
            case Asked(verb=verb, caller=caller):
                self._asked(verb, caller, now)
            case AudioDropped():
                parts.audio_losses.dropped(message)
            case NotSent():
                parts.unsent.failed(message)
            case AgentResolved(resolved=resolved):
                parts.life.agent_resolved(resolved)
            case AgentNotResolved(error=why):
                parts.life.end(ConfigError(why))
            case ToolsResolved():
                if not parts.life.is_starting:
                    parts.offers.resolved(message)
            case ToolsNotResolved():
                parts.offers.not_resolved(message)
            case ToolDisabled(call_id=call_id):
                parts.offers.refused(call_id)
            case ToolFinished(call_id=call_id, output=output, error=why):
                if not parts.handoffs.not_resolved(message):
                    parts.calls.finish(call_id, output, why, message.images)
            case ToolProgressed(call_id=call_id, message=progress):
                parts.calls.progressed(call_id, progress)
            case ToolRefused():
                parts.calls.refuse(message)
            case ApprovalNeeded(call_id=call_id):
                parts.approvals.needed(call_id)
            case HandoffResolved():
                parts.handoffs.resolved(message)
            case GuardrailsFinished():
                parts.guarding.judged(message, now)
            case InputScreened():
                parts.screening.judged(message, now)
            case HookFailed(method=method, error=why):
                self._outbox.publish_error("hook_failed", f"{method}: {why}", source="hook")
            case TimerFired(key=key):
                parts.timers.fired(key, now)
            case _:
                assert_never(message)

    def _heard(self, event: wire.ServerEvent, now: float) -> None:
        """Take what the server says, but not what would land where it must not."""
        parts = self._parts
        if parts.life.phase is Phase.RECONNECTING:
            return  # it is of the connection that is lost
        if parts.ids.is_needed:
            event = parts.ids.incoming(event)
        problem = wire.out_of_range(event)
        if problem is not None:
            name, why = problem
            kind = f"{event.type}: {name}"
            parts.reports.report(kind, f"{event.type}: {name} {why}: it was skipped", now)
            return
        parts.course.unannounced(event, now)
        self._server_event(event, now)
        parts.unacknowledged.came(event)
        parts.refusals.came(event, now)
        if event.ignored:
            what = f"{event.type}: {'; '.join(event.ignored)}: ignored"
            parts.reports.report(f"{event.type}: ignored", what, now)

    def _server_event(self, event: wire.ServerEvent, now: float) -> None:
        parts = self._parts
        if isinstance(event, _OF_A_TURN):
            parts.responses.out_of_band.user_had_turn = True
        in_time = parts.stalls.came(event, parts.responses.active_id, now)
        if not in_time and isinstance(event, _HEARD_OR_READ):
            return
        match event:
            case wire.SessionCreated(session=session):
                if parts.life.phase is not Phase.LIVE:  # or it comes late, and is out of date
                    parts.configuration.told(session.settings)
                    parts.settings_answers.use_output_format()
                parts.moving.expires(session.expires_at, now)
            case wire.SessionUpdated(session=session):
                parts.moving.expires(session.expires_at, now)
                parts.settings_answers.acknowledged(session, now)
            case wire.ServerError(error=error):
                parts.refusals.told(error, now)
            case wire.MalformedEvent(reason=reason, kind=kind):
                parts.reports.report(kind or reason, f"{reason}: it was skipped", now)
            case wire.ResponseCreated(response=response):
                parts.course.created(event, response, now)
            case wire.ResponseDone(response=response):
                parts.course.done(event, response, now)
            case wire.ResponseOutputAudioDelta():
                piece = parts.speech.samples.whole(event)
                if piece.delta:
                    parts.guarding.speech_came(piece, now)
            case wire.ResponseOutputAudioDone():
                parts.guarding.speech_came(event, now)
            case wire.ResponseOutputAudioTranscriptDelta() | wire.ResponseOutputTextDelta():
                parts.words.grew(event, now)
            case wire.ResponseOutputAudioTranscriptDone() | wire.ResponseOutputTextDone():
                parts.words.done(event, now)
            case wire.ResponseContentPartAdded() | wire.ResponseContentPartDone():
                parts.words.content_part(event, now)
            case wire.ResponseOutputItemAdded(item=item, response_id=response_id):
                parts.words.item(item, None, now, response_id=response_id)
                parts.calling.item(item, response_id)
            case wire.ResponseOutputItemDone(item=item, response_id=response_id):
                parts.course.item_done(item, response_id, now)
            case wire.ResponseFunctionCallArgumentsDone():
                parts.calling.arguments_done(event)
            case wire.ResponseFunctionCallArgumentsDelta():
                parts.calling.arguments_came(event)
            case wire.ResponseMcpCallArgumentsDone(item_id=item_id, response_id=response_id):
                self._outbox.publish_raw(event)
                parts.calling.hosted_call_runs(item_id, response_id)
            case wire.ResponseMcpCallInProgress(item_id=item_id):
                self._outbox.publish_raw(event)
                parts.calling.hosted_call_runs(item_id)
            case (
                wire.ResponseMcpCallCompleted(item_id=item_id)
                | wire.ResponseMcpCallFailed(item_id=item_id)
            ):
                self._outbox.publish_raw(event)
                parts.calling.hosted_call_ended(item_id)
            case wire.McpListToolsFailed(item_id=item_id):
                listing = parts.history.conversation.get(item_id)
                self._outbox.publish_raw(event)
                parts.calls.hosted.not_listed(listing, now)
            case wire.ConversationItemAdded(item=item) | wire.ConversationItemCreated(item=item):
                parts.turn_taking.shown(item)
                parts.words.item(item, event.previous_item_id, now)
                parts.calling.hosted_call(item)
            case wire.ConversationItemDone(item=item):
                parts.turn_taking.shown(item)
                parts.words.item(item, event.previous_item_id, now, is_done=True)
                parts.calling.hosted_call(item, is_final=True)
                parts.calling.approval_request(item)
            case wire.ConversationItemRetrieved(item=item):
                parts.words.item(item, None, now, is_done=True)
            case wire.ConversationItemDeleted(item_id=item_id):
                parts.history.gone(item_id)
            case wire.ConversationItemTruncated(item_id=item_id, content_index=index):
                heard_ms = max(0, event.audio_end_ms)
                received_ms = parts.speech.received_ms(item_id, index, now)
                parts.history.truncated(item_id, index, heard_ms=heard_ms, received_ms=received_ms)
            case wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous_id):
                parts.user_turns.committed(item_id, previous_id, now)
            case wire.InputAudioBufferSpeechStarted():
                parts.user_turns.began(event, now)
            case wire.InputAudioBufferSpeechStopped():
                parts.user_turns.stopped(event, now)
            case wire.InputAudioBufferCleared():
                parts.turn_taking.not_listening()
                self._outbox.publish_raw(event)
                parts.words.cleared()
            case wire.InputAudioBufferTimeoutTriggered():
                parts.user_turns.timed_out(event, now)
            case wire.ConversationItemInputAudioTranscriptionCompleted():
                parts.user_turns.transcribed(event)
            case (
                wire.ConversationItemInputAudioTranscriptionDelta()
                | wire.ConversationItemInputAudioTranscriptionSegment()
                | wire.ConversationItemInputAudioTranscriptionFailed()
            ):
                parts.words.transcription(event)
            case wire.RateLimitsUpdated(rate_limits=limits):
                self._outbox.publish(events.RateLimitsEvent, rate_limits=limits)
            case wire.UnknownEvent(type="response.cancelled"):
                parts.course.cancelled(event, now)
            case _:
                self._outbox.publish_raw(event)

    def _after_the_end(self, message: Message | wire.ServerEvent) -> None:
        match message:
            case Asked(verb=verb, caller=caller) if type(verb) in KNOWN:
                self._outbox.answer(caller, KNOWN[type(verb)](self))
            case Asked(caller=caller):
                self._outbox.refuse(caller, SessionClosedError("the session has ended"))
            case _:
                pass

    def _asked(self, verb: messages.Verb, caller: object, now: float) -> None:
        parts = self._parts
        match verb:
            case messages.History():
                self._outbox.answer(caller, parts.history.read())
            case messages.CurrentAgent() | messages.Usage():
                self._outbox.answer(caller, KNOWN[type(verb)](self))
            case messages.Interrupt():
                parts.turn_taking.interrupt(now)
                parts.moving.interrupted()
                self._outbox.answer(caller)
            case messages.PlaybackPosition(item_id=item_id, content_index=index, played_ms=ms):
                try:
                    parts.speech.ledger.played(item_id, index, ms, now, absolute=verb.absolute)
                except (TypeError, OverflowError) as error:
                    self._outbox.refuse(caller, ConfigError(f"played_ms is a number: {error}"))
                else:
                    self._outbox.answer(caller)
            case messages.Close():
                parts.life.close(verb, caller, now)
            case _:
                parts.program.asked(verb, caller, now)
