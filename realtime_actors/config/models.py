"""Models of OpenAI: which one a session gets by itself, and which are about to end.

Ends are those of OpenAI's deprecation page as of November 2026. Names of others, and
deployments on Azure, are not known here.
"""

from __future__ import annotations

import datetime
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from realtime_actors.config.settings import (
    DEFAULT_TRANSCRIPTION_MODEL,
    OFF,
    SessionModelSettings,
    TranscriptionConfig,
)
from realtime_actors.errors import ConfigError, did_you_mean

__all__ = [
    "DEFAULT_TRANSCRIPTION_MODEL",
    "Context",
    "context_of",
    "default_model",
    "endings",
    "one_model",
    "warn",
]

_DEFAULT_MODELS: Final = {"ga": "gpt-realtime-2.1", "beta": "gpt-4o-realtime-preview"}


@frozen
class _End:
    on: str
    instead: str


_SPEAKING_END: Final = _End("2027-01-20", "gpt-realtime-2.1")
_SMALL_END: Final = _End("2027-01-20", "gpt-realtime-2.1-mini")
_WRITING_END: Final = _End("2027-02-26", "gpt-transcribe or gpt-live-transcribe")
_PROMPTS_END: Final = _End("2026-11-30", "instructions and tools in the program")

_ENDS: Final[Mapping[str, _End]] = {
    "gpt-realtime": _SPEAKING_END,
    "gpt-realtime-2025-08-28": _SPEAKING_END,
    "gpt-realtime-mini": _SMALL_END,
    "gpt-realtime-mini-2025-10-06": _SMALL_END,
    "gpt-realtime-mini-2025-12-15": _SMALL_END,
    "gpt-audio-mini": _SMALL_END,
    "gpt-audio-mini-2025-10-06": _SMALL_END,
    "gpt-audio-mini-2025-12-15": _SMALL_END,
    "whisper-1": _WRITING_END,
    "gpt-4o-transcribe": _WRITING_END,
    "gpt-4o-mini-transcribe": _WRITING_END,
    "gpt-4o-mini-transcribe-2025-12-15": _WRITING_END,
    "gpt-4o-transcribe-diarize": _WRITING_END,
}


@frozen
class Context:
    """How many tokens a model can hold, and how many of them are its own answer's at most."""

    tokens: int
    output_tokens: int


_LARGE: Final = Context(128_000, 32_000)
_SMALL: Final = Context(32_000, 4_096)

_CONTEXTS: Final[Mapping[str, Context]] = {
    "gpt-realtime-2": _LARGE,
    "gpt-realtime-2.1": _LARGE,
    "gpt-realtime-2.1-mini": _LARGE,
    "gpt-realtime": _SMALL,
    "gpt-realtime-1.5": _SMALL,
    "gpt-realtime-mini": _SMALL,
}
"""As OpenAI's pages about its models have them."""

_TAKE_CONNECTORS: Final = frozenset(
    {
        "gpt-realtime",
        "gpt-realtime-1.5",
        "gpt-realtime-2",
        "gpt-realtime-2.1",
        "gpt-realtime-2.1-mini",
        "gpt-realtime-mini",
        "gpt-4o-realtime-preview",
        "gpt-4o-mini-realtime-preview",
        "gpt-audio-1.5",
        "gpt-audio-mini",
    }
)
_NO_CONNECTORS_SINCE: Final = datetime.date(2026, 9, 1)
_SNAPSHOT: Final = re.compile(r"(?P<model>.+)-(?P<date>\d{4}-\d{2}-\d{2})")


def default_model(dialect: str = "ga") -> str:
    """The model that speaks when nobody chose one, by dialect of the protocol."""
    if dialect not in _DEFAULT_MODELS:
        raise ConfigError(f"unknown dialect {dialect!r}: {did_you_mean(dialect, _DEFAULT_MODELS)}")
    return _DEFAULT_MODELS[dialect]


def one_model(places: Mapping[str, str | None]) -> str | None:
    """Return the model that is named in one of the places, or in several of them.

    Raises `ConfigError` when two of them name different ones: a session has one model, that of
    its connection.
    """
    named = [(place, model) for place, model in places.items() if model is not None]
    for place, model in named[1:]:
        first, other = named[0]
        if model != other:
            raise ConfigError(
                f"a session has one model, and two are named: {first} is {other!r}, {place} is"
                f" {model!r}. Leave one of them out"
            )
    return named[0][1] if named else None


def context_of(model: str | None) -> Context:
    """Return what a model can hold. Of one that is not known here: as little as the smallest."""
    name = model or ""
    snapshot = _SNAPSHOT.fullmatch(name)
    return _CONTEXTS.get(name if snapshot is None else snapshot["model"], _SMALL)


def endings(
    *, model: str | None, settings: SessionModelSettings, tools: tuple[Mapping[str, Any], ...] = ()
) -> Iterator[str]:
    """Say which of what a session is told is about to end, until when, and what to use then."""
    transcription = settings.input_audio_transcription
    writes = transcription.model if isinstance(transcription, TranscriptionConfig) else None
    for place, name in (("model", model), ("input_audio_transcription.model", writes)):
        end = _ENDS.get(name or "")
        if end is not None:
            yield f"{place}: OpenAI ends {name!r} on {end.on}. Use {end.instead}"
    if settings.prompt is not None and settings.prompt is not OFF:
        yield (
            f"prompt: OpenAI ends stored prompts on {_PROMPTS_END.on}. Use {_PROMPTS_END.instead}"
        )
    for tool in (*(settings.tools or ()), *tools):
        if tool.get("connector_id") is not None and not _takes_connectors(model):
            yield (
                f"connector_id: OpenAI's models that came after {_NO_CONNECTORS_SINCE} don't take"
                f" it, such as {model!r}. Use server_url or tunnel_id"
            )


def warn(messages: Iterable[str], category: type[Warning] = DeprecationWarning) -> None:
    """Give a warning for each message, at the line that called the library."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals["__name__"]):
        level, frame = level + 1, frame.f_back
    for message in messages:
        warnings.warn(message, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "realtime_actors"


def _takes_connectors(model: str | None) -> bool:
    """Whether a model is from before the end of connectors, or is not one of OpenAI's."""
    if model is None or not model.startswith("gpt-"):
        return True
    snapshot = _SNAPSHOT.fullmatch(model)
    if snapshot is not None:
        try:
            return datetime.date.fromisoformat(snapshot["date"]) <= _NO_CONNECTORS_SINCE
        except ValueError:
            return True
    return model in _TAKE_CONNECTORS
