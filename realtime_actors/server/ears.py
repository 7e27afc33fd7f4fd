"""The turn detector of a connection: fed in the client's format, replaced when that changes."""

from __future__ import annotations

from collections.abc import Callable

from realtime_actors.audio import decode_audio, sample_rate
from realtime_actors.server.engines.interfaces import VoiceDetector
from realtime_actors.server.server_effects import DetectTurns, JudgePause
from realtime_actors.server.turn_detection import TurnDetector, TurnEvent

__all__ = ["Ears"]


class Ears:
    """Looks for turns while it is told to. For one thread at a time."""

    def __init__(self, make_detector: Callable[[], VoiceDetector]) -> None:
        self._make_detector = make_detector
        self._audio_format = ""
        self._turns: TurnDetector | None = None

    def configure(self, wanted: DetectTurns) -> None:
        """Begin, go on with other settings, or stop."""
        if wanted.settings is None:
            self._turns = None
        elif self._turns is not None and wanted.audio_format == self._audio_format:
            self._turns.settings = wanted.settings
        else:
            self._audio_format = wanted.audio_format
            self._turns = TurnDetector(
                self._make_detector(),
                rate_hz=sample_rate(wanted.audio_format),
                settings=wanted.settings,
                start_ms=wanted.start_ms,
            )

    def hear(self, audio: bytes) -> list[TurnEvent]:
        """Take the next audio. Return what it brought."""
        if self._turns is None:
            return []
        return self._turns.feed(decode_audio(audio, self._audio_format))

    def judge(self, pause: JudgePause) -> list[TurnEvent]:
        """Take the words before a pause. Return what follows from them."""
        return [] if self._turns is None else self._turns.heard(pause.text, audio_ms=pause.audio_ms)

    def reset(self) -> None:
        """Forget the turn that is going on."""
        if self._turns is not None:
            self._turns.reset()
