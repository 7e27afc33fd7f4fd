"""The file of a trace: whose it is, what is in it, and that it disturbs nobody."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import messages, otp
from realtime_actors.events import AgentEndEvent, ConnectionEvent
from realtime_actors.server import RealtimeServer
from realtime_actors.session.trace_writer import LIMIT, TraceWriter
from realtime_actors.testing import Probe, ScriptedTransport
from realtime_actors.tracing import TracedMachine, as_text, replay
from tests.core.machine import ask, new
from tests.session.forking import in_child

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted() as server:
        yield server


def say(session: ra.Session, probe: Probe, words: str = "Are you there?") -> None:
    session.send_message(words)
    assert probe.wait_for(AgentEndEvent).status == "completed"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "trace" in each.getMessage()]


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("there", [False, True])
def test_a_trace_is_for_its_owner_alone(server, tmp_path, there):
    path = tmp_path / "call.jsonl"
    if there:
        path.write_text("what was there before\n")
        path.chmod(0o644)
    with ra.run(ra.agent(), model_config={"url": server.url}, trace=path):
        assert mode(path) == "0o600"
    assert "what was there before" not in path.read_text()


def test_a_session_that_starts_again_goes_on_with_its_trace(server, tmp_path):
    path = tmp_path / "call.jsonl"
    calls = otp.start(otp.DynamicSupervisor)
    where = {"url": server.url}
    session = ra.run(ra.agent(), model_config=where, supervisor=calls, trace=path)
    probe = Probe(session)
    say(session, probe, "What led to the crash.")
    otp.exit_signal(session, otp.KILL)
    probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")
    say(session, probe, "What came after it.")
    session.close()
    calls.stop()

    lines = path.read_text().splitlines()
    headers = [at for at, line in enumerate(lines) if "settings" in json.loads(line)]
    assert headers[0] == 0
    assert len(headers) == 2
    first, second = "\n".join(lines[: headers[1]]), "\n".join(lines[headers[1] :])
    assert ("What led to the crash." in first, "What led to the crash." in second) == (True, False)
    assert "What came after it." in second
    told = [type(message).__name__ for _, message, _ in replay(lines)]
    assert told.count("Started") == 2


def test_a_folder_that_is_gone_is_one_line_in_the_log_and_no_more(server, tmp_path, caplog):
    folder = tmp_path / "traces"
    folder.mkdir()
    calls = otp.start(otp.DynamicSupervisor)
    where = {"url": server.url}
    session = ra.run(ra.agent(), model_config=where, supervisor=calls, trace=folder / "call.jsonl")
    probe = Probe(session)
    shutil.rmtree(folder)
    say(session, probe)
    assert warnings(caplog) == []  # the file is still there, for those who have it open
    otp.exit_signal(session, otp.KILL)
    probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")
    say(session, probe)
    session.close()
    calls.stop()

    (said,) = warnings(caplog)
    assert said.startswith(f"the trace {folder}/call.jsonl ends here: ")
    assert "No such file or directory" in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_one_line_in_the_log_and_no_more(server, caplog):
    with ra.run(ra.agent(), model_config={"url": server.url}, trace="/dev/full") as session:
        probe = Probe(session)
        for _ in range(3):
            say(session, probe)
    (said,) = warnings(caplog)
    assert "No space left on device" in said


def test_a_disk_that_hangs_holds_up_nothing(server, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody reads from it, so that opening it takes for ever
    session = ra.run(ra.agent(), model_config={"url": server.url}, trace=pipe)
    say(session, Probe(session))
    began = time.monotonic()
    session.close()

    assert time.monotonic() - began < 1.5
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for thread in threading.enumerate():
        if thread.name == "realtime-trace":
            thread.join(5)
    os.close(reader)


def test_a_disk_that_is_too_far_behind_is_given_up(tmp_path, caplog):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = TraceWriter(pipe)
    for number in range(LIMIT + 100):
        writer.write({"number": number})
    assert warnings(caplog) == [f"the trace {pipe} ends here: {LIMIT} lines are not written yet"]
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer.finish(5)
    os.close(reader)


def test_a_folder_that_was_never_there_is_an_error_at_once(server, tmp_path):
    where = {"url": server.url}
    with pytest.raises(ra.StartError, match=r"the trace can't be written: .*No such file"):
        ra.run(ra.agent(), model_config=where, trace=tmp_path / "nowhere" / "call.jsonl")


def test_half_a_line_is_never_left_at_the_end(tmp_path):
    path = tmp_path / "call.jsonl"

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        writer = TraceWriter(path)
        for number in range(50):
            writer.write({"number": number, "text": "x" * 50})
            writer.finish(5)

    in_child(write)

    numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert numbers == list(range(len(numbers)))
    assert 10 < len(numbers) < 20


def test_what_is_written_when_the_program_ends_is_all_that_was_said(tmp_path):
    path = tmp_path / "call.jsonl"
    program = f"""
import realtime_actors as ra
from realtime_actors.testing import ScriptedTransport
script = ScriptedTransport(strict=False)
session = ra.run(ra.agent(), transport=script, trace={str(path)!r})
for number in range(300):
    session.add_item(f"message {{number}}")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert "message 299" in path.read_text()


def test_a_child_of_fork_writes_nothing_to_the_trace_of_its_parent(server, tmp_path):
    path = tmp_path / "call.jsonl"
    writer = TraceWriter(path)
    writer.write({"by": "the parent"})
    in_child(lambda: [writer.write({"by": "the child"}), writer.finish(5)])
    writer.write({"by": "the parent, later"})
    writer.finish(5)
    assert [json.loads(line)["by"] for line in path.read_text().splitlines()] == [
        "the parent",
        "the parent, later",
    ]


def test_what_cannot_be_written_is_noted_and_disturbs_nothing():
    circle: dict[str, Any] = {"type": "a circle"}
    circle["itself"] = circle
    lines: list[Any] = []
    traced = TracedMachine(new(), lines.append)

    traced.handle(ask(messages.SendRawEvent(circle), None), 1.0)
    traced.handle(ask(messages.SendRawEvent({"type": "x", "a": {1, 2}, "b": "\udce9"}), None), 2.0)

    assert lines[1] == {"at": 1.0, "lost": "Asked: RecursionError"}
    text = as_text(lines[2])
    assert json.loads(text)["told"]["verb"]["event"] == {"type": "x", "a": "{1, 2}", "b": "\udce9"}
    assert text.encode("utf-8")
    with pytest.raises(ra.ConfigError, match="line 2 is not one of a trace"):
        list(replay(map(as_text, lines)))


def test_the_session_leaves_no_thread_of_its_trace(tmp_path):
    with ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), trace=tmp_path / "call.jsonl"
    ):
        assert "realtime-trace" in {thread.name for thread in threading.enumerate()}
    assert "realtime-trace" not in {thread.name for thread in threading.enumerate()}
