"""Settings on the wire: how each dialect nests what is flat here.

GA puts what concerns sound into `audio.input` and `audio.output`; the beta interface has
everything at the top, and other names for some of it. One table says where each setting
is. Servers mix the two, so either place is read, whatever the dialect; written is only
what the dialect has, where it has it.

What a server says and we have no name for, or can't make sense of, ends up in `extra`:
written again, it is where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

from attrs import evolve, frozen

from realtime_actors.audio import normalize_format
from realtime_actors.config.checks import Settings, deep_merge
from realtime_actors.config.settings import (
    OFF,
    DialectName,
    NoiseReductionConfig,
    ResponseSettings,
    SessionModelSettings,
    TracingConfig,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.errors import ConfigError

__all__ = [
    "RESPONSE",
    "RESPONSE_CREATE",
    "SESSION",
    "TRANSCRIPTION",
    "Shape",
    "flatten",
    "nest",
    "read_settings",
    "write_settings",
]

Wire: TypeAlias = Mapping[str, Any]
S = TypeVar("S", SessionModelSettings, ResponseSettings)


@frozen
class Member:
    """Where a setting is in a JSON object, by dialect; None where it has no place."""

    ga: str | None
    beta: str | None
    form: Literal["as it is", "format", "modalities"] = "as it is"
    settings: type[Settings] | None = None
    """What is inside, when that has names of its own."""
    null_is_off: bool = False


Shape: TypeAlias = Mapping[str, Member]


def _same(name: str) -> Member:
    return Member(name, name)


_OUTPUT: Final[Shape] = {
    "voice": Member("audio.output.voice", "voice"),
    "output_audio_format": Member("audio.output.format", "output_audio_format", "format"),
}

SESSION: Final[Shape] = {
    "model": _same("model"),
    "instructions": _same("instructions"),
    "modalities": Member("output_modalities", "modalities", "modalities"),
    "input_audio_format": Member("audio.input.format", "input_audio_format", "format"),
    "input_audio_transcription": Member(
        "audio.input.transcription",
        "input_audio_transcription",
        settings=TranscriptionConfig,
        null_is_off=True,
    ),
    "input_audio_noise_reduction": Member(
        "audio.input.noise_reduction",
        "input_audio_noise_reduction",
        settings=NoiseReductionConfig,
        null_is_off=True,
    ),
    "turn_detection": Member(
        "audio.input.turn_detection",
        "turn_detection",
        settings=TurnDetectionConfig,
        null_is_off=True,
    ),
    **_OUTPUT,
    "speed": Member("audio.output.speed", "speed"),
    "tools": _same("tools"),
    "tool_choice": _same("tool_choice"),
    "parallel_tool_calls": Member("parallel_tool_calls", None),
    "max_output_tokens": Member("max_output_tokens", "max_response_output_tokens"),
    "temperature": Member(None, "temperature"),
    "reasoning": Member("reasoning", None),
    "truncation": Member("truncation", None),
    "tracing": Member("tracing", "tracing", settings=TracingConfig, null_is_off=True),
    "prompt": Member("prompt", "prompt", null_is_off=True),
    "include": _same("include"),
}

TRANSCRIPTION: Final[Shape] = {
    name: member
    for name, member in SESSION.items()
    if (member.ga or "").startswith("audio.input.") or name == "include"
}
"""A session that only writes down what it hears has no more settings than these."""

RESPONSE_CREATE: Final[Shape] = {
    "instructions": _same("instructions"),
    "modalities": SESSION["modalities"],
    **_OUTPUT,
    "tools": _same("tools"),
    "tool_choice": _same("tool_choice"),
    "parallel_tool_calls": SESSION["parallel_tool_calls"],
    "max_output_tokens": SESSION["max_output_tokens"],
    "temperature": SESSION["temperature"],
    "reasoning": SESSION["reasoning"],
    "prompt": _same("prompt"),
    "conversation": _same("conversation"),
    "metadata": _same("metadata"),
    "input": _same("input"),
}

RESPONSE: Final[Shape] = {
    "output_modalities": SESSION["modalities"],
    **_OUTPUT,
    # Here the beta interface says it as GA does.
    "max_output_tokens": _same("max_output_tokens"),
}
"""What differs in a response of the server: the other members are the same in both dialects."""

_GA_FORMATS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


# --- whole settings -----------------------------------------------------------------------------


def read_settings(cls: type[S], shape: Shape, wire: Wire, *, beside: Iterable[str] = ()) -> S:
    """Read settings. Never raises: what makes no sense is in `extra`, with what has no name.

    `beside` names members of the object that are no settings.
    """
    flat = flatten(wire, shape)
    settings = cls.most_of(flat)
    understood: dict[str, Any] = dict.fromkeys(beside)
    understood["audio"] = {"input": {}, "output": {}}
    for name in settings.set_members().keys() & flat.keys():
        place, given = _find(wire, shape[name])
        if isinstance(given, Mapping):
            given = _write(getattr(settings, name), shape[name], "ga")
        _put(understood, place, given)
    return evolve(settings, extra=_beyond(wire, understood))


def write_settings(settings: Settings, shape: Shape, dialect: DialectName) -> dict[str, Any]:
    """Write the settings that are set, and `extra` over them."""
    members = settings.set_members()
    extra = members.pop("extra")
    return deep_merge(nest(members, shape, dialect), extra)


def _beyond(wire: Wire, understood: Wire) -> dict[str, Any]:
    """What the wire says beyond what was understood. Null says nothing."""
    beyond = {}
    for name, value in wire.items():
        if isinstance(value, Mapping) and isinstance(understood.get(name), Mapping):
            value = _beyond(value, understood[name]) or None
        elif name in understood:
            continue
        if value is not None:
            beyond[name] = value
    return beyond


# --- from nested to flat, and back --------------------------------------------------------------


def flatten(wire: Wire, shape: Shape) -> dict[str, Any]:
    """Find the members of `shape`, wherever they are in `wire`, by their flat names."""
    flat = {}
    for name, member in shape.items():
        place, value = _find(wire, member)
        value = OFF if value is None and place and member.null_is_off else _read(value, member)
        if value is not None:
            flat[name] = value
    return flat


def nest(flat: Wire, shape: Shape, dialect: DialectName) -> dict[str, Any]:
    """Put the members of `shape` where the dialect has them, if it does."""
    wire: dict[str, Any] = {}
    for name, value in flat.items():
        member = shape.get(name)
        place = member and (member.ga if dialect == "ga" else member.beta)
        if member and place:
            _put(wire, place, _write(value, member, dialect))
    return wire


def _read(value: Any, member: Member) -> Any:
    try:
        if member.form == "format" and value is not None:
            return normalize_format(value)
        if member.settings and isinstance(value, Mapping):
            return member.settings.most_of(value)
    except ConfigError:
        return None
    return value


def _write(value: Any, member: Member, dialect: DialectName) -> Any:
    if value is OFF:
        return None
    if member.form == "format":
        return dict(_GA_FORMATS[value]) if dialect == "ga" else value
    if member.form == "modalities":
        # Speech comes with its text. GA calls that audio, the beta interface names both.
        spoken = ["audio"] if dialect == "ga" else ["text", "audio"]
        return spoken if "audio" in value else ["text"]
    return value.set_members() if isinstance(value, Settings) else value


def _find(wire: Wire, member: Member) -> tuple[str, Any]:
    """The place of a member, and its value: sooner a place with a value than one with null."""
    found: tuple[str, Any] = ("", None)
    for place in filter(None, (member.ga, member.beta)):
        *way, name = place.split(".")
        inner: Any = wire
        for step in way:
            inner = inner.get(step) if isinstance(inner, Mapping) else None
        if found[1] is None and isinstance(inner, Mapping) and name in inner:
            found = (place, inner[name])
    return found


def _put(wire: dict[str, Any], place: str, value: Any) -> None:
    *way, name = place.split(".")
    for step in way:
        wire = wire.setdefault(step, {})
    wire[name] = value
