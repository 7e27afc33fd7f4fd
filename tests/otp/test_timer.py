"""Timers, by a clock that stands still until it is moved, and once by the real one."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from realtime_actors import otp
from realtime_actors.errors import ConfigError
from tests.otp.actors import SOON, Server


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


@pytest.fixture
def clock() -> Iterator[otp.FakeClock]:
    with otp.fake_clock() as clock:
        yield clock


def test_messages_come_when_they_are_due_in_that_order(client, clock):
    otp.send_after(client.ref, "second", 2.0)
    otp.send_after(client.ref, "first", 1.0)
    otp.send_after(client.ref, "third", 2.0)

    clock.advance(0.999)
    assert client.messages() == []
    clock.advance(0.001)
    assert client.messages() == ["first"]
    clock.advance(10.0)
    assert client.messages() == ["second", "third"]


def test_a_timer_can_be_read_and_taken_back(client, clock):
    timer = otp.send_after(client.ref, "never", 3.0)
    clock.advance(1.0)
    assert otp.read_timer(timer) == 2.0
    assert otp.cancel_timer(timer) == 2.0
    assert otp.cancel_timer(timer) is False
    assert otp.read_timer(timer) is False
    clock.advance(10.0)
    assert client.messages() == []


def test_what_has_fired_cannot_be_taken_back(client, clock):
    timer = otp.send_after(client.ref, "sent", 1.0)
    clock.advance(1.0)
    assert otp.cancel_timer(timer) is False
    assert client.messages() == ["sent"]


def test_an_interval_goes_on_until_it_is_cancelled(client, clock):
    timer = otp.send_interval(client.ref, "tick", 0.5)
    clock.advance(1.75)
    assert client.messages() == ["tick"] * 3
    assert otp.read_timer(timer) == 0.25
    assert otp.cancel_timer(timer) == 0.25
    clock.advance(5.0)
    assert client.messages() == []


def test_a_timer_ends_with_its_target(client, clock):
    server = otp.start(Server)
    once, again = otp.send_after(server, "x", 1.0), otp.send_interval(server, "x", 1.0)
    otp.stop(server)
    assert otp.read_timer(once) is False
    assert otp.read_timer(again) is False
    assert otp.read_timer(otp.send_after(server, "x", 1.0)) is False


def test_a_name_is_looked_up_when_the_timer_fires(client, clock):
    otp.send_after("somebody", "lost", 1.0)
    otp.send_after("somebody", "found", 2.0)
    clock.advance(1.0)
    otp.register("somebody", client.ref)
    clock.advance(1.0)
    assert client.messages() == ["found"]


def test_a_cancelled_timer_keeps_nothing_alive(client, clock):
    class Large:
        pass

    large = Large()
    gone = weakref.ref(large)
    timer = otp.send_after(client.ref, large, 1000.0)
    otp.cancel_timer(timer)
    del large
    gc.collect()
    assert gone() is None


def test_the_real_clock_fires_too(client):
    otp.send_after(client.ref, "second", 0.02)
    timer = otp.send_interval(client.ref, "first", 0.005)
    assert client.receive(SOON) == "first"
    assert client.receive(SOON) == "first"
    otp.cancel_timer(timer)
    assert client.receive(SOON, match=lambda each: each == "second") == "second"


def test_many_timers_are_no_trouble(client):
    timers = [otp.send_after(client.ref, "never", 1000.0) for _ in range(5000)]
    otp.send_after(client.ref, "now", 0.0)
    assert client.receive(SOON) == "now"
    for timer in timers:
        assert otp.cancel_timer(timer)


def told(tell: Callable[[Any], None]) -> pykka.ActorRef[Any]:
    """The ref of a plain actor that does this with what it is told, in the teller's thread."""

    class Ref(pykka.ActorRef[Any]):
        def tell(self, message: Any) -> None:
            tell(message)

    return Ref(Plain())


class Plain(pykka.ThreadingActor):
    use_daemon_thread = True


def test_a_timer_that_fails_in_any_way_ends_no_other(client):
    def leave(message: Any) -> None:
        raise SystemExit(message)

    otp.send_after(told(leave), "fails", 0.001)
    otp.send_after(client.ref, "fires", 0.02)
    assert client.receive(SOON) == "fires"


def test_an_interval_that_is_always_late_leaves_others_their_time(client):
    pause, ticks = threading.Event(), []

    def tell(message: Any) -> None:
        ticks.append(message)
        pause.wait(0.005)

    timer = otp.send_interval(told(tell), "tick", 0.001)
    otp.send_after(client.ref, "the other", 0.1)
    assert client.receive(SOON) == "the other"
    otp.cancel_timer(timer)
    assert len(ticks) < 50


def test_an_interval_of_less_than_a_millisecond_is_refused(client, clock):
    for seconds in (1e-300, 0.0009):
        with pytest.raises(ConfigError, match="a millisecond or more"):
            otp.send_interval(client.ref, "tick", seconds)


def test_a_callback_that_returns_no_time_ends_its_server_and_not_the_caller(client):
    server = otp.start(Server)
    monitor = otp.monitor(server)
    answer = server.ask(lambda server, from_, state: otp.Reply("answered", 0, timeout=float("nan")))
    assert answer == "answered"  # as on the BEAM
    down = client.receive(SOON)
    assert down.monitor_ref is monitor
    assert str(down.reason) == (
        "the timeout that a callback has returned is nan: allowed are seconds, or None"
    )
