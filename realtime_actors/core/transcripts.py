"""What the user said, in words: every turn of speech ends exactly once.

    committed --transcription is off--> disabled
    committed --> Awaited --completed, or failed--> said so
                    |-- nothing comes --> asked for once --> still nothing --> timed out

Words that come after the end still go into the history; there is no second event.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Literal

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.effects import CancelTimer, Effects, Publish, Send, SetTimer
from realtime_actors.core.faults import error_info
from realtime_actors.core.history import History
from realtime_actors.items import InputAudio, Item, MessageItem
from realtime_actors.protocol import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemRetrieve,
)

__all__ = ["Transcripts", "transcript_timer"]

ASK_AFTER: Final = 15.0
"""Seconds without a word until we ask the server for the item. Ours: transcriptions are
there within seconds, or never."""

GIVE_UP_AFTER: Final = 5.0
"""Seconds more, until a transcript counts as timed out."""


def transcript_timer(item_id: str) -> Hashable:
    """The key of the timer of an item's transcript."""
    return ("transcript", item_id)


@define
class Transcripts:
    """The turns of speech whose words are still to come."""

    info: events.EventInfo
    history: History
    _awaited: dict[str, bool] = field(factory=dict)  # item: whether we have asked for it
    _ended: set[str] = field(factory=set)

    @property
    def awaited(self) -> bool:
        """The words of some turn are still to come."""
        return bool(self._awaited)

    def committed(self, item_id: str | None, *, enabled: bool | None) -> Effects:
        """The user has ended a turn of speech.

        Where nobody knows whether it will be written down (`enabled` None) no words are
        awaited, and those that come are taken.
        """
        if item_id is None or item_id in self._awaited or item_id in self._ended:
            return []
        if enabled is None or self.history.is_deleted(item_id):
            return []
        if not enabled:
            return self._end(item_id, "disabled")
        self._awaited[item_id] = False
        return [SetTimer(transcript_timer(item_id), ASK_AFTER)]

    def delta(self, event: ConversationItemInputAudioTranscriptionDelta) -> Effects:
        """More of what the user said."""
        item_id, index = event.item_id, event.content_index
        if item_id in self._ended:
            return []
        self.history.conversation.grow(item_id, index, "input", event.delta)
        partial = events.InputTranscriptEvent(
            item_id=item_id,
            status="partial",
            content_index=index,
            text=self.history.conversation.words(item_id, index) or event.delta,
            delta=event.delta,
            info=self.info,
        )
        effects: Effects = [Publish(partial)]
        if item_id in self._awaited:
            effects.append(SetTimer(transcript_timer(item_id), ASK_AFTER))
        return effects

    def completed(self, event: ConversationItemInputAudioTranscriptionCompleted) -> Effects:
        """All that the user said in one turn."""
        item_id, index, words = event.item_id, event.content_index, event.transcript
        settled = self.history.settled(item_id, index, "input", words)
        return [*self._end(item_id, "completed", index, words), *settled]

    def failed(self, event: ConversationItemInputAudioTranscriptionFailed) -> Effects:
        """What the user said is not known."""
        error = error_info(event.error, default="transcription_error")
        words = self.history.conversation.words(event.item_id, event.content_index)
        return self._end(event.item_id, "failed", event.content_index, words, error)

    def retrieved(self, item: Item) -> Effects:
        """The server has sent an item again. It may have the words that never came."""
        if not isinstance(item, MessageItem) or item.id not in self._awaited:
            return []
        for index, part in enumerate(item.content):
            if isinstance(part, InputAudio) and part.transcript:
                return self._end(str(item.id), "completed", index, part.transcript)
        return []

    def timer_fired(self, item_id: str) -> Effects:
        """No word of an item has come for some time."""
        asked = self._awaited.get(item_id)
        if asked is None:
            return []
        if asked:
            return self._end(item_id, "timed_out")
        self._awaited[item_id] = True
        retrieve = Send(ConversationItemRetrieve(item_id=item_id))
        return [retrieve, SetTimer(transcript_timer(item_id), GIVE_UP_AFTER)]

    def lost(self) -> Effects:
        """The connection is gone, and with it the words that were to come."""
        error = events.ErrorInfo(type="connection_lost", message="the connection was lost")
        return [
            effect
            for item_id in tuple(self._awaited)
            for effect in self._end(item_id, "failed", error=error)
        ]

    def _end(
        self,
        item_id: str,
        status: Literal["completed", "failed", "timed_out", "disabled"],
        content_index: int = 0,
        text: str = "",
        error: events.ErrorInfo | None = None,
    ) -> Effects:
        if item_id in self._ended:
            return []
        self._ended.add(item_id)
        self._awaited.pop(item_id, None)
        event = events.InputTranscriptEvent(
            item_id=item_id,
            status=status,
            content_index=content_index,
            text=text,
            error=error,
            info=self.info,
        )
        return [CancelTimer(transcript_timer(item_id)), Publish(event)]
