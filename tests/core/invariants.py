"""What always holds for the core, whoever says what in whichever order."""

from __future__ import annotations

import math
from collections import Counter

from attrs import define, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF
from realtime_actors.core.effects import (
    Answer,
    CancelTimer,
    DropConnection,
    Effects,
    End,
    Publish,
    Refuse,
    RunHandoff,
    RunTool,
    ScreenInput,
    Send,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.core.limits import FINISH_WITHIN
from realtime_actors.core.messages import (
    Asked,
    AudioDropped,
    GuardrailsFinished,
    InputScreened,
    TimerFired,
    ToolDisabled,
)
from realtime_actors.core.responses.response import ANSWER_TIMER
from realtime_actors.core.responses.turn_taking import SPEAKS_AT_MOST
from realtime_actors.core.speech.playback import LATE
from realtime_actors.items import (
    FunctionCallOutputItem,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
)
from tests.core.edits import EditsWatch
from tests.core.machine import BYTES_PER_MS, AnyMessage
from tests.core.mirror import Mirror
from tests.core.words_watch import WordsWatch

__all__ = ["Watch"]

Interrupted = events.AudioInterruptedEvent

JUMP = 3.0
"""Seconds by which a world's clock may jump over the moment when a timer is due."""


@define
class Watch:
    """Follows what goes into a machine and what comes out, and raises where a rule breaks."""

    names_conversations: bool = True
    """The server does so, for all responses but those beside the conversation."""
    active: str | None = None
    """The response that a client must know to be active: it has seen it begin."""
    asked: bool = False
    """A `response.create` was sent, and nothing that could be its answer has come."""
    known: set[str] = field(factory=set)
    """Those that have begun, or ended: what is said of their beginning again is no news."""
    over: set[str] = field(factory=set)
    """Those that have ended: the beginning of one may be told with its end."""
    beside: set[str] = field(factory=set)
    """Those that may be beside the conversation: the server names none for them."""
    voice: events.Audio | None = None
    """The last piece that was heard of a part which may go on."""
    received: Counter[str] = field(factory=Counter)
    silenced: set[str] = field(factory=set)
    stopped_with: set[str] = field(factory=set)
    """Those that may have been stopped with one beside the conversation."""
    asking: Counter[object] = field(factory=Counter)
    answered: Counter[object] = field(factory=Counter)
    started: Counter[str] = field(factory=Counter)
    ended: Counter[str] = field(factory=Counter)
    outputs: set[str | None] = field(factory=set)
    """The events with outputs that were sent, and not refused."""
    refused: str | None = None
    """One of them that was refused: the model has to be told so."""
    refused_unnamed: bool = False
    """An error came that does not say what it is about: it may be that."""
    unsaid: int = 0
    """Outputs that were sent, of calls that were not said to have ended."""
    begun: Counter[str | None] = field(factory=Counter)
    finished: Counter[str | None] = field(factory=Counter)
    awaited: set[str] = field(factory=set)
    """Turns of the user whose words are to come."""
    told_words: Counter[str] = field(factory=Counter)
    """How often their end was told."""
    unapproved: set[str] = field(factory=set)
    """Calls that wait for approval."""
    approved: dict[str, bool] = field(factory=dict)
    """Calls that somebody has decided about, or nobody in time."""
    called: dict[str, object] = field(factory=dict)
    """The tools of calls: ours, or the server and the name of a hosted one."""
    always: list[tuple[object, bool]] = field(factory=list)
    """Tools about which nobody wants to be asked again. The last word is the first."""
    approval_answers: Counter[str] = field(factory=Counter)
    screened: dict[str, int] = field(factory=dict)
    """Turns of the user whose words are under guard, and not judged yet: which attempt it is."""
    verdict_on: str | None = None
    """The turn that this message judges, if it was under guard."""
    turn: str | None = None
    """The user's latest, if nothing was written since."""
    answer: str | None = None
    """The latest response to it."""
    protected: set[str] = field(factory=set)
    """Responses that nobody but the program may stop: their metadata say so."""
    in_doubt: bool = False
    """The client may hold another response for one of those: the server began one by itself
    while that was being asked for, or took so long that it was given up."""
    given_up: set[str | None] = field(factory=set)
    """Responses whose end nobody has told: nothing of them is heard or read any more."""
    counted: Counter[str | None] = field(factory=Counter)
    holds: bool = False
    """Nothing is heard before the guardrails have passed its words."""
    lost_ms: float = 0.0
    """Audio of the user that was dropped, and not told of."""
    unjudged: set[str] = field(factory=set)
    """Responses about which a guardrail gave no verdict."""
    hosted: set[str] = field(factory=set)
    """Calls that the server makes by itself, and of whose end nothing has been heard."""
    rounds_are_over: bool = False
    """The model was asked to answer without tools, and the user has not said anything since."""
    too_late: set[str] = field(factory=set)
    """Calls that it made all the same."""
    edits: EditsWatch = field(factory=EditsWatch)
    mirror: Mirror = field(factory=Mirror)
    """What the program does to the conversation."""
    user_speaks: bool = False
    """The server has heard the user begin, and has not said that it is over."""
    spoke_at: float = 0.0
    """When it has heard that."""
    detects: bool = True
    """The server finds the user's turns."""
    out_of_band: set[str | None] = field(factory=set)
    """Responses that the client takes for such as are out of band."""
    cancelled: set[str | None] = field(factory=set)
    """Responses of which the server has said so."""
    called_by: dict[str, str | None] = field(factory=dict)
    """The response of each call, by call id."""
    hushed: bool = False
    """The program has interrupted, and since then nobody has spoken."""
    _caller: str | None = None  # the response that the message is about
    words: WordsWatch = field(factory=WordsWatch)
    """What is said, and what becomes of it."""
    ends: bool = False
    """This is the end of everything: nothing is waited for any more."""
    is_lost: bool = False
    """There is no connection."""
    losses: int = 0
    has_ended: bool = False

    now: float = 0.0
    reported: bool = False
    """A player reports what was heard. It may die: nothing is protected for ever by that."""
    audio_at: dict[str, float] = field(factory=dict)
    """When a response was last heard of."""
    audio_seconds: float = 0.0
    limit_at: float | None = None
    """When a limit was reached."""
    idle_timeout: float | None = None
    busy_at: float = 0.0
    """When the user was last speaking, or something was owed."""

    def step(self, message: AnyMessage, effects: Effects, now: float = 0.0) -> None:
        """Check one message and its effects."""
        self.now = now
        self._caller = _response_of(message)
        self.ends = any(isinstance(effect, End) for effect in effects)
        if any(isinstance(effect, DropConnection) for effect in effects):
            self._went_down()
        self._before(message)
        self._whose_turn(message)
        self._check_ends()
        self._decided(message, effects)
        if any(isinstance(effect, End) for effect in effects):
            self.unapproved.clear()  # they are withdrawn, and then the turns end
        self.edits.step(message, effects)
        self.mirror.step(effects)
        self.words.holds = self.holds
        self.words.step(message, effects)
        for effect in effects:
            match effect:
                case Send(event=event):
                    assert not self.is_lost, f"sent when nobody hears it: {event}"
                    self._sent(event)
                case Publish(event=event):
                    assert not self.has_ended, f"published after the end: {event}"
                    self._published(event)
                case Answer(caller=caller) | Refuse(caller=caller):
                    self.answered[caller] += 1
                    assert self.answered[caller] <= self.asking[caller], f"twice: {caller}"
                case RunHandoff(call_id=call_id) if self.started[call_id]:
                    assert call_id not in self.too_late, f"runs, a round too many: {call_id}"
                    self._begins(call_id)
                case RunTool(call_id=call_id, approved=approved):
                    assert call_id not in self.too_late, f"runs, a round too many: {call_id}"
                    self._begins(call_id)
                    assert call_id not in self.unapproved, f"runs unapproved: {call_id}"
                    if approved or call_id in self.approved:
                        assert self._was_approved(call_id), f"runs unapproved: {call_id}"
                case ScreenInput(item_id=item_id, attempt=attempt):
                    assert item_id not in self.screened, f"judged twice: {item_id}"
                    self.screened[item_id] = attempt
                case End():
                    self.has_ended = self.is_lost = True
                    self.unapproved.clear()
                case SetTimer(key=key, delay=delay):
                    assert 0 < delay < math.inf
                    if isinstance(key, tuple) and key[0] == "transcript":
                        self.awaited.add(key[1])
                    if isinstance(key, tuple) and key[0] == "hosted":
                        self.hosted.add(key[1])
                case SwitchConnection():
                    self._moved()
                case CancelTimer(key=("hosted", call_id)):
                    self.hosted.discard(call_id)
        self._after(message, effects)
        if self._is_busy:
            self.busy_at = now

    def _went_down(self) -> None:
        """There is no connection: nothing is sent, and nothing more comes of what was under way."""
        self.is_lost, self.active, self.asked, self.voice = True, None, False, None
        self.user_speaks = False
        self.unapproved -= {each for each in self.unapproved if self._is_hosted(each)}
        self.losses += 1

    def _moved(self) -> None:
        """Another connection is in use: responses may have the names of others there."""
        self.is_lost, self.active, self.asked, self.voice = False, None, False, None
        self.outputs.clear()
        self.user_speaks = False
        self.begun, self.finished = self.begun - self.finished, Counter()
        for ids in (
            *(self.known, self.over, self.beside, self.silenced, self.stopped_with),
            *(self.given_up, self.cancelled, self.out_of_band, self.protected, self.unjudged),
        ):
            ids.clear()
        self.counted.clear()
        self.audio_at.clear()

    def _is_hosted(self, call_id: str) -> bool:
        return isinstance(self.called.get(call_id), tuple)

    def _check_ends(self) -> None:
        """Check that a limit ends the session in time, whatever is missing."""
        if self.limit_at is not None and not self.has_ended:
            latest = self.limit_at + FINISH_WITHIN + 2 * self.audio_seconds + LATE
            assert self.now <= latest + JUMP, f"goes on since {self.limit_at}"

    @property
    def _is_busy(self) -> bool:
        return (
            (self.user_speaks and not self.is_lost)
            or (self.active is not None and self.names_conversations)
            or self.started != self.ended
            or bool(self.unapproved)
        )

    @property
    def open_calls(self) -> tuple[str, ...]:
        """The calls that have begun and not ended."""
        return tuple(self.started - self.ended)

    def at_the_end(self) -> None:
        """Check what must hold once the session has ended."""
        assert self.has_ended
        assert self.answered == self.asking
        assert self.ended == self.started
        assert self.awaited <= set(self.told_words)
        assert self.lost_ms < 1, f"never told: {self.lost_ms} ms"

    def _before(self, message: AnyMessage) -> None:
        if _begins_a_turn(message):
            self.rounds_are_over = False
        self.verdict_on = None
        match message:
            case InputScreened(item_id=item_id, attempt=attempt):
                if self.screened.get(item_id) == attempt:
                    self.screened.pop(item_id)  # words that are known better are judged again
                    self.verdict_on = item_id
            case TimerFired(key=("screening", str(item_id))):
                self.screened.pop(item_id, None)
            case Asked(caller=caller, verb=verb):
                self.asking[caller] += 1
                self.reported = self.reported or isinstance(verb, messages.PlaybackPosition)
            case AudioDropped(ms=ms) if not self.has_ended:
                self.lost_ms += ms
            case TimerFired(key=("hosted", str(call_id))):
                self.hosted.discard(call_id)
            case TimerFired(key=key) if key == ANSWER_TIMER:
                self.asked = False
            case wire.ServerError(error=error):
                self.asked = False
                self.refused_unnamed |= not error.event_id
                if error.event_id in self.outputs:
                    self.outputs.discard(error.event_id)
                    self.refused = error.event_id
            case wire.ResponseCreated(response=response) if response.id not in self.known:
                self.asked = False
                if response.id is not None:
                    self.known.add(response.id)
                    if "protected" in (response.metadata or {}):
                        self.protected.add(response.id)
                    if response.conversation_id is None:
                        self.beside.add(response.id)
                if response.conversation_id is not None:
                    self.active = response.id
                elif not self.names_conversations:
                    self.active = None  # it may be beside the conversation, or the newest of it
            case wire.ResponseDone(response=response):
                self.asked = False
                is_again = self.finished[response.id] or response.id in self.over
                if response.status == "cancelled" and not is_again:
                    self.cancelled.add(response.id)
                if response.id is not None:
                    self.known.add(response.id)
                    self.over.add(response.id)
                if response.id in (self.active, None):
                    self.active = None
            case wire.ResponseOutputAudioDelta(item_id=item_id, delta=delta):
                self.received[item_id] += len(delta)
            case wire.ResponseOutputItemDone(item=item):
                self.voice = None if self.voice and self.voice.item_id == item.id else self.voice
            case wire.InputAudioBufferCommitted(item_id=item_id):
                self.turn, self.answer = item_id, None
            case GuardrailsFinished(response_id=response_id, failure=str()):
                self.unjudged.add(response_id)

    def _whose_turn(self, message: AnyMessage) -> None:
        """Keep who has spoken last, and who still does."""
        match message:
            case wire.InputAudioBufferSpeechStarted():
                self.user_speaks, self.spoke_at, self.hushed = True, self.now, False
            case (
                wire.InputAudioBufferSpeechStopped()
                | wire.InputAudioBufferCommitted()
                | wire.InputAudioBufferTimeoutTriggered()
            ):
                self.user_speaks = self.hushed = False
            case wire.InputAudioBufferCleared():
                self.user_speaks = False
            case wire.SessionUpdated(session=session):
                if session.settings.turn_detection is not None:
                    self.detects = session.settings.turn_detection is not OFF
                self.user_speaks = self.user_speaks and self.detects
            case Asked(verb=messages.Interrupt()):
                self.hushed = True
            case Asked(
                verb=messages.SendMessage()
                | messages.CreateResponse()
                | messages.SendRawEvent(event={"type": "response.create"})
            ):
                self.hushed = False

    def _begins(self, call_id: str) -> None:
        by = self.called_by[call_id]
        assert by not in self.silenced, f"begins though {by} was interrupted: {call_id}"
        assert by not in self.cancelled, f"begins though {by} was cancelled: {call_id}"

    def _decided(self, message: AnyMessage, effects: Effects) -> None:
        """Keep what somebody has decided about a call, or nobody in time."""
        taken = any(isinstance(each, Answer) for each in effects)
        match message:
            case Asked(verb=messages.Approve(call_id=call_id, always=always)):
                self._decide(call_id, approve=True, taken=taken, always=always)
            case Asked(verb=messages.Reject(call_id=call_id, always=always)):
                self._decide(call_id, approve=False, taken=taken, always=always)
            case TimerFired(key=("approval", str(call_id))) if call_id in self.unapproved:
                self._decide(call_id, approve=False, taken=True)

    def _decide(self, call_id: str, *, approve: bool, taken: bool, always: bool = False) -> None:
        if call_id not in self.unapproved:
            assert not taken, f"did not wait for approval: {call_id}"
            return
        assert taken, f"waits for approval, and nobody may give it: {call_id}"
        self.unapproved.discard(call_id)
        self.approved[call_id] = approve
        if always:
            self.always.insert(0, (self.called[call_id], approve))

    def _was_approved(self, call_id: str) -> bool | None:
        return self.approved.get(call_id, self._decided_for_good(call_id))

    def _decided_for_good(self, call_id: str) -> bool | None:
        tool = self.called.get(call_id)
        return next((approve for known, approve in self.always if known == tool), None)

    def _after(self, message: AnyMessage, effects: Effects) -> None:
        """Check what must have become of a message."""
        assert self.refused is None or self.has_ended, f"refused, and left so: {self.refused}"
        told = [each.event for each in effects if isinstance(each, Publish)]
        stopped = {each.response_id for each in told if isinstance(each, Interrupted)}
        for each in told:
            if isinstance(each, events.AgentStartEvent) and each.response_id not in self.silenced:
                self.hushed = False  # the server speaks by itself
        match message:
            case (
                Asked(verb=messages.Reject(call_id=call_id))
                | TimerFired(key=("approval", str(call_id)))
            ) if self.started[call_id] and not self.approved.get(call_id, True):
                assert self.ended[call_id] == 1, f"refused, and still open: {call_id}"
            case ToolDisabled(call_id=call_id) if self.started[call_id]:
                assert self.ended[call_id] == 1, f"not enabled, and still open: {call_id}"
                runs = [each for each in effects if isinstance(each, RunTool | RunHandoff)]
                assert call_id not in [run.call_id for run in runs], f"runs: {call_id}"
            case Asked(verb=messages.SendMessage()):
                if any(isinstance(each, Answer) for each in effects):
                    self.turn = self.answer = None
            case wire.InputAudioBufferSpeechStarted():
                sent = [each.event for each in effects if isinstance(each, Send)]
                cancelled = {
                    each.response_id for each in sent if isinstance(each, wire.ResponseCancel)
                }
                # The server stops its response in the conversation by itself.
                assert cancelled <= self.out_of_band, f"cancelled: {cancelled}"
                protected = set() if self.in_doubt else self._still_protected()
                assert not stopped & protected, f"talked over: {stopped & protected}"
            case InputScreened(item_id=item_id, guardrail=guardrail) if item_id == self.verdict_on:
                if guardrail is None or item_id != self.turn:
                    assert not stopped, f"stopped for a turn that is over, or good: {item_id}"
                elif self.answer is not None and self.answer == self.active:
                    assert self.answer in self.silenced | self.stopped_with, (
                        f"goes on: {self.answer}"
                    )

    def _still_protected(self) -> set[str]:
        """What a player that reports is not overdue with."""
        return {
            each
            for each in self.protected
            if not self.reported
            or each == self.active
            or self.now < self.audio_at.get(each, math.inf) + LATE
        }

    def _sent(self, event: wire.ClientEvent) -> None:
        match event:
            case wire.ResponseCreate(response=settings):
                if settings is None or settings.conversation != "none":
                    self._asks()
            case wire.RawClientEvent(payload={"type": "response.create", **rest}):
                response = rest.get("response")
                if not isinstance(response, dict) or response.get("conversation") != "none":
                    self._asks()
            case wire.ConversationItemTruncate(item_id=item_id, audio_end_ms=end_ms):
                assert 0 <= end_ms * BYTES_PER_MS <= self.received[item_id]
            case wire.ConversationItemCreate(
                event_id=str(event_id), item=FunctionCallOutputItem()
            ) if event_id.endswith("_again"):
                is_refused = event_id == f"{self.refused}_again" or self.refused_unnamed
                assert is_refused, f"was not refused: {event_id}"
                self.refused = None
                self.outputs.discard(event_id.removesuffix("_again"))  # there is no third try
            case wire.ConversationItemCreate(
                event_id=event_id,
                item=FunctionCallOutputItem(id=None, call_id=call_id),  # else it is told again
            ):
                self.outputs.add(event_id)
                # Before the call is said to have ended. An id may be a new call's.
                self.unsaid += 1
                assert self.unsaid == 1, f"answered twice, or not said: {call_id}"
            case wire.ConversationItemCreate(item=McpApprovalResponseItem() as item):
                call_id = item.approval_request_id
                self.approval_answers[call_id] += 1
                assert self.approval_answers[call_id] == 1, f"answered twice: {call_id}"
                said = self._was_approved(call_id)
                assert item.approve == said, f"not what was said: {call_id}"

    def _asks(self) -> None:
        assert self.active is None, f"asked while {self.active} is active"
        assert not self.asked, "asked twice without an answer"
        is_long = self.now > self.spoke_at + SPEAKS_AT_MOST - 0.05
        assert not self.user_speaks or is_long, "asked while the user speaks"
        assert not self.hushed, "asked though the program has interrupted, and nobody has spoken"
        self.asked = True

    def _published(self, event: events.Event) -> None:
        match event:
            case events.AudioEvent(response_id=response_id, audio=audio):
                assert response_id not in self.silenced, f"heard: {response_id}"
                assert response_id not in self.given_up, f"heard: {response_id}"
                unjudged = self.holds and response_id in self.unjudged
                assert not unjudged, f"heard, and never judged: {response_id}"
                self._one_voice(audio)
                self.audio_at[response_id] = self.now
                self.audio_seconds += len(audio.data) / BYTES_PER_MS / 1000
            case events.InputAudioDroppedEvent(dropped_ms=ms):
                self.lost_ms -= ms
                assert ms > 0, "nothing was lost"
                assert self.lost_ms >= 0, "more is told than was lost"
            case events.AudioEndEvent(item_id=item_id, content_index=index):
                voice = self.voice
                if voice is not None and (voice.item_id, voice.content_index) == (item_id, index):
                    self.voice = None
            case events.LimitReachedEvent(limit=limit):
                assert self.limit_at is None, "two limits"
                self.limit_at = self.now
                if limit == "idle_timeout" and self.idle_timeout is not None:
                    assert not self._is_busy, "idle, and something is owed"
                    assert self.now >= self.busy_at + self.idle_timeout - 0.001, "not counted anew"
            case events.TranscriptDeltaEvent() | events.TextDeltaEvent():
                assert event.response_id not in self.silenced, f"told: {event.response_id}"
                assert event.response_id not in self.given_up, f"read: {event.response_id}"
            case events.RawModelEvent(event=wire.ResponseCreated(response=response)):
                self.out_of_band.add(response.id)
            case events.AudioInterruptedEvent(response_id=None):
                # Of one that the server has announced without an id, and said nothing of yet.
                self.voice = None
            case events.AudioInterruptedEvent(response_id=str(response_id)):
                assert response_id not in self.silenced, f"interrupted twice: {response_id}"
                # One may still be heard while the next is made already: both are stopped.
                # One beside the conversation may have been stopped alone.
                self.silenced.add(response_id)
                together = self.stopped_with if response_id in self.beside else self.silenced
                together.add(self.active or response_id)
                if response_id not in self.beside or self._speaks(response_id):
                    self.voice = None  # whosever it was: the player throws away all that it has
            case events.HistoryAddedEvent(item=McpApprovalRequestItem(id=str(call_id)) as item):
                self.called[call_id] = item.server_label, item.name
            case events.ToolStartEvent(call_id=call_id):
                self.called_by.setdefault(call_id, self._caller)
                self.called[call_id] = event.tool
                self.started[call_id] += 1
                assert self.started[call_id] == 1, f"started twice: {call_id}"
                if self.rounds_are_over:
                    self.too_late.add(call_id)
            case events.ErrorEvent(error=events.ErrorInfo(type="too_many_tool_rounds")):
                assert not self.rounds_are_over, "asked twice to answer without tools"
                self.rounds_are_over = True
            case events.ErrorEvent(
                error=events.ErrorInfo(type="response_stalled"), response_id=str(response_id)
            ):
                # Its end is told when what is held of it was judged.
                self.over.add(response_id)
                self.active = None if self.active == response_id else self.active
            case events.ToolEndEvent(call_id=call_id):
                self.ended[call_id] += 1
                self.unsaid = 0
                self.unapproved.discard(call_id)
                assert self.ended[call_id] <= self.started[call_id], f"ended twice: {call_id}"
            case events.ToolApprovalRequiredEvent(call_id=call_id):
                decided = self._decided_for_good(call_id)
                assert decided is None, f"asked about again: {call_id}"
                self.unapproved.add(call_id)
            case events.AgentStartEvent(response_id=response_id):
                self.begun[response_id] += 1
                before = self.finished[None] if response_id is None else 0  # all have the same name
                assert self.begun[response_id] <= before + 1, f"began twice: {response_id}"
                self.answer = response_id
                self.asked = False  # whether the server has said so, or only gone on
                if response_id is not None:
                    self.known.add(response_id)
                if response_id not in self.over:
                    # Of two at once, which no server makes, the later one counts.
                    self.active = response_id
            case events.AgentEndEvent(response_id=response_id, status=status):
                if not self.begun[response_id] and self.begun[None] > self.finished[None]:
                    response_id = None  # its id was not known when it began
                self.finished[response_id] += 1
                begun = self.begun[None] if response_id is None else 1
                assert self.finished[response_id] <= begun, f"ended twice: {response_id}"
                open_calls = {*self.open_calls, *self.hosted, *self.unapproved}
                if not self.ends:  # of a call, too
                    assert not (event.final and open_calls), f"not the end: {open_calls}"
                if status == "lost":
                    self.given_up.add(response_id)
                    self.voice = None
                    self.active = None if self.active == response_id else self.active
            case events.InputTranscriptEvent(item_id=item_id, status="partial"):
                assert not self.told_words[item_id], f"more words after the end: {item_id}"
            case events.InputTranscriptEvent(item_id=item_id):
                self.told_words[item_id] += 1
                assert self.told_words[item_id] == 1, f"ended twice: {item_id}"
            case events.UsageEvent(response_id=response_id, cost=cost):
                assert cost is None or cost >= 0
                self.counted[response_id] += 1
                # Of those without an id, one that is told again can't be told from another.
                is_once = response_id is None or self.counted[response_id] == 1
                assert is_once, f"counted twice: {response_id}"

    def _speaks(self, response_id: str) -> bool:
        """Whether a response was the last to be heard, and may go on."""
        return self.voice is not None and self.voice.response_id == response_id

    def _one_voice(self, audio: events.Audio) -> None:
        """Check that nothing is heard in the middle of a part of another response."""
        before, self.voice = self.voice, audio
        if before is None or before.response_id == audio.response_id:
            return
        may_go_on = before.response_id in self.known - self.over - self.silenced
        assert not may_go_on, f"{audio.response_id} is heard within {before.response_id}"


def _begins_a_turn(message: AnyMessage) -> bool:
    """Whether the user says something, or the program asks for a response."""
    match message:
        case Asked(verb=messages.SendMessage() | messages.CreateResponse()):
            return True
        case Asked(verb=messages.SendRawEvent(event={"type": "response.create"})):
            return True
    return isinstance(message, wire.InputAudioBufferSpeechStarted | wire.InputAudioBufferCommitted)


def _response_of(message: AnyMessage) -> str | None:
    if isinstance(message, wire.ResponseDone):
        return message.response.id
    return getattr(message, "response_id", None)
