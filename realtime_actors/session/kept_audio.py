"""The user's audio while there is no connection: kept, and sent with the next one.

    passing --the connection is lost--> keeping --the next one is told the conversation--> passing

Sent is in the order in which it came: as long as something is kept, what is new comes behind it.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from itertools import groupby

from attrs import define, field, frozen

from realtime_actors.audio import bytes_per_sample, sample_rate
from realtime_actors.errors import NotConnectedError, TransportError
from realtime_actors.transport.base import DroppedAudio, Transport

__all__ = ["KeptAudio"]


@frozen
class _Piece:
    audio: bytes
    audio_format: str
    commit: bool
    ms: float


@define
class KeptAudio:
    """What senders of audio leave here. For any thread."""

    _pieces: deque[_Piece] = field(factory=deque)
    _ms: float = 0.0
    _most_ms: float = math.inf  # until the session has said
    _is_keeping: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)
    """Guards all of it. Held while what was kept is sent, so that nothing overtakes it: sending
    never waits for the network."""

    @property
    def is_keeping(self) -> bool:
        """Whether audio is kept, and not sent."""
        return self._is_keeping

    def begin(self, most_ms: int) -> None:
        """Keep what comes from now on, `most_ms` of it."""
        with self._lock:
            self._most_ms, self._is_keeping = most_ms, True

    def keep(
        self,
        audio: bytes,
        audio_format: str,
        *,
        commit: bool,
        is_lost: Callable[[], bool] = lambda: False,
    ) -> tuple[bool, DroppedAudio | None]:
        """Keep audio, if that is what is done now. Gives whether it was, and what had to go.

        `is_lost` says that the connection is gone, before the session has heard of it.
        """
        with self._lock:
            if not self._is_keeping and not is_lost():
                return False, None
            per_ms = sample_rate(audio_format) * bytes_per_sample(audio_format) / 1000
            self._pieces.append(_Piece(audio, audio_format, commit, len(audio) / per_ms))
            self._ms += len(audio) / per_ms
            return True, self._drop_oldest()

    def release(self, transport: Transport) -> list[DroppedAudio]:
        """Send what was kept, and keep nothing any more. Gives what was dropped on the way.

        If this connection is lost as well, what was not sent is kept for the next one.
        """
        with self._lock:
            dropped: list[DroppedAudio] = []
            while self._pieces:
                turn = self._next_turn()
                audio = b"".join(piece.audio for piece in turn)
                try:
                    gone = transport.send_audio(
                        audio, commit=turn[-1].commit, audio_format=turn[-1].audio_format
                    )
                except (NotConnectedError, TransportError):
                    return dropped  # the news of that is on its way
                for piece in turn:
                    self._pieces.popleft()
                    self._ms -= piece.ms
                if gone is not None:
                    dropped.append(gone)
            self._ms, self._is_keeping = 0.0, False
            return dropped

    def discard(self) -> None:
        """Forget it all: the session has ended."""
        with self._lock:
            self._pieces.clear()
            self._ms, self._is_keeping = 0.0, False

    def _next_turn(self) -> list[_Piece]:
        """Return the oldest pieces of one format, up to the first that is to be committed."""
        _, same = next(groupby(self._pieces, key=lambda piece: piece.audio_format))
        turn: list[_Piece] = []
        for piece in same:
            turn.append(piece)
            if piece.commit:
                break
        return turn

    def _drop_oldest(self) -> DroppedAudio | None:
        # A little more than is allowed is no reason to drop: floats don't add up exactly.
        gone = 0.0
        while self._pieces and self._ms > self._most_ms + 0.5:
            oldest = self._pieces.popleft()
            self._ms -= oldest.ms
            gone += oldest.ms
        return DroppedAudio(ms=gone, at_ms=0.0) if gone else None
