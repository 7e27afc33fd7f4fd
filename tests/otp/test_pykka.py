"""pykka's own ways go on working: on our servers, and beside them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Counter, Server, down_of


class Plain(pykka.ThreadingActor):
    """An actor that has never heard of us."""

    use_daemon_thread = True

    def __init__(self, told: list[Any] | None = None) -> None:
        super().__init__()
        self.told = [] if told is None else told
        self.arrived = threading.Event()

    def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise RuntimeError("boom")
        self.told.append(message)
        return ("plain", message)


@pytest.fixture(autouse=True)
def all_stopped() -> Iterator[None]:
    yield
    pykka.ActorRegistry.stop_all()
    assert pykka.ActorRegistry.get_all() == []


def test_start_ask_tell_stop_work_as_pykka_spells_them():
    counter = Counter.start(5)
    assert isinstance(counter, pykka.ActorRef)
    assert counter.ask("get") == 5
    assert counter.ask("get", block=False).get(timeout=SOON) == 5
    counter.tell("count")
    assert counter.ask("get", timeout=SOON) == 6
    assert counter.is_alive()
    assert counter.stop() is True
    assert counter.stop() is False
    assert not counter.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        counter.ask("get")


def test_stop_need_not_wait():
    counter = Counter.start()
    first, second = counter.stop(block=False), counter.stop(block=False)
    assert (first.get(timeout=SOON), second.get(timeout=SOON)) == (True, True)
    assert counter.stop(block=False).get(timeout=SOON) is False


def test_futures_can_be_mapped_and_joined():
    counter = Counter.start(2)
    futures = [counter.ask(("add", 1), block=False) for _ in range(3)]
    assert futures[0].map(lambda value: value * 10).get(timeout=SOON) == 30
    assert futures[0].join(*futures[1:]).get(timeout=SOON) == [3, 4, 5]


def test_a_future_may_be_asked_again_after_a_timeout():
    server, kept = otp.start(Server), list[otp.From]()
    future = server.ask(
        lambda server, from_, state: kept.append(from_) or otp.NoReply(state), block=False
    )
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.01)
    while not kept:
        server.ask(lambda *_: otp.Reply(None, None))
    otp.reply(kept[0], "at last")
    assert future.get(timeout=SOON) == "at last"


def test_a_proxy_shows_public_methods_and_the_state():
    proxy = Counter.start(7).proxy()
    assert proxy.double(21).get(timeout=SOON) == 42
    assert proxy.state.get(timeout=SOON) == 7
    with pytest.raises(KeyError, match="no such thing"):
        proxy.fail().get(timeout=SOON)
    assert proxy.state.get(timeout=SOON) == 7  # it was called like a method, so it lives
    proxy.label = "till"
    assert proxy.label.get(timeout=SOON) == "till"


def test_a_method_that_fails_with_nobody_waiting_ends_the_server():
    with otp.Client() as client:
        started: Any = otp.start_monitor(Counter)
        counter, _ = started
        counter.proxy().fail.defer()
        assert repr(client.receive(SOON).reason) == "KeyError('no such thing')"


def test_a_server_may_stop_itself():
    class Quitter(otp.GenServer):
        def handle_cast(self, message: Any, state: Any) -> otp.NoReply:
            self.stop()
            return otp.NoReply(state)

    with otp.Client() as client:
        quitter, _ = otp.start_monitor(Quitter)
        quitter.tell("quit")
        assert client.receive(SOON).reason == otp.NORMAL


def test_the_registry_knows_servers_until_their_end():
    counter, plain = Counter.start(), Plain.start()
    assert pykka.ActorRegistry.get_by_class(Counter) == [counter]
    assert pykka.ActorRegistry.get_by_urn(counter.actor_urn) is counter
    pykka.ActorRegistry.broadcast("count")
    assert counter.ask("get") == 1
    assert plain.proxy().told.get() == ["count"]
    assert len(pykka.ActorRegistry.stop_all()) == 2
    assert not counter.is_alive()


def test_a_plain_actor_is_sent_to_and_called_like_any_other():
    plain = Plain.start()
    otp.send(plain, "sent")
    otp.cast(plain, "cast")
    assert otp.call(plain, "asked") == ("plain", "asked")
    assert plain.proxy().told.get() == ["sent", "cast", "asked"]
    otp.stop(plain)
    otp.send(plain, "too late")
    with pytest.raises(otp.CallExit, match="noproc"):
        otp.call(plain, "too late")
    with pytest.raises(otp.CallExit, match="noproc"):
        otp.stop(plain)


def test_a_plain_actor_can_have_a_name():
    plain = Plain.start()
    otp.register("plain", plain)
    assert otp.whereis("plain") is plain
    assert otp.call("plain", 1) == ("plain", 1)
    with otp.Client() as client:
        plain.stop()
        assert down_of(plain, client).reason == otp.NOPROC
    otp.send(plain, "looks after it")


def test_the_end_of_a_plain_actor_is_noticed():
    with otp.Client() as client:
        plain = Plain.start()
        watch = otp.monitor(plain)
        plain.tell("crash")
        assert client.receive(SOON) == otp.Down(watch, plain, "unknown")
        assert down_of(plain, client).reason == otp.NOPROC


def test_a_plain_actor_can_be_supervised():
    started: list[Any] = []

    def start() -> Any:
        started.append(Plain.start())
        return started[-1]

    supervisor: Any = otp.start(otp.Supervisor, [otp.ChildSpec(id="plain", start=start)])
    assert [each.ref for each in supervisor.children()] == started
    started[0].tell("crash")
    deadline = threading.Event()
    while len(started) < 2:
        deadline.wait(0.01)
    assert otp.call(started[1], "hello") == ("plain", "hello")
    otp.stop(supervisor)
    started[1].actor_stopped.wait(SOON)
    assert not started[1].is_alive()


def test_a_plain_actor_may_use_our_servers():
    class User(pykka.ThreadingActor):
        use_daemon_thread = True

        def on_receive(self, counter: Any) -> Any:
            counter.tell("count")
            return counter.ask("get")

    assert User.start().ask(Counter.start(1), timeout=SOON) == 2


def test_what_we_rely_on_in_pykka_is_still_there():
    """Hooks that pykka calls internal: look here first when a new version comes."""
    assert {"_create_actor_inbox", "_start_actor_loop", "_actor_loop", "_handle_receive"} <= set(
        dir(pykka.ThreadingActor)
    )
    source = inspect.getsource(pykka.Actor)
    assert "self.actor_inbox = self._create_actor_inbox()" in source
    assert "self._actor_ref = ActorRef(self)" in source
    assert list(inspect.signature(pykka.ActorRef.__init__).parameters) == ["self", "actor"]
    assert pykka.messages._ActorStop() == ()
