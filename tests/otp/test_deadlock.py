"""Waiting in a circle: told at once, instead of hanging."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Server


def calling(*others: Any) -> Any:
    """A message: call the next of them, and have it call the one after that."""

    def handle(server: Any, from_: Any, state: Any) -> otp.Reply:
        if not others:
            return otp.Reply("the end", state)
        return otp.Reply(otp.call(others[0], calling(*others[1:]), timeout=None), state)

    return handle


def test_calling_oneself_is_told_at_once():
    server = otp.start(Server)

    with pytest.raises(otp.CallExit) as caught:
        server.ask(calling(server), timeout=SOON)

    reason, where = cast("tuple[Any, Any]", caught.value.reason)
    assert reason == "calling_self"
    assert where.operation == "GenServer.call"
    assert issubclass(otp.DeadlockError, otp.Exit)


def test_its_message_says_what_to_do_instead():
    told = str(otp.DeadlockError("calling_self", otp.InCall("GenServer.call")))

    assert told.startswith("'calling_self' in GenServer.call: don't wait for the answer there.")
    assert "`tell` or `cast`" in told
    assert "`NoReply`" in told


def test_a_deadlock_can_be_caught_and_the_server_lives():
    def careful(server: Any, from_: Any, state: Any) -> otp.Reply:
        try:
            server.actor_ref.ask("me")
        except otp.DeadlockError as error:
            return otp.Reply(error.reason, state)
        raise AssertionError

    server = otp.start(Server)
    assert server.ask(careful, timeout=SOON) == "calling_self"
    otp.stop(server)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_a_circle_of_calls_is_told_at_once(length):
    servers = [otp.start(Server) for _ in range(length)]

    with pytest.raises(otp.CallExit) as caught:
        servers[0].ask(calling(*servers[1:], servers[0]), timeout=SOON)

    reason: Any = caught.value.reason
    while reason[0] != "deadlock":
        reason = reason[0]
    assert set(reason[1]) == set(servers)
    for server in servers:
        assert not server.is_alive()  # none of them caught it


def test_a_circle_that_closes_from_two_sides_at_once_is_found():
    for _ in range(100):
        one, other = otp.start(Server), otp.start(Server)
        both = threading.Barrier(2)

        def cross(peer: Any, both: threading.Barrier = both) -> Any:
            def handle(server: Any, from_: Any, state: Any) -> otp.Reply:
                both.wait(SOON)
                try:
                    return otp.Reply(otp.call(peer, calling(), timeout=None), state)
                except otp.DeadlockError as error:
                    (word, *_) = cast("tuple[str, Any]", error.reason)
                    return otp.Reply(word, state)

            return handle

        futures = [one.ask(cross(other), block=False), other.ask(cross(one), block=False)]
        answers = {future.get(timeout=SOON) for future in futures}
        assert answers <= {"deadlock", "the end"}
        assert "deadlock" in answers
        otp.stop(one)
        otp.stop(other)


def test_asking_a_future_of_oneself_is_told_too():
    def ask_later(server: Any, from_: Any, state: Any) -> otp.Reply:
        future = server.actor_ref.ask(calling(), block=False)
        with pytest.raises(otp.DeadlockError):
            future.get(timeout=SOON)
        return otp.Reply("survived", state)

    server = otp.start(Server)
    assert server.ask(ask_later, timeout=SOON) == "survived"
    otp.stop(server)


def test_stopping_oneself_and_waiting_for_it_is_told():
    def stop(server: Any, from_: Any, state: Any) -> otp.Reply:
        with pytest.raises(otp.DeadlockError, match="calling_self"):
            otp.stop(server.actor_ref)
        return otp.Reply("survived", state)

    server = otp.start(Server)
    assert server.ask(stop, timeout=SOON) == "survived"
    otp.stop(server)


def test_whoever_owes_an_answer_and_may_give_it_later_is_in_no_circle():
    """A deferred reply can come from anywhere: calling its waiting caller is allowed."""
    owed: list[otp.From] = []

    def defer(server: Any, from_: otp.From, state: Any) -> otp.NoReply:
        owed.append(from_)
        return otp.NoReply(state)

    def answer_then_call(peer: Any) -> Any:
        def handle(server: Any, from_: Any, state: Any) -> otp.Reply:
            otp.reply(owed[0], "here you are")
            return otp.Reply(otp.call(peer, calling(), timeout=SOON), state)

        return handle

    def wait_for(peer: Any) -> Any:
        return lambda server, from_, state: otp.Reply(otp.call(peer, defer, timeout=SOON), state)

    waiter, debtor = otp.start(Server), otp.start(Server)
    answer = waiter.ask(wait_for(debtor), block=False)
    while not owed:
        debtor.ask(calling())
    assert debtor.ask(answer_then_call(waiter), timeout=SOON) == "the end"
    assert answer.get(timeout=SOON) == "here you are"
    otp.stop(waiter)
    otp.stop(debtor)


def test_a_child_that_calls_its_supervisor_in_init_is_told():
    class Eager(otp.GenServer):
        def init(self) -> otp.Ok:
            otp.call("top", "anything")
            return otp.Ok()

    with pytest.raises(otp.StartFailed) as caught:
        otp.start(otp.Supervisor, [otp.child_spec(Eager, id="eager")], name="top")

    reason: Any = caught.value.reason
    _, (_, _, (deadlock, _)) = reason
    assert deadlock[0] == "deadlock"
