"""What of the model's speech has been heard.

The ledger knows how much audio came for each part (an item's content), in which order
it will be played, and how far the player is. Without reports from a player it assumes
one that plays in real time from the first byte on, waits when it runs dry, and goes on
when more comes. With reports (`PlaybackPosition`) it believes them.

    stream   |---- part a ----|-------- part b --------|
    head     ^^^^^^^^^^^^^^^^^^^^^^^^^ played            ^ received

A player that reports may die, or stop a millisecond short. Nothing waits for it longer than
the audio that came takes to play, and `LATE` seconds: see `ends_at`.

All lengths are bytes inside, so that nothing is lost in rounding; the answers are
milliseconds, and never more than what was received.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Final

from attrs import define, field, frozen

__all__ = ["LATE", "LOOK_AGAIN", "Heard", "PlaybackLedger"]

LATE: Final = 2.0
"""Seconds that a player may be behind its own last report before it counts as gone. Ours:
telephones and browsers buffer less."""

LOOK_AGAIN: Final = 0.02
"""The least number of seconds until it is looked again whether all was heard. Ours: a player
that reports a millisecond too little must not keep the session busy."""


MAX_PARTS: Final = 64
"""How many parts are known that a server has never ended, or a player never reported. Ours: more
than wait to be heard at a time."""


@frozen(kw_only=True)
class Heard:
    """How much of one part was heard."""

    response_id: str
    item_id: str
    content_index: int
    heard_ms: int
    received_ms: int
    complete: bool
    """All of the part has been received, as far as the server said."""

    @property
    def wholly(self) -> bool:
        """Nothing of the part is unheard, and nothing more will come."""
        return self.complete and self.heard_ms >= self.received_ms


@define(kw_only=True)
class _Part:
    response_id: str
    item_id: str
    content_index: int
    start: int  # where it begins in the stream, in bytes
    length: int = 0
    complete: bool = False
    reported_ms: float = 0.0


@define
class PlaybackLedger:
    """The parts that are being played, or wait to be."""

    bytes_per_ms: int = 48
    """PCM16 at 24 kHz: 48. G.711: 8."""
    reported: bool = False
    """A player reports its position, so nothing is assumed."""
    _parts: list[_Part] = field(factory=list)
    _received: int = 0  # length of the stream
    _head: int = 0  # how much of it was played at `_at`
    _at: float = 0.0
    _through_at: float = 0.0  # when the player is expected to be through, by its last report
    _slowest_at: float = 0.0  # when one that takes twice as long would be

    def received(
        self, response_id: str, item_id: str, content_index: int, length: int, now: float
    ) -> None:
        """Note `length` bytes of a part, arrived at `now`."""
        head = self._played(now)
        if head >= self._received:
            # The player had run dry; it starts again with these bytes.
            self._head, self._at = self._received, now
        part = self._parts[-1] if self._parts else None
        if part is None or part.item_id != item_id or part.content_index != content_index:
            self._drop_played(head, but=item_id)
            part = _Part(
                response_id=response_id,
                item_id=item_id,
                content_index=content_index,
                start=self._received,
            )
            self._parts.append(part)
            del self._parts[:-MAX_PARTS]
        part.length += length
        self._received += length
        seconds = length / self.bytes_per_ms / 1000
        # Written out, since a call of `max` is felt where this is done for each piece of speech.
        through, slowest = self._through_at, self._slowest_at
        self._through_at = (through if through > now else now) + seconds
        self._slowest_at = (slowest if slowest > now else now) + 2 * seconds

    def complete(self, item_id: str, content_index: int) -> None:
        """Note that no more audio comes for a part."""
        for part in self._parts:
            if part.item_id == item_id and part.content_index == content_index:
                part.complete = True

    def response_done(self, response_id: str | None) -> None:
        """Note that no more audio comes for a response."""
        for part in self._parts:
            if part.response_id == response_id:
                part.complete = True

    def played(
        self, item_id: str, content_index: int, ms: float, now: float, *, absolute: bool
    ) -> None:
        """Believe a player that `ms` were heard: in all, or since the last report.

        Raises `TypeError` or `OverflowError` for what is no number.
        """
        ms = 0.0 + ms
        self.reported = True
        unheard_ms = self._unheard_ms(self.heard(now))
        for index, part in enumerate(self._parts):
            if part.item_id == item_id and part.content_index == content_index:
                before = 0.0 if absolute else part.reported_ms
                part.reported_ms = min(max(0.0, before + ms), part.length / self.bytes_per_ms)
                for earlier in self._parts[:index]:
                    # It is played in order: what came before has been heard.
                    earlier.reported_ms = earlier.length / self.bytes_per_ms
        left_ms = self._unheard_ms(self.heard(now))
        if left_ms < unheard_ms:
            self._through_at = now + left_ms / 1000

    def heard(self, now: float) -> list[Heard]:
        """What was heard by `now` of each part that is still known, in playing order."""
        head = self._played(now)
        return [self._heard(part, head) for part in self._parts]

    def ends_at(self, now: float) -> float:
        """Return when all that was received will have been heard, or was.

        That is the player's to say, where one reports. But one that makes no progress, or
        takes more than twice as long as the audio does, is not waited for: see `ends_by`.
        """
        if not self.reported:
            return self._believed_at(self._received)
        unheard_ms = self._unheard_ms(self.heard(now))
        if not unheard_ms:
            return min(self._through_at, now)
        return min(now + unheard_ms / 1000, self.ends_by)

    @property
    def ends_by(self) -> float:
        """When nothing waits any more for what was received, whatever is reported."""
        if not self.reported:
            return self._believed_at(self._received)
        return min(self._through_at, self._slowest_at) + LATE

    def ends_of(self, response_ids: Container[str], now: float) -> float | None:
        """Return when the last of these responses will have been heard. None: nothing waits."""
        heard = self.heard(now)
        last = max(
            (
                index
                for index, each in enumerate(heard)
                if each.response_id in response_ids and each.heard_ms < each.received_ms
            ),
            default=None,
        )
        if last is None:
            return None
        if self.reported:
            ends_at = min(now + self._unheard_ms(heard[: last + 1]) / 1000, self.ends_by)
            return ends_at if ends_at > now else None
        part = self._parts[last]
        return self._believed_at(part.start + part.length)

    def stop(self, now: float) -> list[Heard]:
        """The player throws away what it has. Gives what had been heard until then."""
        heard = self.heard(now)
        self._parts.clear()
        self._head, self._at = self._received, now
        self._through_at = self._slowest_at = now
        return heard

    def forget_parts(self) -> None:
        """Forget what was played, all of which was heard, but not until when it was."""
        self._parts.clear()

    @property
    def items(self) -> Sequence[str]:
        """The items of which a part is being played, or waits to be."""
        return tuple(dict.fromkeys(part.item_id for part in self._parts))

    def complete_all(self) -> None:
        """Note that no more audio comes of anything: the connection is lost."""
        for part in self._parts:
            part.complete = True

    def forget_heard(self, now: float) -> None:
        """Forget what was played and was heard wholly."""
        head = self._played(now)
        self._parts = [part for part in self._parts if not self._heard(part, head).wholly]

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self._received = self._head = 0
        self._at = self._through_at = self._slowest_at = 0.0

    def _believed_at(self, place: int) -> float:
        """Return when a player that plays in real time has come to a place in the stream."""
        return self._at + (place - self._head) / self.bytes_per_ms / 1000

    @staticmethod
    def _unheard_ms(parts: Iterable[Heard]) -> int:
        return sum(each.received_ms - each.heard_ms for each in parts)

    def _played(self, now: float) -> int:
        played = self._head + int((now - self._at) * 1000) * self.bytes_per_ms
        return played if played < self._received else self._received

    def _heard(self, part: _Part, head: int) -> Heard:
        received_ms = part.length // self.bytes_per_ms
        if self.reported:
            heard_ms = round(part.reported_ms)
        else:
            heard_ms = (head - part.start) // self.bytes_per_ms
        return Heard(
            response_id=part.response_id,
            item_id=part.item_id,
            content_index=part.content_index,
            heard_ms=max(0, min(heard_ms, received_ms)),
            received_ms=received_ms,
            complete=part.complete,
        )

    def _drop_played(self, head: int, *, but: str) -> None:
        """Forget what was heard, except of the item that goes on."""
        self._parts = [
            part
            for part in self._parts
            if part.item_id == but or not self._heard(part, head).wholly
        ]
