"""What must always hold, whatever happens in whatever order."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors import otp
from realtime_actors.otp.strategy import Strategy, affected
from tests.otp.actors import SOON

ACTORS = 4
ENDS = ("stop", "crash", "exit", "kill", "signal")


def tells_the_end(monitor: otp.MonitorRef, message: object) -> bool:
    return isinstance(message, otp.Down) and message.monitor_ref is monitor


class Member(otp.GenServer):
    """One of a crowd: sends to, monitors and links the others, as it is told."""

    def init(self, to: Any) -> otp.Ok:
        self._to = to
        self._sent = 0
        return otp.Ok()

    def handle_cast(self, message: Any, state: Any) -> Any:
        match message:
            case ("tell", other):
                self._sent += 1
                otp.send(other, ("hello", self.actor_ref, self._sent))
            case ("report",):
                self._sent += 1
                otp.send(self._to, ("hello", self.actor_ref, self._sent))
            case ("link", other):
                if other.is_alive():
                    otp.trap_exit(False)
                    otp.link(other)
            case ("crash",):
                raise RuntimeError("boom")
            case ("exit",):
                raise otp.Exit("odd")
        return otp.NoReply(state)

    def handle_info(self, message: Any, state: Any) -> otp.NoReply:
        otp.send(self._to, ("heard", self.actor_ref, message))
        return otp.NoReply(state)


member = st.integers(0, ACTORS - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("monitor"), member),
        st.tuples(st.just("report"), member),
        st.tuples(st.just("tell"), member, member),
        st.tuples(st.just("link"), member, member),
        st.tuples(st.sampled_from(ENDS), member),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(steps)
def test_every_monitor_gets_one_down_and_nothing_comes_after_it(todo):
    with otp.Client(trap_exit=True) as client:
        members: list[Any] = [otp.start(Member, client.ref) for _ in range(ACTORS)]
        monitors = [(otp.monitor(each), each) for each in members]
        for name, number, *more in todo:
            perform(name, members[number], [members[each] for each in more], monitors)
        for each in members:
            otp.exit_signal(each, otp.KILL)
        wait_until_all_have_ended(members)
        messages = client.messages()

    downs = [each for each in messages if isinstance(each, otp.Down)]
    assert sorted(repr(each.monitor_ref) for each in downs) == sorted(
        repr(monitor) for monitor, _ in monitors
    )
    assert {each.monitor_ref: each.actor for each in downs} == dict(monitors)
    for each in members:
        first_down = next(
            at for at, m in enumerate(messages) if isinstance(m, otp.Down) and m.actor is each
        )
        late = [m for m in messages[first_down:] if isinstance(m, tuple) and m[1] is each]
        assert late == []
        numbers = [m[2] for m in messages if isinstance(m, tuple) and m[:2] == ("hello", each)]
        assert numbers == sorted(numbers)
        for other in members:
            heard = [
                m[2][2]
                for m in messages
                if isinstance(m, tuple) and m[:2] == ("heard", other) and m[2][1] is each
            ]
            assert heard == sorted(heard)


def perform(name: str, each: Any, others: list[Any], monitors: list[tuple[Any, Any]]) -> None:
    match name:
        case "monitor":
            monitors.append((otp.monitor(each), each))
        case "stop":
            each.stop(block=False)
        case "kill":
            otp.exit_signal(each, otp.KILL)
        case "signal":
            otp.exit_signal(each, "signalled")
        case _:
            otp.cast(each, (name, *others))


def wait_until_all_have_ended(members: list[Any]) -> None:
    with_all = [each for each in members if each.is_alive()]
    assert with_all == []
    # Ended is not yet silent: a thread may still be on its way out.
    for thread in threading.enumerate():
        if thread.name.startswith("Member-"):
            thread.join(SOON)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["crash", "exit", "call", "kill"]), max_size=12), st.integers(0, 4))
def test_a_supervisor_restarts_as_often_as_it_may_and_no_more(todo, most):
    starts: list[Any] = []

    class Child(Member):
        def init(self, to: Any) -> otp.Ok:
            starts.append(self.actor_ref)
            return super().init(to)

    with otp.Client(trap_exit=True) as client:
        spec = otp.child_spec(Child, client.ref)
        supervisor: Any = otp.start_link(otp.Supervisor, [spec], max_restarts=most, max_seconds=60)
        ends = 0
        for name in todo:
            (child,) = supervisor.children()
            if name == "call":
                supervisor.count_children()
                continue
            watch = otp.monitor(child.ref)
            if name == "kill":
                otp.exit_signal(child.ref, otp.KILL)
            else:
                otp.cast(child.ref, (name,))
            client.receive(
                SOON,
                match=partial(tells_the_end, watch),
            )
            ends += 1
            if ends > most:
                assert client.receive(SOON) == otp.ExitMessage(supervisor, otp.SHUTDOWN)
                break
        assert supervisor.is_alive() is (ends <= most)
        if supervisor.is_alive():
            otp.stop(supervisor)  # after what came before it: the last restart
        assert len(starts) == 1 + min(ends, most)


branches = st.lists(st.tuples(st.sampled_from(list(Strategy)), st.integers(1, 3)), min_size=1)


@settings(max_examples=30)
@given(branches.filter(lambda tree: len(tree) < 4), st.lists(st.integers(0, 100), max_size=10))
def test_in_a_tree_those_start_again_that_the_strategy_says(tree, crashes):
    starts: dict[tuple[int, int], int] = {}

    class Leaf(otp.GenServer):
        def init(self, at: tuple[int, int]) -> otp.Ok:
            starts[at] = starts.get(at, 0) + 1
            return otp.Ok(at)

    def branch(number: int, strategy: Strategy, leaves: int) -> otp.ChildSpec:
        specs = [
            otp.child_spec(Leaf, (number, leaf), id=leaf, name=f"leaf {number}.{leaf}")
            for leaf in range(leaves)
        ]
        return otp.child_spec(
            otp.Supervisor, specs, id=number, strategy=strategy, max_restarts=1000
        )

    expected = {(number, leaf): 1 for number, (_, size) in enumerate(tree) for leaf in range(size)}
    with otp.Client() as client:
        specs = [branch(number, *each) for number, each in enumerate(tree)]
        top: Any = otp.start(otp.Supervisor, specs, strategy="one_for_all")
        supervisors = [info.ref for info in reversed(top.children())]
        for choice in crashes:
            number, leaf = sorted(expected)[choice % len(expected)]
            watch = otp.monitor(f"leaf {number}.{leaf}")
            otp.cast(f"leaf {number}.{leaf}", "a leaf understands no casts")
            assert client.receive(SOON).monitor_ref is watch
            supervisors[number].count_children()  # it has done what it does by now
            for again in affected(tree[number][0], range(tree[number][1]), leaf):
                expected[number, again] += 1
            assert starts == expected
        assert all(otp.whereis(f"leaf {number}.{leaf}") for number, leaf in expected)
        otp.stop(top)
    assert otp.observe().roots == ()


@settings(max_examples=30)
@given(
    st.integers(1, 4),
    st.sampled_from(list(otp.WhenFull)),
    st.lists(st.sampled_from(["call", "cast", "send"]), max_size=30),
)
def test_every_call_is_answered_whatever_a_bounded_mailbox_does(capacity, when_full, kinds):
    class Small(otp.GenServer):
        mailbox = otp.Bounded(capacity, when_full)

        def handle_call(self, message: Any, from_: otp.From, state: Any) -> otp.Reply:
            return otp.Reply(message, state)

        def handle_cast(self, message: Any, state: Any) -> otp.NoReply:
            return otp.NoReply(state)

    server: Any = otp.start(Small)
    calls = []
    for number, kind in enumerate(kinds):
        try:
            if kind == "call":
                calls.append((number, server.ask(number, block=False)))
            else:
                (otp.cast if kind == "cast" else otp.send)(server, number)
        except otp.MailboxFullError:
            assert when_full is otp.WhenFull.REFUSE
    for number, future in calls:
        assert outcome(future) in (number, "mailbox_full")
    otp.stop(server)


def outcome(future: Any) -> Any:
    try:
        return future.get(timeout=SOON)
    except otp.CallExit as exit_:
        return exit_.reason
