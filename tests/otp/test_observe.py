"""A look at what runs."""

from __future__ import annotations

import time
from typing import Any

import pykka

from realtime_actors import otp
from tests.otp.actors import SOON, Busy, Counter, Server


def by_ref(snapshot: otp.Snapshot, ref: Any) -> otp.ProcessInfo:
    return next(each for _, each in snapshot.walk() if each.ref is ref)


def test_a_tree_is_seen_as_a_tree():
    began = time.time()
    with otp.Client("the client") as client:
        spec = otp.child_spec(Counter, id="counter", name="counter")
        top: Any = otp.start_link(otp.Supervisor, [spec], name="top")
        counter = otp.whereis("counter")
        watch = otp.monitor(counter)
        counter.ask(("add", 1))
        counter.ask(("add", 1))

        snapshot = otp.observe()

        (root,) = snapshot.roots
        assert (root.ref, root.kind, root.names) == (client.ref, "client", ("the client",))
        assert [(depth, each.ref) for depth, each in snapshot.walk()] == [
            (0, client.ref),
            (1, top),
            (2, counter),
        ]
        info = by_ref(snapshot, counter)
        assert (info.kind, info.names, info.handled) == ("server", ("counter",), 2)
        assert info.label.startswith("Counter-")
        assert info.parent == by_ref(snapshot, top).label
        assert info.links == (info.parent,)
        assert info.monitored_by == (root.label,)
        assert (info.mailbox, info.dropped, info.restarts) == (0, 0, 0)
        assert began <= info.since <= snapshot.at <= time.time()
        assert by_ref(snapshot, top).kind == "supervisor"
        otp.demonitor(watch)
        otp.stop(top)
    assert otp.observe().roots == ()


def test_who_was_started_under_a_key_of_a_registry_has_it_for_a_name():
    registry = otp.Registry()
    lodger = otp.start(Server, name=registry.via(("room", 7)))
    assert by_ref(otp.observe(), lodger).names == ("('room', 7)",)

    lodger.ask(lambda server, from_, state: otp.Reply(registry.unregister(("room", 7)), state))

    assert by_ref(otp.observe(), lodger).names == ()
    otp.stop(lodger)


def test_it_is_seen_what_a_process_is_doing():
    server, busy = otp.start(Server), Busy()
    future = server.ask(busy, block=False)
    assert busy.entered.wait(SOON)
    server.tell("waiting")

    info = by_ref(otp.observe(), server)
    assert (info.status, info.mailbox) == (otp.Status.RUNNING, 1)

    otp.exit_signal(server, otp.KILL)
    (detached,) = otp.observe().detached
    assert (detached.ref, detached.status) == (server, otp.Status.DETACHED)
    busy.leave.set()
    assert future is not None


def test_tasks_and_plain_actors_are_seen_too():
    with otp.Client():
        supervisor: Any = otp.start(otp.TaskSupervisor)
        task = supervisor.start_child(otp.receive)
        plain = pykka.ThreadingActor.start()
        otp.monitor(plain)

        snapshot = otp.observe()

        assert by_ref(snapshot, task).kind == "task"
        assert by_ref(snapshot, task).parent == by_ref(snapshot, supervisor).label
        assert by_ref(snapshot, plain).kind == "foreign"
        otp.stop(supervisor)
        plain.stop()
