"""What always holds for words: whoever said them, however they became known."""

from __future__ import annotations

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.effects import (
    Effects,
    End,
    Publish,
    RunGuardrails,
    ScreenInput,
    Send,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.core.guardrails.guarding import guardrail_timer
from realtime_actors.core.guardrails.screening import screening_timer
from realtime_actors.core.messages import GuardrailsFinished, TimerFired
from realtime_actors.items import Item, MessageItem, OutputAudio
from tests.core.machine import AnyMessage

__all__ = ["WordsWatch"]


@define
class WordsWatch:
    """Follows the words of a conversation, and raises where a rule breaks."""

    holds: bool = False
    """Nothing is heard before the guardrails have passed its words."""
    judging: dict[str, int] = field(factory=dict)
    """Responses whose words are being judged: which attempt it is."""
    judged: set[str] = field(factory=set)
    """Those of which some words were judged, or it took too long."""
    partial: dict[str, str] = field(factory=dict)
    """The user's words of each turn, up to here."""
    kept: dict[tuple[str, int], str] = field(factory=dict)
    """What was left of a part when it was cut."""

    def step(self, message: AnyMessage, effects: Effects) -> None:
        """Check one message and its effects."""
        match message:
            case GuardrailsFinished(response_id=response_id, attempt=attempt):
                if self.judging.get(response_id) == attempt:
                    self._verdict(response_id)
            case TimerFired(key=("guardrail", str(response_id))):
                self._verdict(response_id)
            case wire.ConversationItemDeleted(item_id=item_id):
                self.partial.pop(item_id, None)
        limited = {each.key for each in effects if isinstance(each, SetTimer)}
        for effect in effects:
            match effect:
                case RunGuardrails(response_id=response_id, attempt=attempt):
                    assert response_id not in self.judging, f"judged twice: {response_id}"
                    assert guardrail_timer(response_id) in limited, "may be judged for ever"
                    self.judging[response_id] = attempt
                case ScreenInput(item_id=item_id):
                    assert screening_timer(item_id) in limited, "may be judged for ever"
                case SwitchConnection() | End():
                    self.judging.clear()
                case Send(event=wire.ConversationItemDelete(item_id=item_id)):
                    self.partial.pop(item_id, None)
                case Publish(event=event):
                    self._published(event)

    def _verdict(self, response_id: str) -> None:
        if self.judging.pop(response_id, None) is not None:
            self.judged.add(response_id)

    def _published(self, event: events.Event) -> None:
        match event:
            case events.AudioEvent(response_id=response_id):
                is_early = response_id in self.judging and response_id not in self.judged
                assert not (self.holds and is_early), f"heard before the verdict: {response_id}"
            case events.InputTranscriptEvent(item_id=item_id, status="partial", text=text):
                self.partial[item_id] = text
            case events.InputTranscriptEvent(item_id=item_id, text=text):
                assert text or not self.partial.get(item_id), f"words were lost: {item_id}"
            case events.HistoryAddedEvent(item=item):
                self._look_at(item)
            case events.HistoryUpdatedEvent(history=history, item_id=item_id, change=change):
                if change == "deleted":
                    self.kept = {key: kept for key, kept in self.kept.items() if key[0] != item_id}
                for item in history:
                    if item.id == item_id and change == "truncated":
                        self._cut(item)
                    self._look_at(item)

    def _cut(self, item: Item) -> None:
        for index, part in _cut_parts(item):
            words = part.transcript or ""
            if words or part.truncated_at_ms == 0:
                self.kept.setdefault((str(item.id), index), words)

    def _look_at(self, item: Item) -> None:
        for index, part in _cut_parts(item):
            words = part.transcript or ""
            kept = self.kept.get((str(item.id), index), words)
            assert words == kept, f"words came back that nobody heard: {item.id}"


def _cut_parts(item: Item) -> list[tuple[int, OutputAudio]]:
    if not isinstance(item, MessageItem):
        return []
    return [
        (index, part)
        for index, part in enumerate(item.content)
        if isinstance(part, OutputAudio) and part.truncated_at_ms is not None
    ]
