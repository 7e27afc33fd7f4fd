"""The end of a program with sessions in it: by a signal, or because it has nothing more to do.

Each of these is a program of its own: it gets real signals, and is killed when it hangs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import realtime_actors as ra
from realtime_actors.testing import ScriptedTransport

HANGS_AFTER = 20.0
"""Seconds after which a program counts as one that hangs."""

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be sent")

BEGINNING = """
import atexit, os, signal, sys, threading, time
import realtime_actors as ra
from realtime_actors.events import AudioEvent, ConnectionEvent
from realtime_actors.testing import ScriptedTransport
from tests.session.wire import (
    audio_delta, call_done, error, response_created, response_done, transcript_delta
)

def say(*words):
    # One write: lines of two threads must not run into one another.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def start(agent=None, **options):
    script = ScriptedTransport(strict=False)
    where = {"url": "ws://127.0.0.1:1/"}
    session = ra.run(agent or ra.agent(), transport=script, model_config=where, **options)
    return session, script

class Told:
    def put(self, message):
        match message.event:
            case ConnectionEvent(state=state, reason=reason):
                say(state, "-", reason)

def stuck(*_):
    say("stuck")
    threading.Event().wait()
"""


def program(text: str, before: str = "", *, apart: bool = False) -> subprocess.Popen[str]:
    """Start a program; it says what it does line by line. `before` comes before all imports."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(before) + BEGINNING + textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=apart,
    )


def reads(running: subprocess.Popen[str], line: str) -> None:
    """Wait until a program has said something."""
    assert running.stdout is not None
    said = running.stdout.readline()
    assert said == f"{line}\n", said + (running.stderr.read() if running.stderr else "")


def end_of(running: subprocess.Popen[str], within: float = HANGS_AFTER) -> tuple[int, list[str]]:
    """Wait for the end of a program; give its status, and what it had still to say."""
    try:
        said, complaints = running.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        running.kill()
        said, complaints = running.communicate()
        raise AssertionError(f"the program hangs: {said}\n{complaints}") from None
    assert "Traceback" not in complaints, complaints
    return running.returncode, said.splitlines()


# -- signals ---------------------------------------------------------------------------------


TALKING = """
    session, script = start()
    session.subscribe(Told())
    script.emit(response_created(), audio_delta(ms=300), transcript_delta("Hello"))
    handlers = ra.install_signal_handlers(grace=GRACE)
    def model():
        while not handlers.draining:
            time.sleep(0.01)
        time.sleep(0.2)
        script.emit(audio_delta(ms=100), response_done())
        say("the model has finished")
    threading.Thread(target=model, daemon=True).start()
    say("ready")
    try:
        MAIN
    finally:
        say("finally")
    say("never said")
    """
WAITS = {
    "in a lock": "threading.Event().wait()",
    "in a sleep": "time.sleep(100)",
    "in an event loop": "import asyncio; asyncio.run(asyncio.sleep(100))",
    "in the events of the session": "list(session.events()); threading.Event().wait()",
    "in a join": "t = threading.Thread(target=stuck); t.daemon = True; t.start(); t.join()",
    "in a loop": "exec('while True: pass')",
}


def talking(grace: float = 10, main: str = WAITS["in a lock"]) -> subprocess.Popen[str]:
    running = program(TALKING.replace("GRACE", str(grace)).replace("MAIN", main))
    reads(running, "ready")
    return running


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_each_session_finish_its_turn_and_then_ends_the_program(
    number: signal.Signals,
) -> None:
    running = talking()

    running.send_signal(number)

    assert end_of(running) == (
        128 + number,
        ["the model has finished", "closed - the session was closed", "finally"],
    )


@POSIX
@pytest.mark.parametrize("where", WAITS)
def test_whatever_the_main_thread_waits_for_it_is_ended(where: str) -> None:
    running = talking(main=WAITS[where])

    running.send_signal(signal.SIGTERM)

    status, said = end_of(running)
    assert status == 143
    assert [line for line in said if line != "stuck"] == [
        "the model has finished",
        "closed - the session was closed",
        "finally",
    ]


@POSIX
def test_what_has_not_finished_in_time_is_ended_where_it_is() -> None:
    running = talking(grace=0.05)

    running.send_signal(signal.SIGTERM)

    status, said = end_of(running, within=10)
    assert status == 143
    assert [line for line in said if line != "the model has finished"] == [
        "closed - the session was closed",
        "finally",
    ]


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_waits_for_nothing(number: signal.Signals) -> None:
    running = program(
        """
        session, script = start()
        session.subscribe(Told())
        script.emit(response_created(), audio_delta(ms=600_000))
        handlers = ra.install_signal_handlers(grace=600)
        say("ready")
        while not handlers.draining:
            time.sleep(0.01)
        say("draining")
        threading.Event().wait()
        """
    )
    reads(running, "ready")
    running.send_signal(signal.SIGTERM)
    reads(running, "draining")

    began = time.monotonic()
    running.send_signal(number)

    assert end_of(running) == (128 + number, ["closed - the session was closed"])
    assert time.monotonic() - began < 5


@POSIX
def test_a_program_without_sessions_ends_at_once() -> None:
    running = program(
        """
        ra.install_signal_handlers(grace=600)
        say("ready")
        threading.Event().wait()
        """
    )
    reads(running, "ready")

    running.send_signal(signal.SIGTERM)

    assert end_of(running, within=5) == (143, [])


@POSIX
def test_no_session_is_started_while_others_finish_and_none_is_started_again() -> None:
    running = program(
        """
        from realtime_actors import otp
        calls = otp.start(otp.DynamicSupervisor)
        talks, script = start()
        script.emit(response_created(), audio_delta(ms=600_000))
        fails, failing = start(supervisor=calls)
        failing.emit(response_created(), audio_delta(ms=600_000))
        handlers = ra.install_signal_handlers(grace=600)
        say("ready")
        while not handlers.draining:
            time.sleep(0.01)
        for options in ({}, {"supervisor": calls}):
            try:
                start(**options)
            except ra.StartError as error:
                say(error.cause, "-", error)
        fails.subscribe(Told())
        otp.exit_signal(fails, otp.KILL)
        while fails.is_alive() or calls.count_children().active:
            time.sleep(0.01)
        say("not started again")
        talks.close()
        threading.Event().wait()
        """
    )
    reads(running, "ready")

    running.send_signal(signal.SIGTERM)

    refusal = "shutting_down - no session is started: the program is shutting down"
    status, said = end_of(running)
    assert (status, said[:2]) == (143, [refusal, refusal])
    assert "not started again" in said  # a subscriber says so too, in the thread of the session


@POSIX
def test_the_trace_of_a_call_is_whole_and_what_the_program_does_at_exit_is_done(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "call.trace"
    running = program(
        f"""
        atexit.register(say, "at exit")
        session, script = start(trace={str(trace)!r})
        script.emit(response_created(), audio_delta(ms=600_000))
        ra.install_signal_handlers(grace=0)
        say("ready")
        threading.Event().wait()
        """
    )
    reads(running, "ready")

    running.send_signal(signal.SIGTERM)

    assert end_of(running) == (143, ["at exit"])
    assert '"Close"' in trace.read_text("utf-8").splitlines()[-1]


@POSIX
def test_a_tool_in_a_process_of_its_own_may_finish_after_a_ctrl_c_in_the_terminal(
    tmp_path: Path,
) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    running = program(
        f"""
        import json
        from realtime_actors.events import ToolEndEvent
        from tests.session import heavy
        class Ends:
            def put(self, message):
                say(message.event.output)
        session, script = start(ra.agent(tools=[heavy.wait_for]))
        session.subscribe(Ends(), only=ToolEndEvent)
        arguments = json.dumps({{"started": {str(started)!r}, "go": {str(go)!r}}})
        script.emit(response_created(), call_done("wait_for", arguments), response_done())
        handlers = ra.install_signal_handlers(grace=2)
        while not heavy.Path({str(started)!r}).exists():
            time.sleep(0.01)
        say("ready")
        while not handlers.draining:
            time.sleep(0.01)
        say("draining")
        threading.Event().wait()
        """,
        apart=True,  # Ctrl-C in its terminal is for all processes in that
    )
    reads(running, "ready")

    os.killpg(running.pid, signal.SIGINT)
    reads(running, "draining")
    go.touch()

    assert end_of(running) == (130, ["done"])


@POSIX
def test_handlers_that_are_restored_are_those_of_before() -> None:
    running = program(
        """
        signal.signal(signal.SIGTERM, lambda *_: say("mine"))
        with ra.install_signal_handlers():
            pass
        handlers = ra.install_signal_handlers()
        handlers.restore()
        handlers.restore()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        say("ready")
        time.sleep(0.5)
        """
    )
    reads(running, "ready")

    running.send_signal(signal.SIGTERM)

    assert end_of(running) == (0, ["mine"])


@POSIX
def test_a_child_of_fork_has_the_handlers_of_before() -> None:
    running = program(
        """
        import os
        signal.signal(signal.SIGTERM, lambda *_: say("mine"))
        ra.install_signal_handlers()
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        os.waitpid(child, 0)
        """
    )

    assert end_of(running) == (0, ["mine"])


def test_signals_are_for_the_main_thread_only() -> None:
    caught: list[Exception] = []

    def elsewhere() -> None:
        try:
            ra.install_signal_handlers()
        except ra.ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere, name="elsewhere")
    thread.start()
    thread.join()

    assert str(caught[0]) == (
        "install_signal_handlers() is called in 'elsewhere': allowed is the main thread, where"
        " Python handles signals. From other threads, call drain()"
    )


@pytest.mark.parametrize("grace", [-1, "30", None])
def test_a_grace_that_is_no_length_of_time_is_refused(grace: object) -> None:
    with pytest.raises(ra.ConfigError, match="grace is"):
        ra.install_signal_handlers(grace)  # type: ignore[arg-type]  # that is what is tried
    with pytest.raises(ra.ConfigError, match="grace is"):
        ra.drain(grace)  # type: ignore[arg-type]  # that is what is tried


def test_a_program_may_drain_itself_and_begin_again() -> None:
    from realtime_actors.shutdown import accept_again

    quiet = ra.run(ra.agent(), transport=ScriptedTransport(strict=False))
    try:
        assert ra.drain(grace=5) == ()
        assert not quiet.is_alive()
        with pytest.raises(ra.StartError, match="the program is shutting down") as refused:
            ra.run(ra.agent(), transport=ScriptedTransport(strict=False))
        assert refused.value.cause == "shutting_down"
    finally:
        accept_again()
    ra.run(ra.agent(), transport=ScriptedTransport(strict=False)).close()


def test_whoever_drains_learns_which_calls_were_cut() -> None:
    from realtime_actors.shutdown import accept_again
    from tests.session.wire import audio_delta, response_created

    script = ScriptedTransport(strict=False)
    talks = ra.run(ra.agent(), transport=script)
    script.emit(response_created(), audio_delta(ms=60_000))
    try:
        assert ra.drain(grace=0.05) == (talks,)
    finally:
        accept_again()


# -- the end of a program that was not told to end -------------------------------------------


STATUS = {"return": 0, "raise": 1, "exit": 3}
ENDS = {
    "a session is open": "session, script = start(); session.subscribe(Told())",
    "a session is open, and a server with it": """
        from realtime_actors.server import RealtimeServer
        server = RealtimeServer.scripted().start()
        session = ra.run(ra.agent(), model_config={"url": server.url})
        session.subscribe(Told())
        session.send_message("Hi")
        """,
    "a tool runs for ever": """
        tool = ra.Tool(name="stuck", invoke=stuck)
        session, script = start(ra.agent(tools=[tool]))
        session.subscribe(Told())
        script.emit(response_created(), call_done("stuck"))
        time.sleep(0.1)
        """,
    "a tool in a process runs for ever": """
        import tempfile
        from tests.session import heavy
        session, script = start(ra.agent(tools=[heavy.for_ever]))
        session.subscribe(Told())
        started = tempfile.mktemp()
        script.emit(response_created(), call_done("for_ever", '{"started": "%s"}' % started))
        while not __import__("os").path.exists(started):
            time.sleep(0.01)
        """,
    "a subscriber waits for ever": """
        class Stuck:
            put = stuck
        session, script = start()
        session.subscribe(Stuck())
        threading.Thread(target=script.emit, args=(error("first"),), daemon=True).start()
        time.sleep(0.1)
        """,
    "a hook runs for ever": """
        class Hooks(ra.AgentHooks):
            on_start = stuck
        session, script = start(ra.agent(hooks=Hooks()))
        session.subscribe(Told())
        script.emit(response_created())
        time.sleep(0.1)
        """,
    "a connection never closes": """
        class Transport(ScriptedTransport):
            close = stuck
        session = ra.run(ra.agent(), transport=Transport(strict=False))
        """,
    "sessions were started in threads": """
        sessions = []
        def one():
            session, script = start()
            sessions.append(session)
            if len(sessions) == 3:
                session.subscribe(Told())
        threads = [threading.Thread(target=one) for _ in range(3)]
        for each in threads:
            each.start()
            each.join()
        """,
    "the main thread is a process": """
        from realtime_actors import otp
        client = otp.Client().__enter__()
        session, script = start()
        session.subscribe(Told())
        """,
    "a supervisor has sessions": """
        from realtime_actors import otp
        session, script = start(supervisor=otp.start(otp.DynamicSupervisor))
        session.subscribe(Told())
        """,
}


HOW = [
    *((what, "return") for what in ENDS),
    *(("a tool runs for ever", how) for how in ("raise", "exit")),
]


@pytest.mark.parametrize(("what", "how"), HOW)
def test_the_program_ends_whatever_is_open(what: str, how: str) -> None:
    text = textwrap.dedent(ENDS[what])
    if how == "raise":
        text += "\ndef told(*_): say('failed')\nsys.excepthook = told\nraise ValueError\n"
    elif how == "exit":
        text += "\nsys.exit(3)\n"

    began = time.monotonic()
    status, said = end_of(program(text), within=10)

    assert status == STATUS[how]
    assert time.monotonic() - began < 6
    hears = "never closes" not in what and "subscriber waits" not in what
    assert [line for line in said if line not in ("stuck", "failed")] == (
        ["closed - the session was closed"] if hears else []
    )


def test_what_the_program_does_at_its_exit_comes_before_the_sessions_are_closed() -> None:
    running = program(
        """
        session, script = start()
        session.subscribe(Told())
        atexit.register(lambda: say("alive" if session.is_alive() else "ended"))
        """
    )

    assert end_of(running) == (0, ["alive", "closed - the session was closed"])


def test_no_session_begins_once_those_that_are_open_are_closed() -> None:
    running = program(
        "session, script = start()",
        before="""
        import atexit
        def late():
            try:
                start()
            except ra.StartError as error:
                say(error.cause, "-", error)
        atexit.register(late)
        """,
    )

    assert end_of(running) == (
        0,
        ["shutting_down - no session is started: the program is ending"],
    )


def test_where_there_are_no_threads_any_more_the_program_ends_all_the_same() -> None:
    # As from Python 3.12 on, where none can be started once the program is ending.
    running = program(
        """
        def refuse(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        class Slow:
            def put(self, message):
                pass
        session, script = start()
        session.subscribe(Slow())
        atexit.register(lambda: setattr(threading.Thread, "start", refuse))
        """
    )

    assert end_of(running, within=10) == (0, [])
