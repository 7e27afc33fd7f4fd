"""Supervisors, where the recorded scenarios don't reach."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors import otp
from tests.otp.actors import SOON, Busy, Counter, Server, down_of


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client(trap_exit=True) as client:
        yield client


def crash(ref: Any, client: otp.Client) -> None:
    otp.cast(ref, "crash")
    down_of(ref, client)


def test_a_child_is_found_by_its_name_after_a_restart(client):
    spec = otp.child_spec(Counter, 5, name="the counter")
    supervisor: Any = otp.start(otp.Supervisor, [spec])
    first = otp.whereis("the counter")
    otp.call(first, ("add", 1))
    crash(first, client)

    supervisor.children()  # the restart has happened before this is answered
    assert otp.whereis("the counter") is not first
    assert otp.call("the counter", "get") == 5
    otp.stop(supervisor)
    assert otp.whereis("the counter") is None


def test_a_child_may_keep_its_handle_over_restarts(client):
    spec = otp.child_spec(Counter, 5, keep_ref=True)
    supervisor: Any = otp.start(otp.DynamicSupervisor)
    counter = supervisor.start_child(spec)
    for incarnation in (2, 3):
        crash(counter, client)
        assert [each.ref for each in supervisor.children()] == [counter]
        assert counter.ask("get") == 5
        assert counter.incarnation == incarnation
    otp.stop(supervisor)
    assert not counter.is_alive()


def test_restarts_are_counted_for_whoever_looks(client):
    supervisor: Any = otp.start(otp.Supervisor, [otp.child_spec(Counter, id="counter")])
    for restarts in range(3):
        (child,) = supervisor.children()
        (info,) = [each for _, each in otp.observe().walk() if each.ref is child.ref]
        assert info.restarts == restarts
        crash(child.ref, client)
    otp.stop(supervisor)


def test_a_supervisor_that_crashes_takes_its_children_with_it(client):
    supervisor: Any = otp.start(otp.Supervisor, [otp.child_spec(Counter)])
    (child,) = supervisor.children()
    otp.exit_signal(supervisor, otp.KILL)
    assert down_of(child.ref, client).reason in (otp.KILLED, otp.NOPROC)


def test_a_child_that_does_not_end_in_time_is_killed(client):
    hold = Busy()

    class Stubborn(otp.GenServer):
        def init(self) -> otp.Ok:
            otp.trap_exit()
            return otp.Ok()

        def terminate(self, reason: otp.Reason, state: Any) -> None:
            hold()

    spec = otp.child_spec(Stubborn, shutdown=0.01)
    supervisor: Any = otp.start(otp.Supervisor, [spec])
    (child,) = supervisor.children()
    watch = otp.monitor(child.ref)
    otp.stop(supervisor)
    assert client.receive(SOON) == otp.Down(watch, child.ref, otp.KILLED)
    hold.leave.set()
    assert hold.left.wait(SOON)


def test_a_supervisor_is_not_held_up_by_a_child_that_is_busy(client):
    supervisor: Any = otp.start(otp.DynamicSupervisor)
    busy = Busy()
    child = supervisor.start_child(otp.child_spec(Server))
    child.ask(busy, block=False)
    assert busy.entered.wait(SOON)
    other = supervisor.start_child(otp.child_spec(Counter))
    assert other.ask("get") == 0
    supervisor.terminate_child(child)
    assert supervisor.count_children().active == 1
    busy.leave.set()
    assert busy.left.wait(SOON)
    otp.stop(supervisor)


def test_a_start_function_that_fails_is_a_start_that_failed(client):
    def start() -> Any:
        raise OSError("no port left")

    with pytest.raises(otp.StartFailed, match="no port left"):
        otp.start(otp.Supervisor, [otp.ChildSpec(id="server", start=start)])
    supervisor: Any = otp.start(otp.DynamicSupervisor)
    with pytest.raises(otp.StartFailed, match="no port left") as caught:
        supervisor.start_child(otp.ChildSpec(id="server", start=start))
    assert isinstance(caught.value.reason, OSError)
    otp.stop(supervisor)


def test_a_supervisor_survives_what_it_does_not_understand():
    for cls in (otp.Supervisor, otp.DynamicSupervisor, otp.TaskSupervisor):
        supervisor: Any = otp.start(cls)
        supervisor.tell("hello?")
        otp.send(supervisor, "hello?")
        with pytest.raises(TypeError, match="understand"):
            supervisor.ask("hello?")
        assert supervisor.is_alive()
        otp.stop(supervisor)


def test_all_significant_children_may_have_to_end(client):
    specs = [
        otp.child_spec(Server, id=name, restart="transient", significant=True) for name in "ab"
    ]
    supervisor: Any = otp.start(otp.Supervisor, specs, auto_shutdown="all_significant")
    second, first = supervisor.children()
    otp.stop(first.ref)
    assert supervisor.count_children().active == 1
    watch = otp.monitor(supervisor)
    otp.stop(second.ref)
    assert client.receive(SOON) == otp.Down(watch, supervisor, otp.SHUTDOWN)


def test_a_tree_of_supervisors_ends_from_the_leaves(client):
    ended: list[str] = []

    class Leaf(otp.GenServer):
        def init(self, name: str) -> otp.Ok:
            otp.trap_exit()
            return otp.Ok(name)

        def terminate(self, reason: otp.Reason, state: str) -> None:
            ended.append(state)

    def branch(name: str) -> otp.ChildSpec:
        leaves = [otp.child_spec(Leaf, f"{name}{number}", id=number) for number in range(2)]
        return otp.child_spec(otp.Supervisor, leaves, id=name)

    supervisor: Any = otp.start(otp.Supervisor, [branch("left"), branch("right")])
    assert supervisor.count_children() == otp.ChildCount(
        specs=2, active=2, supervisors=2, workers=0
    )
    otp.stop(supervisor)
    assert ended == ["right1", "right0", "left1", "left0"]


class Slow(otp.GenServer):
    """Takes its time to start."""

    def init(self, hold: Busy, starts: list[Any]) -> otp.Ok:
        starts.append(self.actor_ref)
        hold()
        return otp.Ok()


@pytest.mark.parametrize("cls", [otp.Supervisor, otp.DynamicSupervisor])
def test_a_child_that_its_caller_has_given_up_on_is_ended_again(cls, client):
    hold, starts = Busy(), list[Any]()
    supervisor: Any = otp.start(cls)
    with pytest.raises(otp.CallTimeout):
        supervisor.start_child(otp.child_spec(Slow, hold, starts), timeout=0.05)
    hold.leave.set()

    assert supervisor.count_children() == otp.ChildCount(
        specs=0, active=0, supervisors=0, workers=0
    )
    (child,) = starts
    assert not child.is_alive()
    otp.stop(supervisor)


@pytest.mark.parametrize("cls", [otp.Supervisor, otp.DynamicSupervisor])
def test_a_start_whose_caller_has_given_up_before_it_began_never_begins(cls, client):
    hold, starts = Busy(), list[Any]()
    supervisor: Any = otp.start(cls)
    first = otp.Task.async_(supervisor.start_child, otp.child_spec(Slow, hold, starts, id=1))
    assert hold.entered.wait(SOON)
    with pytest.raises(otp.CallTimeout):
        supervisor.start_child(otp.child_spec(Slow, Busy(), starts, id=2), timeout=0.05)
    hold.leave.set()

    assert otp.Task.await_(first) == starts[0]
    assert supervisor.count_children().active == 1
    assert len(starts) == 1
    otp.stop(supervisor)


def test_a_start_that_takes_too_long_is_the_end_of_that_child_only(client):
    hold, starts = Busy(), list[Any]()
    supervisor: Any = otp.start(otp.DynamicSupervisor)
    with pytest.raises(otp.StartFailed, match="timeout"):
        supervisor.start_child(otp.child_spec(Slow, hold, starts, timeout=0.05))
    assert supervisor.count_children().specs == 0
    hold.leave.set()
    otp.stop(supervisor)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["start", "give up", "end"]), st.integers(0, 3))))
def test_a_supervisor_has_the_children_whose_callers_got_them(todo):
    """Whoever gives up has no child; whoever got one has it until it ends."""
    supervisor: Any = otp.start(otp.DynamicSupervisor)
    gate, mine = threading.Semaphore(0), []

    class Gated(otp.GenServer):
        def init(self) -> otp.Ok:
            gate.acquire(timeout=SOON)
            return otp.Ok()

    spec = otp.child_spec(Gated, restart="temporary")
    for what, number in todo:
        if what == "start":
            gate.release()
            mine.append(supervisor.start_child(spec, timeout=SOON))
        elif what == "give up":
            with pytest.raises(otp.CallTimeout):
                supervisor.start_child(spec, timeout=0.001)
            gate.release()
        elif number < len(mine):
            otp.stop(mine.pop(number))
        supervisor.count_children()
        # Whether the start that was given up had begun or not, nothing is owed.
        while what == "give up" and gate.acquire(blocking=False):
            pass
    children = [each.ref for each in supervisor.children()]
    assert sorted(map(str, children)) == sorted(map(str, mine))
    otp.stop(supervisor)
