"""What of the microphone the server gets to hear while the model's voice may be in it.

                     loud                 hold_ms without anything loud
    Shut (silence) --------> Open (as is) ------------------------------> Shut

Silence takes the place of what is kept back: the server's time goes on.
"""

from __future__ import annotations

from typing import Final

from attrs import define

from realtime_actors.audio import (
    bytes_per_sample,
    decode_audio,
    encode_audio,
    level_db,
    sample_rate,
)
from realtime_actors.core.speech.gate import Echo

__all__ = ["MicrophoneFilter"]

BLOCK_MS: Final = 20
"""What is judged at once: shorter than a sound of speech, long enough to have a level."""


@define
class MicrophoneFilter:
    """Audio of the user in, as much audio out. For one sending thread."""

    _held: bytes = b""
    """The last of what was kept back: its end is heard with the loud moment that follows."""
    _open_for: int = 0  # bytes
    _ahead: int = 0
    """Bytes that came out in excess: what was held comes out after its silence did."""

    def process(self, audio: bytes, audio_format: str, echo: Echo, now: float) -> bytes:
        """Take whole samples that were recorded until `now`, give what may be sent."""
        per_ms = sample_rate(audio_format) * bytes_per_sample(audio_format) // 1000
        size, passed = BLOCK_MS * per_ms, []
        for start in range(0, len(audio), size):
            block = audio[start : start + size]
            began_at = now - (len(audio) - start) / per_ms / 1000
            passed.append(self._block(block, audio_format, echo, began_at, per_ms))
        return b"".join(passed)

    def _block(self, block: bytes, audio_format: str, echo: Echo, at: float, per_ms: int) -> bytes:
        if at < echo.muted_until:
            self._held, self._open_for = b"", 0
            return self._silence(block, audio_format)
        if at >= echo.audible_until:
            self._held, self._open_for = b"", 0
            return block
        if level_db(decode_audio(block, audio_format)) > echo.threshold_db:
            before, self._held = self._held, b""
            self._open_for = echo.hold_ms * per_ms
            self._ahead += len(before)
            return before + block
        if self._open_for > 0:
            self._open_for -= len(block)
            return block
        silence = self._silence(block, audio_format)
        # As much as may be ahead: else a quick change of loud and soft would add up.
        room, kept = max(0, echo.pre_roll_ms * per_ms - self._ahead), self._held + block
        self._held = kept[max(0, len(kept) - room) :]
        return silence

    def _silence(self, block: bytes, audio_format: str) -> bytes:
        sample = encode_audio(bytes(2), audio_format)
        # What is ahead is caught up with by and by, so that no frame comes to nothing.
        less = min(self._ahead, len(block) // 2) // len(sample)
        self._ahead -= less * len(sample)
        return sample * (len(block) // len(sample) - less)
