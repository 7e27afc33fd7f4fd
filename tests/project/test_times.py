"""Every public parameter that is a number of seconds, tried with what is none."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from attrs import frozen

import realtime_actors as ra
from realtime_actors import otp, server
from realtime_actors.messages import History
from realtime_actors.protocol import dialect
from realtime_actors.seconds import LONGEST
from realtime_actors.server.server_limits import ServerLimits
from realtime_actors.session.event_stream import EventStream
from realtime_actors.testing import Probe, ScriptedTransport
from realtime_actors.transport import ConnectOptions, WebSocketTransport
from realtime_actors.transport.base import Transport
from tests.otp.actors import Counter

PUBLIC = (
    *("realtime_actors", "realtime_actors.otp", "realtime_actors.config"),
    *("realtime_actors.session", "realtime_actors.session.event_stream", "realtime_actors.runner"),
    *("realtime_actors.tools", "realtime_actors.agent", "realtime_actors.guardrails"),
    *("realtime_actors.playback", "realtime_actors.testing", "realtime_actors.transport"),
    *("realtime_actors.server", "realtime_actors.recording", "realtime_actors.console"),
)
A_TIME = re.compile("timeout|seconds|delay|interval|within|shutdown|duration|period|pause")
NO_TIME = {
    "InCall timeout": "says what was given to a call",
    "SessionUsage transcribed_seconds": "said by the server",
    "Supervisor.init auto_shutdown": "a word",
    "TaskSupervisorRef.stream on_timeout": "a word",
    "ToolTexts.after_timeout seconds": "what took too long, to make a text of",
    "TranscriptionConfig delay": "a word",
    "Transport.close timeout": "a protocol: those who keep it are here",
}
BAD = (
    *(math.nan, -1, -0.001, -math.inf, 1e12, 10**400, LONGEST * 1.001),
    *(True, False, "5", b"5", [5], timedelta(seconds=5), Decimal("NaN"), complex(1)),
)


TEMPORARY = otp.child_spec(Counter, restart="temporary")
Try = Callable[["Room", Any], object]

UNLIMITED: dict[str, Try] = {
    "Bounded timeout": lambda room, time: otp.Bounded(1, timeout=time),
    "ChildSpec shutdown": lambda room, time: otp.ChildSpec(id=1, start=nothing, shutdown=time),
    "Client.receive timeout": lambda room, time: room.one_message().receive(time),
    "EventStream timeout": lambda room, time: EventStream(lambda: "over", timeout=time),
    "NoReply timeout": lambda room, time: returned(otp.NoReply(0, timeout=time)),
    "Ok timeout": lambda room, time: started(Given, otp.Ok(0, timeout=time)),
    "Reply timeout": lambda room, time: returned(otp.Reply(0, 0, timeout=time)),
    "GuardrailsSettings verdict_timeout": lambda room, time: ra.GuardrailsSettings(
        verdict_timeout=time
    ),
    "ConnectOptions ping_interval": lambda room, time: ConnectOptions(
        url="ws://x", ping_interval=time
    ),
    "ConnectOptions ping_timeout": lambda room, time: ConnectOptions(
        url="ws://x", ping_timeout=time
    ),
    "ModelConfig ping_interval": lambda room, time: ra.ModelConfig(ping_interval=time),
    "ModelConfig ping_timeout": lambda room, time: ra.ModelConfig(ping_timeout=time),
    "RunConfig approval_timeout": lambda room, time: ra.RunConfig(approval_timeout=time),
    "RunConfig idle_timeout": lambda room, time: ra.RunConfig(idle_timeout=time),
    "RunConfig max_duration": lambda room, time: ra.RunConfig(max_duration=time),
    "RunConfig stall_timeout": lambda room, time: ra.RunConfig(stall_timeout=time),
    "RunConfig tool_timeout": lambda room, time: ra.RunConfig(tool_timeout=time),
    "ServerRef.ask timeout": lambda room, time: room.counter.ask("get", timeout=time),
    "ServerRef.stop timeout": lambda room, time: stopped(lambda server: server.stop(timeout=time)),
    "Session.ask timeout": lambda room, time: room.session.ask(History(), timeout=time),
    "Session.events timeout": lambda room, time: room.session.events(timeout=time),
    "Session.transcripts timeout": lambda room, time: room.session.transcripts(timeout=time),
    "Task.await_ timeout": lambda room, time: otp.Task.await_(room.task(), time),
    "Task.shutdown timeout": lambda room, time: otp.Task.shutdown(room.task(), time),
    "Task.yield_ timeout": lambda room, time: otp.Task.yield_(room.task(), time),
    "TaskSupervisorRef.stream timeout": lambda room, time: [
        *room.tasks.stream(abs, [-1], timeout=time)
    ],
    "Tool timeout": lambda room, time: ra.Tool(name="a", invoke=len, timeout=time),
    "DynamicSupervisorRef.start_child timeout": lambda room, time: otp.stop(
        room.calls.start_child(TEMPORARY, time)
    ),
    "ServerLimits ping_interval": lambda room, time: unlimited_pings(time),
    "SupervisorRef.start_child timeout": lambda room, time: room.supervisor.terminate_child(
        room.supervisor.start_child(TEMPORARY, time) and TEMPORARY.id
    ),
    "call timeout": lambda room, time: otp.call(room.counter, "get", time),
    "child_spec timeout": lambda room, time: otp.child_spec(Counter, timeout=time),
    "child_spec shutdown": lambda room, time: otp.child_spec(Counter, shutdown=time),
    "receive timeout": lambda room, time: (room.one_message(), otp.receive(time)),
    "start timeout": lambda room, time: started(Counter, timeout=time),
    "start_link timeout": lambda room, time: stopping(otp.start_link(Counter, timeout=time)),
    "start_monitor timeout": lambda room, time: stopping(
        *(otp.start_monitor(Counter, timeout=time) or ())[:1]
    ),
    "stop timeout": lambda room, time: stopped(lambda server: otp.stop(server, timeout=time)),
    "tool timeout": lambda room, time: ra.tool(timeout=time)(nothing),
}
"""What may be unlimited: by None, or by infinity."""

LIMITED: dict[str, Try] = {
    "ConnectOptions timeout": lambda room, time: ConnectOptions(url="ws://x", timeout=time),
    "ConversationOptions max_session_seconds": lambda room, time: server.ConversationOptions(
        max_session_seconds=time
    ),
    "DynamicSupervisor.init max_seconds": lambda room, time: started(
        otp.DynamicSupervisor, max_seconds=time
    ),
    "FakeClock.advance seconds": lambda room, time: otp.FakeClock().advance(time),
    "Faults upgrade_delay": lambda room, time: server.Faults(upgrade_delay=time),
    "Reconnect first_delay": lambda room, time: ra.Reconnect(first_delay=time),
    "Reconnect max_delay": lambda room, time: ra.Reconnect(max_delay=time),
    "Reconnect max_seconds": lambda room, time: ra.Reconnect(max_seconds=time),
    "ModelConfig connect_timeout": lambda room, time: ra.ModelConfig(connect_timeout=time),
    "Probe.wait_for timeout": lambda room, time: Probe().wait_for(object, timeout=time),
    "RealtimeServer.stop timeout": lambda room, time: server.RealtimeServer.scripted().stop(time),
    "Runner.run timeout": lambda room, time: ra.runner(ra.agent()).run(timeout=time),
    "ScriptedTransport.close timeout": lambda room, time: ScriptedTransport().close(time),
    "ScriptedTransport.wait_for timeout": lambda room, time: room.script.wait_for(
        "x", timeout=time
    ),
    "ServerLimits open_timeout": lambda room, time: ServerLimits(open_timeout=time),
    "ServerLimits ping_timeout": lambda room, time: ServerLimits(ping_timeout=time),
    "ServerLimits write_timeout": lambda room, time: ServerLimits(write_timeout=time),
    "Session.begin_close timeout": lambda room, time: room.session.begin_close(time),
    "Session.close timeout": lambda room, time: room.session.close(time),
    "Supervisor.init max_seconds": lambda room, time: started(otp.Supervisor, max_seconds=time),
    "WebSocketTransport.close timeout": lambda room, time: unconnected(WebSocketTransport).close(
        time
    ),
    "close timeout": lambda room, time: ra.close(room.session, time),
    "run timeout": lambda room, time: ra.run(ra.agent(), timeout=time),
    "send_after seconds": lambda room, time: otp.send_after(room.counter, "never", time),
    "send_interval seconds": lambda room, time: otp.send_interval(room.counter, "never", time),
    "sleep seconds": lambda room, time: otp.sleep(time),
    "transcribe timeout": lambda room, time: ra.transcribe(timeout=time),
}
"""What has to have an end."""

ABOVE_ZERO = {
    *("ServerLimits open_timeout", "ServerLimits ping_timeout", "ServerLimits write_timeout"),
    *("ServerLimits ping_interval", "RunConfig stall_timeout"),
    "GuardrailsSettings verdict_timeout",
    *("ConnectOptions ping_interval", "ConnectOptions ping_timeout"),
    *("ModelConfig ping_interval", "ModelConfig ping_timeout"),
    *("RunConfig approval_timeout", "RunConfig idle_timeout", "RunConfig max_duration"),
    *("RunConfig tool_timeout", "Tool timeout", "tool timeout", "ModelConfig connect_timeout"),
    *("Supervisor.init max_seconds", "DynamicSupervisor.init max_seconds"),
    *("Runner.run timeout", "run timeout", "transcribe timeout", "send_interval seconds"),
}


@frozen
class Room:
    """What there is to be asked for something within a time."""

    client: otp.Client
    counter: Any
    tasks: Any
    calls: Any
    supervisor: Any
    session: ra.Session
    script: ScriptedTransport

    def task(self) -> otp.TaskRef:
        return otp.Task.async_(lambda: 5)

    def one_message(self) -> otp.Client:
        self.client.messages()
        otp.send(self.client.ref, "a message")
        return self.client


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    script = ScriptedTransport(strict=False)
    kinds = (Counter, otp.TaskSupervisor, otp.DynamicSupervisor, otp.Supervisor)
    with otp.Client() as client, ra.run(ra.agent(), transport=script) as session:
        servers: list[Any] = [otp.start(kind) for kind in kinds]
        counter, tasks, calls, supervisor = servers
        yield Room(client, counter, tasks, calls, supervisor, session, script)
        for each in servers:
            otp.stop(each)


class Given(otp.GenServer):
    """Starts with what it is given, and returns what it is called with."""

    def init(self, first: otp.Ok) -> otp.Ok:
        return first

    def handle_call(self, message: Any, from_: otp.From, state: Any) -> Any:
        otp.reply(from_, "answered")
        return message


def stopping(server: otp.ServerRef | None) -> None:
    """Stop what was started, which is not nothing."""
    assert server is not None
    otp.stop(server)


def started(cls: type[otp.GenServer], *args: Any, **kwargs: Any) -> None:
    """Start a server and stop it; raise what it could not start for."""
    try:
        stopping(otp.start(cls, *args, **kwargs))
    except otp.StartFailed as failed:
        raise cast(Exception, failed.reason) from None


def returned(value: otp.Reply | otp.NoReply) -> None:
    """Have a callback return this; raise what the server died of."""
    given: Any = otp.start(Given, otp.Ok())
    otp.call(given, value)
    try:
        otp.stop(given)
    except otp.CallExit as exit_:
        if isinstance(exit_.reason, tuple):
            raise exit_.reason[0] from None
        raise given._process.reason from None


def stopped(stop: Callable[[Any], object]) -> None:
    """Start a server, and stop it like this."""
    given: Any = otp.start(Counter)
    try:
        stop(given)
    finally:
        otp.exit_signal(given, otp.KILL)


def unlimited_pings(time: Any) -> None:
    given = ServerLimits(ping_interval=time).ping_interval
    assert given is None or given < LONGEST


def nothing() -> None:
    """Do nothing."""


def unconnected(make: Callable[[ConnectOptions, Any], Transport]) -> Transport:
    return make(ConnectOptions(url="ws://127.0.0.1"), dialect("ga"))


def public_times() -> Iterator[str]:
    """Every such parameter of a public function or method."""
    for module in map(importlib.import_module, PUBLIC):
        for name in module.__all__:
            offered = getattr(module, name)
            if not str(getattr(offered, "__module__", "")).startswith("realtime_actors"):
                continue
            members = vars(offered).items() if inspect.isclass(offered) else ()
            methods = [(f"{name}.{key}", each) for key, each in members if key[0] != "_"]
            for called, function in [(name, offered), *methods]:
                for parameter in parameters_of(getattr(function, "__func__", function)):
                    if A_TIME.search(parameter) and not parameter.endswith("_ms"):
                        yield f"{called} {parameter}"


def parameters_of(function: Any) -> Iterable[str]:
    try:
        return inspect.signature(function).parameters if callable(function) else ()
    except (TypeError, ValueError):  # written in C, or without a signature
        return ()


def test_every_public_time_is_in_one_of_the_tables():
    known = UNLIMITED.keys() | LIMITED.keys() | NO_TIME.keys()
    assert set(public_times()) - known == set()


@pytest.mark.parametrize("name", [*UNLIMITED, *LIMITED])
def test_what_is_no_length_of_time_is_refused(name: str, room: Room):
    for value in BAD:
        with pytest.raises(ra.ConfigError, match="allowed are seconds"):
            (UNLIMITED | LIMITED)[name](room, value)


@pytest.mark.parametrize("name", UNLIMITED)
def test_infinity_means_none_where_there_may_be_no_limit(name: str, room: Room):
    UNLIMITED[name](room, None)
    UNLIMITED[name](room, math.inf)


@pytest.mark.parametrize("name", LIMITED)
def test_infinity_and_none_are_refused_where_there_has_to_be_a_limit(name: str, room: Room):
    for value in (None, math.inf):
        with pytest.raises(ra.ConfigError, match="allowed are seconds"):
            LIMITED[name](room, value)


@pytest.mark.parametrize("name", sorted(ABOVE_ZERO))
def test_zero_is_refused_where_it_would_be_no_time_at_all(name: str, room: Room):
    with pytest.raises(ra.ConfigError, match="seconds above 0"):
        (UNLIMITED | LIMITED)[name](room, 0)


def test_after_all_that_timers_still_fire(room: Room):
    otp.send_after(room.client.ref, "a timer", 0.001)
    assert room.client.receive(5.0, match=lambda each: each == "a timer") == "a timer"
