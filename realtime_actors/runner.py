"""From an agent and some configuration to a running session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, frozen

from realtime_actors.agent import Agent
from realtime_actors.config import (
    ModelConfig,
    NoiseReductionConfig,
    RunConfig,
    SessionModelSettings,
    TranscriptionConfig,
    TurnDetectionConfig,
    merge_settings,
)
from realtime_actors.config.models import DEFAULT_TRANSCRIPTION_MODEL
from realtime_actors.config.places import refusing_unknown
from realtime_actors.errors import ConfigError

if TYPE_CHECKING:
    from realtime_actors import otp
    from realtime_actors.session import Session
    from realtime_actors.transport import TransportFactory

__all__ = ["Runner", "listener", "run", "runner", "transcribe"]


@frozen(kw_only=True)
class Runner:
    """One agent and its configuration, for as many sessions as you like."""

    agent: Agent
    config: RunConfig = field(factory=RunConfig)
    transport: TransportFactory | None = None
    """What makes the connection; None for what `ModelConfig.transport` names."""
    session_type: Literal["realtime", "transcription"] = "realtime"
    """transcription: the sessions only listen. See `transcribe`."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.agent, Agent):
            kind = type(self.agent).__name__
            raise ConfigError(
                f"a session needs an Agent, not {kind}: make one with"
                ' ra.agent(instructions="You are ...")'
            )

    @refusing_unknown
    def run(
        self,
        *,
        context: object = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        timeout: float = 10.0,
        name: otp.Name | None = None,
        supervisor: otp.DynamicSupervisorRef | None = None,
        restart: otp.Restart | str = "transient",
        trace: str | os.PathLike[str] | None = None,
    ) -> Session:
        """Start a session with a context of its own. See `run`."""
        # Imported here: see there.
        from realtime_actors.session.start import start

        return start(
            self,
            context=context,
            model_config=model_config,
            timeout=timeout,
            name=name,
            supervisor=supervisor,
            restart=restart,
            trace=trace,
        )


@refusing_unknown
def runner(
    agent: Agent,
    *,
    config: RunConfig | Mapping[str, Any] | None = None,
    transport: TransportFactory | None = None,
) -> Runner:
    """Make a `Runner`: one configuration, many sessions. Raises `ConfigError`."""
    return Runner(agent=agent, config=_run_config(config), transport=transport)


@refusing_unknown
def run(
    agent: Agent,
    *,
    config: RunConfig | Mapping[str, Any] | None = None,
    model_config: ModelConfig | Mapping[str, Any] | None = None,
    context: object = None,
    timeout: float = 10.0,
    transport: TransportFactory | None = None,
    name: otp.Name | None = None,
    supervisor: otp.DynamicSupervisorRef | None = None,
    restart: otp.Restart | str = "transient",
    trace: str | os.PathLike[str] | None = None,
) -> Session:
    """Connect, configure the server for `agent`, and give the running session.

    Returns once the server has taken the configuration. `context` is handed to tools,
    instructions, hooks and guardrails, and is in the `info` of every event. `transport`
    makes the connection: a function of `ConnectOptions` and a `Dialect` that gives
    anything which keeps the contract of `realtime_actors.transport.base.Transport`.

    Under a `name` (text, or `otp.via(registry, key)`) everybody can find the session,
    and use it in place of the handle. As a child of a `supervisor` it is started again
    when it fails, as `restart` says; handle and subscriptions stay valid, the
    conversation begins anew.

    With a `trace` all that the session is told is written to that file, to be played
    again (`realtime_actors.tracing`). It holds what was said.

    Raises `StartError` when that can't be done within `timeout` seconds: its `cause` says
    why, and nothing is left behind. Raises `ConfigError` for a wrong configuration.
    """
    chosen = runner(agent, config=config, transport=transport)
    return chosen.run(
        context=context,
        model_config=model_config,
        timeout=timeout,
        name=name,
        supervisor=supervisor,
        restart=restart,
        trace=trace,
    )


@refusing_unknown
def transcribe(
    *,
    model: str = DEFAULT_TRANSCRIPTION_MODEL,
    language: str | None = None,
    prompt: str | None = None,
    input_audio_format: str = "pcm16",
    turn_detection: TurnDetectionConfig | Mapping[str, Any] | Literal["off"] | None = None,
    noise_reduction: NoiseReductionConfig | Mapping[str, Any] | None = None,
    config: RunConfig | Mapping[str, Any] | None = None,
    model_config: ModelConfig | Mapping[str, Any] | None = None,
    context: object = None,
    timeout: float = 10.0,
    transport: TransportFactory | None = None,
    name: otp.Name | None = None,
) -> Session:
    """Start a session that only listens: it writes down what is said, and never answers.

    Send it audio (`send_audio`) and read `session.transcripts()`, or subscribe to
    `InputTranscriptEvent`, where the words come while they are recognised. Verbs that
    ask for a response raise `ConfigError`. With `turn_detection="off"` each
    `send_audio(..., commit=True)` ends a turn. `config` has its limits, such as
    `RunConfig(max_duration=3600)`. Raises as `run` does.
    """
    listening = listener(
        model=model,
        language=language,
        prompt=prompt,
        input_audio_format=input_audio_format,
        turn_detection=turn_detection,
        noise_reduction=noise_reduction,
        config=config,
        transport=transport,
    )
    return listening.run(context=context, model_config=model_config, timeout=timeout, name=name)


@refusing_unknown
def listener(
    *,
    model: str = DEFAULT_TRANSCRIPTION_MODEL,
    language: str | None = None,
    prompt: str | None = None,
    input_audio_format: str = "pcm16",
    turn_detection: TurnDetectionConfig | Mapping[str, Any] | Literal["off"] | None = None,
    noise_reduction: NoiseReductionConfig | Mapping[str, Any] | None = None,
    config: RunConfig | Mapping[str, Any] | None = None,
    transport: TransportFactory | None = None,
) -> Runner:
    """Make a `Runner` of sessions that only listen. See `transcribe`."""
    chosen = _run_config(config)
    settings = SessionModelSettings.from_dict(
        {
            "input_audio_format": input_audio_format,
            "input_audio_transcription": TranscriptionConfig(
                model=model, language=language, prompt=prompt
            ),
            "turn_detection": turn_detection,
            "input_audio_noise_reduction": noise_reduction,
        }
    )
    return Runner(
        agent=Agent(name="Listener", instructions=None, model=model),
        config=evolve(chosen, model_settings=merge_settings(chosen.model_settings, settings)),
        transport=transport,
        session_type="transcription",
    )


def _run_config(given: RunConfig | Mapping[str, Any] | None) -> RunConfig:
    if given is None:
        return RunConfig()
    if isinstance(given, ModelConfig):
        raise ConfigError("a ModelConfig is given as model_config=, config= takes a RunConfig")
    return given if isinstance(given, RunConfig) else RunConfig.from_dict(given)
