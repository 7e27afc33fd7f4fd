"""Mailboxes: in order, with bounds on request, and with nothing lost in silence at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Busy, Server


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


class Recorder(otp.GenServer):
    """Sends on what it gets. `Busy` messages keep it from that."""

    def init(self, to: otp.ClientRef) -> otp.Ok:
        return otp.Ok(to)

    def handle_info(self, message: Any, state: otp.ClientRef) -> otp.NoReply:
        if isinstance(message, Busy):
            message()
        else:
            otp.send(state, message)
        return otp.NoReply(state)

    def handle_cast(self, message: Any, state: otp.ClientRef) -> otp.NoReply:
        return self.handle_info(message, state)

    def handle_call(self, message: Any, from_: otp.From, state: otp.ClientRef) -> otp.Reply:
        return otp.Reply(self.handle_info(message, state), state)


def bounded(*args: Any, **kwargs: Any) -> type[Recorder]:
    class Small(Recorder):
        mailbox = otp.Bounded(*args, **kwargs)

    return Small


def kept_busy(cls: type[Recorder], client: otp.Client) -> tuple[Any, Busy]:
    """A server that handles nothing until it is let go."""
    server, busy = otp.start(cls, client.ref), Busy()
    otp.send(server, busy)
    assert busy.entered.wait(SOON)
    return server, busy


def received(client: otp.Client, count: int) -> list[Any]:
    return [client.receive(SOON) for _ in range(count)]


def test_messages_of_one_sender_keep_their_order(client):
    server, busy = kept_busy(Recorder, client)
    for number in range(0, 300, 3):
        otp.send(server, number)
        otp.cast(server, number + 1)
        server.ask(number + 2, block=False)
    busy.leave.set()

    assert received(client, 300) == list(range(300))
    otp.stop(server)


def test_any_value_is_a_message(client):
    server = otp.start(Recorder, client.ref)
    values: list[Any] = [None, (), (None, 1), False, otp.NOTHING, ("timeout",), []]
    for value in values:
        otp.send(server, value)
        otp.cast(server, value)
    assert received(client, 14) == [value for value in values for _ in range(2)]
    otp.stop(server)


def test_a_match_that_fails_is_told_and_harms_nothing(client):
    otp.send(client.ref, [])
    with pytest.raises(IndexError):
        client.receive(SOON, match=lambda each: each[0])
    assert client.messages() == [[]]


def test_messages_of_many_senders_all_arrive(client):
    server = otp.start(Recorder, client.ref)

    def send(sender: int) -> None:
        for number in range(500):
            otp.send(server, (sender, number))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    got = received(client, 2000)
    for thread in threads:
        thread.join()

    for sender in range(4):
        assert [number for who, number in got if who == sender] == list(range(500))
    otp.stop(server)


def test_a_full_mailbox_may_drop_the_newest(client):
    server, busy = kept_busy(bounded(2, otp.WhenFull.DROP_NEWEST), client)
    for number in range(5):
        otp.send(server, number)
    assert observed(server).dropped == 3
    busy.leave.set()

    assert received(client, 2) == [0, 1]
    otp.stop(server)
    assert client.messages() == []


def test_a_full_mailbox_may_drop_the_oldest(client):
    server, busy = kept_busy(bounded(2, otp.WhenFull.DROP_OLDEST), client)
    for number in range(5):
        otp.send(server, number)
    busy.leave.set()

    assert received(client, 2) == [3, 4]
    otp.stop(server)


def test_a_full_mailbox_may_refuse(client):
    server, busy = kept_busy(bounded(1, otp.WhenFull.REFUSE), client)
    otp.send(server, "fits")
    with pytest.raises(otp.MailboxFullError):
        otp.send(server, "does not")
    with pytest.raises(otp.MailboxFullError):
        server.ask("does not either")
    busy.leave.set()

    assert received(client, 1) == ["fits"]
    otp.stop(server)


@pytest.mark.parametrize("when_full", [otp.WhenFull.DROP_OLDEST, otp.WhenFull.DROP_NEWEST])
def test_a_call_that_is_dropped_is_answered(client, when_full):
    server, busy = kept_busy(bounded(1, when_full), client)
    calls = [server.ask(number, block=False) for number in range(2)]
    dropped = calls[0 if when_full is otp.WhenFull.DROP_OLDEST else 1]

    with pytest.raises(otp.CallExit) as caught:
        dropped.get(timeout=SOON)
    assert caught.value.reason == "mailbox_full"
    busy.leave.set()
    otp.stop(server)


def test_a_full_mailbox_may_let_senders_wait_for_room(client):
    server, busy = kept_busy(bounded(2), client)

    def send() -> None:
        for number in range(200):
            otp.send(server, number)

    sender, _ = otp.Task.start_monitor(send)
    wait_until_blocked(sender)
    assert len(server.actor_inbox) == 2
    busy.leave.set()

    numbers = [
        each for each in received(client, 201) if not isinstance(each, otp.Down)
    ]  # the Down of the sender comes somewhere in between
    assert numbers == list(range(200))
    otp.stop(server)


def test_a_sender_waits_for_room_only_so_long(client):
    server, busy = kept_busy(bounded(1, timeout=0.01), client)
    otp.send(server, "fits")
    with pytest.raises(otp.MailboxFullError, match="no room"):
        otp.send(server, "does not")
    busy.leave.set()
    otp.stop(server)


def test_a_sender_that_waits_for_room_can_be_ended(client):
    server, busy = kept_busy(bounded(1), client)
    otp.send(server, "fits")
    sender, _ = otp.Task.start_monitor(otp.send, server, "does not")
    wait_until_blocked(sender)
    sender.kill()
    assert client.receive(SOON).reason == otp.KILLED
    assert otp.detached_count() == 0
    busy.leave.set()
    assert received(client, 1) == ["fits"]
    otp.stop(server)


def test_senders_that_wait_for_room_are_let_go_by_the_end(client):
    server, busy = kept_busy(bounded(1), client)
    otp.send(server, "fits")
    sender, _ = otp.Task.start_monitor(otp.send, server, "does not")
    wait_until_blocked(sender)
    otp.exit_signal(server, otp.KILL)
    assert client.receive(SOON).reason == otp.NORMAL
    busy.leave.set()


def test_no_bound_holds_up_down_exits_and_stop(client):
    server, busy = kept_busy(bounded(1, otp.WhenFull.DROP_OLDEST), client)
    watched = otp.start(Server)
    watch = server.ask(busy, block=False)  # fills the mailbox
    otp.exit_signal(watched, otp.KILL)
    stopped = server.stop(block=False)
    otp.send(server, "x")
    busy.leave.set()

    assert stopped.get(timeout=SOON) is True
    with pytest.raises(otp.CallExit, match="mailbox_full"):
        watch.get()


def test_nothing_put_after_the_end_waits_for_ever():
    """Asks racing with a stop: each is answered or told."""
    for _ in range(200):
        server = otp.start(Server)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        for _ in range(5):
            assert asked(server) in ("here", otp.NOPROC, otp.NORMAL)
        stopping.join()


def test_selective_receive_leaves_the_rest_in_order(client):
    for number in range(6):
        otp.send(client.ref, number)

    assert client.receive(0, match=lambda each: each == 3) == 3
    with pytest.raises(TimeoutError):
        client.receive(0, match=lambda each: each == 3)
    assert client.messages() == [0, 1, 2, 4, 5]


def test_a_client_can_be_called_and_told(client):
    def ask() -> Any:
        otp.cast(client.ref, "told")
        return otp.call(client.ref, "asked")

    task = otp.Task.async_(ask)
    assert client.receive(SOON) == "told"
    asked = client.receive(SOON)
    assert asked.message == "asked"
    otp.reply(asked, "answer")
    assert otp.Task.await_(task) == "answer"


def asked(server: Any) -> Any:
    """The answer of a server, or the reason why there is none."""
    try:
        return server.ask(lambda *_: otp.Reply("here", None), timeout=SOON)
    except otp.CallExit as exit_:
        return exit_.reason


def observed(ref: Any) -> otp.ProcessInfo:
    return next(each for _, each in otp.observe().walk() if each.ref is ref)


def wait_until_blocked(ref: Any) -> None:
    deadline = threading.Event()
    for _ in range(int(SOON * 1000)):
        if observed(ref).status is otp.Status.WAITING:
            return
        deadline.wait(0.001)
    raise AssertionError("never waited")
