"""Context variables: who sees what whoever started it has set."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors import otp
from tests.otp.actors import SOON, down_of

CALLER = contextvars.ContextVar("CALLER", default="nobody")


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


class Telling(otp.GenServer):
    """Says what it sees, and sets what it is told."""

    def init(self) -> otp.Ok:
        return otp.Ok(CALLER.get())

    def handle_call(self, message: Any, from_: otp.From, state: Any) -> otp.Reply:
        if message != "what do you see?":
            CALLER.set(message)
        return otp.Reply((state, CALLER.get()), state)

    def handle_info(self, message: Any, state: Any) -> otp.NoReply:
        return otp.NoReply(CALLER.get())


def seen_by(caller: str, do: Any, *args: Any) -> Any:
    """Do something as this caller."""
    return contextvars.copy_context().run(lambda: (CALLER.set(caller), do(*args))[1])


def look(*anything: Any) -> str:
    return CALLER.get()


def test_a_server_sees_what_its_starter_saw_and_no_later_caller():
    server = seen_by("Ada", otp.start, Telling)
    assert seen_by("Bob", server.ask, "what do you see?") == ("Ada", "Ada")
    otp.stop(server)


def test_what_a_server_sets_stays_its_own(client):
    server = otp.start(Telling)
    assert server.ask("Eve") == ("nobody", "Eve")
    assert server.ask("what do you see?") == ("nobody", "Eve")
    assert CALLER.get() == "nobody"
    otp.stop(server)


def test_a_task_sees_what_its_starter_saw_however_it_is_started(client):
    tasks = otp.start(otp.TaskSupervisor)

    def several() -> list[Any]:
        return [each.value for each in tasks.stream(look, [1, 2])]

    assert otp.Task.await_(seen_by("Ada", otp.Task.async_, look)) == "Ada"
    assert otp.Task.await_(seen_by("Bob", tasks.async_, look)) == "Bob"
    assert otp.Task.await_(seen_by("Cyd", tasks.async_nolink, look)) == "Cyd"
    assert seen_by("Dan", several) == ["Dan", "Dan"]
    for start in (otp.Task.start, tasks.start_child):
        seen_by("Eve", start, lambda: otp.send(client.ref, look()))
        assert client.receive(SOON) == "Eve"
    otp.stop(tasks)


def test_a_task_of_a_server_sees_what_the_server_does(client):
    class Delegating(Telling):
        def handle_cast(self, message: Any, state: Any) -> otp.NoReply:
            otp.Task.start(lambda: otp.send(message, look()))
            return otp.NoReply(state)

    server = seen_by("Ada", otp.start, Delegating)
    otp.cast(server, client.ref)
    assert client.receive(SOON) == "Ada"
    server.ask("Eve")
    otp.cast(server, client.ref)
    assert client.receive(SOON) == "Eve"
    otp.stop(server)


def test_a_coroutine_starts_tasks_that_see_what_it_sees(client):
    async def start() -> otp.TaskRef:
        CALLER.set("a coroutine")
        return otp.Task.async_(look)

    assert otp.Task.await_(asyncio.run(start())) == "a coroutine"
    assert CALLER.get() == "nobody"


@pytest.mark.parametrize("cls", [otp.Supervisor, otp.DynamicSupervisor])
def test_a_child_sees_what_its_caller_saw_after_a_restart_too(cls, client):
    supervisor: Any = seen_by("the boss", otp.start, cls)
    child = seen_by("Ada", supervisor.start_child, otp.child_spec(Telling, keep_ref=True))
    assert child.ask("Eve") == ("Ada", "Eve")
    otp.exit_signal(child, otp.KILL)
    supervisor.count_children()  # it is there again before this is answered
    assert child.ask("what do you see?") == ("Ada", "Ada")
    otp.stop(supervisor)


def test_a_child_of_the_first_hour_sees_what_the_supervisor_does(client):
    spec = otp.child_spec(Telling, name="telling")
    supervisor: Any = seen_by("the boss", otp.start, otp.Supervisor, [spec])
    assert otp.call("telling", "what do you see?") == ("the boss", "the boss")
    otp.stop(supervisor)


def test_an_ended_server_keeps_no_variable_alive(client):
    server = seen_by("Ada", otp.start, Telling)
    otp.stop(server)
    down_of(server, client)
    assert server._process.context is None


starts = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12)


@settings(max_examples=30)
@given(starts)
def test_nobody_ever_sees_what_another_has_set(todo):
    """Each server sees what its starter has set, until it sets something itself."""
    servers = []
    for caller, setting in todo:
        server = seen_by(caller, otp.start, Telling)
        servers.append((server, caller, setting))
        for each, starter, _ in servers[:-1]:
            assert each.ask("what do you see?")[0] == starter
        assert server.ask("what do you see?") == (caller, caller)
        assert server.ask(setting) == (caller, setting)
    for each, starter, own in servers:
        assert each.ask("what do you see?") == (starter, own)
        otp.stop(each)
    assert CALLER.get() == "nobody"
