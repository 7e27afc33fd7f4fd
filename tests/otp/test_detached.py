"""What was ended while its thread was busy: dead for everyone, and nothing of it counts."""

from __future__ import annotations

import logging
import sys
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


def wait_until_nothing_is_detached() -> None:
    pause = threading.Event()
    for _ in range(int(SOON * 1000)):
        if otp.detached_count() == 0:
            return
        pause.wait(0.001)
    raise AssertionError("still detached")


def test_a_busy_server_that_is_killed_is_dead_at_once(client, caplog):
    busy = Busy()
    server, watch = otp.start_monitor(Server, name="busy")
    answer = server.ask(busy, block=False)
    assert busy.entered.wait(SOON)
    queued = server.ask(busy, block=False)

    with caplog.at_level(logging.WARNING, "realtime_actors.otp"):
        otp.exit_signal(server, otp.KILL)

    assert client.receive(SOON) == otp.Down(watch, server, otp.KILLED)
    assert not server.is_alive()
    assert otp.whereis("busy") is None
    for lost in (answer, queued):
        with pytest.raises(otp.CallExit) as caught:
            lost.get(timeout=SOON)
        assert caught.value.reason == otp.KILLED
    with pytest.raises(otp.CallExit, match="noproc"):
        server.ask(busy)
    assert otp.detached_count() == 1
    assert [process.ref for process in otp.observe().detached] == [server]
    assert [each.getMessage() for each in caplog.records] == [
        f"{otp.observe().detached[0].label} was ended while busy: its thread is detached"
    ]

    busy.leave.set()
    assert busy.left.wait(SOON)
    wait_until_nothing_is_detached()
    assert client.messages() == []


@pytest.mark.parametrize(
    "deed",
    [
        lambda client, server, from_: otp.send(client, "late"),
        lambda client, server, from_: otp.cast(client, "late"),
        lambda client, server, from_: server.tell("late"),
        lambda client, server, from_: otp.reply(from_, "late"),
        lambda client, server, from_: otp.call(server, "late"),
        lambda client, server, from_: otp.stop(server),
        lambda client, server, from_: otp.monitor(server),
        lambda client, server, from_: otp.link(server),
        lambda client, server, from_: otp.exit_signal(server, otp.KILL),
        lambda client, server, from_: otp.start(Server),
        lambda client, server, from_: otp.Task.start(print, "late"),
        lambda client, server, from_: otp.send_after(client, "late", 0.0),
        lambda client, server, from_: otp.sleep(0),
        lambda client, server, from_: otp.check(),
        lambda client, server, from_: otp.receive(0),
    ],
)
def test_whatever_a_detached_thread_does_is_cancelled(client, deed):
    bystander = otp.start(Server)
    waiting: list[otp.From] = []
    answer = bystander.ask(
        lambda server, from_, state: waiting.append(from_) or otp.NoReply(state), block=False
    )
    bystander.ask(lambda *_: otp.Reply(None, None))
    busy = Busy(lambda: deed(client.ref, bystander, waiting[0]))
    task = otp.Task.start(busy)
    assert busy.entered.wait(SOON)
    task.kill()
    busy.leave.set()
    assert busy.left.wait(SOON)

    assert isinstance(busy.outcome, otp.Cancelled)
    assert busy.outcome.reason == otp.KILLED
    assert bystander.is_alive()
    otp.reply(waiting[0], "in time")
    assert answer.get(timeout=SOON) == "in time"
    assert client.messages() == []
    wait_until_nothing_is_detached()
    otp.stop(bystander)


def test_a_detached_thread_can_notice(client):
    busy = Busy(otp.cancelled)
    task, _ = otp.Task.start_monitor(busy)
    assert busy.entered.wait(SOON)
    assert not otp.cancelled()
    task.kill()
    assert client.receive(SOON).reason == otp.KILLED
    busy.leave.set()
    assert busy.left.wait(SOON)
    assert busy.outcome is True
    wait_until_nothing_is_detached()


def test_the_value_of_a_task_that_was_shut_down_is_thrown_away(client):
    busy = Busy()
    task = otp.Task.async_(busy)
    assert busy.entered.wait(SOON)

    assert otp.Task.shutdown(task) is None
    busy.leave.set()
    assert busy.left.wait(SOON)
    wait_until_nothing_is_detached()
    assert client.messages() == []


def test_a_wait_in_the_library_is_interrupted_and_leaves_no_thread(client):
    server = otp.start(Server)
    for wait in (
        lambda: otp.sleep(60),
        lambda: otp.receive(60),
        lambda: otp.call(server, lambda server, from_, state: otp.NoReply(state), None),
        lambda: server.ask(lambda server, from_, state: otp.NoReply(state), block=False).get(),
        lambda: otp.Task.await_(otp.Task.async_(lambda: otp.sleep(60)), None),
    ):
        ended = threading.Event()

        def run(wait: Any = wait, ended: threading.Event = ended) -> None:
            try:
                wait()
            finally:
                ended.set()

        task, watch = otp.Task.start_monitor(run)
        wait_until_it_waits(task)
        otp.exit_signal(task, otp.SHUTDOWN)
        assert client.receive(SOON) == otp.Down(watch, task, otp.SHUTDOWN)
        assert ended.wait(SOON)
    wait_until_nothing_is_detached()
    otp.stop(server)


def test_a_start_that_is_given_up_counts_until_its_thread_is_gone():
    busy = Busy()

    class Slow(otp.GenServer):
        def init(self) -> otp.Ok:
            busy()
            otp.register("must not be")
            return otp.Ok()

    with pytest.raises(otp.StartFailed, match="timeout"):
        otp.start(Slow, timeout=0.01)
    assert otp.detached_count() == 1
    busy.leave.set()
    assert busy.left.wait(SOON)
    wait_until_nothing_is_detached()
    assert otp.whereis("must not be") is None


def test_nothing_is_told_twice_of_a_server_that_dies_while_it_is_killed():
    for _ in range(200):
        with otp.Client() as client:
            server, _ = otp.start_monitor(Server)
            otp.cast(server, lambda *_: otp.Stop("by itself"))
            otp.exit_signal(server, otp.KILL)
            assert client.receive(SOON).reason in ("by itself", otp.KILLED)
            assert client.messages() == []


def wait_until_it_waits(ref: Any) -> None:
    pause = threading.Event()
    for _ in range(int(SOON * 1000)):
        for _, process in otp.observe().walk():
            if process.ref is ref and process.status in (otp.Status.WAITING, otp.Status.IDLE):
                return
        pause.wait(0.001)
    raise AssertionError("never waited")


def test_nothing_comes_after_the_news_of_the_end_even_if_it_was_being_sent(client):
    def chatter(to: Any) -> None:
        number = 0
        while True:
            number += 1
            otp.send(to, number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            task, _ = otp.Task.start_monitor(chatter, client.ref)
            client.receive(SOON)
            task.kill()
            wait_until_nothing_is_detached()
            assert isinstance(client.messages()[-1], otp.Down)
    finally:
        sys.setswitchinterval(interval)


def test_a_monitor_or_link_that_is_withdrawn_in_time_says_nothing(client):
    otp.trap_exit()
    for _ in range(200):
        server, watch = otp.start_monitor(Server)
        otp.link(server)
        killer = threading.Thread(target=otp.exit_signal, args=(server, otp.KILL))
        killer.start()
        otp.unlink(server)
        otp.demonitor(watch, flush=True)
        before = len(client.messages())  # of the link, if the end was faster
        killer.join()
        assert client.messages() == []
        assert before <= 1
