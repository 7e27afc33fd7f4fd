"""Options that are wrong are refused where they are given, by their name, with what is allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from attrs import evolve

import realtime_actors as ra
from realtime_actors import otp
from tests.otp.actors import Counter


def nothing() -> None:
    """Start nothing."""


def spec(**options: Any) -> otp.ChildSpec:
    return otp.ChildSpec(**{"id": "a", "start": nothing, **options})


def bound_class(**members: Any) -> type:
    return type("Bound", (otp.GenServer,), members)


class Plain(pykka.ThreadingActor):
    """An actor of pykka's own kind."""


COUNTER: Any = Counter
start: Any = otp.start
child_spec: Any = otp.child_spec
NO_TASK: Any = "no task"
FIVE: Any = 5
YES: Any = "yes"
MANY: Any = "many"
LISTED: Any = ["a"]
SIGNIFICANT = spec(restart="transient", significant=True)

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    # supervisors
    "less than no restarts": (
        lambda: start(otp.Supervisor, max_restarts=-1),
        "max_restarts is -1: allowed is a whole number, 0 or more",
    ),
    "half a restart": (
        lambda: start(otp.DynamicSupervisor, max_restarts=2.5),
        "max_restarts is 2.5: allowed is a whole number, 0 or more",
    ),
    "restarts within no time": (
        lambda: start(otp.TaskSupervisor, max_seconds=0),
        "max_seconds is 0: allowed are seconds above 0",
    ),
    "a strategy that there is not": (
        lambda: start(otp.Supervisor, strategy="one_for_none"),
        "strategy is 'one_for_none': allowed is 'one_for_one' or 'one_for_all' or 'rest_for_one'",
    ),
    "a restart in place of a strategy": (
        lambda: start(otp.Supervisor, strategy=otp.Restart.PERMANENT),
        "strategy is <Restart.PERMANENT: 'permanent'>: allowed is 'one_for_one' or",
    ),
    "an automatic shutdown that there is not": (
        lambda: start(otp.Supervisor, auto_shutdown=True),
        "auto_shutdown is True: allowed is 'never' or 'any_significant' or 'all_significant'",
    ),
    "less than no children": (
        lambda: start(otp.DynamicSupervisor, max_children=-1),
        "max_children is -1: allowed is a whole number, 0 or more, or None",
    ),
    "an option that is spelled wrong": (
        lambda: start(otp.Supervisor, max_restart=3),
        "Supervisor has no option 'max_restart': did you mean 'max_restarts'?",
    ),
    "options without their names": (
        lambda: start(otp.DynamicSupervisor, 10),
        "DynamicSupervisor: too many positional arguments",
    ),
    "children that can be read only once": (
        lambda: start(otp.Supervisor, (spec(id=each) for each in "ab")),
        "allowed is a list of child specs",
    ),
    "one child in place of a list": (
        lambda: start(otp.Supervisor, spec()),
        "allowed is a list of child specs",
    ),
    "a class in place of a child": (
        lambda: start(otp.Supervisor, [Counter]),
        "a child is Counter: allowed is a ChildSpec, as child_spec(Counter) makes it",
    ),
    "something else in place of a child": (
        lambda: start(otp.Supervisor, ["counter"]),
        "a child is 'counter': allowed is a ChildSpec",
    ),
    "two children with one id": (
        lambda: start(otp.Supervisor, [spec(id="a"), spec(id="b"), spec(id="a")]),
        "children has the id 'a' twice: allowed is each id once",
    ),
    "a significant child where none is": (
        lambda: start(otp.Supervisor, [SIGNIFICANT]),
        "significant is True for the child 'a': allowed is False, since the supervisor's auto",
    ),
    "an option of a supervisor that is a child": (
        lambda: child_spec(otp.Supervisor, [], strategy="one_for_none"),
        "strategy is 'one_for_none'",
    ),
    # children
    "a restart that there is not": (
        lambda: child_spec(Counter, restart="sometimes"),
        "child is 'sometimes': allowed is 'permanent' or 'transient' or 'temporary'",
    ),
    "a restart in a spec that there is not": (
        lambda: spec(restart=True),
        "the restart of a child is True: allowed is",
    ),
    "a restart in a copy that there is not": (
        lambda: evolve(spec(), restart="always"),
        "the restart of a child is 'always': allowed is",
    ),
    "a word for a shutdown": (
        lambda: child_spec(Counter, shutdown="brutal_kill"),
        "the shutdown of a child is 'brutal_kill': allowed are seconds, \"kill\" or None",
    ),
    "a start within less than no time": (
        lambda: child_spec(Counter, timeout=-1),
        "the timeout of a child's start is -1: allowed are seconds, or None",
    ),
    "an id that can't be one": (
        lambda: child_spec(Counter, id=["a"]),
        "the id of a child is ['a']: allowed is what can be hashed",
    ),
    "a ref in place of a start": (
        lambda: otp.ChildSpec(id="a", start=NO_TASK),
        "the start of a child is 'no task': allowed is a function, or what else can be called",
    ),
    "a kind that there is not": (
        lambda: spec(kind="server"),
        "the kind of a child is 'server': allowed is 'worker' or 'supervisor'",
    ),
    "a significance that is no yes and no no": (
        lambda: spec(significant="yes", restart="transient"),
        "significant is 'yes': allowed is True or False",
    ),
    "a significant child that never ends for good": (
        lambda: child_spec(Counter, significant=True),
        "significant is True for a child whose restart is 'permanent': allowed is False",
    ),
    "a ref to be kept, perhaps": (
        lambda: child_spec(Counter, keep_ref="yes"),
        "keep_ref is 'yes': allowed is True or False",
    ),
    "a child's name that is none": (
        lambda: child_spec(Counter, name=b"counter"),
        "name is b'counter': allowed is a text, a place in a registry (otp.via), or None",
    ),
    "a plain actor as a server's class": (
        lambda: child_spec(Plain),
        "a server is <class 'tests.otp.test_options.Plain'>: allowed is a subclass of otp.Gen",
    ),
    # servers
    "a server in place of its class": (
        lambda: start(COUNTER()),
        "allowed is a subclass of otp.GenServer",
    ),
    "a number for a name": (
        lambda: start(Counter, name=5),
        "name is 5: allowed is a text, a place in a registry (otp.via), or None",
    ),
    "an empty name": (lambda: start(Counter, name=""), "name is '': allowed is a text"),
    "a start in less than no time": (
        lambda: start(Counter, timeout=-1),
        "the timeout of a start is -1: allowed are seconds, or None",
    ),
    "a class of handles that are none": (
        lambda: start(Counter, ref_class=dict),
        "ref_class is <class 'dict'>: allowed is a subclass of ServerRef",
    ),
    "a handle that is none": (
        lambda: start(Counter, ref="counter"),
        "ref is 'counter': allowed is a ServerRef",
    ),
    "a mailbox that is a number": (
        lambda: bound_class(mailbox=100),
        "Bound.mailbox is 100: allowed is a Bounded or None",
    ),
    "a promise that is no yes and no no": (
        lambda: bound_class(inline="when idle"),
        "Bound.inline is 'when idle': allowed is True or False",
    ),
    "a class of handles of a class that are none": (
        lambda: bound_class(ref_class=str),
        "Bound.ref_class is <class 'str'>: allowed is a subclass of ServerRef",
    ),
    "a bound of nothing": (
        lambda: otp.Bounded(0),
        "Bounded.capacity is 0: allowed is a whole number, 1 or more",
    ),
    "a way to be full that there is not": (
        lambda: otp.Bounded(1, "explode"),
        "Bounded.when_full is 'explode': allowed is 'block' or 'drop_oldest' or 'drop_newest' or",
    ),
    # tasks
    "a task that is no function": (
        lambda: otp.Task.start(NO_TASK),
        "the function of a task is 'no task': allowed is a function, or what else can be called",
    ),
    "a task to wait for that is none": (
        lambda: otp.Task.await_(NO_TASK),
        "the task is 'no task': allowed is a TaskRef",
    ),
    # names and places
    "a client whose name is no text": (
        lambda: otp.Client(FIVE),
        "name is 5: allowed is a text, or None",
    ),
    "a client that traps exits, perhaps": (
        lambda: otp.Client(trap_exit=YES),
        "trap_exit is 'yes': allowed is True or False",
    ),
    "keys of a kind that there is not": (
        lambda: otp.Registry(MANY),
        "keys is 'many': allowed is 'unique' or 'duplicate'",
    ),
    "a key that can't be one": (
        lambda: otp.Registry().via(LISTED),
        "the key is ['a']: allowed is what can be hashed",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_option_is_named_where_it_is_given_and_nothing_is_started(name: str):
    give, complaint = WRONG[name]
    threads = threading.active_count()

    with pytest.raises(ra.ConfigError) as caught:
        give()

    assert complaint in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert otp.observe().roots == ()
    assert threading.active_count() == threads


@pytest.mark.parametrize("cls", [otp.Supervisor, otp.DynamicSupervisor])
def test_a_supervisor_that_is_given_no_child_spec_refuses_it_and_lives_on(cls: type[Any]):
    supervisor: Any = otp.start(cls)

    with pytest.raises(ra.ConfigError, match=r"allowed is a ChildSpec, as child_spec\(Counter\)"):
        supervisor.start_child(Counter)

    assert supervisor.start_child(otp.child_spec(Counter)).is_alive()
    otp.stop(supervisor)


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (otp.Supervisor, "the supervisor's auto_shutdown is 'never'"),
        (otp.DynamicSupervisor, "which does not end because a child has"),
    ],
)
def test_a_significant_child_is_refused_by_a_supervisor_to_which_it_means_nothing(
    cls: type[Any], why: str
):
    supervisor: Any = otp.start(cls)

    with pytest.raises(ra.ConfigError, match=why):
        supervisor.start_child(SIGNIFICANT)

    assert supervisor.children() == ()
    otp.stop(supervisor)


def test_two_children_with_one_id_are_a_start_that_failed_as_on_the_beam():
    with pytest.raises(otp.StartFailed) as caught:
        otp.start(otp.Supervisor, [spec(), spec()])

    assert isinstance(caught.value, otp.DuplicateChildError)
    assert caught.value.reason == ("start_spec", ("duplicate_child_name", "a"))


def test_a_supervisor_with_an_init_of_its_own_takes_what_it_likes():
    class Calls(otp.Supervisor):
        def init(self, strategy: str) -> Any:  # type: ignore[override]  # arguments of its own
            return super().init([otp.child_spec(Counter)], strategy=strategy)

    calls: Any = otp.start(Calls, "rest_for_one")
    assert [each.id for each in calls.children()] == ["Counter"]
    otp.stop(calls)

    with pytest.raises(otp.StartFailed, match="strategy is 'rest': allowed is"):
        otp.start(Calls, "rest")


def test_a_server_may_check_its_own_arguments_where_they_are_given():
    class Port(otp.GenServer):
        @classmethod
        def check_arguments(cls, number: int) -> None:
            if not 0 < number < 65536:
                raise ra.ConfigError(f"port is {number}: allowed is a whole number below 65536")

        def init(self, number: int) -> otp.Ok:
            return otp.Ok(number)

    for give in (otp.start, otp.child_spec):
        with pytest.raises(ra.ConfigError, match="port is 70000"):
            give(Port, 70000)
    port: Any = otp.start(Port, 8080)
    assert port.is_alive()
    otp.stop(port)


def test_words_may_be_members_of_their_enumerations_or_texts():
    assert spec(restart="transient") == spec(restart=otp.Restart.TRANSIENT)
    assert otp.Bounded(1, "refuse") == otp.Bounded(1, otp.WhenFull.REFUSE)


def test_a_timer_for_what_is_no_target_is_refused_when_it_is_set():
    with pytest.raises(TypeError, match="neither a ref nor a name"):
        otp.send_after(FIVE, "hello", 0.01)


def test_a_handler_of_forks_is_public():
    assert otp.fork.lives_elsewhere("it").startswith("it lives in process")
