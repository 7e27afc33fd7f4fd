"""A program that forks: its actors, sessions, sockets and timers stay with the parent."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pykka
import pytest

import realtime_actors as ra
from realtime_actors import console, otp
from realtime_actors.events import AgentEndEvent, ToolEndEvent
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.session import DeadSessionError
from realtime_actors.testing import Probe
from realtime_actors.transport import set_io_threads
from tests.otp.actors import SOON, Counter, Server, down_of
from tests.session.forking import in_child
from tests.session.test_after_the_end import VERBS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted() as server:
        yield server


def run(server: RealtimeServer, **options: Any) -> ra.Session:
    where = {"url": server.url, "transport": options.pop("transport", "fast")}
    return ra.run(ra.agent(), model_config=where, **options)


def raised_by(do: Any) -> tuple[str, str, float]:
    """What something raises, and how long that takes."""
    began = time.monotonic()
    try:
        do()
    except BaseException as error:
        return type(error).__name__, str(error), time.monotonic() - began
    return "nothing", "", time.monotonic() - began


def say(session: ra.Session, probe: Probe) -> str:
    session.send_message("Are you there?")
    return probe.wait_for(AgentEndEvent).status


@pytest.mark.parametrize("transport", ["fast", "plain"])
def test_the_call_of_the_parent_goes_on_whatever_the_child_does(server, transport):
    with run(server, transport=transport) as session:
        probe = Probe(session)
        assert say(session, probe) == "completed"

        def hostile() -> None:
            with session:
                pass
            raised_by(session.close)
            raised_by(lambda: session.send_audio(bytes(96)))
            session.stop()
            otp.exit_signal(session, otp.KILL)
            pykka.ActorRegistry.stop_all()

        in_child(hostile)

        assert say(session, probe) == "completed"
        assert session.connected
        assert session.incarnation == 1


def test_every_verb_on_a_handle_of_the_parent_raises_at_once_and_says_why(server):
    with run(server) as session:
        verbs = {**VERBS, "close": ra.Session.close, "history": ra.Session.history}
        del verbs["proxy"], verbs["history"]
        told = in_child(
            lambda: {name: raised_by(partial(verb, session)) for name, verb in verbs.items()}
        )

        for name, (kind, why, seconds) in told.items():
            assert (name, kind) == (name, DeadSessionError.__name__)
            assert f"this session lives in process {os.getpid()}, which forked this one" in why
            assert "start another one here" in why
            assert seconds < 1.0


def test_a_stream_of_the_parent_ends_at_once(server):
    with run(server) as session, session.events() as stream:
        (kind, why, seconds) = in_child(lambda: raised_by(lambda: list(stream)))
        assert kind == "SessionClosedError"
        assert "lives in process" in why
        assert seconds < 1.0


def test_a_session_that_had_ended_still_says_what_ended_it(server):
    with run(server) as session:
        pass
    kind, why, _ = in_child(lambda: raised_by(lambda: session.send_message("too late")))
    assert (kind, "the session was closed" in why) == (DeadSessionError.__name__, True)


def test_a_child_holds_no_socket_of_its_parent(server, tmp_path):
    def sockets() -> set[str]:
        links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.exists()]
        return {link for link in links if link.startswith(("socket:", "anon_inode:[eventpoll"))}

    with run(server), run(server, transport="plain"), console.listen(tmp_path / "window"):
        before = sockets()
        assert len(before) > 3
        assert set(in_child(lambda: sorted(sockets()))) & before <= {"anon_inode:[eventpoll]"}


@ra.tool(timeout=0.2)
def slow(context: ra.ToolContext) -> str:
    """Take too long."""
    while not context.cancelled:
        threading.Event().wait(0.01)
    return "late"


def test_a_session_of_the_childs_own_works_timers_and_all():
    def talk(url: str) -> str:
        with ra.run(ra.agent(tools=[slow]), model_config={"url": url}, timeout=SOON) as session:
            probe = Probe(session)
            session.send_message("Go on.")
            return probe.wait_for(ToolEndEvent).output

    replies: list[Reply] = [[Call("slow", {})], "Sorry."]
    with (
        RealtimeServer.scripted(replies) as first,
        RealtimeServer.scripted(replies) as second,
        run(first),  # a live one, too: the I/O thread runs
    ):
        assert talk(first.url) == "Error: slow took longer than 0.2 s"
        assert in_child(lambda: talk(second.url)) == "Error: slow took longer than 0.2 s"


def test_names_registries_and_topics_are_empty_in_the_child():
    registry, topics = otp.Registry(), otp.PubSub()

    class Registered(otp.GenServer):
        def init(self) -> otp.Ok:
            registry.register("key")
            topics.subscribe("news")
            return otp.Ok()

    server: Any = otp.start(Registered, name="the name")

    def look() -> list[Any]:
        here = [otp.registered(), registry.count(), topics.subscribers("news")]
        here += [len(otp.observe().roots), len(pykka.ActorRegistry.get_all())]
        mine: Any = otp.start(Counter, 5, name="the name")
        here += [otp.call("the name", "get"), otp.whereis("the name") is mine]
        otp.stop(mine)
        return here

    assert in_child(look) == [[], 0, 0, 0, 0, 5, True]
    assert otp.whereis("the name") is server
    assert (registry.count(), topics.subscribers("news")) == (1, 1)
    otp.stop(server)


def test_a_server_of_the_parent_is_dead_in_the_child():
    server: Any = otp.start(Counter)
    asked = otp.start(Server)
    future = asked.ask(lambda server, from_, state: otp.NoReply(state), block=False)

    def ask() -> list[Any]:
        server.tell("nobody hears this")
        otp.send(server, "nor this")
        with otp.Client() as client:
            return [
                raised_by(lambda: server.ask("get")),
                raised_by(lambda: otp.stop(server)),
                raised_by(lambda: future.get(timeout=SOON)),
                [server.is_alive(), server.stop()],
                str(down_of(server, client).reason),
            ]

    told = in_child(ask)
    for kind, why, seconds in told[:3]:
        assert kind == "CallExit"
        assert f"lives in process {os.getpid()}, which forked this one" in why
        assert seconds < 1.0
    assert told[3:] == [[False, False], "noproc"]
    assert server.ask("get") == 0
    otp.stop(server)
    otp.exit_signal(asked, otp.KILL)


def test_a_plain_actor_of_the_parent_is_dead_in_the_child():
    class Plain(pykka.ThreadingActor):
        use_daemon_thread = True

        def on_receive(self, message: Any) -> Any:
            return message

    plain = Plain.start()
    assert otp.call(plain, "a message") == "a message"
    told = in_child(
        lambda: [
            raised_by(lambda: plain.ask("a message")),
            raised_by(lambda: otp.call(plain, "a message")),
        ]
    )
    assert [kind for kind, _, _ in told] == ["ActorDeadError", "CallExit"]
    assert otp.call(plain, "a message") == "a message"
    plain.stop()


def test_a_tool_that_forks_has_a_child_that_starts_anew(server):
    told: list[Any] = []

    @ra.tool
    def fork(context: ra.ToolContext) -> str:
        def child() -> list[Any]:
            mine = otp.start(Counter, 7)
            return [otp.self_(), mine.ask("get"), raised_by(context.session.interrupt)[0]]

        told.append(in_child(child))
        return "forked"

    with (
        RealtimeServer.scripted([[Call("fork", {})], "Done."]) as scripted,
        ra.run(ra.agent(tools=[fork]), model_config={"url": scripted.url}) as session,
    ):
        probe = Probe(session)
        session.send_message("Go on.")
        assert probe.wait_for(ToolEndEvent).output == "forked"
    assert told == [[None, 7, "DeadSessionError"]]


def test_a_client_of_the_parent_is_none_in_the_child():
    with otp.Client() as client:
        timer = otp.send_after(client.ref, "later", 1000.0)

        def use() -> list[Any]:
            with otp.Client() as mine:
                otp.send_after(mine.ref, "soon", 0.01)
                return [raised_by(client.ref.is_alive)[0], mine.receive(SOON), timer.cancel() > 0]

        assert in_child(use)[1:] == ["soon", True]
        assert in_child(lambda: raised_by(client.receive)[0]) == "NoProcessError"
        assert otp.cancel_timer(timer) > 0


def test_who_leaves_the_block_of_a_server_in_the_child_does_not_stop_it(server, tmp_path):
    with console.listen(tmp_path / "window") as window, run(server) as session:
        in_child(lambda: [server.stop(), window.close(), server.drop_connections()])

        assert say(session, Probe(session)) == "completed"
        assert console.look(tmp_path / "window")["roots"]
        with run(server) as another:
            assert another.connected


def test_whatever_the_threads_of_the_parent_are_at_a_child_waits_for_no_lock(server):
    """Forked again and again, out of a program that does everything at once."""
    over, registry, topics = threading.Event(), otp.Registry("duplicate"), otp.PubSub()

    def busy(number: int) -> None:
        def register() -> None:
            registry.register(number)
            topics.subscribe(number)

        while not over.is_set():
            mine = otp.start(Server, name=f"name {number}")
            mine.ask(lambda *_: otp.Reply(register(), None))
            otp.send_after(mine, "soon", 0.001)
            otp.stop(mine)

    def talk() -> None:
        while not over.is_set():
            with run(server) as session:
                session.send_audio(bytes(4800))

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
    threads.append(threading.Thread(target=talk))
    for thread in threads:
        thread.start()

    def start_anew() -> Any:
        mine: Any = otp.start(Counter, 5, name="name 1")
        with otp.Client() as client:
            otp.send_after(client.ref, "timer", 0.001)
            return [mine.ask("get"), client.receive(SOON), registry.count()]

    try:
        for _ in range(30):
            assert in_child(start_anew) == [5, "timer", 0]
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_many_io_threads_are_left_behind_as_well(server):
    set_io_threads(None)
    try:
        with run(server) as one, run(server) as other:
            status = in_child(lambda: say_once(server.url))
            assert json.dumps(status) == '"completed"'
            assert say(one, Probe(one)) == say(other, Probe(other)) == "completed"
    finally:
        set_io_threads(1)


def say_once(url: str) -> str:
    with ra.run(ra.agent(), model_config={"url": url}, timeout=SOON) as session:
        return say(session, Probe(session))
