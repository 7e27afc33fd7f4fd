"""Settings of a session: the defaults, partial updates, and what can't be changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, TypeVar, cast

from attrs import evolve, fields

from realtime_actors.config import (
    OFF,
    NoiseReductionConfig,
    Off,
    ResponseSettings,
    SessionModelSettings,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.config.models import DEFAULT_TRANSCRIPTION_MODEL
from realtime_actors.protocol import SessionInfo, SessionUpdate
from realtime_actors.server.refusals import Refused
from realtime_actors.server.response_run import ResponsePlan
from realtime_actors.server.server_effects import Speech
from realtime_actors.server.turn_detection import Eagerness, TurnSettings

__all__ = ["DEFAULT_INSTRUCTIONS", "SessionState", "SessionType"]

DEFAULT_INSTRUCTIONS = (
    "You are a helpful assistant. Answer in one or two short sentences, and call a function "
    "whenever one fits."
)
SessionType = Literal["realtime", "transcription"]
Settings = TypeVar("Settings", SessionModelSettings, TurnDetectionConfig)


class SessionState:
    """The settings in force. Every member has a value; `OFF` stands for null."""

    def __init__(
        self,
        session_id: str,
        *,
        model: str,
        beta: bool = False,
        type_: SessionType = "realtime",
        silence_duration_ms: int = 500,
        model_is_open: bool = False,
        models: Collection[str] | None = None,
    ) -> None:
        """`model_is_open`: the client named no model; the first update may, one of `models`."""
        self.id = session_id
        self.type: SessionType = type_
        self.expires_at: int | None = None
        self._silence_duration_ms = silence_duration_ms
        self._model, self._model_is_open, self._models = model, model_is_open, models
        self.settings = self._realtime(model, beta=beta)
        if type_ == "transcription":
            self.settings = self._transcription()

    @property
    def info(self) -> SessionInfo:
        """The session, as clients are told."""
        return SessionInfo(
            id=self.id, type=self.type, expires_at=self.expires_at, settings=self.settings
        )

    @property
    def turn_detection(self) -> TurnDetectionConfig | None:
        """How turns are found; None when the client says where they end."""
        found = self.settings.turn_detection
        return None if isinstance(found, Off) else found

    @property
    def turn_settings(self) -> TurnSettings | None:
        """The same, for the detector."""
        config = self.turn_detection
        if config is None:
            return None
        if config.type == "semantic_vad":
            return TurnSettings(eagerness=cast(Eagerness, config.eagerness))
        return TurnSettings(
            threshold=config.threshold or 0.0,
            prefix_padding_ms=config.prefix_padding_ms or 0,
            silence_duration_ms=config.silence_duration_ms or 0,
        )

    @property
    def transcription(self) -> TranscriptionConfig | None:
        """Whether the client wants to read what the user said."""
        found = self.settings.input_audio_transcription
        return None if isinstance(found, Off) else found

    @property
    def input_format(self) -> str:
        """pcm16, g711_ulaw or g711_alaw."""
        return self.settings.input_audio_format or "pcm16"

    def update(self, event: SessionUpdate, *, fresh: bool, spoke: bool, responding: bool) -> None:
        """Take over what the event sets. Raises `Refused`, and then nothing has changed.

        `fresh`: nothing has happened yet; `spoke`: the model's voice has been heard;
        `responding`: a response is being made.
        """
        change = event.session
        type_ = cast(SessionType, event.session_type)
        base = self.settings
        if type_ != self.type:
            if not fresh:
                raise Refused(
                    f"Passing a {type_} session update event to a {self.type} session is not "
                    "allowed.",
                    code="invalid_parameter",
                    param="session.type",
                )
            base = (
                self._transcription()
                if type_ == "transcription"
                else self._realtime(self._model, beta=False)
            )
        self._check(change, base, spoke=spoke, responding=responding)
        updated = _merged(base, change)
        if isinstance(updated.turn_detection, TurnDetectionConfig):
            updated = evolve(updated, turn_detection=self._filled_in(updated.turn_detection))
        noise = updated.input_audio_noise_reduction
        if isinstance(noise, NoiseReductionConfig) and noise.strength is None:
            # Left out is left as it is. Unlike the rest: the type is always there.
            before = base.input_audio_noise_reduction
            strength = before.strength if isinstance(before, NoiseReductionConfig) else None
            updated = evolve(updated, input_audio_noise_reduction=evolve(noise, strength=strength))
        _check_whole(updated)
        self.settings, self.type = updated, type_
        self._model = updated.model or self._model
        self._model_is_open = False

    def plan(self, override: ResponseSettings | None, *, spoke: bool) -> ResponsePlan:
        """Return what holds for a response. Raises `Refused` when it can't be had."""
        settings, override = self.settings, override or ResponseSettings()
        if override.voice is not None and override.voice != settings.voice and spoke:
            raise _voice_is_fixed()
        limit = override.max_output_tokens or settings.max_output_tokens
        instructions = override.instructions
        return ResponsePlan(
            instructions=(settings.instructions or "") if instructions is None else instructions,
            modalities=override.modalities or settings.modalities or ("audio",),
            voice=override.voice or settings.voice or "alloy",
            speech=Speech(
                voice=_voice_name(override.voice or settings.voice or "alloy"),
                speed=settings.speed or 1.0,
                audio_format=override.output_audio_format
                or settings.output_audio_format
                or "pcm16",
            ),
            tools=tuple((settings.tools or ()) if override.tools is None else override.tools),
            tool_choice=override.tool_choice or settings.tool_choice or "auto",
            max_output_tokens=limit if isinstance(limit, int) else None,
            metadata=override.metadata,
            in_conversation=override.conversation != "none",
        )

    def _check(
        self,
        change: SessionModelSettings,
        now: SessionModelSettings,
        *,
        spoke: bool,
        responding: bool,
    ) -> None:
        if change.model is not None and now.model and change.model != now.model:
            self._check_model(change.model, now.model)
        if change.voice is not None and change.voice != now.voice and spoke:
            raise _voice_is_fixed()
        if change.speed is not None and change.speed != now.speed and responding:
            raise Refused(
                "Cannot update the speed while a response is in progress.",
                code="cannot_update_speed",
            )
        if change.tracing is not None and now.tracing not in (OFF, None, change.tracing):
            raise Refused(
                "Cannot update tracing once it is enabled for a session.",
                code="cannot_update_tracing",
            )

    def _check_model(self, wanted: str, now: str) -> None:
        if not self._model_is_open:
            raise Refused(
                f"The model of a session cannot be changed: it is '{now}'.",
                code="invalid_value",
                param="session.model",
            )
        if self._models is not None and wanted not in self._models:
            raise Refused(
                f"The model `{wanted}` does not exist or you do not have access to it.",
                code="model_not_found",
                param="session.model",
            )

    def _realtime(self, model: str, *, beta: bool) -> SessionModelSettings:
        common = SessionModelSettings(
            model=model,
            instructions=DEFAULT_INSTRUCTIONS,
            modalities=("audio",),
            voice="alloy",
            speed=1.0,
            input_audio_format="pcm16",
            output_audio_format="pcm16",
            input_audio_transcription=OFF,
            input_audio_noise_reduction=OFF,
            turn_detection=self._filled_in(TurnDetectionConfig()),
            tools=(),
            tool_choice="auto",
            max_output_tokens="inf",
            tracing=OFF,
        )
        if beta:
            return evolve(common, modalities=("audio", "text"), temperature=0.8)
        return evolve(common, truncation="auto", prompt=OFF)

    def _transcription(self) -> SessionModelSettings:
        return SessionModelSettings(
            input_audio_format="pcm16",
            input_audio_transcription=TranscriptionConfig(model=DEFAULT_TRANSCRIPTION_MODEL),
            input_audio_noise_reduction=OFF,
            turn_detection=self._filled_in(TurnDetectionConfig()),
        )

    def _filled_in(self, config: TurnDetectionConfig) -> TurnDetectionConfig:
        if config.type == "semantic_vad":
            defaults = TurnDetectionConfig(type=config.type, eagerness="auto")
        else:
            defaults = TurnDetectionConfig(
                threshold=0.5, prefix_padding_ms=300, silence_duration_ms=self._silence_duration_ms
            )
        defaults = evolve(defaults, create_response=True, interrupt_response=True)
        return _merged(defaults, config)


def _merged(base: Settings, change: Settings) -> Settings:
    """Return `base` with everything that `change` sets."""
    names = [each.name for each in fields(type(change))]
    return evolve(
        base, **{name: value for name in names if (value := getattr(change, name)) is not None}
    )


def _voice_name(voice: str | Mapping[str, object]) -> str:
    return voice if isinstance(voice, str) else str(voice.get("id", ""))


def _voice_is_fixed() -> Refused:
    return Refused(
        "Cannot update a conversation's voice if assistant audio is present.",
        code="cannot_update_voice",
    )


def _check_whole(settings: SessionModelSettings) -> None:
    transcription = settings.input_audio_transcription
    if (
        isinstance(transcription, TranscriptionConfig)
        and transcription.model == "gpt-realtime-whisper"
        and isinstance(settings.turn_detection, TurnDetectionConfig)
    ):
        raise Refused(
            "Turn detection must be null with the transcription model 'gpt-realtime-whisper'.",
            code="invalid_value",
            param="session.audio.input.turn_detection",
        )
