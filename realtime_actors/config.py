"""Settings of a session, a run and a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from realtime_actors.items import Item

__all__ = [
    "OFF",
    "GuardrailsSettings",
    "ModelConfig",
    "NoiseReductionConfig",
    "Off",
    "ResponseSettings",
    "RunConfig",
    "SessionModelSettings",
    "TracingConfig",
    "TranscriptionConfig",
    "TurnDetectionConfig",
]

Wire: TypeAlias = Mapping[str, Any]


class Off(StrEnum):
    """The type of `OFF`."""

    OFF = "off"


OFF: Final = Off.OFF
"""Switch it off: null on the wire, where None means that nothing is sent."""


@frozen(kw_only=True)
class TurnDetectionConfig:
    type: str = "server_vad"
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    eagerness: str | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    idle_timeout_ms: int | None = None


@frozen(kw_only=True)
class TranscriptionConfig:
    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] | None = None
    keywords: tuple[str, ...] | None = None
    prompt: str | None = None
    delay: str | None = None


@frozen(kw_only=True)
class NoiseReductionConfig:
    type: str


@frozen(kw_only=True)
class TracingConfig:
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: Wire | None = None


@frozen(kw_only=True)
class SessionModelSettings:
    model: str | None = None
    instructions: str | None = None
    modalities: tuple[str, ...] | None = None
    voice: str | Wire | None = None
    speed: float | None = None
    input_audio_format: str | None = None
    output_audio_format: str | None = None
    input_audio_transcription: TranscriptionConfig | Off | None = None
    input_audio_noise_reduction: NoiseReductionConfig | Off | None = None
    turn_detection: TurnDetectionConfig | Off | None = None
    tools: tuple[Wire, ...] | None = None
    tool_choice: str | Wire | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    temperature: float | None = None
    reasoning: Wire | None = None
    truncation: str | Wire | None = None
    tracing: TracingConfig | Literal["auto"] | Off | None = None
    prompt: Wire | Off | None = None
    include: tuple[str, ...] | None = None
    extra: Wire = field(factory=dict)


@frozen(kw_only=True)
class ResponseSettings:
    instructions: str | None = None
    modalities: tuple[str, ...] | None = None
    voice: str | Wire | None = None
    output_audio_format: str | None = None
    tools: tuple[Wire, ...] | None = None
    tool_choice: str | Wire | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    temperature: float | None = None
    reasoning: Wire | None = None
    prompt: Wire | None = None
    conversation: str | None = None
    metadata: Mapping[str, str] | None = None
    input: tuple[Item, ...] | None = None
    extra: Wire = field(factory=dict)


@frozen(kw_only=True)
class GuardrailsSettings:
    debounce_text_length: int = 100


@frozen(kw_only=True)
class RunConfig:
    model_settings: SessionModelSettings = field(factory=SessionModelSettings)
    output_guardrails: tuple[Any, ...] = ()
    guardrails_settings: GuardrailsSettings = field(factory=GuardrailsSettings)
    tracing_disabled: bool = False
    async_tool_calls: bool = True


@frozen(kw_only=True)
class ModelConfig:
    api_key: str | Callable[[], str] | None = field(default=None, repr=False)
    url: str | None = None
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    dialect: Literal["ga", "beta"] = "ga"
    model: str | None = None
    initial_model_settings: SessionModelSettings = field(factory=SessionModelSettings)
    playback_tracker: Callable[[], Any] | None = None
    call_id: str | None = None
    transport: Literal["fast", "plain"] = "fast"
    connect_timeout: float = 10.0
    max_message_size: int = 16 * 2**20
    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)
    azure: bool | None = None
