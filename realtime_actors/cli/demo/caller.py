"""The caller: a microphone that never pauses, and what is spoken into it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import frozen

from realtime_actors.audio import Resampler
from realtime_actors.errors import RealtimeError

if TYPE_CHECKING:
    from realtime_actors.server.engines.interfaces import Voice
    from realtime_actors.session import Session

__all__ = ["FrameSent", "Microphone", "MicrophoneFailed", "speak"]

RATE_HZ = 24_000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * 2 * FRAME_MS // 1000
SILENCE = bytes(FRAME_BYTES)

CALLERS_VOICE = "ash"  # lower than the agents'


@frozen
class FrameSent:
    """The caller was silent, or spoke, for 20 ms."""

    audio: bytes


@frozen
class MicrophoneFailed:
    """A frame could not be sent: there is no more sound from the caller."""

    error: RealtimeError


class Microphone:
    """Sends a frame every 20 ms, from a thread of its own: silence when nobody speaks.

    What it sends it also `tell`s, so that a recording hears what the server hears.
    """

    def __init__(
        self, session: Session, tell: Callable[[FrameSent | MicrophoneFailed], None]
    ) -> None:
        self._session = session
        self._tell = tell
        self._frames: deque[bytes] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-microphone", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=2.0)

    def say(self, pcm: bytes) -> None:
        """Speak as soon as what was to be said before is said."""
        for start in range(0, len(pcm), FRAME_BYTES):
            self._frames.append(pcm[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))

    @property
    def speaking(self) -> bool:
        return bool(self._frames)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            frame = self._frames.popleft() if self._frames else SILENCE
            # Told before it is sent: an event that answers it can only come later.
            self._tell(FrameSent(frame))
            try:
                self._session.send_audio(frame)
            except RealtimeError as error:
                self._tell(MicrophoneFailed(error))
                return
            due += FRAME_MS / 1000
            self._stop.wait(max(0.0, due - time.monotonic()))


def speak(voice: Voice, text: str) -> bytes:
    """The text in the caller's voice: PCM16 mono at 24 kHz."""
    return _resample(b"".join(voice.speak(text, voice=CALLERS_VOICE)), voice.rate_hz)


def _resample(sound: bytes, rate_hz: int) -> bytes:
    return Resampler(rate_hz, RATE_HZ).process(sound, last=True)
