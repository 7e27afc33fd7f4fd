"""What the user said, in words: every turn of speech ends exactly once, with what is known.

    open --the turn is over, or its item is there--> awaited, or doubtful
    awaited --completed, or failed--> said so
       |-- nothing comes --> asked for once --> still nothing --> timed out
    doubtful --a word comes--> awaited
       |-- nothing comes --> disabled
    (transcription is switched off: disabled at once)

A turn is open while the user speaks, for servers that write down what they hear before it is
over. It is doubtful where it is not known whether its words will be written down: some servers do
so and say that they don't. Words that come after the end still go into the history; there is
no second event.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Final, Literal

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.history.updates import History
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import Recent, RecentSet
from realtime_actors.core.server_errors import error_info
from realtime_actors.core.settings import Configuration
from realtime_actors.items import InputAudio, MessageItem
from realtime_actors.protocol import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    ConversationItemRetrieve,
)

__all__ = ["Transcripts", "transcript_timer"]

ASK_AFTER: Final = 15.0
"""Seconds without a word until we ask the server for the item. Ours: transcriptions are
there within seconds, or never."""

GIVE_UP_AFTER: Final = 5.0
"""Seconds more, until a transcript counts as timed out."""

OPEN_FOR: Final = 60.0
"""Seconds without a word of a turn that the server should end, and does not. Ours: longer than
a user pauses, where the server listens for pauses."""

THROWN_AWAY: Final = "input_cleared"

Status = Literal["completed", "failed", "timed_out", "disabled"]


class _Turn(Enum):
    OPEN = "open"
    AWAITED = "awaited"
    DOUBTFUL = "doubtful"
    ASKED = "asked"


def transcript_timer(item_id: str) -> Hashable:
    """Return the key of the timer of an item's transcript."""
    return ("transcript", item_id)


@define
class Transcripts:
    """The turns of speech whose words are still to come."""

    outbox: Outbox
    history: History
    configuration: Configuration
    _turns: dict[str, _Turn] = field(factory=dict)
    _ended: Recent[str, Status] = field(init=False)
    _is_proven: bool = False  # words have come, whatever the server says of its settings
    _counted: RecentSet[tuple[str, int]] = field(factory=RecentSet)
    _segmented: RecentSet[str] = field(
        factory=RecentSet
    )  # whose words so far are those of its segments
    _told: RecentSet[str] = field(
        factory=RecentSet
    )  # open turns that the server has said to be items

    def __attrs_post_init__(self) -> None:
        self._ended = Recent(forgotten=self._keep_with_item)

    def _keep_with_item(self, item_id: str, status: Status) -> None:
        entry = self.history.conversation.entry(item_id)
        if entry is not None:
            entry.ending = status

    def _ending(self, item_id: str) -> str | None:
        """Return how a turn ended, if it has."""
        entry = self.history.conversation.entry(item_id)
        return self._ended.get(item_id) or (entry.ending if entry else None)

    @property
    def awaited(self) -> bool:
        """The words of some turn are still to come."""
        return any(turn in (_Turn.AWAITED, _Turn.ASKED) for turn in self._turns.values())

    def reconfigured(self) -> None:
        """Note that the program has switched transcription on or off."""
        self._is_proven = False

    def has_ended(self, item_id: str) -> bool:
        """Return whether the end of a turn was told."""
        return self._ending(item_id) is not None

    def text(self, item_id: str) -> str:
        """Return the words of a turn, as far as they are known."""
        conversation = self.history.conversation
        return conversation.said(item_id, conversation.speech_index(item_id, 0))

    def over(self, item_id: str | None) -> None:
        """Wait for the words of a turn of speech that is an item now."""
        if item_id is None or self.has_ended(item_id) or self.history.is_deleted(item_id):
            return
        self._told.add(item_id)
        self._over(item_id)

    def stopped(self, item_id: str | None) -> None:
        """Note that the user has stopped. Where words have come, no more than these may."""
        if item_id is not None and item_id in self._turns:
            self._over(item_id)

    def _over(self, item_id: str) -> None:
        if self._turns.get(item_id, _Turn.OPEN) is not _Turn.OPEN:
            return
        has_words = item_id in self._turns
        enabled = self._is_proven or has_words or self.configuration.transcribes
        if enabled is False:
            self._end(item_id, "disabled")
            return
        self._turns[item_id] = _Turn.AWAITED if enabled else _Turn.DOUBTFUL
        self.outbox.set_timer(transcript_timer(item_id), ASK_AFTER)

    def began(self, item_id: str | None) -> None:
        """End the turns before one that the user has begun, or whose words come."""
        before = [
            each
            for each, turn in self._turns.items()
            if turn is _Turn.OPEN and item_id not in (None, each)
        ]
        for each in before:
            self._over(each)

    def cleared(self) -> None:
        """End the open turns: what the user was saying was thrown away, and becomes no item."""
        error = events.ErrorInfo(type=THROWN_AWAY, message="the input buffer was cleared")
        thrown_away = [each for each, turn in self._turns.items() if turn is _Turn.OPEN]
        for each in thrown_away:
            self._end(each, "failed", error=error)

    def delta(self, event: ConversationItemInputAudioTranscriptionDelta) -> None:
        """Take more of what the user said."""
        item_id, conversation = event.item_id, self.history.conversation
        self._is_proven = True
        if item_id in self._segmented:  # these say it more finely
            self._segmented.discard(item_id)
            conversation.tell(item_id, event.content_index, "input", "", is_whole=True)
        if self._ending(item_id) == "completed" or self.history.is_deleted(item_id):
            return
        new = conversation.grow(item_id, event.content_index, "input", event.delta)
        if self.has_ended(item_id):
            return
        index = conversation.speech_index(item_id, event.content_index)
        self.outbox.publish(
            events.InputTranscriptEvent,
            item_id=item_id,
            status="partial",
            content_index=index,
            text=conversation.said(item_id, index),
            delta=new,
        )
        self.began(item_id)
        self._wait_longer(item_id)

    def segment(self, event: ConversationItemInputAudioTranscriptionSegment) -> None:
        """Take what one speaker said: the words of the turn as long as no others come."""
        item_id, index, conversation = event.item_id, event.content_index, self.history.conversation
        self._is_proven = True
        self.outbox.publish(
            events.InputTranscriptSegmentEvent,
            item_id=item_id,
            content_index=conversation.speech_index(item_id, index),
            segment_id=event.id,
            speaker=event.speaker,
            text=event.text,
            start=event.start,
            end=event.end,
        )
        if self.has_ended(item_id) or self.history.is_deleted(item_id):
            return
        before = conversation.said(item_id, conversation.speech_index(item_id, index))
        if not before or item_id in self._segmented:
            self._segmented.add(item_id)
            words = f"{before} {event.text.strip()}".strip()
            conversation.tell(item_id, index, "input", words, is_whole=True)
        self.began(item_id)
        self._wait_longer(item_id)

    def completed(self, event: ConversationItemInputAudioTranscriptionCompleted) -> None:
        """Take all that the user said in one turn. Without words, those that are known are all."""
        self._is_proven = True
        self._whole(event.item_id, event.content_index, event.transcript or "")

    def is_counted(self, event: ConversationItemInputAudioTranscriptionCompleted) -> bool:
        """Return whether this transcription was counted before. Asked once for each."""
        key = event.item_id, event.content_index
        if key in self._counted:
            return True
        self._counted.add(key)
        return False

    def failed(self, event: ConversationItemInputAudioTranscriptionFailed) -> None:
        """End a turn of which it will not be known what the user said."""
        self._is_proven = True
        error = error_info(event.error, default="transcription_error")
        self._end(event.item_id, "failed", event.content_index, error=error)

    def item(self, item: MessageItem, item_id: str, *, is_done: bool) -> None:
        """Take an item of the user's: its turn is over, and perhaps its words are known."""
        if self.history.is_deleted(item_id):
            return
        speech = [
            (index, part) for index, part in enumerate(item.content) if isinstance(part, InputAudio)
        ]
        is_whole = is_done or item.status != "in_progress"
        for index, part in speech:
            if part.transcript and is_whole:
                self._whole(item_id, index, part.transcript)
                return
        if speech:
            self.over(item_id)

    def timer_fired(self, item_id: str) -> None:
        """Ask for an item of which no word has come for some time, or end its turn."""
        match self._turns.get(item_id):
            case None:
                pass
            case _Turn.DOUBTFUL:
                self._end(item_id, "disabled")
            case _Turn.AWAITED if item_id in self._told and not self.history.is_deleted(item_id):
                self._turns[item_id] = _Turn.ASKED
                self.outbox.send(ConversationItemRetrieve(item_id=item_id))
                self.outbox.set_timer(transcript_timer(item_id), GIVE_UP_AFTER)
            case _:
                self._end(item_id, "timed_out")

    def lost(self, loss: Loss) -> None:
        """End all turns: their words were lost with the connection."""
        error = events.ErrorInfo(type="connection_lost", message="the connection was lost")
        for item_id, turn in tuple(self._turns.items()):
            if turn is _Turn.DOUBTFUL:
                self._end(item_id, "disabled")
            else:
                self._end(item_id, "failed", error=error)

    def _wait_longer(self, item_id: str) -> None:
        """Start to wait anew, since words have come."""
        timer = transcript_timer(item_id)
        match self._turns.get(item_id):
            case None | _Turn.OPEN:
                self._turns[item_id] = _Turn.OPEN
                if item_id in self.history.conversation:
                    self.over(item_id)
                # Where the program says when a turn is over, it may take as long as it likes.
                elif not self.configuration.finds_no_turns:
                    self.outbox.set_timer(timer, OPEN_FOR)
            case _Turn.DOUBTFUL:
                self._turns[item_id] = _Turn.AWAITED
                self.outbox.set_timer(timer, ASK_AFTER)
            case _Turn.AWAITED | _Turn.ASKED:
                self.outbox.set_timer(timer, ASK_AFTER)

    def _whole(self, item_id: str, content_index: int, words: str) -> None:
        if not words:
            self._end(item_id, "completed", content_index)
            return
        is_known = item_id in self.history.conversation
        changed = self.history.keep_words(item_id, content_index, words)
        self._end(item_id, "completed", content_index)
        self.history.spoken(item_id, changed=changed and is_known)

    def _end(
        self,
        item_id: str,
        status: Status,
        content_index: int = 0,
        *,
        error: events.ErrorInfo | None = None,
    ) -> None:
        if self.has_ended(item_id):
            return
        self._ended[item_id] = status
        self._told.discard(item_id)
        self._turns.pop(item_id, None)
        self._segmented.discard(item_id)
        index = self.history.conversation.speech_index(item_id, content_index)
        text = self.history.conversation.said(item_id, index)
        self.outbox.cancel_timer(transcript_timer(item_id))
        self.outbox.publish(
            events.InputTranscriptEvent,
            item_id=item_id,
            status=status,
            content_index=index,
            text=text,
            error=error,
        )
        if status == "disabled":
            self.history.not_transcribed(item_id)
        # Its item may never be told; what was thrown away has none.
        elif text and (error is None or error.type != THROWN_AWAY):
            self.history.spoken(item_id)
