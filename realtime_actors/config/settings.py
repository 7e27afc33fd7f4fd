"""What a server is told about a session, or about one response.

The names are flat, whatever the dialect of the protocol: nesting them is its work. Bounds
are those of the Realtime API's specification (openai-openapi, version 2.3.0) unless a
comment names another source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from attrs import Attribute, evolve, field, frozen

from realtime_actors.audio import normalize_format
from realtime_actors.config.checks import (
    Check,
    Settings,
    check,
    deep_merge,
    flag,
    from_mapping,
    instance_of,
    is_mapping,
    is_number,
    is_text,
    is_whole,
    mapping,
    number,
    one_of,
    some_of,
    some_text,
    text,
    texts,
    to_tuple,
    whole,
    wrong,
)
from realtime_actors.config.places import placed
from realtime_actors.errors import ConfigError
from realtime_actors.items import Item, message_from_input

__all__ = [
    "DEFAULT_TRANSCRIPTION",
    "DEFAULT_TRANSCRIPTION_MODEL",
    "OFF",
    "DialectName",
    "NoiseReductionConfig",
    "Off",
    "ResponseSettings",
    "SessionModelSettings",
    "TracingConfig",
    "TranscriptionConfig",
    "TurnDetectionConfig",
    "default_session_settings",
    "merge_settings",
]

DialectName: TypeAlias = Literal["ga", "beta"]
Wire: TypeAlias = Mapping[str, Any]
C = TypeVar("C", bound=Settings)

_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh")


class Off(StrEnum):
    """The type of `OFF`."""

    OFF = "off"


OFF: Final = Off.OFF
"""Switched off. The text "off" says the same, for settings that come out of a file."""


# --- parts of a session's settings --------------------------------------------------------------


@placed("RunConfig(model_settings={'turn_detection': {'*': ...}})")
@frozen(kw_only=True, repr=False)
class TurnDetectionConfig(Settings):
    """How the server notices that the user has begun or finished to speak.

    `type` is server_vad (silence ends a turn), semantic_vad (the words do) or off (the
    program commits the audio and asks for responses). What belongs to the one is
    refused with the other.
    """

    type: str = field(default="server_vad", validator=one_of("server_vad", "semantic_vad", "off"))
    threshold: float | None = field(default=None, validator=number(0, 1))
    """server_vad: how loud speech must be. The server's default is 0.5."""
    prefix_padding_ms: int | None = field(default=None, validator=whole(0))
    """server_vad: how much audio from before the speech is kept. Default 300."""
    silence_duration_ms: int | None = field(default=None, validator=whole(0))
    """server_vad: how long a silence ends the turn. Default 500, or 200: OpenAI says both."""
    idle_timeout_ms: int | None = field(default=None, validator=whole(5_000, 30_000))
    """server_vad: after how long a silence of the user the model speaks up by itself."""
    eagerness: str | None = field(default=None, validator=one_of("low", "medium", "high", "auto"))
    """semantic_vad: how soon to answer: after at most 8 (low), 4 (medium, auto) or 2 s."""
    create_response: bool | None = field(default=None, validator=flag)
    """Whether the end of a turn asks for a response. Default True."""
    interrupt_response: bool | None = field(default=None, validator=flag)
    """Whether speech of the user stops the model's. Default True."""

    def __attrs_post_init__(self) -> None:
        for owner, names in _BELONGS_TO.items():
            for name in names:
                if self.type != owner and getattr(self, name) is not None:
                    raise ConfigError(
                        f"TurnDetectionConfig.{name} belongs to {owner}, but the type is "
                        f"{self.type!r}"
                    )


_BELONGS_TO: Final = {
    "server_vad": ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"),
    "semantic_vad": ("eagerness",),
}


def _texts(value: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if value is None else to_tuple(value)


@placed("RunConfig(model_settings={'input_audio_transcription': {'*': ...}})")
@frozen(kw_only=True, repr=False)
class TranscriptionConfig(Settings):
    """How the user's speech is written down. What the model hears doesn't depend on it."""

    model: str | None = field(default=None, validator=some_text)
    """gpt-transcribe, gpt-live-transcribe, gpt-realtime-whisper, ...: any name."""
    language: str | None = field(default=None, validator=text)
    """ISO 639-1 (`en`). It helps."""
    languages: tuple[str, ...] | None = field(default=None, converter=_texts, validator=texts)
    """Several of them. gpt-transcribe and gpt-live-transcribe only, as `keywords`."""
    keywords: tuple[str, ...] | None = field(default=None, converter=_texts, validator=texts)
    prompt: str | None = field(default=None, validator=text)
    """What it is about, or words to expect."""
    delay: str | None = field(default=None, validator=one_of(*_EFFORTS))
    """How long to wait for more, to be surer. gpt-realtime-whisper only."""


def _is_strength(value: object) -> bool:
    return is_number(value, 0) and value != math.inf


DEFAULT_TRANSCRIPTION_MODEL: Final = "gpt-transcribe"
"""It takes whole turns, as the server finds them, and has no end announced. (gpt-live-transcribe
and gpt-realtime-whisper want the program to end the turns; the others end in February 2027.)"""

DEFAULT_TRANSCRIPTION: Final = TranscriptionConfig(model=DEFAULT_TRANSCRIPTION_MODEL)


@frozen(kw_only=True, repr=False)
class NoiseReductionConfig(Settings):
    """What kind of noise to take out of the user's audio."""

    type: str = field(validator=one_of("near_field", "far_field"))
    """near_field: a headset or a telephone; far_field: a laptop or a conference room."""
    strength: float | None = field(
        default=None, validator=check(_is_strength, "a number of 0 or more")
    )
    """How much of it to take out. 1 when it is switched on; None leaves it as it is."""


@frozen(kw_only=True, repr=False)
class TracingConfig(Settings):
    """How a session appears in OpenAI's traces. It can't be changed once it is on."""

    workflow_name: str | None = field(default=None, validator=text)
    group_id: str | None = field(default=None, validator=text)
    metadata: Wire | None = field(default=None, validator=mapping)


# --- forms that a value may be given in ---------------------------------------------------------
#
# Converters change the form and nothing else. What isn't of any form that they know they
# hand on to the checks, which know the name of the setting.


def _mappings(value: Iterable[Wire] | None) -> tuple[Wire, ...] | None:
    return None if value is None else to_tuple(value)


def _format(value: str | Wire | None) -> Any:
    try:
        return value if value is None else normalize_format(value)
    except ConfigError:
        return value


def _or_off(cls: type[C], value: C | Wire | str | None) -> C | Off | str | None:
    return OFF if value == OFF else from_mapping(cls, value)


def _turn_detection(value: TurnDetectionConfig | Wire | str | None) -> Any:
    detection = _or_off(TurnDetectionConfig, value)
    # One value for one meaning, so that nobody has to ask for two.
    return OFF if detection == TurnDetectionConfig(type="off") else detection


def _transcription(value: TranscriptionConfig | Wire | str | None) -> Any:
    return _or_off(TranscriptionConfig, value)


def _noise_reduction(value: NoiseReductionConfig | Wire | str | None) -> Any:
    return _or_off(NoiseReductionConfig, value)


def _tracing(value: TracingConfig | Wire | str | None) -> Any:
    return _or_off(TracingConfig, value)


def _prompt(value: Wire | str | None) -> Any:
    return OFF if value == OFF else value


def _items(value: Iterable[Item | Wire | str] | None) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return tuple(message_from_input(item) for item in value)


# --- checks of what is neither a number nor a word ----------------------------------------------


def _check_format(settings: Any, attribute: Attribute[Any], value: Any) -> None:
    try:
        if value is not None:
            normalize_format(value)
    except ConfigError as error:
        raise wrong(settings, attribute, value, str(error)) from None


def _check_modalities(settings: Any, attribute: Attribute[Any], value: Any) -> None:
    some_of("text", "audio")(settings, attribute, value)
    if value == ():
        raise wrong(settings, attribute, value, "allowed is text, audio or both")


def _check_tools(settings: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, tuple):
        raise wrong(settings, attribute, value, "allowed is a list of tools")
    for index, tool in enumerate(value):
        # Not the tool itself: one of MCP has a key in it.
        kind = tool.get("type") if is_mapping(tool) else None
        needed = {"function": "name", "mcp": "server_label"}.get(str(kind), "type")
        if not is_mapping(tool) or not is_text(tool.get(needed)):
            raise ConfigError(
                f"{type(settings).__name__}.{attribute.name}[{index}] is wrong: allowed is a "
                "mapping with a type and, if that is function, a name; if it is mcp, a "
                "server_label"
            )


def _is_tool_choice(value: object) -> bool:
    if is_mapping(value):
        needed = {"function": "name", "mcp": "server_label"}.get(str(value.get("type")))
        return needed is not None and is_text(value.get(needed))
    return value in ("none", "auto", "required")


_TOOL_CHOICES: Final = (
    "none, auto, required, or a mapping: {'type': 'function', 'name': ...} or "
    "{'type': 'mcp', 'server_label': ...}"
)


def _is_voice(value: object) -> bool:
    return is_text(value) or (is_mapping(value) and is_text(value.get("id")))


def _is_reasoning(value: object) -> bool:
    return is_mapping(value) and value.get("effort") in _EFFORTS


def _is_truncation(value: object) -> bool:
    if not is_mapping(value):
        return value in ("auto", "disabled")
    ratio = value.get("type") == "retention_ratio" and is_number(value.get("retention_ratio"), 0, 1)
    limits = value.get("token_limits", {})
    return ratio and is_mapping(limits) and is_whole(limits.get("post_instructions", 0), 0)


def _is_metadata(value: object) -> bool:
    return (
        is_mapping(value)
        and len(value) <= 16
        and all(len(key) <= 64 for key in value)
        and all(isinstance(each, str) and len(each) <= 512 for each in value.values())
    )


def _off_or(cls: type, *words: str) -> Check:
    allowed = ", ".join((f"a {cls.__name__}", "a dict", "OFF", *words))
    return check(lambda value: value is OFF or isinstance(value, cls) or value in words, allowed)


# What a session and a response have in common. How much a model can say is its own affair:
# 4,096 tokens for some, 32,000 for others.
_check_max_tokens: Final = check(
    lambda value: value == "inf" or is_whole(value, 1), "a whole number of 1 or more, or 'inf'"
)
_check_voice: Final = check(_is_voice, "a name, or a mapping with the id of a custom voice")
_check_tool_choice: Final = check(_is_tool_choice, _TOOL_CHOICES)
_check_reasoning: Final = check(
    _is_reasoning, f"a mapping {{'effort': ...}} with one of {', '.join(_EFFORTS)}"
)
# OpenAI's models took 0.6 to 1.2. That interface is gone, and the servers that still speak
# the beta dialect have models of their own.
_check_temperature: Final = number(0, 2)


def _tool_names(tools: object) -> str:
    if not isinstance(tools, tuple):
        return f"a {type(tools).__name__}"
    # Their names alone: tools of MCP have keys in them.
    mappings = (tool for tool in tools if is_mapping(tool))
    return f"<{', '.join(str(tool.get('name') or tool.get('server_label')) for tool in mappings)}>"


# --- sessions and responses ---------------------------------------------------------------------


@placed("RunConfig(model_settings={'*': ...})")
@frozen(kw_only=True, repr=False)
class SessionModelSettings(Settings):
    """The settings of a session that are sent to the server. Unset is what is None.

    Every one can be changed while the session runs, except `model`, `voice` once the
    model has spoken, and `tracing` once it is on; `speed` changes between turns.
    """

    model: str | None = field(default=None, validator=some_text)
    instructions: str | None = field(default=None, validator=text)
    """What the model is told about its task. "" clears them."""
    modalities: tuple[str, ...] | None = field(
        default=None, converter=_texts, validator=_check_modalities
    )
    """text, or audio. Speech always comes with its transcript: ("text", "audio"), which the
    beta interface calls for, and ("audio",) mean the same in both dialects."""
    voice: str | Wire | None = field(default=None, validator=_check_voice)
    """alloy, marin, cedar, ...: any name, or {"id": ...} for a voice of your own."""
    speed: float | None = field(default=None, validator=number(0.25, 1.5))
    input_audio_format: str | None = field(default=None, converter=_format, validator=_check_format)
    """pcm16, g711_ulaw or g711_alaw. GA's names and objects are taken as well."""
    output_audio_format: str | None = field(
        default=None, converter=_format, validator=_check_format
    )
    input_audio_transcription: TranscriptionConfig | Off | None = field(
        default=None, converter=_transcription, validator=_off_or(TranscriptionConfig)
    )
    """On by default where the server speaks GA, by gpt-transcribe. `OFF` switches it off; so
    does None in a dict."""
    input_audio_noise_reduction: NoiseReductionConfig | Off | None = field(
        default=None, converter=_noise_reduction, validator=_off_or(NoiseReductionConfig)
    )
    turn_detection: TurnDetectionConfig | Off | None = field(
        default=None, converter=_turn_detection, validator=_off_or(TurnDetectionConfig)
    )
    tools: tuple[Wire, ...] | None = field(
        default=None, converter=_mappings, validator=_check_tools, repr=_tool_names
    )
    """In the shape of the wire, functions and MCP servers. () takes all tools away."""
    tool_choice: str | Wire | None = field(default=None, validator=_check_tool_choice)
    parallel_tool_calls: bool | None = field(default=None, validator=flag)
    """GA only, and only for models that reason."""
    max_output_tokens: int | Literal["inf"] | None = field(
        default=None, validator=_check_max_tokens
    )
    temperature: float | None = field(default=None, validator=_check_temperature)
    """Beta only: GA has none, and nothing of it is sent there."""
    reasoning: Wire | None = field(default=None, validator=_check_reasoning)
    """{"effort": ...}. GA only."""
    truncation: str | Wire | None = field(
        default=None,
        validator=check(
            _is_truncation,
            "auto, disabled, or a mapping {'type': 'retention_ratio', 'retention_ratio': 0..1, "
            "'token_limits': {'post_instructions': 0...}}",
        ),
    )
    """What to do when the conversation outgrows the model's context. GA only."""
    tracing: TracingConfig | Literal["auto"] | Off | None = field(
        default=None, converter=_tracing, validator=_off_or(TracingConfig, "auto")
    )
    prompt: Wire | Off | None = field(
        default=None,
        converter=_prompt,
        validator=check(
            lambda value: value is OFF or (is_mapping(value) and is_text(value.get("id"))),
            "OFF, or a mapping with the id of a stored prompt",
        ),
    )
    include: tuple[str, ...] | None = field(
        default=None,
        converter=_texts,
        validator=some_of("item.input_audio_transcription.logprobs"),
    )
    extra: Wire = field(factory=dict, validator=mapping, repr=False)
    """What has no name here: merged into the session object, in the dialect's own shape."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """See `Settings.from_dict`. No transcription is what was meant by None for it."""
        name = "input_audio_transcription"
        if isinstance(values, Mapping) and name in values and values[name] is None:
            values = {**values, name: OFF}
        return super().from_dict(values)


@frozen(kw_only=True, repr=False)
class ResponseSettings(Settings):
    """What is different for one response. Unset is what is None: the session's setting holds."""

    instructions: str | None = field(default=None, validator=text)
    modalities: tuple[str, ...] | None = field(
        default=None, converter=_texts, validator=_check_modalities
    )
    voice: str | Wire | None = field(default=None, validator=_check_voice)
    output_audio_format: str | None = field(
        default=None, converter=_format, validator=_check_format
    )
    tools: tuple[Wire, ...] | None = field(
        default=None, converter=_mappings, validator=_check_tools, repr=_tool_names
    )
    tool_choice: str | Wire | None = field(default=None, validator=_check_tool_choice)
    parallel_tool_calls: bool | None = field(default=None, validator=flag)
    max_output_tokens: int | Literal["inf"] | None = field(
        default=None, validator=_check_max_tokens
    )
    temperature: float | None = field(default=None, validator=_check_temperature)
    """Beta only, as in a session."""
    reasoning: Wire | None = field(default=None, validator=_check_reasoning)
    prompt: Wire | None = field(
        default=None,
        validator=check(
            lambda value: is_mapping(value) and is_text(value.get("id")),
            "a mapping with the id of a stored prompt",
        ),
    )
    conversation: str | None = field(default=None, validator=one_of("auto", "none"))
    """none: out of band. It isn't added to the conversation, and others may run meanwhile."""
    metadata: Mapping[str, str] | None = field(
        default=None,
        validator=check(
            lambda value: (
                is_mapping(value)
                and len(value) <= 16
                and all(len(key) <= 64 for key in value)
                and all(isinstance(each, str) and len(each) <= 512 for each in value.values())
            ),
            "at most 16 texts of at most 512 characters, by keys of at most 64",
        ),
    )
    """Comes back with the response: to know it again."""
    input: tuple[Item, ...] | None = field(
        default=None,
        converter=_items,
        validator=instance_of(tuple, "a list of items"),
        repr=False,
    )
    """What the model sees instead of the conversation. () shows it nothing."""
    extra: Wire = field(factory=dict, validator=mapping, repr=False)


def merge_settings(
    base: SessionModelSettings | Wire | None, override: SessionModelSettings | Wire | None
) -> SessionModelSettings:
    """Put `override` over `base`: what it sets wins, and `base` fills in the rest.

    Settings are replaced whole, `extra` is merged member by member.
    """
    below, above = (
        settings
        if isinstance(settings, SessionModelSettings)
        else SessionModelSettings.from_dict(settings or {})
        for settings in (base, override)
    )
    changes = above.set_members()
    return evolve(below, **{**changes, "extra": deep_merge(below.extra, above.extra)})


def default_session_settings(dialect: DialectName = "ga") -> SessionModelSettings:
    """What a session starts from: speech and text, PCM both ways, and the user's words.

    The beta interface is spoken by servers whose models of transcription have names of their
    own: there it is not asked for. All else, turn detection as well, is what the server does
    by itself.
    """
    if dialect not in ("ga", "beta"):
        raise ConfigError(f"dialect is {dialect!r}: allowed: ga, beta")
    return SessionModelSettings(
        modalities=("text", "audio"),
        input_audio_format="pcm16",
        output_audio_format="pcm16",
        input_audio_transcription=DEFAULT_TRANSCRIPTION if dialect == "ga" else None,
    )
