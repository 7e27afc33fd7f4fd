"""Speech that is kept back until its transcript has passed the guardrails, or it is its turn.

    kept --the transcript has passed, and no other voice speaks--> released, in order
      |-----blocked, interrupted, lost--> dropped

Nothing says which words a piece of speech has. A piece goes with the words around it: it
is released once a transcript has passed that goes on behind the place where the piece
came, or that is the whole one of its part. Responses that are judged are released one after
the other; others part by part (see `Speech.voice`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from attrs import define, evolve, field

from realtime_actors.core.recent import Recent
from realtime_actors.core.speech.playback import Heard
from realtime_actors.protocol import ResponseOutputAudioDelta, ResponseOutputAudioDone

__all__ = ["Held", "SpeechEvent"]

SpeechEvent: TypeAlias = ResponseOutputAudioDelta | ResponseOutputAudioDone


@define
class _Piece:
    event: SpeechEvent
    until: int  # how many characters of the transcript have to pass


@define
class _Kept:
    """What is kept of a response."""

    since: float
    judged: bool = False  # more of it is kept until it is over
    passed: int = 0
    over: bool = False  # all of it has passed, and no more will come
    pieces: deque[_Piece] = field(factory=deque)

    @property
    def is_due(self) -> bool:
        return bool(self.pieces) and (self.over or self.pieces[0].until <= self.passed)

    @property
    def is_finished(self) -> bool:
        return not self.pieces and (self.over or not self.judged)


@define
class Held:
    """What is kept back, by response, in the order in which it will be played."""

    _kept: Recent[str, _Kept] = field(factory=Recent)
    _waited_ms: Recent[str, int] = field(factory=Recent)

    def __contains__(self, response_id: object) -> bool:
        return response_id in self._kept

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def responses(self) -> tuple[str, ...]:
        """Those of which speech is kept."""
        return tuple(self._kept)

    def others(self, response_id: str) -> bool:
        """Whether speech of another response than this is kept."""
        return any(each != response_id for each in self._kept)

    def any_of(self, response_ids: Iterable[str]) -> bool:
        """Whether speech of one of these responses is kept."""
        return any(each in self._kept for each in response_ids)

    def keep(self, event: SpeechEvent, until: int, now: float, *, judged: bool) -> None:
        """Keep a piece until so many characters have passed.

        If nothing is `judged`, it only waits until no other voice speaks.
        """
        kept = self._kept.setdefault(event.response_id, _Kept(now))
        kept.judged = kept.judged or judged
        kept.pieces.append(_Piece(event, until))

    def complete(self, response_id: str, item_id: str, content_index: int, length: int) -> None:
        """The transcript of a part is whole, and `length` characters have come so far."""
        kept = self._kept.get(response_id)
        for piece in kept.pieces if kept else ():
            if (piece.event.item_id, piece.event.content_index) == (item_id, content_index):
                piece.until = min(piece.until, length)

    def passed(self, response_id: str, length: int) -> None:
        """So many characters of the transcript have passed."""
        kept = self._kept.get(response_id)
        if kept is not None:
            kept.passed = length

    def over(self, response_id: str) -> None:
        """All of a response that has ended has passed."""
        kept = self._kept.get(response_id)
        if kept is not None:
            kept.over = True

    def take(
        self, now: float, *, voice: str | None, has_begun: Callable[[str], bool]
    ) -> SpeechEvent | None:
        """Take the next piece that may be heard now, while `voice` speaks (None: no response does).

        A response that has not begun, and so may never end, keeps no other one waiting.
        """
        for response_id, kept in self._kept.items():
            if kept.is_due and voice in (None, response_id):
                self._note(response_id, kept, now)
                return kept.pieces.popleft().event
            if not kept.is_finished and has_begun(response_id):
                return None  # what comes after it is heard after it
        return None

    def take_finished(self) -> list[str]:
        """Forget the responses of which nothing is kept any more. Give their ids."""
        finished = [each for each, kept in self._kept.items() if kept.is_finished]
        for response_id in finished:
            del self._kept[response_id]
        return finished

    def drop(self, now: float, bytes_per_ms: int, response_id: str | None = None) -> list[Heard]:
        """Throw away what is kept, of one response or of all. Gives what was not heard."""
        dropped = [each for each in self._kept if response_id in (each, None)]
        parts: dict[tuple[str, int], Heard] = {}
        for each in dropped:
            kept = self._kept.pop(each)
            self._note(each, kept, now)
            for piece in kept.pieces:
                _add(parts, piece.event, bytes_per_ms)
        return list(parts.values())

    def take_wait(self, response_id: str | None) -> int:
        """How long the first speech of a response was kept, in milliseconds. Asked once."""
        return self._waited_ms.pop(response_id, 0) if response_id is not None else 0

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._waited_ms.clear()

    def _note(self, response_id: str, kept: _Kept, now: float) -> None:
        self._waited_ms.setdefault(response_id, round((now - kept.since) * 1000))


def _add(parts: dict[tuple[str, int], Heard], event: SpeechEvent, bytes_per_ms: int) -> None:
    if isinstance(event, ResponseOutputAudioDone):
        return
    key = event.item_id, event.content_index
    before = parts.get(key) or Heard(
        response_id=event.response_id,
        item_id=event.item_id,
        content_index=event.content_index,
        heard_ms=0,
        received_ms=0,
        complete=False,
    )
    length_ms = len(event.delta) // bytes_per_ms
    parts[key] = evolve(before, received_ms=before.received_ms + length_ms)
