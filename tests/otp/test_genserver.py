"""Servers: what starts them, what they answer, and what ends them."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Counter, Server, down_of
from tests.wrong import wrong


@pytest.fixture
def counter():
    counter = otp.start(Counter, 10)
    yield counter
    counter.stop()


def test_a_server_answers_and_keeps_its_state(counter):
    assert otp.call(counter, ("add", 5)) == 15
    otp.cast(counter, "whatever")
    assert otp.call(counter, "get") == 16


def test_an_error_that_was_foreseen_is_raised_at_the_caller_and_the_server_lives(counter):
    with pytest.raises(ValueError, match="not today"):
        counter.ask("refuse")
    assert counter.ask("get") == 10


def test_an_error_that_was_not_foreseen_ends_the_server():
    counter = otp.start(Counter)

    with pytest.raises(otp.CallExit) as caught:
        counter.ask("crash")

    assert repr(caught.value.reason) == "RuntimeError('boom')"
    assert caught.value.__cause__ is caught.value.reason
    assert caught.value.call.operation == "GenServer.call"
    assert caught.value.call.target is counter
    assert not counter.is_alive()


def test_an_exit_carries_its_reason_to_the_caller():
    with pytest.raises(otp.CallExit) as caught:
        otp.start(Counter).ask("what?")

    assert caught.value.reason == ("unknown", "what?")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_nothing_that_a_handler_raises_ends_any_other_actor(counter, error):
    def give_up(*_: object) -> object:
        raise error

    bystander, plain = otp.start(Server), pykka.ThreadingActor.start()
    victim = otp.start(Server)
    with pytest.raises(otp.CallExit):
        victim.ask(give_up)

    assert not victim.is_alive()
    assert bystander.is_alive()
    assert counter.ask("get") == 10
    assert plain.is_alive()
    pykka.ActorRegistry.stop_all()


def test_a_call_to_nobody_exits_at_once():
    counter: Any = otp.start(Counter)
    otp.stop(counter)

    for nobody in (counter, "nobody has this name"):
        with pytest.raises(otp.CallExit) as caught:
            otp.call(nobody, "get")
        assert caught.value.reason == otp.NOPROC
        assert isinstance(caught.value, pykka.ActorDeadError)


def test_what_nobody_waits_for_is_silent_when_the_server_is_gone():
    counter: Any = otp.start(Counter)
    otp.stop(counter)

    counter.tell("x")
    otp.cast(counter, "x")
    otp.cast("nobody has this name", "x")
    otp.send(counter, "x")
    with pytest.raises(otp.NoProcessError):
        otp.send("nobody has this name", "x")


def test_a_timeout_is_pykkas_and_pythons():
    server = otp.start(Server)

    with pytest.raises(otp.CallTimeout) as caught:
        server.ask(lambda server, from_, state: otp.NoReply(state), timeout=0.01)

    assert isinstance(caught.value, pykka.Timeout)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, otp.Exit)
    assert caught.value.reason == otp.TIMEOUT
    otp.stop(server)


def test_a_call_may_be_answered_later_by_any_thread():
    server, later = otp.start(Server), []

    def keep(server: Any, from_: otp.From, state: Any) -> otp.NoReply:
        later.append(from_)
        return otp.NoReply(state)

    future = server.ask(keep, block=False)
    server.ask(lambda *_: otp.Reply(None, None))
    thread = threading.Thread(target=otp.reply, args=(later[0], "at last"))
    thread.start()

    assert future.get(timeout=SOON) == "at last"
    assert future.get() == "at last"
    thread.join()
    otp.stop(server)


def test_whoever_waits_for_a_later_answer_hears_of_the_end():
    server = otp.start(Server)
    future = server.ask(lambda server, from_, state: otp.NoReply(state), block=False)
    otp.stop(server, "enough")

    with pytest.raises(otp.CallExit) as caught:
        future.get(timeout=SOON)
    assert caught.value.reason == "enough"


def test_a_server_that_ignores_its_start_is_none():
    class Unwilling(otp.GenServer):
        def init(self) -> otp.Ignore:
            return otp.Ignore()

    assert otp.start(Unwilling) is None
    with pytest.raises(otp.StartFailed, match="ignore"):
        Unwilling.start()


def test_a_start_that_fails_says_why_and_leaves_nothing():
    class Broken(otp.GenServer):
        def init(self, how: object) -> Any:
            if isinstance(how, BaseException):
                raise how
            return how

    error = RuntimeError("no disk")
    for how, reason in (
        (error, error),
        (SystemExit(1), None),
        (otp.Stop("bad config"), "bad config"),
        (otp.Exit("odd"), "odd"),
        (42, ("bad_return_value", 42)),
    ):
        with pytest.raises(otp.StartFailed) as caught:
            otp.start(Broken, how, name="broken")
        assert caught.value.reason == (how if reason is None else reason)
        assert otp.whereis("broken") is None
    assert pykka.ActorRegistry.get_all() == []


def test_a_start_that_takes_too_long_is_given_up():
    hold = threading.Event()

    class Slow(otp.GenServer):
        def init(self) -> otp.Ok:
            hold.wait(SOON)
            return otp.Ok()

    with pytest.raises(otp.StartFailed, match="timeout"):
        otp.start(Slow, timeout=0.01, name="slow")

    assert otp.whereis("slow") is None
    assert otp.detached_count() == 1
    hold.set()


def test_a_name_has_one_holder():
    first = otp.start(Counter, name="the counter")
    with pytest.raises(otp.StartFailed) as caught:
        otp.start(Counter, name="the counter")
    assert caught.value.reason == ("already_started", first)
    assert otp.registered() == ("the counter",)
    assert otp.call("the counter", ("add", 1)) == 1
    otp.stop("the counter")
    assert otp.whereis("the counter") is None


def test_a_name_can_be_given_and_taken_later(counter):
    otp.register("late", counter)
    assert otp.whereis("late") is counter
    with pytest.raises(ValueError, match="late"):
        otp.register("late", counter)
    otp.unregister("late")
    otp.unregister("late")
    assert otp.whereis("late") is None


def test_stop_runs_terminate_with_the_last_state():
    seen = []

    class Tidy(Counter):
        def terminate(self, reason: otp.Reason, state: int) -> None:
            seen.append((reason, state, self.actor_ref.is_alive(), otp.whereis("tidy") is not None))

    tidy: Any = otp.start(Tidy, 1, name="tidy")
    tidy.tell("count")
    otp.stop(tidy, ("shutdown", "over"))

    assert seen == [(("shutdown", "over"), 2, True, True)]


def test_a_handler_that_fails_has_changed_nothing():
    seen = []

    class Honest(Server):
        def terminate(self, reason: otp.Reason, state: Any) -> None:
            seen.append(state)

    server = otp.start(Honest, ("old",))
    server.ask(lambda server, from_, state: otp.Reply(None, (*state, "new")))
    with pytest.raises(otp.CallExit):
        server.ask(lambda server, from_, state: wrong(state).no_such_thing)

    assert seen == [("old", "new")]


@pytest.mark.parametrize("kind", ["call", "cast", "info"])
def test_what_is_no_answer_ends_the_server(kind):
    with otp.Client() as client:
        server, _ = otp.start_monitor(Server)
        if kind == "call":
            server.ask(lambda *_: "nonsense", block=False)
        else:
            (otp.cast if kind == "cast" else otp.send)(server, lambda *_: "nonsense")
        assert client.receive(SOON).reason == ("bad_return_value", "nonsense")


def test_a_cast_cannot_be_replied_to():
    with otp.Client() as client:
        server, _ = otp.start_monitor(Server)
        otp.cast(server, lambda *_: otp.Reply(1, 2))
        assert client.receive(SOON).reason == ("bad_return_value", otp.Reply(1, 2))


def test_stop_in_a_handler_keeps_the_state_unless_it_gives_one():
    seen = []

    class Last(Server):
        def terminate(self, reason: otp.Reason, state: Any) -> None:
            seen.append(state)

    for answer in (otp.Stop("normal"), otp.Stop("normal", None), otp.Stop("normal", "new", "bye")):
        server = otp.start(Last, "old")
        if answer.reply is otp.NOTHING:
            with pytest.raises(otp.CallExit):
                server.ask(lambda *_, answer=answer: answer)
        else:
            assert server.ask(lambda *_, answer=answer: answer) == "bye"
    assert seen == ["old", None, "new"]


def test_a_handle_of_its_own_class_outlives_a_restart():
    class Till(otp.ServerRef):
        def add(self, number: int) -> int:
            total: Any = self.ask(("add", number))
            return int(total)

    till: Any = otp.start(Counter, ref_class=Till)
    assert till.add(5) == 5
    urn = till.actor_urn
    with pytest.raises(otp.StartFailed, match="is taken by"):
        otp.start(Counter, ref=till)
    otp.stop(till)
    with pytest.raises(otp.CallExit):
        till.add(1)

    again: Any = otp.start(Counter, 100, ref=till)

    assert again is till
    with pytest.raises(otp.StartFailed, match="is taken by"):
        otp.start(Counter, ref=till, name="any")
    assert otp.whereis("any") is None
    assert till.add(1) == 101
    assert (till.incarnation, till.actor_urn) == (2, urn)
    found: Any = pykka.ActorRegistry.get_by_urn(urn)
    assert found is till
    otp.stop(till)


def test_the_idle_timeout_comes_once_and_only_when_idle():
    class Idle(otp.GenServer):
        def init(self, to: otp.ClientRef) -> otp.Ok:
            return otp.Ok(to, timeout=0.0)

        def handle_info(self, message: Any, state: otp.ClientRef) -> otp.NoReply:
            otp.send(state, message)
            return otp.NoReply(state)

    with otp.Client() as client:
        idle = otp.start(Idle, client.ref)
        assert client.receive(SOON) == otp.TIMEOUT
        otp.send(idle, "hello")
        assert client.receive(SOON) == "hello"
        otp.stop(idle)
        assert client.messages() == []


def test_a_link_ends_both_unless_one_traps_exits():
    with otp.Client(trap_exit=True) as client:
        server = otp.start_link(Server)
        otp.cast(server, lambda *_: otp.Stop("odd"))
        assert client.receive(SOON) == otp.ExitMessage(server, "odd")

        one, other = otp.start(Server), otp.start(Server)
        one.ask(lambda *_: otp.Reply(otp.link(other), None))
        watch = otp.monitor(one)
        otp.exit_signal(other, otp.KILL)
        assert client.receive(SOON) == otp.Down(watch, one, otp.KILLED)


def test_a_signal_from_a_thread_that_is_no_process_is_trapped_too():
    with otp.Client() as client:
        server, _ = otp.start_monitor(Server, trap_exit=True)
        thread = threading.Thread(target=otp.exit_signal, args=(server, "go away"))
        thread.start()
        thread.join()
        server.ask(lambda *_: otp.Reply(None, None))
        assert server.is_alive()
        otp.exit_signal(server, otp.KILL)
        assert client.receive(SOON).reason == otp.KILLED


def test_a_starter_that_does_not_trap_exits_ends_with_its_child():
    def start_something_broken() -> None:
        class Broken(otp.GenServer):
            def init(self) -> otp.Stop:
                return otp.Stop("bad config")

        otp.start_link(Broken)

    with otp.Client() as client:
        task, _ = otp.Task.start_monitor(start_something_broken)
        assert client.receive(SOON).reason == "bad config"
        assert not task.is_alive()


def test_monitors_come_once_each(counter):
    with otp.Client() as client:
        first, second = otp.monitor(counter), otp.monitor(counter)
        otp.demonitor(first)
        otp.stop(counter)
        assert client.messages() == [otp.Down(second, counter, otp.NORMAL)]
        assert down_of(counter, client).reason == otp.NOPROC


def test_what_needs_a_process_says_so(counter):
    for needy in (
        lambda: otp.monitor(counter),
        lambda: otp.link(counter),
        lambda: otp.start_link(Counter),
        lambda: otp.start_monitor(Counter),
        lambda: otp.receive(0),
        lambda: otp.trap_exit(),
        lambda: otp.Task.start_monitor(print),
    ):
        with pytest.raises(otp.NoProcessError, match=r"otp\.Client"):
            needy()


def test_a_restart_that_finds_its_name_taken_leaves_the_handle_as_it_was(counter):
    till: Any = otp.start(Counter)
    otp.stop(till)
    otp.register("taken", counter)
    with pytest.raises(otp.StartFailed, match="is taken by"):
        otp.start(Counter, ref=till, name="taken")
    assert (till.is_alive(), till.incarnation) == (False, 1)
