"""Where every word of the conversation comes in, whatever event has brought it.

    the model's:  delta, done, content part, item, response.done, retrieved
                    --> kept in the history, and judged by the guardrails
    the user's:   delta, completed, failed, segment, item, retrieved
                    --> kept in the history, told as transcripts, and judged when they are whole

Servers differ in which of these they send, and in which order: each of them may be the only
one, and most come more than once. Words that are not to be heard are neither kept nor judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors import protocol as wire
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.conversation import Conversation, Stream, words_of
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.updates import History, ModelDelta, stream_of
from realtime_actors.core.recent import Recent
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.speech.speech import Speech
from realtime_actors.items import ContentPart, Item, MessageItem, OutputAudio, OutputText

__all__ = ["Words"]

_UNNAMED: Final = ""
MAX_UNKEPT: Final = 32
"""Of how many responses words are collected that are no part of the history. Ours: more than
servers make at a time."""

_STREAMS: Final[Mapping[type[ContentPart], Stream]] = {OutputAudio: "audio", OutputText: "text"}

PartEvent: TypeAlias = wire.ResponseContentPartAdded | wire.ResponseContentPartDone
Transcription: TypeAlias = (
    wire.ConversationItemInputAudioTranscriptionDelta
    | wire.ConversationItemInputAudioTranscriptionCompleted
    | wire.ConversationItemInputAudioTranscriptionFailed
    | wire.ConversationItemInputAudioTranscriptionSegment
)


@frozen
class _Part:
    """A part of an item of the model's."""

    response_id: str | None
    item_id: str
    index: int
    stream: Stream
    book: Conversation

    @property
    def words(self) -> str:
        """Its words, as far as they were or will be heard."""
        return self.book.heard(self.item_id, self.index)


@define(kw_only=True)
class Words:
    """All words that are said, and all that is done with them."""

    history: History
    responses: ResponseMachine
    speech: Speech
    guarding: Guarding
    transcripts: Transcripts
    screening: Screening
    _makers: Recent[str, str] = field(init=False)  # of the model's items: their responses
    _latest: str | None = None  # the latest response of the conversation
    _unkept: Recent[str | None, Conversation] = field(factory=lambda: Recent(MAX_UNKEPT))
    """By response: words that are no part of the history, and heard all the same."""

    def __attrs_post_init__(self) -> None:
        self._makers = Recent(forgotten=self._keep_with_item)

    def _keep_with_item(self, item_id: str, maker: str) -> None:
        entry = self.history.conversation.entry(item_id)
        if entry is not None:
            entry.maker = maker

    def _maker(self, item_id: str | None) -> str | None:
        """The response that has made an item of the model's, as far as it is known."""
        entry = self.history.conversation.entry(item_id)
        return self._makers.get(item_id or "") or (entry.maker if entry else None)

    # -- the model's -----------------------------------------------------------------------

    def began(self, response_id: str | None) -> None:
        """A response of the conversation began."""
        self._latest = response_id

    def made_by(self, response_id: str | None) -> list[Item]:
        """Return the items of the conversation that a response has made, in order."""
        return [item for item in self.history.items if self._maker(item.id) == response_id]

    def ended(self, response: wire.Response) -> None:
        """A response ended, and with it the items of which the server tells no end."""
        self._unkept.pop(response.id, None)
        status = "completed" if response.status == "completed" else "incomplete"
        for item_id in tuple(self.history.unfinished):
            if self._maker(item_id) == response.id:
                self.history.finished(item_id, status)

    def grew(self, event: ModelDelta, now: float) -> None:
        """More of what the model says or writes came."""
        item_id, response_id, index = event.item_id, event.response_id, event.content_index
        stream = stream_of(event)
        self._makers[item_id] = response_id
        book = self._book(response_id, item_id)
        part = _Part(response_id, item_id, index, stream, book)
        before = part.words if self.guarding.has_guardrails else ""
        is_heard = not self.speech.is_silenced(response_id)  # the fence holds for words, too
        if not self._is_kept(book):
            book.grow(item_id, index, stream, event.delta)
            if is_heard:
                self.history.delta(event)
        elif self._is_unheard(item_id, response_id, stream):
            self._never_heard(item_id)
            return
        else:
            self.history.grew(event, is_heard=is_heard)
        if is_heard:
            self._judge(part, before, now, is_whole=False)

    def done(
        self,
        event: wire.ResponseOutputAudioTranscriptDone | wire.ResponseOutputTextDone,
        now: float,
    ) -> None:
        """All words of a part came."""
        if isinstance(event, wire.ResponseOutputTextDone):
            self._part(event, "text", event.text, now, is_whole=True)
        else:
            self._part(event, "audio", event.transcript, now, is_whole=True)

    def content_part(self, event: PartEvent, now: float) -> None:
        """A part began, or is finished. It may have words that come in no other way."""
        words, is_whole = words_of(event.part), isinstance(event, wire.ResponseContentPartDone)
        match event.part:
            case OutputAudio() if words:
                self._part(event, "audio", words, now, is_whole=is_whole)
            case OutputText() if words:
                self._part(event, "text", words, now, is_whole=is_whole)
            case _:
                self._makers[event.item_id] = event.response_id

    def item(
        self,
        item: Item,
        previous_id: str | None,
        now: float,
        *,
        response_id: str | None = None,
        is_done: bool = False,
    ) -> None:
        """An item came, of the model, the user or the program; `is_done`: it is finished."""
        if item.id is not None and response_id is not None:
            self._makers[item.id] = response_id
        maker = response_id or self._maker(item.id)
        is_ours = self.history.is_ours(item.id)
        match item:
            case MessageItem(role="assistant") if not is_ours:
                self._message(item, previous_id, maker, now, is_done=is_done)
            case MessageItem(role="user") if not is_ours:
                self._turn(item, previous_id, is_done=is_done)
            case _ if not self.responses.is_out_of_band(maker):
                self.history.item(item, previous_id, is_done=is_done)
            case _:
                pass  # it is no part of the conversation

    def _message(
        self,
        item: MessageItem,
        previous_id: str | None,
        maker: str | None,
        now: float,
        *,
        is_done: bool,
    ) -> None:
        """A message of the model's came."""
        item_id = item.id or _UNNAMED
        if maker is None and item_id not in self.history.conversation:
            maker = self.responses.active_id or self._latest
        told = [
            (index, _STREAMS[type(part)])
            for index, part in enumerate(item.content)
            if isinstance(part, OutputAudio | OutputText) and words_of(part)
        ]
        book = self._book(maker, item.id)
        before = [book.words(item_id, index) for index, _ in told]
        if not self._is_kept(book):
            book.put(evolve(item, id=item_id), is_done=is_done)
        elif self._is_unheard(item_id, maker, *(stream for _, stream in told)):
            self.speech.never_heard(item_id)
            return
        if not self.responses.is_out_of_band(maker):
            self.history.item(item, previous_id, is_done=is_done)
        maker = maker or self.responses.active_id or self._latest
        is_whole = is_done or item.status in ("completed", "incomplete")
        for (index, stream), known in zip(told, before, strict=True):
            part = _Part(maker, item_id, index, stream, book)
            self._judge_whole(part, known, now, is_whole=is_whole)

    def _part(
        self,
        event: PartEvent | wire.ResponseOutputAudioTranscriptDone | wire.ResponseOutputTextDone,
        stream: Stream,
        words: str,
        now: float,
        *,
        is_whole: bool,
    ) -> None:
        """The words of a part came, up to here or all of them."""
        item_id, response_id, index = event.item_id, event.response_id, event.content_index
        self._makers[item_id] = response_id
        book = self._book(response_id, item_id)
        before = book.words(item_id, index)
        if not self._is_kept(book):
            book.tell(item_id, index, stream, words, is_whole=is_whole)
        elif self._is_unheard(item_id, response_id, stream):
            self._never_heard(item_id)
            return
        elif isinstance(event, PartEvent):
            self.history.told(item_id, index, stream, words, is_whole=is_whole)
        else:
            self.history.words_done(item_id, index, stream, words)
        part = _Part(response_id, item_id, index, stream, book)
        self._judge_whole(part, before, now, is_whole=is_whole)

    def _judge_whole(self, part: _Part, before: str, now: float, *, is_whole: bool) -> None:
        """Judge words that are told; of a response that was stopped, only if they are the first."""
        if part.response_id is not None and self.speech.is_silenced(part.response_id) and before:
            return
        self._judge(part, before, now, is_whole=is_whole)

    def _judge(self, part: _Part, before: str, now: float, *, is_whole: bool) -> None:
        """Put the words of a part before the guardrails, as far as they were or will be heard."""
        response_id = part.response_id
        if response_id is None or not self.guarding.has_guardrails:
            return
        if part.stream == "text" and self.responses.is_out_of_band(response_id):
            return  # not said to the user: it is the program's own
        words = part.words
        if not words:
            return
        self.guarding.known(
            response_id,
            part.item_id,
            part.index,
            words,
            now,
            is_whole=is_whole,
            is_news=words != before,
        )

    def _book(self, response_id: str | None, item_id: str | None) -> Conversation:
        """Where the words of an item are collected: in the history, if they are kept."""
        is_kept = item_id is not None and self.history.may_keep(item_id)
        if is_kept and not self.responses.is_out_of_band(response_id):
            return self.history.conversation
        return self._unkept.setdefault(response_id, Conversation())

    def _is_kept(self, book: Conversation) -> bool:
        return book is self.history.conversation

    def _is_unheard(self, item_id: str, response_id: str | None, *streams: Stream) -> bool:
        """Whether it is speech that became known when its response was stopped already."""
        is_speech = bool(item_id) and "audio" in streams
        return is_speech and not self.speech.was_heard(item_id, response_id)

    def _never_heard(self, item_id: str) -> None:
        """Delete an item that was never heard; if the server has not told it yet, when it does."""
        if item_id in self.history.conversation:
            self.speech.never_heard(item_id)

    # -- the user's ------------------------------------------------------------------------

    def _turn(self, item: MessageItem, previous_id: str | None, *, is_done: bool) -> None:
        """A message of the user's came."""
        self.history.item(item, previous_id, is_done=is_done)
        if item.id is not None:
            self.transcripts.item(item, item.id, is_done=is_done)
        self._screen(item.id)

    def turn_began(self, item_id: str | None) -> None:
        """The user has begun to speak."""
        self.transcripts.began(item_id)

    def turn_stopped(self, item_id: str | None) -> None:
        """The user has stopped speaking."""
        self.transcripts.stopped(item_id)

    def committed(self, item_id: str | None, previous_id: str | None) -> None:
        """A turn of the user's is part of the conversation; its item is to come."""
        self.history.announced(item_id, previous_id)
        self.transcripts.began(item_id)
        self.transcripts.over(item_id)

    def cleared(self) -> None:
        """What the user was saying was thrown away."""
        self.transcripts.cleared()

    def transcription(self, event: Transcription) -> None:
        """Some of what the user said is known, or never will be."""
        match event:
            case wire.ConversationItemInputAudioTranscriptionDelta():
                self.transcripts.delta(event)
            case wire.ConversationItemInputAudioTranscriptionSegment():
                self.transcripts.segment(event)
            case wire.ConversationItemInputAudioTranscriptionCompleted():
                self.transcripts.completed(event)
                self._screen(event.item_id)
            case wire.ConversationItemInputAudioTranscriptionFailed():
                self.transcripts.failed(event)
                self._screen(event.item_id)

    def transcript_timer_fired(self, item_id: str) -> None:
        """No word of a turn has come for some time."""
        self.transcripts.timer_fired(item_id)
        self._screen(item_id)

    def _screen(self, item_id: str | None) -> None:
        """Put what the user is known to have said before the guardrails, once its turn is over."""
        if item_id is not None and self.transcripts.has_ended(item_id):
            self.screening.said(item_id, self.transcripts.text(item_id))
