"""Inline turns: whoever brings a message to an idle server handles it, as the server."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors import otp
from realtime_actors.otp.kernel.calls import deliver_inline, process_of
from realtime_actors.otp.kernel.mailbox import CAST
from tests.otp.actors import SOON, Busy, Server, down_of

CALLER = contextvars.ContextVar("CALLER", default="nobody")


class Inline(Server):
    """Does what it is told, in whichever thread."""

    inline = True


class Recorder(otp.GenServer):
    """Keeps what it gets. No two threads may run its handlers at once."""

    inline = True

    def init(self) -> otp.Ok:
        self.inside = threading.Lock()
        self.overlapped = False
        return otp.Ok(())

    def handle_info(self, message: Any, state: tuple[Any, ...]) -> otp.NoReply:
        if not self.inside.acquire(blocking=False):
            self.overlapped = True
            raise AssertionError("two threads in a handler at once")
        try:
            assert otp.self_() is self.actor_ref
            if message == "crash":
                raise RuntimeError("boom")
            return otp.NoReply((*state, message))
        finally:
            self.inside.release()

    handle_cast = handle_info

    def handle_call(self, message: Any, from_: otp.From, state: tuple[Any, ...]) -> otp.Reply:
        return otp.Reply(state, state)


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


@pytest.fixture(params=[5e-6, 5e-3, 5e-2])
def interval(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the threads take turns often, as ever, and seldom."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


def resting(cls: type[otp.GenServer] = Inline, *args: Any) -> Any:
    """A server that sleeps, so that the next message to it is handled by its sender."""
    server = otp.start(cls, *args)
    wait_until(server, otp.Status.IDLE)
    return server


def wait_until(ref: Any, status: otp.Status) -> None:
    pause = threading.Event()
    for _ in range(int(SOON * 1000)):
        if any(each.ref is ref and each.status is status for _, each in otp.observe().walk()):
            return
        pause.wait(0.001)
    raise AssertionError(f"never {status}")


def told(server: Any, do: Callable[[Any, Any], Any]) -> Any:
    """What `do(server, state)` gives in a handler, in a message that this thread sends inline."""
    seen: list[Any] = []

    def handle(server: Any, from_: Any, state: Any) -> otp.NoReply:
        seen.append((threading.get_ident(), do(server, state)))
        return otp.NoReply(state)

    otp.send_inline(server, handle)
    ((thread, value),) = seen
    assert thread == threading.get_ident()
    return value


# -- who handles a message -----------------------------------------------------------------


def test_a_message_to_a_resting_server_is_handled_by_its_sender():
    server = resting()
    threads: list[int] = []
    otp.send_inline(server, lambda _, from_, state: threads.append(get()) or otp.NoReply(get()))

    assert threads == [threading.get_ident()]
    assert server.ask(lambda server, from_, state: otp.Reply(state, state)) == get()
    otp.stop(server)


get = threading.get_ident


def test_a_server_that_promises_nothing_handles_its_messages_itself(client):
    server = resting(Server)
    otp.send_inline(server, lambda *_: otp.send(client.ref, get()) or otp.NoReply(None))

    assert client.receive(SOON) != get()
    otp.stop(server)


def test_a_call_to_a_resting_server_is_handled_by_its_caller():
    server = resting()
    threads: list[tuple[int, int]] = []

    def ask() -> None:
        threads.append((get(), server.ask(lambda *_: otp.Reply(get(), None))))

    caller = threading.Thread(target=ask)
    caller.start()
    caller.join()

    ((caller_thread, handler_thread),) = threads
    assert handler_thread == caller_thread
    otp.stop(server)


def test_no_call_is_handled_in_the_main_thread_where_ctrl_c_may_come_out_of_anything():
    assert threading.current_thread() is threading.main_thread()
    server = resting()

    assert server.ask(lambda *_: otp.Reply(get(), None)) != get()
    otp.stop(server)


def test_what_comes_while_a_server_is_busy_waits_in_its_mailbox():
    server, busy = resting(), Busy()
    otp.send(server, busy)
    assert busy.entered.wait(SOON)
    otp.send_inline(server, lambda server, from_, state: otp.NoReply("handled"))

    assert server.ask(lambda *_: otp.Reply(None, None), block=False) is not None
    assert len(server.actor_inbox) == 2
    busy.leave.set()
    otp.stop(server)


def test_nothing_overtakes_what_waits_in_the_mailbox():
    server = resting(Recorder)
    for number in range(300):
        (otp.send if number % 3 else otp.send_inline)(server, number)

    assert server.ask("all") == tuple(range(300))
    otp.stop(server)


def test_a_message_that_a_handler_sends_to_its_own_server_comes_after_it(client):
    server = resting()

    def again(server: Any, from_: Any, state: Any) -> otp.NoReply:
        otp.send_inline(server.actor_ref, lambda *_: otp.NoReply([*got, "second"]))
        got.append("first")
        return otp.NoReply(got)

    got: list[str] = []
    otp.send_inline(server, again)
    assert server.ask(lambda server, from_, state: otp.Reply(state, state)) == ["first", "second"]
    otp.stop(server)


def test_turns_of_several_servers_nest():
    outer, inner = resting(), resting()

    assert told(outer, lambda *_: (told(inner, lambda *_: otp.self_()), otp.self_())) == (
        inner,
        outer,
    )
    otp.stop(outer)
    otp.stop(inner)


def test_two_servers_that_send_to_each_other_inline_both_go_on():
    one, other = resting(Recorder), resting(Recorder)
    otp.send_inline(one, "hello")
    otp.send_inline(other, "hello")

    def chat(to: Any, number: int) -> None:
        for each in range(number):
            otp.send_inline(to, each)

    threads = [threading.Thread(target=chat, args=(to, 200)) for to in (one, other, one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in (one, other):
        assert len(server.ask("all")) == 401
        otp.stop(server)


def test_a_server_may_take_its_promise_back_and_give_it_again():
    class Moody(Inline):
        promise = True

        def lends_turn(self) -> bool:
            return self.promise

    server = resting(Moody)

    def promise(kept: bool) -> Any:
        def handle(server: Any, from_: Any, state: Any) -> otp.Reply:
            server.promise = kept
            return otp.Reply(None, state)

        return handle

    def thread_of_the_next() -> int:
        wait_until(server, otp.Status.IDLE)
        otp.send_inline(server, lambda server, from_, state: otp.NoReply(get()))
        thread: int = server.ask(lambda server, from_, state: otp.Reply(state, state))
        return thread

    assert thread_of_the_next() == get()
    server.ask(promise(False))
    assert thread_of_the_next() != get()
    server.ask(promise(True))
    assert thread_of_the_next() == get()
    otp.stop(server)


def test_a_bounded_mailbox_lends_turns_too():
    class Small(Recorder):
        mailbox = otp.Bounded(1, otp.WhenFull.REFUSE)

    server = resting(Small)
    for number in range(10):
        otp.send_inline(server, number)

    assert server.ask("all") == tuple(range(10))
    otp.stop(server)


# -- as the server -------------------------------------------------------------------------


def test_a_handler_is_the_server_and_its_sender_is_itself_again(client):
    server = resting()

    assert told(server, lambda *_: otp.self_()) is server
    assert otp.self_() is client.ref
    otp.stop(server)


def test_a_handler_sees_and_sets_the_context_variables_of_its_server():
    server = contextvars.copy_context().run(lambda: (CALLER.set("Ada"), resting())[1])

    def look_and_set(server: Any, state: Any) -> str:
        before = CALLER.get()
        CALLER.set("Bob")
        return before

    assert told(server, look_and_set) == "Ada"
    assert CALLER.get() == "nobody"
    assert server.ask(lambda server, from_, state: otp.Reply(CALLER.get(), state)) == "Bob"
    otp.stop(server)


def test_what_a_handler_monitors_and_links_its_server_has_monitored_and_linked(client):
    watched, linked = otp.start(Server), otp.start(Server)
    server = resting()
    told(server, lambda *_: (otp.monitor(watched), otp.link(linked)))

    otp.exit_signal(watched, otp.KILL)
    assert client.messages() == []
    otp.exit_signal(linked, "gone")
    assert down_of(server, client).reason in ("gone", otp.NOPROC)


def test_calling_its_own_server_is_told_to_a_handler_at_once(client):
    server = resting()

    def ask_itself(server: Any, state: Any) -> Any:
        with pytest.raises(otp.DeadlockError) as caught:
            server.actor_ref.ask("me")
        return caught.value.reason

    assert told(server, ask_itself) == "calling_self"
    otp.stop(server)


def test_a_circle_of_calls_through_an_inline_turn_is_told_at_once(client):
    one, other = resting(), otp.start(Server)

    def ask_back(_: Any, from_: Any, state: Any) -> otp.Reply:
        try:
            return otp.Reply(one.ask("are you there?"), state)
        except otp.DeadlockError as error:
            (word, *_) = cast("tuple[str, Any]", error.reason)
            return otp.Reply(word, state)

    assert told(one, lambda *_: other.ask(ask_back, timeout=SOON)) == "deadlock"
    otp.stop(one)
    otp.stop(other)


def test_a_handler_that_waits_after_all_gets_what_it_waits_for(client):
    """It has promised not to: its sender waits with it. But nothing is lost."""
    server = resting()

    def wait(server: Any, state: Any) -> Any:
        task = otp.Task.async_(lambda: "value")
        other = otp.Task.async_(lambda: otp.send(server.actor_ref, lambda *_: otp.NoReply("then")))
        otp.Task.await_(other)
        return otp.Task.await_(task)

    assert told(server, wait) == "value"
    assert server.ask(lambda server, from_, state: otp.Reply(state, state)) == "then"
    otp.stop(server)


def test_what_comes_while_a_handler_waits_after_all_is_handled_after_it():
    server = resting()
    values: list[Any] = []

    def give() -> str:
        moment = threading.Event()
        moment.wait(0.05)  # the handler waits by then, and its server's own thread too
        otp.send(server, lambda *_: otp.NoReply("then"))
        moment.wait(0.05)  # whichever of them that has woken waits again
        return "value"

    def wait(server: Any, from_: Any, state: Any) -> otp.NoReply:
        values.append(otp.Task.await_(otp.Task.async_(give), timeout=None))
        return otp.NoReply(state)

    sender = threading.Thread(target=otp.send_inline, args=(server, wait), daemon=True)
    sender.start()
    sender.join(SOON)

    assert values == ["value"]
    assert server.ask(lambda server, from_, state: otp.Reply(state, state), timeout=SOON) == "then"
    otp.stop(server)


def test_a_server_is_running_while_another_thread_runs_it(client):
    server = resting()

    def status(*_: Any) -> Any:
        return next(each.status for _, each in otp.observe().walk() if each.ref is server)

    assert told(server, status) is otp.Status.RUNNING
    wait_until(server, otp.Status.IDLE)
    otp.stop(server)


def test_a_call_that_is_brought_inline_is_answered():
    server = resting(Recorder)
    process = process_of(server)
    assert process is not None
    otp.send_inline(server, 1)
    request = otp.From("all", None, process)
    deliver_inline(process, request)

    assert request.settled
    assert request.value == (1,)
    otp.stop(server)


# -- what is left to the server's own thread -----------------------------------------------


class Telling(otp.GenServer):
    """Says in which thread its callbacks ran, and in which order."""

    inline = True

    def init(self, to: Any) -> otp.Ok:
        otp.trap_exit()
        self.own = get()
        return otp.Ok(to)

    def note(self, callback: str, *more: Any) -> None:
        otp.send(self.state, (callback, "own" if get() == self.own else "other", *more))

    def handle_info(self, message: Any, state: Any) -> Any:
        self.note("info")
        return message(state) if callable(message) else otp.NoReply(state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        self.note("cast")
        return otp.NoReply(state)

    def handle_continue(self, message: Any, state: Any) -> Any:
        self.note("continue")
        return otp.NoReply(state)

    def terminate(self, reason: Any, state: Any) -> None:
        self.note("terminate", reason)


def test_a_stop_ends_the_server_in_its_own_thread(client):
    server = resting(Telling, client.ref)
    watch = otp.monitor(server)
    otp.send_inline(server, lambda state: otp.Stop("enough", state))

    assert client.receive(SOON) == ("info", "other")
    assert client.receive(SOON) == ("terminate", "own", "enough")
    assert client.receive(SOON) == otp.Down(watch, server, "enough")


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(3), otp.Exit("odd")])
def test_what_a_handler_raises_ends_the_server_and_not_its_sender(client, error):
    def fail(state: Any) -> Any:
        raise error

    server = resting(Telling, client.ref)
    watch = otp.monitor(server)
    otp.send_inline(server, fail)
    reason = "odd" if isinstance(error, otp.Exit) else error

    assert client.receive(SOON) == ("info", "other")
    assert client.receive(SOON) == ("terminate", "own", reason)
    assert client.receive(SOON) == otp.Down(watch, server, reason)


def test_a_bad_result_ends_the_server(client):
    server = resting(Telling, client.ref)
    otp.send_inline(server, lambda state: "nonsense")

    assert client.receive(SOON) == ("info", "other")
    assert client.receive(SOON) == ("terminate", "own", ("bad_return_value", "nonsense"))


def test_what_is_to_be_continued_is_so_before_anything_else(client):
    server = resting(Telling, client.ref)

    def continue_(state: Any) -> otp.NoReply:
        otp.cast(server, "in the meantime")
        return otp.NoReply(state, continue_="now")

    otp.send_inline(server, continue_)
    otp.send_inline(server, lambda state: otp.NoReply(state))

    assert [client.receive(SOON) for _ in range(4)] == [
        ("info", "other"),
        ("continue", "own"),
        ("cast", "own"),
        ("info", "own"),
    ]
    otp.stop(server)


def test_a_time_limit_is_kept_by_the_own_thread_and_ended_by_the_next_message(client):
    server = resting(Telling, client.ref)
    otp.send_inline(server, lambda state: otp.NoReply(state, timeout=0.01))
    assert client.receive(SOON) == ("info", "other")
    assert client.receive(SOON) == ("info", "own")  # "timeout"

    otp.send_inline(server, lambda state: otp.NoReply(state, timeout=60))
    otp.send_inline(server, lambda state: otp.NoReply(state))
    assert [client.receive(SOON)[0] for _ in range(2)] == ["info", "info"]
    wait_until(server, otp.Status.IDLE)
    otp.send_inline(server, lambda state: otp.NoReply(state))
    assert client.receive(SOON) == ("info", "other")
    otp.stop(server)


def test_ctrl_c_in_a_handler_ends_the_server_and_is_the_programs_all_the_same(client):
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    server = resting()
    watch = otp.monitor(server)
    with pytest.raises(KeyboardInterrupt):
        otp.send_inline(server, interrupt)

    assert otp.self_() is client.ref
    down = client.receive(SOON)
    assert down.monitor_ref is watch
    assert isinstance(down.reason, KeyboardInterrupt)


# -- the end -------------------------------------------------------------------------------


def test_a_kill_lets_the_turn_finish_and_detaches_no_thread(client):
    server, busy = resting(), Busy()
    watch = otp.monitor(server)
    done: list[str] = []
    sender = threading.Thread(target=lambda: (otp.send_inline(server, busy), done.append("sent")))
    sender.start()
    assert busy.entered.wait(SOON)
    otp.exit_signal(server, otp.KILL)

    assert client.receive(SOON) == otp.Down(watch, server, otp.KILLED)
    assert otp.detached_count() == 0
    assert not server.is_alive()
    busy.leave.set()
    sender.join(SOON)
    assert done == ["sent"]


def test_whoever_kills_a_server_waits_for_the_turn_of_another_thread(client):
    left = threading.Event()
    entered = threading.Event()

    def take_a_moment(server: Any, from_: Any, state: Any) -> otp.NoReply:
        entered.set()
        threading.Event().wait(0.02)
        left.set()
        return otp.NoReply(state)

    server = resting()
    sender = threading.Thread(target=otp.send_inline, args=(server, take_a_moment))
    sender.start()
    assert entered.wait(SOON)
    otp.exit_signal(server, otp.KILL)

    assert left.is_set()
    sender.join(SOON)


def test_a_handler_that_kills_its_own_server_is_cancelled_at_once(client):
    server = resting()
    outcomes: list[Any] = []

    def kill(server: Any, from_: Any, state: Any) -> otp.NoReply:
        try:
            otp.exit_signal(server.actor_ref, otp.KILL)
        except otp.Cancelled as error:
            outcomes.append(error.reason)
        return otp.NoReply(state)

    otp.send_inline(server, kill)
    assert outcomes == [otp.KILLED]
    assert not server.is_alive()
    otp.send(client.ref, "the sender goes on")
    assert client.messages() == ["the sender goes on"]


def test_a_handler_may_kill_the_process_whose_thread_runs_it(client):
    server = resting()
    after = threading.Event()

    def run() -> None:
        otp.send_inline(server, lambda *_: task[0].kill() or otp.NoReply(None))
        try:
            otp.send(client.ref, "late")
        finally:
            after.set()

    task: list[Any] = []
    started = threading.Event()
    task.append(otp.Task.start(lambda: started.wait(SOON) and run()))
    started.set()

    assert after.wait(SOON)
    assert client.messages() == []
    assert server.ask(lambda *_: otp.Reply("alive", None)) == "alive"
    otp.stop(server)


def test_a_dead_sender_sends_nothing_inline_either(client):
    server, busy = resting(Recorder), Busy(lambda: otp.send_inline(server, "late"))
    task = otp.Task.start(busy)
    assert busy.entered.wait(SOON)
    task.kill()
    busy.leave.set()
    assert busy.left.wait(SOON)

    assert isinstance(busy.outcome, otp.Cancelled)
    assert server.ask("all") == ()
    otp.stop(server)


def test_a_server_that_has_ended_swallows_what_is_sent_inline():
    server = resting()
    otp.stop(server)
    otp.send_inline(server, "late")
    with pytest.raises(otp.NoProcessError):
        otp.send_inline("nobody has this name", "late")


# -- in whatever order ---------------------------------------------------------------------


def test_two_hundred_threads_against_one_server(interval):
    server = resting(Recorder)
    start = threading.Barrier(200)

    def send(sender: int) -> None:
        start.wait(SOON)
        for number in range(20):
            (otp.send_inline, otp.send, otp.cast)[number % 3](server, (sender, number))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = server.ask("all", timeout=60)

    assert len(got) == 4000
    for sender in range(200):
        assert [number for who, number in got if who == sender] == list(range(20))
    otp.stop(server)


ways = st.sampled_from(["inline", "inline", "send", "cast", "cast inline", "ask", "timer"])
senders = st.lists(st.lists(ways, max_size=20), min_size=1, max_size=5)
ends = st.none() | st.tuples(
    st.sampled_from(["stop", "kill", "crash", "signal"]), st.integers(0, 9)
)


@settings(max_examples=150)
@given(senders, ends, st.sampled_from([5e-6, 5e-3]))
def test_whoever_sends_whatever_how_ever_nothing_is_lost_or_overtaken(todo, end, interval):
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        got, sent = all_at_once(todo, end)
    finally:
        sys.setswitchinterval(before)
    for who, ways in enumerate(todo):
        kept = [number for sender, number in got if sender == who]
        in_order = [each for each in kept if ways[each] != "timer"]
        expected = [each for each in range(sent[who]) if ways[each] not in ("timer", "ask")]
        assert len(set(kept)) == len(kept)
        assert in_order == expected[: len(in_order)]
        if end is None:
            assert in_order == expected
            assert len(kept) == len(ways) - ways.count("ask")


def all_at_once(todo: list[list[str]], end: Any) -> tuple[Any, list[int]]:
    """Send all this to one server, each list from a thread. Gives what it got, and how much
    of each list was sent.
    """
    ref: Any = otp.start(Recorder)
    process: Any = process_of(ref)
    server = process.handle_here.__self__  # its state can be looked at after its end
    start = threading.Barrier(len(todo) + (end is not None))
    sent = [0] * len(todo)
    with otp.fake_clock() as clock:

        def send(who: int, ways: list[str]) -> None:
            start.wait(SOON)
            for number, way in enumerate(ways):
                message = (who, number)
                match way:
                    case "inline":
                        otp.send_inline(ref, message)
                    case "send":
                        otp.send(ref, message)
                    case "cast":
                        otp.cast(ref, message)
                    case "cast inline":
                        deliver_inline(process, (CAST, message))
                    case "timer":
                        otp.send_after(ref, message, 0.0)
                    case "ask":
                        try:
                            seen = ref.ask("all")
                        except otp.CallExit:
                            return
                        mine = [each for sender, each in seen if sender == who]
                        assert [each for each in mine if ways[each] != "timer"] == [
                            each for each in range(number) if ways[each] not in ("timer", "ask")
                        ]
                sent[who] = number + 1

        def finish(how: str, after: int) -> None:
            start.wait(SOON)
            for _ in range(after):
                otp.send_inline(ref, (-1, after))
            match how:
                case "stop":
                    ref.stop()
                case "crash":
                    otp.send_inline(ref, "crash")
                case "kill" | "signal":
                    otp.exit_signal(ref, otp.KILL if how == "kill" else "signalled")

        threads = [threading.Thread(target=send, args=each) for each in enumerate(todo)]
        if end is not None:
            threads.append(threading.Thread(target=finish, args=end))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            clock.advance(0.001)
            threads[0].join(0.0005)
        clock.advance(1.0)
    with contextlib.suppress(otp.CallExit):  # it may be ending
        ref.ask("all")
        otp.stop(ref)
    for thread in threading.enumerate():
        if thread.name == process.label:
            thread.join(SOON)
    assert not server.overlapped
    return [each for each in server.state if each[0] >= 0], sent
