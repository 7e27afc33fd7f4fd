"""Sessions with names, and as children of a supervisor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import AgentEndEvent, ConnectionEvent
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe


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
        pytest.raises(ra.StartError, match="already_started"),
    ):
        ra.run(ra.agent(), model_config=config, name="busy")


def test_a_session_is_found_in_a_registry(server):
    place = otp.via(otp.Registry(), "+44 20 7946 0000")
    with ra.run(ra.agent(), model_config={"url": server.url}, name=place) as session:
        assert otp.whereis(place) is session
        assert ra.current_agent(place).name == "Agent"
    assert otp.whereis(place) is None


def test_handle_and_subscriptions_outlive_a_restart(server, supervisor):
    session = ra.run(ra.agent(), model_config={"url": server.url}, supervisor=supervisor)
    probe = Probe(session)
    otp.exit_signal(session, otp.KILL)

    assert [probe.wait_for(ConnectionEvent).state for _ in range(2)] == [
        "disconnected",
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

    states = [probe.wait_for(ConnectionEvent).state for _ in range(2)]
    assert states == ["disconnected", "connected"]


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
