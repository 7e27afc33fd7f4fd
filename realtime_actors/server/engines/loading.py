"""Engines by name, loaded once per process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from realtime_actors.errors import ConfigError, MissingExtraError, did_you_mean
from realtime_actors.server.engines.interfaces import (
    Brain,
    Engines,
    Recognizer,
    Voice,
    VoiceDetector,
)

__all__ = ["BRAINS", "DETECTORS", "RECOGNIZERS", "VOICES", "load_engines"]

T = TypeVar("T")

# Guards the cache, and lets one thread load while the others wait: no model is loaded twice.
_lock = threading.Lock()
_loaded: dict[Hashable, object] = {}


def load_engines(
    *,
    detector: str = "silero",
    recognizer: str = "whisper",
    brain: str = "embedding",
    voice: str = "hibari",
    recognizer_model: str | Path | None = None,
    brain_url: str | None = None,
    brain_model: str | None = None,
    brain_key: str | None = None,
) -> Engines:
    """Load a set of engines. What was loaded before is taken again.

    `recognizer_model` is a directory with a model for faster-whisper, None the one that
    comes with the extra [local]. A `brain_url` (the base URL of an OpenAI-compatible chat
    endpoint, up to and with its `/v1`) makes the brain "chat". The defaults take about 3 s.

    Raises `MissingExtraError` for an engine whose packages are not installed, `ConfigError`
    for a name that isn't known, `EngineError` for a model that can't be loaded. "energy",
    "none", "scripted" and "tone" need no extra.
    """
    if brain_url is not None:
        brain = "chat"
    model = None if recognizer_model is None else Path(recognizer_model)
    with _lock:
        return Engines(
            detector=_load("detector", detector, DETECTORS),
            recognizer=_load("recognizer", recognizer, RECOGNIZERS, model),
            brain=_load("brain", brain, BRAINS, brain_url, brain_model, brain_key),
            voice=_load("voice", voice, VOICES),
        )


def _load(kind: str, name: str, makers: Mapping[str, Callable[..., T]], *options: object) -> T:
    if name not in makers:
        raise ConfigError(f"unknown {kind} {name!r}: {did_you_mean(name, makers)}")
    key = (kind, name, options)
    if key not in _loaded:
        try:
            _loaded[key] = makers[name](*options)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the {kind} {name!r}", "local", missing=error.name) from error
    engine: T = _loaded[key]  # type: ignore[assignment]  # the key says what it is
    return engine


def _silero() -> Callable[[], VoiceDetector]:
    from realtime_actors.server.engines.silero import SileroDetector

    return SileroDetector


def _energy() -> Callable[[], VoiceDetector]:
    from realtime_actors.server.engines.energy import EnergyDetector

    return EnergyDetector


def _whisper(model: Path | None) -> Recognizer:
    from realtime_actors.server.engines.whisper import WhisperRecognizer

    return WhisperRecognizer(model)


def _scripted_recognizer(model: Path | None) -> Recognizer:
    from realtime_actors.server.engines.scripted import ScriptedRecognizer

    return ScriptedRecognizer()


def _embedding(*_: object) -> Brain:
    from realtime_actors.server.engines.brain.embedding import EmbeddingBrain

    return EmbeddingBrain()


def _chat(url: str | None, model: str | None, key: str | None) -> Brain:
    if url is None:
        raise ConfigError("the brain 'chat' needs a brain_url, such as http://127.0.0.1:8080/v1")
    from realtime_actors.server.engines.brain.chat import ChatBrain

    return ChatBrain(url, model=model, api_key=key)


def _scripted(*_: object) -> Brain:
    from realtime_actors.server.engines.scripted import ScriptedBrain

    return ScriptedBrain()


def _hibari() -> Voice:
    from realtime_actors.server.engines.hibari import HibariVoice

    return HibariVoice()


def _tone() -> Voice:
    from realtime_actors.server.engines.tone import ToneVoice

    return ToneVoice()


DETECTORS: Final[Mapping[str, Callable[[], Callable[[], VoiceDetector]]]] = {
    "silero": _silero,
    "energy": _energy,
}
RECOGNIZERS: Final[Mapping[str, Callable[[Path | None], Recognizer | None]]] = {
    "whisper": _whisper,
    "scripted": _scripted_recognizer,
    "none": lambda model: None,
}
BRAINS: Final[Mapping[str, Callable[[str | None, str | None, str | None], Brain]]] = {
    "embedding": _embedding,
    "chat": _chat,
    "scripted": _scripted,
}
VOICES: Final[Mapping[str, Callable[[], Voice]]] = {"hibari": _hibari, "tone": _tone}
