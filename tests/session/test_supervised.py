"""Sessions with names, and as children of a supervisor."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import AgentEndEvent, ConnectionEvent, Event
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport
from tests.wrong import wrong


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted() as server:
        yield server


@pytest.fixture
def supervisor() -> Iterator[otp.DynamicSupervisorRef]:
    supervisor = otp.start(otp.DynamicSupervisor)
    yield supervisor
    supervisor.stop()


def test_a_session_is_found_by_its_name(server):
    with ra.run(ra.agent(), model_config={"url": server.url}, name="line one") as session:
        probe = Probe(session)
        ra.send_message("line one", "Hi")
        probe.wait_for(AgentEndEvent)

        assert otp.whereis("line one") is session
        assert len(ra.history("line one")) == 2
    with pytest.raises(ra.ConfigError, match="line one"):
        ra.history("line one")


def test_a_name_that_is_taken_is_refused(server):
    config = {"url": server.url}
    with (
        ra.run(ra.agent(), model_config=config, name="busy"),
        pytest.raises(ra.StartError, match="the name 'busy' is taken by <Session 'busy' "),
    ):
        ra.run(ra.agent(), model_config=config, name="busy")


def test_a_session_is_found_in_a_registry(server):
    place = otp.via(otp.Registry(), "+44 20 7946 0000")
    with ra.run(ra.agent(), model_config={"url": server.url}, name=place) as session:
        assert otp.whereis(place) is session
        assert ra.current_agent(place).name == "Agent"
    assert otp.whereis(place) is None


@pytest.mark.parametrize("wrong", ["calls", object(), 5])
def test_what_is_no_supervisor_is_refused(wrong):
    with pytest.raises(ra.ConfigError, match="supervisor is "):
        ra.run(ra.agent(), transport=ScriptedTransport(strict=False), supervisor=wrong)


def test_a_supervisor_whose_children_are_known_beforehand_is_refused():
    supervisor = otp.start(otp.Supervisor, [])
    with pytest.raises(ra.ConfigError, match="a DynamicSupervisor starts them"):
        ra.run(ra.agent(), transport=ScriptedTransport(strict=False), supervisor=wrong(supervisor))
    supervisor.stop()


def test_a_supervisor_may_be_given_by_its_name():
    supervisor = otp.start(otp.DynamicSupervisor, name="calls")
    with ra.run(ra.agent(), transport=ScriptedTransport(strict=False), supervisor=wrong("calls")):
        assert supervisor.count_children().active == 1
    supervisor.stop()


def test_a_supervisor_that_is_full_or_gone_says_so():
    full = otp.start(otp.DynamicSupervisor, max_children=0)
    with pytest.raises(ra.StartError, match="has no room for another session"):
        ra.run(ra.agent(), transport=ScriptedTransport(strict=False), supervisor=full)
    full.stop()
    with pytest.raises(ra.StartError, match="the supervisor has ended"):
        ra.run(ra.agent(), transport=ScriptedTransport(strict=False), supervisor=full)


def test_handle_and_subscriptions_outlive_a_restart(server, supervisor):
    session = ra.run(ra.agent(), model_config={"url": server.url}, supervisor=supervisor)
    probe = Probe(session)
    otp.exit_signal(session, otp.KILL)

    assert [probe.wait_for(ConnectionEvent).state for _ in range(3)] == [
        "lost",
        "connecting",
        "connected",
    ]
    session.send_message("Are you there?")
    assert probe.wait_for(AgentEndEvent).status == "completed"
    assert session.incarnation == 2
    session.close()
    assert probe.wait_for(ConnectionEvent).state == "closed"
    assert supervisor.count_children().active == 0


def test_nothing_is_closed_by_a_failure_after_which_it_starts_again(server, supervisor):
    session = ra.run(ra.agent(), model_config={"url": server.url}, supervisor=supervisor)
    probe = Probe(session)
    otp.stop(session, "a failure")

    states = [probe.wait_for(ConnectionEvent).state for _ in range(3)]
    assert states == ["lost", "connecting", "connected"]


@pytest.mark.parametrize("restart", ["temporary", otp.Restart.TEMPORARY])
@pytest.mark.parametrize(
    "end",
    [lambda session: otp.exit_signal(session, otp.KILL), lambda session: otp.stop(session, "no")],
)
def test_one_that_is_never_started_again_is_closed_by_a_failure(server, supervisor, restart, end):
    where = {"url": server.url}
    session = ra.run(ra.agent(), model_config=where, supervisor=supervisor, restart=restart)
    events = session.events(timeout=5)
    end(session)

    with contextlib.suppress(ra.SessionClosedError):
        for event in events:
            last = event
    assert last.state == "closed"


def test_what_ends_it_after_it_was_closed_and_started_again_was_not_asked_for(server, supervisor):
    where = {"url": server.url}
    session = ra.run(ra.agent(), model_config=where, supervisor=supervisor, restart="permanent")
    probe = Probe(session)
    session.close()
    probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")
    otp.exit_signal(session, otp.KILL)

    lost = probe.wait_for(ConnectionEvent)
    assert (lost.state, str(lost.error)) == ("lost", "the session was killed")


def test_a_session_that_is_too_busy_to_be_closed_is_not_started_again(server, supervisor):
    busy, go_on = threading.Event(), threading.Event()

    class Doorkeeper:
        def put(self, message):
            busy.set()
            assert go_on.wait(timeout=10)

    session = ra.run(ra.agent(), model_config={"url": server.url}, supervisor=supervisor)
    session.subscribe(Doorkeeper(), only=AgentEndEvent)
    session.send_message("Hi")
    assert busy.wait(timeout=10)
    session.close(timeout=0.1)
    go_on.set()

    assert supervisor.count_children().active == 0
    assert session.incarnation == 1


def test_who_reads_events_learns_that_a_supervisor_has_given_up(server):
    calls = otp.start(otp.DynamicSupervisor, max_restarts=0)
    session = ra.run(ra.agent(), model_config={"url": server.url}, supervisor=calls)
    stream, seen = session.events(), list[Event]()
    otp.exit_signal(session, otp.KILL)

    with pytest.raises(ra.SessionClosedError, match="supervisor"):
        seen.extend(stream)
    assert [event.state for event in seen if isinstance(event, ConnectionEvent)] == ["lost"]
    with pytest.raises(StopIteration):
        next(stream)


def test_the_end_of_a_supervisor_closes_its_sessions(server, supervisor):
    sessions = [
        ra.run(ra.agent(), model_config={"url": server.url}, supervisor=supervisor)
        for _ in range(3)
    ]
    probes = [Probe(session) for session in sessions]
    otp.stop(supervisor)

    assert [probe.wait_for(ConnectionEvent).state for probe in probes] == ["closed"] * 3
    assert not any(session.is_alive() for session in sessions)


def test_what_cannot_connect_is_no_child(supervisor):
    with RealtimeServer.scripted() as server:
        url = server.url
    with pytest.raises(ra.StartError):
        ra.run(ra.agent(), model_config={"url": url}, supervisor=supervisor)

    assert supervisor.count_children().active == 0


class Once:
    """A transport factory that does something else after the first time."""

    def __init__(self, then):
        self._made = 0
        self._then = then

    def __call__(self, options, dialect):
        self._made += 1
        if self._made > 1:
            self._then()
        return ScriptedTransport(strict=False)(options, dialect)


def no_more_sockets():
    raise OSError("no more sockets")


def leave():
    raise SystemExit


@pytest.mark.parametrize("then", [no_more_sockets, leave])
def test_a_restart_that_fails_ends_that_session_and_no_other(supervisor, then):
    other = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=wrong(supervisor)
    )
    session = ra.run(ra.agent(), transport=Once(then), supervisor=supervisor)
    stream = session.events(timeout=5)
    otp.exit_signal(session, otp.KILL)

    with pytest.raises(ra.RealtimeError, match="connecting failed"):
        list(stream)
    assert (session.is_alive(), other.is_alive()) == (False, True)
    other.send_message("still there")


def test_a_restart_that_hangs_holds_up_nobody_else(supervisor):
    hold = threading.Event()
    session = ra.run(ra.agent(), transport=Once(lambda: hold.wait(5)), supervisor=supervisor)
    otp.exit_signal(session, otp.KILL)

    other = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=supervisor, timeout=1
    )

    assert other.is_alive()
    session.close()
    hold.set()


def test_a_session_whose_name_was_taken_meanwhile_ends_alone(supervisor):
    other = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=wrong(supervisor)
    )
    session = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=supervisor, name="line"
    )
    thief = otp.start(Thief)

    class Steal:
        def put(self, message):
            otp.register("line", thief)

    session.subscribe(Steal(), only=ConnectionEvent)
    stream = session.events(timeout=5)
    otp.exit_signal(session, otp.KILL)

    with pytest.raises(ra.SessionFailedError, match=r"could not be started again.*is taken"):
        list(stream)
    with pytest.raises(ra.SessionClosedError, match="could not be started again"):
        session.send_message("too late")
    assert other.is_alive()
    otp.stop(thief)


class Thief(otp.GenServer):
    """Takes a name."""


def test_starting_a_call_takes_no_longer_than_it_may_whatever_the_supervisor_does(supervisor):
    hold = threading.Event()

    class Slow(otp.GenServer):
        def init(self):
            hold.wait(5)
            return otp.Ok()

    busy = threading.Thread(target=lambda: supervisor.start_child(otp.child_spec(Slow)))
    busy.start()
    with pytest.raises(ra.StartError, match=r"within 0\.2 s: it is busy") as late:
        ra.run(
            ra.agent(),
            transport=ScriptedTransport(strict=False),
            supervisor=supervisor,
            timeout=0.2,
        )
    assert late.value.cause is ra.errors.StartCause.TIMEOUT
    hold.set()
    busy.join()
    assert supervisor.count_children().active == 1  # nothing is left of the call that was given up
