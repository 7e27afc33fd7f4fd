"""Starting a session: what `Runner.run` does.

Apart from `runner`, so that the actor, the core and the protocol are imported with the
first session: that takes as long as importing everything else.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

from attrs import evolve

from realtime_actors import otp
from realtime_actors.agent import Agent
from realtime_actors.config import (
    ModelConfig,
    RunConfig,
    SessionModelSettings,
    default_session_settings,
    merge_settings,
)
from realtime_actors.config.models import endings, one_model, warn
from realtime_actors.core.contract import Machine
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.setup import Setup
from realtime_actors.core.speech.gate import Gate
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
from realtime_actors.otp.starting import begin_server
from realtime_actors.playback import PlaybackTracker
from realtime_actors.protocol import Dialect, dialect
from realtime_actors.seconds import seconds
from realtime_actors.session import Session, steps
from realtime_actors.session.actor import SessionPlan, SessionServer
from realtime_actors.session.closing import check_open
from realtime_actors.session.ending import publish_end
from realtime_actors.session.event_loops import warn_in_event_loop
from realtime_actors.session.steps import Steps, finish
from realtime_actors.session.trace_writer import TraceWriter
from realtime_actors.tools import HostedMcpTool
from realtime_actors.tracing import TracedMachine
from realtime_actors.transport import ConnectOptions, TransportFactory, transport_named
from realtime_actors.usage import NOTHING_USED

__all__ = ["begin", "start"]

log = logging.getLogger("realtime_actors.session")

CLOSE_TIMEOUT: Final = 2.0
"""Seconds that the end of a session may take that has not started."""

_NEVER: Final = (otp.Restart.TEMPORARY, otp.Restart.TEMPORARY.value)


class Chosen(Protocol):
    """What a `Runner` has fixed of the sessions that it starts."""

    @property
    def agent(self) -> Agent: ...
    @property
    def config(self) -> RunConfig: ...
    @property
    def transport(self) -> TransportFactory | None: ...
    @property
    def session_type(self) -> Literal["realtime", "transcription"]: ...


def start(
    runner: Chosen,
    *,
    context: object,
    model_config: ModelConfig | Mapping[str, Any] | None,
    timeout: float,
    name: otp.Name | None,
    supervisor: otp.DynamicSupervisorRef | None,
    restart: otp.Restart | str,
    trace: str | os.PathLike[str] | None,
) -> Session:
    """See `realtime_actors.runner.run`."""
    warn_in_event_loop("run()")
    return finish(
        begin(
            runner,
            context=context,
            model_config=model_config,
            timeout=timeout,
            name=name,
            supervisor=supervisor,
            restart=restart,
            trace=trace,
        )
    )


def begin(
    runner: Chosen,
    *,
    context: object,
    model_config: ModelConfig | Mapping[str, Any] | None,
    timeout: float,
    name: otp.Name | None,
    supervisor: otp.DynamicSupervisorRef | None,
    restart: otp.Restart | str,
    trace: str | os.PathLike[str] | None,
) -> Steps[Session]:
    """Do what `start` does, and let the caller do the waiting."""
    timeout = seconds(timeout, "the timeout of run()", zero=False)
    check_open()
    supervisor = _supervisor(supervisor)
    where = _model_config(model_config)
    plan = _plan(
        runner,
        where,
        context,
        timeout,
        supervisor=None if restart in _NEVER else supervisor,
        trace=None if trace is None else _trace_writer(Path(trace)),
    )
    began = time.monotonic()
    session: Session
    try:
        if supervisor is None:
            session = yield from _made(plan, name, timeout)
        else:
            spec = _child(plan, name, restart, timeout)
            session = yield from _made_by(supervisor, spec, timeout)
    except otp.CallTimeout as late:
        why = f"the supervisor did not start the session within {timeout:g} s: it is busy"
        raise StartError(why, StartCause.TIMEOUT) from late
    except otp.CallExit as gone:
        why = f"the supervisor has ended, or is ending: {gone}"
        raise StartError(why, StartCause.CONFIG) from gone
    except otp.StartFailed as failed:
        cause = StartCause.TIMEOUT if failed.reason == otp.TIMEOUT else StartCause.CONFIG
        raise StartError(_why_not_made(failed.reason, name), cause) from failed
    try:
        yield steps.future(plan.ready, max(0.0, timeout - (time.monotonic() - began)))
    except BaseException as error:
        connected = session.shared.transport is not None and session.shared.transport.connected
        yield from _close(session)
        failure = _start_error(
            error, timeout, connected=connected, unreadable=session.shared.unreadable
        )
        if failure is error:
            raise
        raise failure from error
    return session


def _made(plan: SessionPlan, name: otp.Name | None, timeout: float) -> Steps[Session]:
    handle, made = begin_server(SessionServer, (plan,), name=name)
    try:
        return cast(Session, (yield steps.answer(made, timeout)))
    except BaseException:
        otp.exit_signal(handle, otp.KILL)  # whoever wanted it does not wait for it any more
        raise


def _made_by(
    supervisor: otp.DynamicSupervisorRef, spec: otp.ChildSpec, timeout: float
) -> Steps[Session]:
    made = supervisor.begin_child(spec)
    try:
        return cast(Session, (yield steps.answer(made, timeout)))
    finally:
        made.give_up()


def _close(session: Session) -> Steps[None]:
    """Close a session that has not started, and wait as long as `Session.close` does."""
    with suppress(otp.CallExit, otp.CallTimeout):
        yield steps.answer(session.begin_close(CLOSE_TIMEOUT), CLOSE_TIMEOUT + 1.0)


def _why_not_made(reason: otp.Reason, name: otp.Name | None) -> str:
    match reason:
        case ("already_started", holder):
            return f"the name {name!r} is taken by {holder}: close that, or choose another name"
        case "max_children":
            return (
                "the supervisor has no room for another session: it has as many children as its"
                " max_children allows"
            )
        case _:
            return f"the session could not be made: {reason!r}"


def _child(
    plan: SessionPlan, name: otp.Name | None, restart: otp.Restart | str, timeout: float
) -> otp.ChildSpec:
    """The session as a supervisor's child. If it can't start again, that is its own end only."""
    spec = otp.child_spec(
        SessionServer, plan, name=name, restart=restart, keep_ref=True, timeout=timeout
    )
    known: list[Session] = []

    def start() -> otp.ServerRef | None:
        try:
            check_open()
            known[:] = [cast(Session, spec.start())]
        except Exception as error:
            if not known:
                raise
            # Trying again at once would not help, and the supervisor would give up over it,
            # and end the calls of everybody else.
            _give_up(known[0], plan, error)
            return None
        return known[0]

    return evolve(spec, start=start)


def _supervisor(given: object) -> otp.DynamicSupervisorRef | None:
    """Find out who is to start the session. Raises `ConfigError` for who can't."""
    found = otp.whereis(given) if isinstance(given, str) else given
    if found is None and given is not None:
        raise ConfigError(f"supervisor is {given!r}: no process has that name")
    if not isinstance(found, otp.DynamicSupervisorRef | None):
        raise ConfigError(
            f"supervisor is {found!r}: sessions come and go, so a DynamicSupervisor starts them."
            " Give the handle of one, as otp.start(otp.DynamicSupervisor) does"
        )
    return found


def _give_up(session: Session, plan: SessionPlan, error: Exception) -> None:
    failure = SessionFailedError(f"the session could not be started again: {error}")
    failure.__cause__ = error
    log.error("session %s could not be started again: %s", session.actor_urn, error)
    shared = session.shared
    shared.over = f"the session has ended ({failure})"
    shared.gate = Gate(False, shared.over)
    shared.subscribers.wait_for_nobody()
    usage = NOTHING_USED if shared.machine is None else shared.machine.usage
    publish_end(
        shared.subscribers, failure, state="closed", usage=usage, info=EventInfo(plan.context)
    )


def _plan(
    runner: Chosen,
    where: ModelConfig,
    context: object,
    timeout: float,
    *,
    supervisor: otp.DynamicSupervisorRef | None,
    trace: TraceWriter | None,
) -> SessionPlan:
    speaks = dialect(where.dialect)
    config = runner.config
    written = merge_settings(where.initial_model_settings, config.model_settings)
    attached = where.joins_a_call or isinstance(written.prompt, Mapping)
    settings = _settings(written, speaks, attached=attached, config=config)
    model = _model(runner, where) or (None if where.joins_a_call else speaks.default_model)
    if config.max_cost is not None and model is not None and model not in config.pricing.models:
        raise ConfigError(
            f"max_cost cannot be kept: {model!r} has no price. Give one in"
            " RunConfig(pricing=PRICES | Pricing.from_dict({...}))"
        )
    # Deployments on Azure have names of their own, and servers that speak beta aren't OpenAI's.
    warns = not where.is_azure and where.dialect == "ga"
    if warns:
        speaks_as = model if runner.session_type == "realtime" else None
        tools = tuple(_hosted_tools(runner.agent, set()))
        warn(endings(model=speaks_as, settings=settings, tools=tools))
    if where.insecure_send_key_in_clear_text and where.is_clear_text:
        log.warning("a key may be sent in clear text: insecure_send_key_in_clear_text is set")
    headers = partial(_own_headers, where, own_transport=runner.transport is not None)
    options = ConnectOptions(
        url=where.build_url(
            model, intent=None if runner.session_type == "realtime" else runner.session_type
        ),
        headers=headers() if where.api_key is None else {},
        # A little less than we wait ourselves: it knows better what took so long.
        timeout=min(0.95 * timeout, where.connect_timeout),
        ca_bundle=where.ca_bundle,
        proxy=where.proxy,
        max_message_size=where.max_message_size,
        max_outbound_audio_ms=where.max_outbound_audio_ms,
        ping_interval=where.ping_interval,
        ping_timeout=where.ping_timeout,
    )
    make = runner.transport or transport_named(where.transport)
    tracker = _tracker(where.playback_tracker)
    return SessionPlan(
        agent=runner.agent,
        context=context,
        clock=otp.current_clock(),
        # In the task that connects, and for each connection: a key may live for a minute only.
        transport=lambda: make(evolve(options, headers=headers()), speaks),
        playback_tracker=tracker,
        supervisor=supervisor,
        warns_of_ends=warns,
        outage_seconds=None if config.reconnect is None else config.reconnect.max_seconds,
        trace=trace,
        machine=lambda: _machine(
            runner,
            where,
            settings,
            model,
            context,
            trace,
            attached=attached,
            reported=tracker is not None,
        ),
    )


def _machine(
    runner: Chosen,
    where: ModelConfig,
    settings: SessionModelSettings,
    model: str | None,
    context: object,
    trace: TraceWriter | None,
    *,
    attached: bool,
    reported: bool,
) -> Machine:
    setup = Setup(
        agent=runner.agent,
        config=runner.config,
        session_type=runner.session_type,
        settings=settings,
        attached=attached,
        info=EventInfo(context),
        max_message_bytes=where.max_message_size,
        playback_reported=reported,
        model=model,
        seed=secrets.token_hex(4),
    )
    machine = SessionMachine(setup)
    return machine if trace is None else TracedMachine(machine, trace.write)


def _settings(
    written: SessionModelSettings, speaks: Dialect, *, attached: bool, config: RunConfig
) -> SessionModelSettings:
    """Return the settings of a session, but for those of its agent.

    No default is sent where the server's session has settings of its own.
    """
    defaults = SessionModelSettings() if attached else default_session_settings(speaks.name)
    settings = merge_settings(defaults, written)
    return evolve(settings, tracing=None) if config.tracing_disabled else settings


def _model(runner: Chosen, where: ModelConfig) -> str | None:
    """Return the model that is named, anywhere. Raises `ConfigError` when two are."""
    name = runner.agent.name
    if runner.session_type == "transcription":
        return where.model or runner.agent.model
    return one_model(
        {
            "ModelConfig.model": where.model,
            "ModelConfig.url": where.url_model,
            "ModelConfig.initial_model_settings.model": where.initial_model_settings.model,
            "RunConfig.model_settings.model": runner.config.model_settings.model,
            f"the model of agent {name!r}": runner.agent.model,
        }
    )


def _hosted_tools(agent: Agent, seen: set[int]) -> Iterator[Mapping[str, Any]]:
    """All MCP servers of an agent, and of those that it is known to hand over to."""
    if id(agent) in seen:
        return
    seen.add(id(agent))
    for tool in agent.tools:
        if isinstance(tool, HostedMcpTool):
            yield tool.to_wire()
    for handoff in agent.handoffs:
        if isinstance(handoff.agent, Agent):
            yield from _hosted_tools(handoff.agent, seen)


def _own_headers(where: ModelConfig, *, own_transport: bool) -> Mapping[str, str]:
    """Return the headers of one connection. Asks for the key, which may block."""
    try:
        return where.connect_headers(where.resolve_api_key(os.environ))
    except ConfigError as error:
        if own_transport and where.api_key is None:
            return where.connect_headers(None)  # it may need no key: a script, a memory
        raise StartError(str(error), StartCause.AUTHENTICATION) from error
    except Exception as error:  # of the function for the key; what it says may have a key in it
        raise StartError(
            f"no API key: the function for it failed with {type(error).__name__}",
            StartCause.AUTHENTICATION,
        ) from error


def _trace_writer(path: Path) -> TraceWriter:
    try:
        return TraceWriter(path)
    except OSError as error:
        raise StartError(f"the trace can't be written: {error}", StartCause.CONFIG) from error


def _model_config(given: ModelConfig | Mapping[str, Any] | None) -> ModelConfig:
    if given is None:
        return ModelConfig()
    if isinstance(given, RunConfig):
        raise ConfigError("a RunConfig is given as config=, model_config= takes a ModelConfig")
    return given if isinstance(given, ModelConfig) else ModelConfig.from_dict(given)


def _tracker(factory: Callable[[], Any] | None) -> PlaybackTracker | None:
    if factory is None:
        return None
    tracker = factory()
    if not isinstance(tracker, PlaybackTracker):
        raise ConfigError(
            f"playback_tracker must be a function that gives a PlaybackTracker, not {tracker!r}"
        )
    tracker.check_free()
    return tracker


def _start_error(
    error: BaseException, timeout: float, *, connected: bool, unreadable: str
) -> BaseException:
    """What `run` raises for what went wrong. `unreadable` says what came that is no event."""
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
            if unreadable:
                why = f"what came is no event ({unreadable}). Is it a Realtime server?"
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
