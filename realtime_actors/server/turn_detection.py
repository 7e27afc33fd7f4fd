"""Turn detection: voice activity with hysteresis finds where a turn begins and ends.

`TurnDetector` takes a connection's audio in pieces of any size, and answers with the
turns that it finds in them. Its only clock is the audio itself: the same audio gives the
same events, however it was cut and however fast it came. What a turn means for the
conversation (commit, response, barge-in) is decided elsewhere.

    silence ──SpeechStarted──▶ speech ──SilenceBegan──▶ pause ──SpeechStopped──▶ silence
                                 ▲                        │
                                 └─────SpeechResumed──────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import define, frozen

from realtime_actors.audio import Resampler
from realtime_actors.server.engines.interfaces import VoiceDetector
from realtime_actors.server.engines.sentences import is_complete

__all__ = [
    "Eagerness",
    "SilenceBegan",
    "SpeechResumed",
    "SpeechStarted",
    "SpeechStopped",
    "TurnDetector",
    "TurnEvent",
    "TurnSettings",
]

Eagerness = Literal["low", "medium", "high", "auto"]


@frozen
class SpeechStarted:
    """A turn began. The audio that belongs to it starts here, prefix padding included."""

    audio_start_ms: int


@frozen
class SilenceBegan:
    """The speaker has paused, perhaps for good: a good moment to start recognising."""

    audio_ms: int


@frozen
class SpeechResumed:
    """The speaker went on: what was recognised at the pause is half a turn."""

    audio_ms: int


@frozen
class SpeechStopped:
    """The turn is over. The audio that belongs to it ends here, its silence included."""

    audio_end_ms: int


TurnEvent = SpeechStarted | SilenceBegan | SpeechResumed | SpeechStopped


@frozen(kw_only=True)
class Patience:
    """How long a pause may get, by what is known about the words before it."""

    finished_ms: int
    unknown_ms: int
    unfinished_ms: int


_PATIENCE: Mapping[str, Patience] = {
    "low": Patience(finished_ms=900, unknown_ms=2000, unfinished_ms=8000),
    "medium": Patience(finished_ms=600, unknown_ms=1200, unfinished_ms=4000),
    "high": Patience(finished_ms=400, unknown_ms=700, unfinished_ms=2000),
}
_PATIENCE = {**_PATIENCE, "auto": _PATIENCE["medium"]}


@frozen(kw_only=True)
class TurnSettings:
    """What a session may set. With an `eagerness`, turns end by meaning (`semantic_vad`)
    and `silence_duration_ms` doesn't count."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    eagerness: Eagerness | None = None
    pause_ms: int = 200
    """The silence after which `SilenceBegan` is told."""
    onset_ms: int = 60
    """The speech it takes to start a turn; a click is shorter. Where the detector is sure
    (half way from the threshold to 1), half of it."""

    def patience(self) -> Patience:
        """Return how long to wait, by what is known about the words."""
        if self.eagerness is not None:
            return _PATIENCE[self.eagerness]
        window = self.silence_duration_ms
        return Patience(finished_ms=window, unknown_ms=window, unfinished_ms=window)


@define
class _Silence:
    """There is no speech, or it may have just begun."""

    onset_ms: int | None = None
    heard_ms: int = 0


@define
class _Speech:
    """There is speech; `quiet_since_ms` is where the last sound ended, if it has."""

    quiet_since_ms: int | None = None


@define
class _Pause:
    """The speaker was silent for `pause_ms`; `finished` once the words were judged."""

    quiet_since_ms: int
    began_ms: int
    finished: bool | None = None


class TurnDetector:
    """Find turns in one connection's audio. Not for use by two threads at once.

    All positions are in milliseconds from the start of all audio; `start_ms` is how much
    of it came before this detector was made. `settings` may be replaced at any time.
    """

    def __init__(
        self,
        detector: VoiceDetector,
        *,
        rate_hz: int,
        settings: TurnSettings | None = None,
        start_ms: int = 0,
    ) -> None:
        self.settings = settings or TurnSettings()
        self._detector = detector
        # This engine holds nothing back: the other one would make every turn 40 to 80 ms
        # later. What it lets through of the frequencies above does not disturb detection.
        self._resampler = Resampler(rate_hz, detector.rate_hz, engine="audioop")
        self._frame_bytes = detector.rate_hz * detector.frame_ms // 1000 * 2
        self._pending = bytearray()
        self._now_ms = start_ms
        self._last_end_ms = start_ms
        self._phase: _Silence | _Speech | _Pause = _Silence()
        self._found: list[TurnEvent] = []

    @property
    def speaking(self) -> bool:
        """Whether a turn is going on, pauses included."""
        return not isinstance(self._phase, _Silence)

    @property
    def audio_ms(self) -> int:
        """How far the audio has been looked at."""
        return self._now_ms

    def reset(self) -> None:
        """Drop the turn that is going on, without an event. Positions go on counting."""
        self._detector.reset()
        self._phase = _Silence()
        self._last_end_ms = self._now_ms

    def feed(self, pcm: bytes) -> list[TurnEvent]:
        """Take the next audio (whole PCM16 samples). Return what it brought."""
        self._pending += self._resampler.process(pcm)
        size = self._frame_bytes
        whole = len(self._pending) - len(self._pending) % size
        for start in range(0, whole, size):
            probability = self._detector.probability(bytes(self._pending[start : start + size]))
            self._now_ms += self._detector.frame_ms
            self._frame(probability)
        del self._pending[:whole]
        return self._drain()

    def heard(self, text: str, *, audio_ms: int) -> list[TurnEvent]:
        """Take the words before `SilenceBegan(audio_ms)`: a finished sentence ends sooner.

        Words of an earlier pause are ignored. Without an eagerness, nothing changes.
        """
        match self._phase:
            case _Pause(began_ms=began_ms) as pause if began_ms == audio_ms:
                pause.finished = is_complete(text)
                self._end_if_over(pause)
            case _:
                pass
        return self._drain()

    def _drain(self) -> list[TurnEvent]:
        found, self._found = self._found, []
        return found

    def _frame(self, probability: float) -> None:
        """Move on by one frame. Between the two thresholds, all stays as it is."""
        speech = probability >= self.settings.threshold
        quiet = probability < max(self.settings.threshold - 0.15, 0.01)
        frame_start_ms = self._now_ms - self._detector.frame_ms
        match self._phase:
            case _Silence() as silence:
                if not speech:
                    self._phase = _Silence()
                    return
                if silence.onset_ms is None:
                    silence.onset_ms = frame_start_ms
                sure = probability >= (1.0 + self.settings.threshold) / 2.0
                silence.heard_ms += self._detector.frame_ms * (2 if sure else 1)
                if silence.heard_ms < self.settings.onset_ms:
                    return
                self._phase = _Speech()
                padded_ms = silence.onset_ms - self.settings.prefix_padding_ms
                self._found.append(SpeechStarted(max(padded_ms, self._last_end_ms)))
            case _Speech() as talk:
                if speech:
                    talk.quiet_since_ms = None
                elif quiet and talk.quiet_since_ms is None:
                    talk.quiet_since_ms = frame_start_ms
                if talk.quiet_since_ms is None:
                    return
                pause = _Pause(quiet_since_ms=talk.quiet_since_ms, began_ms=self._now_ms)
                # A turn may end before: there are windows shorter than any pause.
                if self._now_ms - pause.quiet_since_ms >= self.settings.pause_ms:
                    self._phase = pause
                    self._found.append(SilenceBegan(self._now_ms))
                self._end_if_over(pause)
            case _Pause() as pause:
                if speech:
                    self._phase = _Speech()
                    self._found.append(SpeechResumed(self._now_ms))
                else:
                    self._end_if_over(pause)

    def _end_if_over(self, pause: _Pause) -> None:
        patience = self.settings.patience()
        if pause.finished is None:
            limit_ms = patience.unknown_ms
        else:
            limit_ms = patience.finished_ms if pause.finished else patience.unfinished_ms
        if self._now_ms - pause.quiet_since_ms >= limit_ms:
            self._phase = _Silence()
            self._last_end_ms = self._now_ms
            self._found.append(SpeechStopped(self._now_ms))
