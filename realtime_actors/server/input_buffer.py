"""The caller's audio that is not an item yet, addressed by its position in time.

Positions are in milliseconds from the start of all audio of the session: they go on
counting when audio is taken out, cleared or forgotten.
"""

from __future__ import annotations

from collections import deque

from realtime_actors.audio import bytes_per_sample, sample_rate

__all__ = ["InputBuffer", "bytes_per_ms"]


def bytes_per_ms(audio_format: str) -> int:
    """Return 48 for pcm16, 8 for both G.711 laws."""
    return sample_rate(audio_format) * bytes_per_sample(audio_format) // 1000


class InputBuffer:
    """Collects audio; gives a stretch of it, by position.

    What is kept is one stretch without holes, that ends where all audio ends.
    """

    def __init__(self, audio_format: str) -> None:
        self.audio_format = audio_format
        self._bytes_per_ms = bytes_per_ms(audio_format)
        # Views: cutting a little off a long chunk must not copy the rest each time.
        self._chunks: deque[memoryview] = deque()
        self._kept_bytes = 0
        self._half = b""
        self._since_format_bytes = 0
        self._format_start_ms = 0

    @property
    def end_ms(self) -> int:
        """How much audio there has been."""
        return self._format_start_ms + self._since_format_bytes // self._bytes_per_ms

    @property
    def start_ms(self) -> int:
        """Where the audio that is still kept begins."""
        dropped_bytes = self._since_format_bytes - self._kept_bytes
        return self._format_start_ms - (-dropped_bytes // self._bytes_per_ms)

    @property
    def length_ms(self) -> float:
        """How much audio is kept."""
        return self._kept_bytes / self._bytes_per_ms

    @property
    def length_bytes(self) -> int:
        """How much audio is kept."""
        return self._kept_bytes

    def append(self, audio: bytes) -> bytes:
        """Take the next audio. Return what that is in whole samples: the rest waits for more."""
        audio = self._half + audio
        whole = len(audio) - len(audio) % bytes_per_sample(self.audio_format)
        self._half, audio = audio[whole:], audio[:whole]
        self._chunks.append(memoryview(audio))
        self._kept_bytes += len(audio)
        self._since_format_bytes += len(audio)
        return audio

    def between(self, start_ms: int, end_ms: int) -> bytes:
        """Return the audio of a stretch, as far as it is still (or already) there."""
        first_kept = self._since_format_bytes - self._kept_bytes
        start = self._offset(start_ms) - first_kept
        end = self._offset(end_ms) - first_kept
        return b"".join(self._chunks)[max(start, 0) : max(end, 0)]

    def forget_before(self, position_ms: int) -> None:
        """Drop what came before this position."""
        surplus = min(
            self._offset(position_ms) - (self._since_format_bytes - self._kept_bytes),
            self._kept_bytes,
        )
        while surplus > 0:
            chunk = self._chunks.popleft()
            if len(chunk) > surplus:
                self._chunks.appendleft(chunk[surplus:])
            dropped = min(len(chunk), surplus)
            self._kept_bytes -= dropped
            surplus -= dropped

    def clear(self) -> None:
        """Drop all of it. What comes then begins with a whole sample."""
        self._chunks.clear()
        self.end_stretch()
        self._kept_bytes = 0

    def end_stretch(self) -> None:
        """Drop half of a sample that waits: what comes then is another recording."""
        self._half = b""

    def change_format(self, audio_format: str) -> None:
        """Take another format from here on. What is kept is dropped: an item has one format."""
        self.clear()
        self._format_start_ms = self.end_ms
        self._since_format_bytes = 0
        self.audio_format = audio_format
        self._bytes_per_ms = bytes_per_ms(audio_format)

    def _offset(self, position_ms: int) -> int:
        """Return how many bytes of this format lie before a position."""
        return (position_ms - self._format_start_ms) * self._bytes_per_ms
