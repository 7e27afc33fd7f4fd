"""Sound on a time axis: what one party was heard saying, and when.

All sound is PCM16 mono, little endian. Times are seconds from the start of the recording.
"""

from __future__ import annotations

import audioop
from collections.abc import Iterator
from itertools import pairwise

from attrs import define, field

__all__ = ["Channel", "audible_span", "peaks", "stereo"]

SAMPLE_BYTES = 2
AUDIBLE_RMS = 300
"""Root mean square, of 32,768, above which a frame counts as sound and not as a quiet room."""
FRAME_SECONDS = 0.02


@define
class Channel:
    """Pieces of sound, each with its place; silence between them."""

    rate_hz: int
    _pieces: list[tuple[int, bytes]] = field(factory=list, repr=False, init=False)
    """Sample at which each begins, and its bytes. In order, never overlapping."""

    @property
    def ends_at(self) -> float:
        """Where the last piece ends; 0 when there is none."""
        return self._end() / self.rate_hz

    def add(self, pcm: bytes, at: float) -> float:
        """Place a piece at `at`, or right after the last one if that ends later.

        Gives the time at which the piece begins.
        """
        start = max(self._end(), round(at * self.rate_hz))
        self._pieces.append((start, pcm))
        return start / self.rate_hz

    def cut(self, at: float) -> None:
        """Forget all sound from `at` on: it was never heard."""
        end = round(at * self.rate_hz)
        kept = []
        for start, pcm in self._pieces:
            if start < end:
                kept.append((start, pcm[: (end - start) * SAMPLE_BYTES]))
        self._pieces = kept

    def between(self, start: float, end: float) -> bytes:
        """The sound of a stretch of time, silence included."""
        first, last = round(start * self.rate_hz), round(end * self.rate_hz)
        sound = bytearray(max(0, last - first) * SAMPLE_BYTES)
        for begin, pcm in self._pieces:
            skipped = max(0, first - begin)
            piece = pcm[skipped * SAMPLE_BYTES : max(0, last - begin) * SAMPLE_BYTES]
            offset = (max(begin, first) - first) * SAMPLE_BYTES
            sound[offset : offset + len(piece)] = piece
        return bytes(sound)

    def _end(self) -> int:
        if not self._pieces:
            return 0
        start, pcm = self._pieces[-1]
        return start + len(pcm) // SAMPLE_BYTES


def stereo(left: bytes, right: bytes) -> bytes:
    """Mix two mono sounds, one for each ear. The shorter one ends in silence."""
    length = max(len(left), len(right))
    return audioop.add(
        audioop.tostereo(left.ljust(length, b"\0"), SAMPLE_BYTES, 1, 0),
        audioop.tostereo(right.ljust(length, b"\0"), SAMPLE_BYTES, 0, 1),
        SAMPLE_BYTES,
    )


def peaks(pcm: bytes, count: int) -> list[float]:
    """The loudest sample of each of `count` equal stretches, from 0 to 1."""
    samples = len(pcm) // SAMPLE_BYTES
    edges = [samples * index // count * SAMPLE_BYTES for index in range(count + 1)]
    return [
        audioop.max(pcm[start:end], SAMPLE_BYTES) / 32768 if end > start else 0.0
        for start, end in pairwise(edges)
    ]


def audible_span(pcm: bytes, rate_hz: int) -> tuple[float, float] | None:
    """When sound begins and ends in `pcm`, in seconds, to 20 ms. None when it is silent."""
    audible = [
        index
        for index, frame in enumerate(_frames(pcm, rate_hz))
        if audioop.rms(frame, SAMPLE_BYTES) > AUDIBLE_RMS
    ]
    if not audible:
        return None
    length = len(pcm) / SAMPLE_BYTES / rate_hz
    return audible[0] * FRAME_SECONDS, min(length, (audible[-1] + 1) * FRAME_SECONDS)


def _frames(pcm: bytes, rate_hz: int) -> Iterator[bytes]:
    size = round(FRAME_SECONDS * rate_hz) * SAMPLE_BYTES
    return (pcm[start : start + size] for start in range(0, len(pcm), size))
