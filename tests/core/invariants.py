"""What always holds for the core, whoever says what in whichever order."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.effects import Answer, Effects, End, Publish, Refuse, Send, SetTimer
from realtime_actors.core.messages import Asked, ConnectionLost, TimerFired
from realtime_actors.core.response import ANSWER_TIMER
from tests.core.machine import BYTES_PER_MS, AnyMessage

__all__ = ["Watch"]


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
    received: Counter[str] = field(factory=Counter)
    silenced: set[str] = field(factory=set)
    asking: Counter[object] = field(factory=Counter)
    answered: Counter[object] = field(factory=Counter)
    started: Counter[str] = field(factory=Counter)
    ended: Counter[str] = field(factory=Counter)
    outputs: Counter[str] = field(factory=Counter)
    begun: Counter[str | None] = field(factory=Counter)
    finished: Counter[str | None] = field(factory=Counter)
    awaited: set[str] = field(factory=set)
    """Turns of the user whose words are to come."""
    told_words: Counter[str] = field(factory=Counter)
    """How often their end was told."""
    counted: Counter[str | None] = field(factory=Counter)
    is_lost: bool = False
    has_ended: bool = False

    def step(self, message: AnyMessage, effects: Effects) -> None:
        """Check one message and its effects."""
        self._before(message)
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
                case End():
                    self.has_ended = self.is_lost = True
                case SetTimer(key=key, delay=delay):
                    assert delay > 0
                    if isinstance(key, tuple) and key[0] == "transcript":
                        self.awaited.add(key[1])

    def at_the_end(self) -> None:
        """Check what must hold once the session has ended."""
        assert self.has_ended
        assert self.answered == self.asking
        assert self.ended == self.started
        assert self.awaited <= set(self.told_words)

    def _before(self, message: AnyMessage) -> None:
        match message:
            case ConnectionLost():
                self.is_lost = True
            case Asked(caller=caller):
                self.asking[caller] += 1
            case TimerFired(key=key) if key == ANSWER_TIMER:
                self.asked = False
            case wire.ServerError():
                self.asked = False
            case wire.ResponseCreated(response=response) if response.id not in self.known:
                self.asked = False
                if response.id is not None:
                    self.known.add(response.id)
                if response.conversation_id is not None:
                    self.active = response.id
                elif not self.names_conversations:
                    self.active = None  # it may be beside the conversation, or the newest of it
            case wire.ResponseDone(response=response):
                self.asked = False
                if response.id is not None:
                    self.known.add(response.id)
                if self.active == response.id:
                    self.active = None
            case wire.ResponseOutputAudioDelta(item_id=item_id, delta=delta):
                self.received[item_id] += len(delta)

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
            case wire.ConversationItemCreate(item=item) if item.type == "function_call_output":
                self.outputs[item.call_id] += 1
                assert self.outputs[item.call_id] <= 1, f"answered twice: {item.call_id}"

    def _asks(self) -> None:
        assert self.active is None, f"asked while {self.active} is active"
        assert not self.asked, "asked twice without an answer"
        self.asked = True

    def _published(self, event: events.Event) -> None:
        match event:
            case events.AudioEvent():
                assert event.response_id not in self.silenced, f"heard: {event.response_id}"
            case events.AudioInterruptedEvent(response_id=response_id):
                assert response_id is not None
                assert response_id not in self.silenced, f"interrupted twice: {response_id}"
                # One may still be heard while the next is made already: both are stopped.
                self.silenced |= {response_id, self.active or response_id}
            case events.ToolStartEvent(call_id=call_id):
                self.started[call_id] += 1
                assert self.started[call_id] == 1, f"started twice: {call_id}"
            case events.ToolEndEvent(call_id=call_id):
                self.ended[call_id] += 1
                assert self.ended[call_id] <= self.started[call_id], f"ended twice: {call_id}"
            case events.AgentStartEvent(response_id=response_id):
                self.begun[response_id] += 1
                assert self.begun[response_id] <= 1, f"began twice: {response_id}"
                # Of two at once, which no server makes, the later one counts.
                self.active = response_id
            case events.AgentEndEvent(response_id=response_id):
                self.finished[response_id] += 1
                assert self.finished[response_id] <= 1, f"ended twice: {response_id}"
            case events.InputTranscriptEvent(item_id=item_id, status="partial"):
                assert not self.told_words[item_id], f"more words after the end: {item_id}"
            case events.InputTranscriptEvent(item_id=item_id):
                self.told_words[item_id] += 1
                assert self.told_words[item_id] == 1, f"ended twice: {item_id}"
            case events.UsageEvent(response_id=response_id):
                self.counted[response_id] += 1
                assert self.counted[response_id] == 1, f"counted twice: {response_id}"
