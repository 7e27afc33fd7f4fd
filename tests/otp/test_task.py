"""Tasks: foreign code in a thread of its own, with a value or a reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors import otp
from realtime_actors.errors import ConfigError
from tests.otp.actors import SOON, Busy
from tests.wrong import wrong


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


@pytest.fixture
def supervisor() -> Iterator[otp.TaskSupervisorRef]:
    supervisor = otp.start(otp.TaskSupervisor, max_children=3)
    assert isinstance(supervisor, otp.TaskSupervisorRef)
    yield supervisor
    otp.stop(supervisor)


def test_a_task_cannot_be_stopped_like_a_server(client):
    task = otp.Task.start(otp.sleep, SOON)
    with pytest.raises(ValueError, match="no server"):
        otp.stop(task)
    task.kill()


def boom() -> None:
    raise RuntimeError("boom")


def test_a_task_runs_and_ends():
    ran = threading.Event()
    otp.Task.start(ran.set)
    assert ran.wait(SOON)


def test_whoever_monitors_a_task_hears_how_it_ended(client):
    for function, reason in (
        (lambda: "a value that nobody asked for", "normal"),
        (boom, "RuntimeError('boom')"),
        (lambda: exit_with("odd"), "odd"),
    ):
        task, watch = otp.Task.start_monitor(function)
        down = client.receive(SOON)
        assert (down.monitor_ref, down.actor) == (watch, task)
        assert reason in (down.reason, repr(down.reason))


def exit_with(reason: object) -> None:
    raise otp.Exit(reason)


def test_the_value_of_a_task_is_awaited(client):
    task = otp.Task.async_(pow, 2, 10)
    assert otp.Task.await_(task) == 1024
    assert client.messages() == []


def test_the_value_of_a_task_may_come_as_a_message(client):
    task = otp.Task.async_(pow, 2, 3)
    assert task.monitor_ref is not None
    assert client.receive(SOON) == otp.TaskReply(task.monitor_ref, 8)
    assert client.receive(SOON) == otp.Down(task.monitor_ref, task, otp.NORMAL)


def test_yield_may_be_repeated_until_there_is_a_value(client):
    busy = Busy()
    task = otp.Task.async_(lambda: busy() and "done")
    assert otp.Task.yield_(task, 0.01) is None
    busy.leave.set()
    assert otp.Task.yield_(task, SOON) == otp.Done("done")


def test_an_awaited_task_that_takes_too_long_is_forgotten_but_goes_on(client, supervisor):
    busy = Busy()
    task = supervisor.async_nolink(busy)
    with pytest.raises(otp.CallTimeout):
        otp.Task.await_(task, 0.01)
    busy.leave.set()
    assert busy.left.wait(SOON)
    wait_until_none_runs(supervisor)
    assert client.messages() == []


def test_shutdown_gives_what_came_before_it(client):
    done = otp.Task.async_(lambda: "done")
    client.receive(SOON, match=lambda each: isinstance(each, otp.Down) and put_back(client, each))
    assert otp.Task.shutdown(done) == otp.Done("done")


def put_back(client: otp.Client, message: object) -> bool:
    otp.send(client.ref, message)
    return True


def test_only_the_owner_waits_for_a_task(client):
    assert otp.trap_exit() is False  # or the stranger's crash would be ours
    task = otp.Task.async_(lambda: otp.sleep(SOON))
    stranger = otp.Task.async_(lambda: otp.Task.await_(task))
    with pytest.raises(otp.CallExit, match="no task that this process waits for"):
        otp.Task.await_(stranger)
    with pytest.raises(ValueError, match="no task that this process waits for"):
        otp.Task.await_(otp.Task.start(print))
    assert otp.Task.shutdown(task) is None


def test_a_crash_of_a_linked_task_ends_its_owner():
    def owner() -> None:
        otp.Task.async_(boom)
        otp.receive(SOON, match=lambda _: False)

    with otp.Client() as client:
        otp.Task.start_monitor(owner)
        assert repr(client.receive(SOON).reason) == "RuntimeError('boom')"


def test_tasks_are_limited(client, supervisor):
    busy = Busy()
    for _ in range(3):
        supervisor.start_child(busy)
    with pytest.raises(otp.StartFailed, match="max_children"):
        supervisor.start_child(busy)
    with pytest.raises(otp.TooManyChildrenError):
        supervisor.async_nolink(busy)
    assert len(supervisor.children()) == 3
    busy.leave.set()
    wait_until_none_runs(supervisor)
    assert otp.Task.await_(supervisor.async_(lambda: "room again")) == "room again"


def test_a_supervised_task_can_be_ended(client, supervisor):
    task = supervisor.start_child(otp.sleep, SOON)
    watch = otp.monitor(task)
    supervisor.terminate_child(task)
    assert client.receive(SOON) == otp.Down(watch, task, otp.SHUTDOWN)
    with pytest.raises(otp.ChildError, match="not_found"):
        supervisor.terminate_child(task)


def test_a_stream_keeps_the_order_and_its_limit(client, supervisor):
    running, most, lock = [0], [0], threading.Lock()

    def square(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        otp.sleep(0.001 * (number % 3))
        with lock:
            running[0] -= 1
        if number == 5:
            boom()
        return number * number

    results = list(supervisor.stream(square, range(20), max_concurrency=3))

    assert [each.value if isinstance(each, otp.Done) else "crash" for each in results] == [
        "crash" if number == 5 else number * number for number in range(20)
    ]
    assert most[0] <= 3
    assert client.messages() == []


def test_a_stream_that_is_left_early_ends_its_tasks(client, supervisor):
    def wait(number: int) -> int:
        if number:
            otp.sleep(SOON)
        return number

    stream = supervisor.stream(wait, range(100), max_concurrency=3)
    assert next(stream) == otp.Done(0)
    stream.close()
    wait_until_none_runs(supervisor)
    assert client.messages() == []


def test_a_stream_takes_items_only_as_results_are_asked_for(client, supervisor):
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    stream = supervisor.stream(abs, items(), max_concurrency=2)
    assert [next(stream).value for _ in range(5)] == list(range(5))
    assert len(taken) < 20
    stream.close()


def wait_until_none_runs(supervisor: Any) -> None:
    pause = threading.Event()
    for _ in range(int(SOON * 1000)):
        if not supervisor.children():
            return
        pause.wait(0.001)
    raise AssertionError("tasks still run")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0: allowed is a whole number, 1 or more"),
        ({"max_concurrency": -1}, "max_concurrency is -1"),
        ({"max_concurrency": True}, "max_concurrency is True"),
        ({"max_concurrency": 2.0}, "max_concurrency is 2.0"),
        ({"on_timeout": "kill"}, "on_timeout is 'kill': allowed is 'exit' or 'kill_task'"),
    ],
)
def test_a_stream_that_could_give_nothing_is_refused_at_once(client, supervisor, options, why):
    with pytest.raises(ConfigError, match=why):
        supervisor.stream(abs, [1, 2, 3], **options)


def test_numbers_that_make_no_sense_are_refused():
    for capacity in (0, -1, True, 1.5, "5"):
        with pytest.raises(ConfigError, match=r"Bounded\.capacity is"):
            otp.Bounded(wrong(capacity))
    options = ((otp.TaskSupervisor, "max_children"), (otp.Supervisor, "max_restarts"))
    for cls, name in options:
        with pytest.raises(ConfigError, match=f"{name} is -1: allowed is a whole number, 0"):
            otp.start(cls, **wrong({name: -1}))
