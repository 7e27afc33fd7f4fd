"""A room with a loudspeaker and a microphone in it: what is played is heard again."""

from __future__ import annotations

import array
import queue
import threading
import time
from collections import deque
from typing import Self

import realtime_actors as ra
from realtime_actors.events import AudioEvent, AudioInterruptedEvent

FRAME_MS = 20
FRAME = 48 * FRAME_MS


class Room(threading.Thread):
    """A loudspeaker and a microphone, 20 ms at a time: what is played is heard again, weaker.

    The model's speech comes back 20 dB weaker and `delay_ms` later; `say` adds a voice.
    """

    def __init__(self, session: ra.Session, delay_ms: int) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        self.say: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.over = threading.Event()
        self._line = deque([bytes(FRAME)] * round(delay_ms / FRAME_MS))
        self._speaker = b""
        session.subscribe(self.events, only=[AudioEvent, AudioInterruptedEvent])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        due = time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due += FRAME_MS / 1000
            self._play()
            try:
                voice = self.say.get_nowait()
            except queue.Empty:
                voice = bytes(FRAME)
            self.session.send_audio(mixed(weaker(self._line.popleft()), voice))

    def _play(self) -> None:
        while not self.events.empty():
            match self.events.get().event:
                case AudioEvent(audio=audio):
                    self._speaker += audio.data
                case AudioInterruptedEvent():
                    self._speaker = b""
        now, self._speaker = self._speaker[:FRAME], self._speaker[FRAME:]
        self._line.append(now + bytes(FRAME - len(now)))


def weaker(frame: bytes) -> bytes:
    return array.array("h", (each // 10 for each in array.array("h", frame))).tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    pairs = zip(array.array("h", one), array.array("h", other), strict=True)
    return array.array("h", (a + b for a, b in pairs)).tobytes()
