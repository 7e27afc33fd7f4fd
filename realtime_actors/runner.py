"""From an agent and some configuration to a running session."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from attrs import evolve, field, frozen

from realtime_actors import otp
from realtime_actors.agent import Agent
from realtime_actors.config import (
    ModelConfig,
    NoiseReductionConfig,
    RunConfig,
    SessionModelSettings,
    TranscriptionConfig,
    TurnDetectionConfig,
    default_session_settings,
    merge_settings,
)
from realtime_actors.core.session import Machine, SessionMachine
from realtime_actors.errors import (
    ConfigError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
    StartCause,
    StartError,
)
from realtime_actors.events import EventInfo
from realtime_actors.playback import PlaybackTracker
from realtime_actors.protocol import Dialect, dialect
from realtime_actors.session import Session
from realtime_actors.session_server import SessionPlan, SessionServer
from realtime_actors.tracing import TracedMachine
from realtime_actors.transport import transport_named
from realtime_actors.transport.base import ConnectOptions, TransportFactory

__all__ = ["Runner", "run", "runner", "transcribe"]


@frozen(kw_only=True)
class Runner:
    """One agent and its configuration, for as many sessions as you like."""

    agent: Agent
    config: RunConfig = field(factory=RunConfig)
    transport: TransportFactory | None = None
    """What makes the connection; None for what `ModelConfig.transport` names."""
    session_type: Literal["realtime", "transcription"] = "realtime"
    """transcription: the sessions only listen. See `transcribe`."""

    def run(
        self,
        *,
        context: object = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        timeout: float = 10.0,
        name: otp.Name | None = None,
        supervisor: otp.DynamicSupervisorRef | None = None,
        restart: otp.Restart | str = otp.Restart.TRANSIENT,
        trace: str | os.PathLike[str] | None = None,
    ) -> Session:
        """Start a session with a context of its own. See `run`."""
        where = _model_config(model_config)
        plan = self._plan(
            where,
            context,
            timeout,
            supervised=supervisor is not None,
            trace=None if trace is None else Path(trace),
        )
        try:
            if supervisor is None:
                session = cast(Session, otp.start(SessionServer, plan, name=name))
            else:
                spec = otp.child_spec(
                    SessionServer, plan, name=name, restart=restart, keep_ref=True
                )
                session = cast(Session, supervisor.start_child(spec))
        except otp.StartFailed as failed:
            raise StartError(
                f"the session could not be made: {failed.reason!r}", StartCause.CONFIG
            ) from failed
        try:
            plan.ready.result(timeout)
        except BaseException as error:
            connected = session.line.transport is not None and session.line.transport.connected
            session.close()
            failure = _start_error(error, timeout, connected=connected)
            if failure is error:
                raise
            raise failure from error
        return session

    def _plan(
        self,
        where: ModelConfig,
        context: object,
        timeout: float,
        *,
        supervised: bool,
        trace: Path | None,
    ) -> SessionPlan:
        speaks = dialect(where.dialect)
        settings = self._settings(where, speaks)
        model = where.model or self.agent.model or settings.model or speaks.default_model
        config = self.config
        if config.max_cost is not None and model not in config.pricing.models:
            raise ConfigError(
                f"max_cost cannot be kept: {model!r} has no price. Give one in"
                " RunConfig(pricing=PRICES | Pricing.from_dict({...}))"
            )
        options = ConnectOptions(
            url=where.build_url(
                model, intent=None if self.session_type == "realtime" else self.session_type
            ),
            headers=_own_headers(where, own_transport=self.transport is not None),
            # A little less than we wait ourselves: it knows better what took so long.
            timeout=min(0.95 * timeout, where.connect_timeout),
            ca_bundle=where.ca_bundle,
            proxy=where.proxy,
            max_message_size=where.max_message_size,
        )
        make = self.transport or transport_named(where.transport)
        tracker = _tracker(where.playback_tracker)
        return SessionPlan(
            agent=self.agent,
            context=context,
            clock=time.monotonic,
            transport=lambda: make(options, speaks),
            playback_tracker=tracker,
            supervised=supervised,
            machine=lambda: self._machine(settings, model, context, tracker is not None, trace),
        )

    def _machine(
        self,
        settings: SessionModelSettings,
        model: str,
        context: object,
        playback_reported: bool,
        trace: Path | None,
    ) -> Machine:
        config = self.config
        machine = SessionMachine(
            agent=self.agent,
            session_type=self.session_type,
            settings=settings,
            info=EventInfo(context),
            guardrails=config.output_guardrails,
            input_guardrails=config.input_guardrails,
            guardrails_settings=config.guardrails_settings,
            barge_in=config.barge_in,
            max_handoffs_per_turn=config.max_handoffs_per_turn,
            parallel_tools=config.async_tool_calls,
            max_concurrency=config.max_concurrency,
            approval_timeout=config.approval_timeout,
            tool_timeout=config.tool_timeout,
            playback_reported=playback_reported,
            model=model,
            pricing=config.pricing,
            max_cost=config.max_cost,
            max_duration=config.max_duration,
            idle_timeout=config.idle_timeout,
        )
        if trace is None:
            return machine

        def write(line: str) -> None:
            # Opened for each line: no handle to forget, and all is there after a crash.
            with trace.open("a", encoding="utf-8") as file:
                file.write(line)

        trace.write_text("", encoding="utf-8")
        return TracedMachine(machine, write)

    def _settings(self, where: ModelConfig, speaks: Dialect) -> SessionModelSettings:
        settings = merge_settings(
            merge_settings(default_session_settings(speaks.name), self.config.model_settings),
            where.initial_model_settings,
        )
        return evolve(settings, tracing=None) if self.config.tracing_disabled else settings


def runner(
    agent: Agent,
    *,
    config: RunConfig | Mapping[str, Any] | None = None,
    transport: TransportFactory | None = None,
) -> Runner:
    """Make a `Runner`: one configuration, many sessions. Raises `ConfigError`."""
    return Runner(agent=agent, config=_run_config(config), transport=transport)


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
    restart: otp.Restart | str = otp.Restart.TRANSIENT,
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


def transcribe(
    *,
    model: str = "gpt-4o-transcribe",
    language: str | None = None,
    prompt: str | None = None,
    input_audio_format: str = "pcm16",
    turn_detection: TurnDetectionConfig | Mapping[str, Any] | Literal["off"] | None = None,
    noise_reduction: NoiseReductionConfig | Mapping[str, Any] | None = None,
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
    `send_audio(..., commit=True)` ends a turn. Raises as `run` does.
    """
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
    listener = Runner(
        agent=Agent(name="Listener", instructions=None, model=model),
        config=RunConfig(model_settings=settings),
        transport=transport,
        session_type="transcription",
    )
    return listener.run(context=context, model_config=model_config, timeout=timeout, name=name)


def _own_headers(where: ModelConfig, *, own_transport: bool) -> Mapping[str, str]:
    try:
        return where.connect_headers(where.resolve_api_key(os.environ))
    except ConfigError as error:
        if own_transport and where.api_key is None:
            return where.connect_headers(None)  # it may need no key: a script, a memory
        raise StartError(str(error), StartCause.AUTHENTICATION) from error


def _run_config(given: RunConfig | Mapping[str, Any] | None) -> RunConfig:
    if given is None:
        return RunConfig()
    return given if isinstance(given, RunConfig) else RunConfig.from_dict(given)


def _model_config(given: ModelConfig | Mapping[str, Any] | None) -> ModelConfig:
    if given is None:
        return ModelConfig()
    return given if isinstance(given, ModelConfig) else ModelConfig.from_dict(given)


def _tracker(factory: Callable[[], Any] | None) -> PlaybackTracker | None:
    if factory is None:
        return None
    tracker = factory()
    if not isinstance(tracker, PlaybackTracker):
        raise ConfigError(
            f"playback_tracker must be a function that gives a PlaybackTracker, not {tracker!r}"
        )
    return tracker


def _start_error(error: BaseException, timeout: float, *, connected: bool) -> BaseException:
    """What `run` raises for what went wrong."""
    match error:
        case StartError() | ConfigError():
            return error
        case TimeoutError():
            why = (
                "the server did not acknowledge the configuration, or the agent's instructions"
                " take that long"
                if connected
                else "the server did not answer"
            )
            message = f"the session was not ready within {timeout:g} s: {why}"
            return StartError(message, StartCause.TIMEOUT)
        case SessionFailedError(code="invalid_api_key"):
            return StartError(str(error), StartCause.AUTHENTICATION)
        case NotConnectedError() | SessionClosedError():
            return StartError(str(error), StartCause.NETWORK)
        case RealtimeError():
            return StartError(str(error), StartCause.SERVER)
        case _:
            return error
