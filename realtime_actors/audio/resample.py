"""Another sample rate, piece by piece."""

from __future__ import annotations

import importlib.util
from typing import Any, Final, Literal, Protocol, TypeAlias

from realtime_actors.audio._audioop import audioop
from realtime_actors.audio.formats import BytesLike, whole_samples
from realtime_actors.errors import ConfigError, MissingExtraError, did_you_mean

__all__ = ["Resampler", "ResamplerEngine"]

ResamplerEngine: TypeAlias = Literal["soxr", "audioop"]

_SAMPLE: Final = 2
"""Bytes of a sample."""


class Resampler:
    """Changes the sample rate of mono PCM16 that comes in pieces.

    The pieces that come out make one sound without seams: however the input is cut up,
    the same samples come out, `samples * target_hz / source_hz` of them, rounded.

    Two engines can do the work. `"soxr"` (the extra [resample]) filters properly, and
    holds back 40 to 80 ms of sound until more of it or `last` comes. `"audioop"` is
    always there and holds nothing back, but it only draws lines between the samples:
    good enough upwards, while downwards whatever is too high for the lower rate comes
    out as noise. By default the first one that is installed is taken; `engine` tells
    which.

    Not to be used by two threads at once.
    """

    def __init__(
        self, source_hz: int, target_hz: int, *, engine: ResamplerEngine | None = None
    ) -> None:
        for rate_hz in (source_hz, target_hz):
            if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or rate_hz <= 0:
                raise ConfigError(f"a sample rate is a whole number above 0, not {rate_hz!r}")
        self.source_hz: Final = source_hz
        self.target_hz: Final = target_hz
        self.engine: Final[ResamplerEngine] = _choose(engine)
        self._stream: _Stream | None = None

    def __repr__(self) -> str:
        return f"Resampler({self.source_hz}, {self.target_hz}, engine={self.engine!r})"

    def process(self, audio: BytesLike, *, last: bool = False) -> bytes:
        """Take a piece in, and return what is ready: perhaps nothing yet.

        With `last`, all that was held back comes out, and what comes next begins
        another sound. Raises `AudioFormatError` for half a sample at the end of a piece.
        """
        audio = whole_samples(audio)
        if self.source_hz == self.target_hz:
            return audio
        if self._stream is None:
            make = _SoxrStream if self.engine == "soxr" else _LinearStream
            self._stream = make(self.source_hz, self.target_hz)
        resampled = self._stream.process(audio, last)
        if last:
            self._stream = None
        return resampled


def _choose(engine: ResamplerEngine | None) -> ResamplerEngine:
    installed = all(importlib.util.find_spec(name) for name in ("soxr", "numpy"))
    match engine:
        case None:
            return "soxr" if installed else "audioop"
        case "soxr" if not installed:
            raise MissingExtraError("resampling with soxr", "resample", missing="soxr")
        case "soxr" | "audioop":
            return engine
        case _:
            raise ConfigError(
                f"unknown resampler engine {engine!r}: "
                f"{did_you_mean(str(engine), ('soxr', 'audioop'))}"
            )


class _Stream(Protocol):
    """One sound being resampled."""

    def process(self, audio: bytes, last: bool) -> bytes: ...


class _SoxrStream:
    def __init__(self, source_hz: int, target_hz: int) -> None:
        # Here, because `import realtime_actors` must not need (or wait for) numpy.
        import numpy
        import soxr  # type: ignore[import-untyped]  # it ships none

        self._numpy: Any = numpy
        # Not its own int16: that adds dither, so that the same sound would come out
        # different each time.
        self._soxr: Any = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32")

    def process(self, audio: bytes, last: bool) -> bytes:
        numpy = self._numpy
        samples = numpy.frombuffer(audio, "<i2").astype(numpy.float32)
        resampled = numpy.rint(self._soxr.resample_chunk(samples, last=last))
        return bytes(numpy.clip(resampled, -32768, 32767).astype("<i2").tobytes())


class _LinearStream:
    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._source_hz, self._target_hz = source_hz, target_hz
        self._state: Any = None
        self._samples_in = 0
        self._samples_out = 0
        self._end = b"\0" * _SAMPLE
        self._early = b""
        """A sample that has no time yet: downwards, ratecv gives one as early as it can."""

    def process(self, audio: bytes, last: bool) -> bytes:
        self._samples_in += len(audio) // _SAMPLE
        self._end = audio[-_SAMPLE:] or self._end
        if last:
            # A line needs two points: ratecv is short by the samples after the last one.
            # Hold that one until there are enough; what is too much is cut off below.
            audio += self._end * (self._source_hz // self._target_hz + 2)
        resampled, self._state = audioop.ratecv(
            audio, _SAMPLE, 1, self._source_hz, self._target_hz, self._state
        )
        resampled = self._early + resampled
        due = resampled[: (self._samples_due() - self._samples_out) * _SAMPLE]
        self._early = resampled[len(due) :]
        self._samples_out += len(due) // _SAMPLE
        return due

    def _samples_due(self) -> int:
        return (2 * self._samples_in * self._target_hz + self._source_hz) // (2 * self._source_hz)
