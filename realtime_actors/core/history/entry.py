"""One item of the conversation, and all that is known of its words.

    words:  come as deltas, as a whole, or in the item ----------> whole: no more are taken
    cut:    heard_ms of received_ms, perhaps before any words came

An item that is finished does not begin anew, and what was cut stays as it was cut, whatever
comes late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from attrs import define, evolve, field

from realtime_actors.core.history.heard_words import heard_words
from realtime_actors.core.history.order import Place
from realtime_actors.items import (
    ContentPart,
    InputAudio,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)

__all__ = ["Entry", "Stream", "words_of"]

Stream: TypeAlias = Literal["input", "audio", "text"]
"""Whose words are streaming: the user's transcript, the model's transcript, its text."""

_EMPTY: Final[Mapping[Stream, ContentPart]] = {
    "input": InputAudio(),
    "audio": OutputAudio(),
    "text": OutputText(text=""),
}
_FINISHED: Final = ("completed", "incomplete")
_STREAMS: Final[Mapping[type[ContentPart], Stream]] = {
    type(part): stream for stream, part in _EMPTY.items()
}


@define
class _Words:
    """Words of one part, as far as they are known."""

    stream: Stream
    pieces: list[str] = field(factory=list)
    told: str = ""
    """All of them up to some point, from an event that does not say what is new."""
    is_whole: bool = False
    """All of them are known: what comes late is no part of them."""
    revision: int = 0
    """Of the user's words: servers that send all of them again count how often they did."""

    def text(self) -> str:
        """Return all of them, as far as they are known."""
        streamed = self._streamed()
        return self.told if self.told.startswith(streamed) else streamed

    def tell(self, text: str, *, is_whole: bool) -> bool:
        """Take all of them up to some point. Return whether that is news."""
        before = self.text()
        if is_whole or not text.startswith(self._streamed()):
            self.pieces[:], self.told = [text], ""
        elif not before.startswith(text):
            self.told = text
        self.is_whole = self.is_whole or (is_whole and self.stream != "input")
        return self.text() != before

    def revise(self, text: str, revision: int) -> str:
        """Take all of the user's words again, unless they are older than those that we have."""
        before = self.text()
        if revision < self.revision:
            return ""
        if revision == self.revision:
            self.pieces.append(text)
            return text
        self.revision, self.pieces[:] = revision, [text]
        return text.removeprefix(before) if text.startswith(before) else ""

    def _streamed(self) -> str:
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


@define
class _Cut:
    """How much of a part was heard."""

    heard_ms: int
    received_ms: int
    kept: str | None = None
    """The words that were heard; None while there are none to cut."""

    def of(self, words: str) -> str:
        return heard_words(words, self.heard_ms, self.received_ms)


@define(eq=False)
class Entry(Place[Item]):
    """An item with its words. Until it comes, its place and what is known of it."""

    item_id: str
    previous_id: str | None = None
    item: Item | None = None
    words: dict[int, _Words] = field(factory=dict)
    """The model's, by part."""
    speech: dict[int, _Words] = field(factory=dict)
    """The user's, by part."""
    cuts: dict[int, _Cut] = field(factory=dict)
    is_transcribed: bool = True
    is_finished: bool = False
    is_ours: bool = False
    """The program has created it."""
    maker: str | None = None
    """The response that has made it, if that was long ago."""
    ending: str | None = None
    """How the transcription of the user's words ended, if that was long ago."""
    _shown: Item | None = None  # as it is rendered; None: to be made anew

    def render(self) -> Item | None:
        """Return the item with its words, cut where it was. None when it has not come."""
        if self._shown is None:
            self._shown = self._render()
        return self._shown

    def changed(self) -> None:
        """Note that there is more of the item, or less: it is to be rendered anew."""
        self._shown = None
        super().changed()

    def clear(self) -> None:
        """Forget the item, but not its place."""
        self.item = None
        for known in (self.words, self.speech, self.cuts):
            known.clear()
        self.is_transcribed, self.is_finished = True, False
        self.changed()

    def take(self, item: Item, *, is_done: bool = False) -> None:
        """Take the server's version of the item: it wins, but not with less than we know."""
        known = self.item
        if self.is_finished and item.status == "in_progress":
            return  # it is said late that it has begun
        self.changed()
        self.is_finished = is_done or item.status in _FINISHED
        if known is not None and item.status is None:
            item = evolve(item, status=known.status)
        self.item = item
        if not isinstance(item, MessageItem):
            return
        self._place_speech()
        for index, part in enumerate(item.content):
            stream, text = _STREAMS.get(type(part)), words_of(part)
            if stream is not None and text and not self._is_cut(index):
                self._words(index, stream).tell(text, is_whole=self.is_finished)
        for words in self.words.values():
            words.is_whole = words.is_whole or (self.is_finished and words.text() != "")

    def grow(self, index: int, stream: Stream, delta: str) -> str:
        """Append words to a part. Return what is new at its end, which may be nothing."""
        revision = index
        if stream == "input":
            index = self.speech_index(index)
        words = self._words(index, stream)
        if words.is_whole or (stream != "input" and self._is_cut(index)):
            return ""
        self.changed()
        if stream == "input" and revision != index:
            return words.revise(delta, revision)
        words.pieces.append(delta)
        return delta

    def tell(self, index: int, stream: Stream, text: str, *, is_whole: bool) -> bool:
        """Take the words of a part, up to here or all. Return whether that changed the item."""
        if stream == "input":
            index = self.speech_index(index)
        words = self._words(index, stream)
        is_cut = stream != "input" and self._is_cut(index)
        if is_cut or (words.is_whole and not is_whole):
            return False
        before = self.render()
        words.tell(text, is_whole=is_whole)
        self.is_transcribed = True
        self.changed()
        return self.render() != before

    def finish(self, status: str) -> bool:
        """End the item, if it is in progress. Return whether that changed it."""
        if self.item is None or self.item.status != "in_progress":
            return False
        self.item = evolve(self.item, status=status)
        self.changed()
        self.is_finished = True
        return True

    def not_transcribed(self) -> bool:
        """Note that the user's words will not be known. Return whether that changed the item."""
        before = self.render()
        self.is_transcribed = False
        self.changed()
        return self.render() != before

    def cut(self, index: int, heard_ms: int, received_ms: int) -> None:
        """Keep of a part only what was heard."""
        cut = _Cut(heard_ms, max(heard_ms, received_ms))
        words = self.text(index)
        if words:
            cut.kept = cut.of(words)
        self.cuts[index] = cut
        self.changed()

    def lengthen(self, index: int, received_ms: int) -> None:
        """Note that more of a part has come, which was not heard any more."""
        cut = self.cuts.get(index)
        if cut is not None and cut.kept is None:
            cut.received_ms += received_ms
            self.changed()

    def text(self, index: int) -> str:
        """Return the model's words of a part, as far as they are known, heard or not."""
        return self.words[index].text() if index in self.words else ""

    def said(self, index: int) -> str:
        """Return the user's words of a part, as far as they are known."""
        return self.speech[index].text() if index in self.speech else ""

    def heard(self, index: int) -> str:
        """Return the words of a part that were heard, as far as they are known."""
        words, cut = self.text(index), self.cuts.get(index)
        if cut is None:
            return words
        return cut.of(words) if cut.kept is None else cut.kept

    def speech_index(self, given: int) -> int:
        """Return which part the user's words are of; servers count it in their own ways."""
        spoken = self._spoken()
        if given in spoken:
            return given
        return next(iter((*spoken, *self.speech)), len(self._content))

    @property
    def _content(self) -> Sequence[ContentPart]:
        return self.item.content if isinstance(self.item, MessageItem) else ()

    def _spoken(self) -> list[int]:
        """Return the parts that are the user's speech."""
        return [index for index, part in enumerate(self._content) if isinstance(part, InputAudio)]

    def _words(self, index: int, stream: Stream) -> _Words:
        book = self.speech if stream == "input" else self.words
        return book.setdefault(index, _Words(stream))

    def _is_cut(self, index: int) -> bool:
        """Words that come later were not heard."""
        return index in self.cuts and self.cuts[index].kept is not None

    def _place_speech(self) -> None:
        """Move words to the part that they are of: there was none when they came."""
        spoken = self._spoken()
        for index in [each for each in self.speech if spoken and each not in spoken]:
            place = self.speech_index(index)
            if not self.said(place):
                self.speech[place] = self.speech.pop(index)

    def _render(self) -> Item | None:
        item = self.item
        if not isinstance(item, MessageItem):
            return item
        known = self.speech if item.role == "user" else self.words
        if not (known or self.cuts) and self.is_transcribed:
            return item
        content, places = list(item.content), {index: index for index in range(len(item.content))}
        for index, words in sorted(known.items()):
            if index not in places:
                places[index] = len(content)
                content.append(_EMPTY[words.stream])
            place = places[index]
            content[place] = _with_words(content[place], words.text())
        for index, cut in self.cuts.items():
            if index in places:
                content[places[index]] = _cut(content[places[index]], cut)
        if not self.is_transcribed:
            content = [_not_transcribed(part) for part in content]
        return evolve(item, content=tuple(content))


def words_of(part: ContentPart) -> str | None:
    """Return the transcript or text of a part. None for what has none."""
    match part:
        case InputAudio(transcript=words) | OutputAudio(transcript=words) | OutputText(text=words):
            return words
        case _:
            return None


def _with_words(part: ContentPart, words: str) -> ContentPart:
    match part:
        case InputAudio() | OutputAudio():
            return evolve(part, transcript=words)
        case OutputText():
            return evolve(part, text=words)
        case _:
            return part


def _cut(part: ContentPart, cut: _Cut) -> ContentPart:
    if not isinstance(part, OutputAudio):
        return part
    words = cut.of(part.transcript or "") if cut.kept is None else cut.kept
    return evolve(part, transcript=words, audio=None, truncated_at_ms=cut.heard_ms)


def _not_transcribed(part: ContentPart) -> ContentPart:
    if not isinstance(part, InputAudio) or part.transcript:
        return part
    return evolve(part, transcribed=False)
