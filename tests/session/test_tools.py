"""Tools at work in a session: in threads, in processes, at once and one after the other."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.errors import LocalProtocolError
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    ConnectionEvent,
    ToolApprovalRequiredEvent,
    ToolEndEvent,
    ToolProgressEvent,
)
from realtime_actors.items import InputImage, InputText
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session import heavy
from tests.session.wire import audio_delta, call_done, response_created, response_done
from tests.wrong import wrong

IMAGE = InputImage(image_url="data:image/png;base64,AAAA")


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


def run(script: ScriptedTransport, *tools: ra.Tool, **config: object) -> ra.Session:
    return ra.run(
        ra.agent(tools=tools),
        transport=script,
        model_config={"url": "ws://127.0.0.1:1/"},
        config=config,
    )


def call(session: ra.Session, script: ScriptedTransport, name: str, **arguments: object) -> str:
    """Have the model call a tool; give the output."""
    probe = Probe(session)
    script.emit(response_created(), call_done(name, json.dumps(arguments)))
    return probe.wait_for(ToolEndEvent, timeout=20).output


def test_a_tool_that_takes_long_holds_up_nothing(script):
    let_go = threading.Event()

    @ra.tool
    def slow() -> str:
        let_go.wait(10)
        return "at last"

    @ra.tool
    def quick() -> str:
        return "here"

    with run(script, slow, quick) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("slow", call_id="c1"))
        script.emit(call_done("quick", call_id="c2"), audio_delta())

        assert probe.wait_for(AudioEvent).item_id == "i1"
        assert probe.wait_for(ToolEndEvent).output == "here"
        session.interrupt()
        assert session.current_agent().name == "Agent"
        let_go.set()
        assert probe.wait_for(ToolEndEvent).output == "at last"


def test_no_more_tools_run_at_once_than_may(script):
    running, let_go = threading.Semaphore(0), threading.Event()
    seen = []

    @ra.tool
    def work(number: int) -> int:
        seen.append(number)
        running.release()
        let_go.wait(10)
        return number

    with run(script, work, max_concurrency=2) as session:
        probe = Probe(session)
        script.emit(response_created())
        for number in range(4):
            arguments = json.dumps({"number": number})
            script.emit(call_done("work", arguments, call_id=f"c{number}"))
        assert running.acquire(timeout=5)
        assert running.acquire(timeout=5)
        session.history()  # whoever could have been started has been
        assert sorted(seen) == [0, 1]
        let_go.set()

        ends = [probe.wait_for(ToolEndEvent) for _ in range(4)]
        assert {end.output for end in ends} == {"0", "1", "2", "3"}
        assert sorted(seen[2:]) == [2, 3]


@pytest.mark.parametrize("how", ["timeout", "close", "lost"])
def test_a_tool_is_told_that_nobody_waits_for_it(script, how):
    started, told = threading.Event(), threading.Event()

    @ra.tool(timeout=0.1 if how == "timeout" else 60)
    def stubborn(context: ra.ToolContext) -> str:
        assert not context.cancelled
        started.set()
        while not context.cancelled:
            time.sleep(0.001)
        context.progress("nobody hears this")
        told.set()
        return "too late"

    # A loss that another connection may make good ends no tool.
    with run(script, stubborn, reconnect=None) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("stubborn"))
        assert started.wait(5)
        if how == "close":
            session.close()
        elif how == "lost":
            script.drop()

        assert told.wait(5)
        assert probe.wait_for(ToolEndEvent).error.startswith("Error: ")
    assert len(probe.all(ToolEndEvent)) == 1
    assert probe.all(ToolProgressEvent) == []


def test_a_tool_says_how_far_it_is(script):
    @ra.tool
    async def bake(context: ra.ToolContext) -> str:
        context.progress("mixing")
        context.progress("in the oven")
        return "a cake"

    with run(script, bake) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("bake", call_id="c7"))

        steps = [probe.wait_for(ToolProgressEvent), probe.wait_for(ToolProgressEvent)]
        assert [each.message for each in steps] == ["mixing", "in the oven"]
        assert (steps[0].call_id, steps[0].tool) == ("c7", bake)
        assert probe.wait_for(ToolEndEvent).output == "a cake"


def test_a_tool_returns_several_parts(script):
    @ra.tool
    def look() -> list[object]:
        return [InputText("A map of the town."), IMAGE, {"scale": 1000}]

    with run(script, look) as session:
        assert call(session, script, "look") == 'A map of the town.\n{"scale": 1000}'

        output, shown = (each["item"] for each in script.sent[1:3])
        assert output["type"] == "function_call_output"
        assert (shown["role"], shown["content"]) == (
            "user",
            [{"type": "input_image", "image_url": IMAGE.image_url}],
        )
        script.emit(response_done())
        script.wait_for("response.create")
        assert script.sent_types[1:] == [
            "conversation.item.create",
            "conversation.item.create",
            "response.create",
        ]


def process_in(started: Path) -> int:
    deadline = time.monotonic() + 20
    while not (started.exists() and started.read_text()):
        assert time.monotonic() < deadline, "the process did not start"
        time.sleep(0.01)
    return int(started.read_text())


def is_gone(process: int) -> None:
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline, "the process is still there"
        time.sleep(0.01)


class TestInAProcess:
    def test_it_is_another_one(self, script, capfd):
        with run(script, heavy.process_id) as session:
            assert int(call(session, script, "process_id")) != os.getpid()
        printed = capfd.readouterr()
        assert (printed.out, printed.err) == ("", "this is no answer\n")

    @pytest.mark.parametrize(
        ("tool", "arguments", "output"),
        [
            (heavy.add, {"one": 40, "other": 2}, "42"),
            (heavy.handmade, {"number": 21}, "42"),
            (heavy.renamed, {"number": 42}, "-42"),
            (heavy.fail, {}, "Error: fail failed"),
            (heavy.vanish, {}, "Error: the process of the tool ended with status 7"),
            (heavy.add, {"one": "x", "other": 2}, "Error: Wrong arguments for add: "),
        ],
    )
    def test_it_answers_as_a_thread_would(self, script, tool, arguments, output):
        with run(script, tool) as session:
            assert call(session, script, tool.name, **arguments).startswith(output)

    def test_it_can_show_something(self, script):
        with run(script, heavy.draw) as session:
            assert call(session, script, "draw") == "a dot"
            shown = script.wait_for("conversation.item.create", count=2)["item"]
            assert shown["content"][0]["detail"] == "low"

    @pytest.mark.parametrize("how", ["lost", "close"])
    def test_it_is_ended_with_its_call(self, script, how, tmp_path):
        started = tmp_path / "started"
        with run(script, heavy.for_ever, reconnect=None) as session:
            probe = Probe(session)
            script.emit(
                response_created(), call_done("for_ever", json.dumps({"started": str(started)}))
            )
            process = process_in(started)
            if how == "close":
                session.close()
            else:
                script.drop()
            assert probe.wait_for(ToolEndEvent).error.startswith("Error: ")
            is_gone(process)

    @pytest.mark.parametrize("tool", [heavy.read_all, heavy.read_descriptor, heavy.let_others_read])
    def test_it_has_nothing_to_read(self, script, tool):
        with run(script, tool) as session:
            assert call(session, script, tool.name) == "nothing, and no more"

    def test_a_program_that_is_frozen_is_not_started_again(self, script, monkeypatch):
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        with pytest.raises(ra.ConfigError, match=r"tool 'plain'.*frozen.*run_in='thread'"):
            ra.tool(run_in="process")(heavy.plain)
        with run(script, heavy.add) as session:  # made before anybody knew
            output = call(session, script, "add", one=1, other=2)
            assert output.startswith("Error: ")
            assert "frozen" in output

    @pytest.mark.parametrize("nowhere", ["", None])
    def test_a_python_that_cannot_be_found_is_not_started(self, script, monkeypatch, nowhere):
        monkeypatch.setattr(sys, "executable", nowhere)
        with run(script, heavy.add) as session:
            assert "no Python to start" in call(session, script, "add", one=1, other=2)

    def test_what_another_process_cannot_find_is_refused(self):
        def local() -> str:
            return ""

        with pytest.raises(ra.ConfigError, match="at the top of a module"):
            ra.tool(run_in="process")(local)
        with pytest.raises(ra.ConfigError, match="at the top of a module"):
            ra.Tool(name="nameless", invoke=lambda arguments: "", run_in="process")
        with pytest.raises(ra.ConfigError, match="'thread' or 'process'"):
            ra.tool(run_in=wrong("forest"))(heavy.plain)

    def test_what_needs_the_session_or_the_program_is_refused(self):
        with pytest.raises(ra.ConfigError, match="can't have a ToolContext"):
            ra.tool(run_in="process")(with_context)
        program = {"__name__": "__main__", "ra": ra}
        source = "@ra.tool(run_in='process')\ndef here() -> str: ...\n"
        with pytest.raises(ra.ConfigError, match="put here into a module"):
            exec(source, program)


def with_context(context: ra.ToolContext) -> str:
    return ""


def test_tools_of_all_kinds_in_a_conversation_with_a_server():
    @ra.tool
    def look(context: ra.ToolContext) -> list[object]:
        context.progress("looking")
        return ["a red dot", IMAGE]

    replies: list[Reply] = [
        [Call("look", {}), Call("add", {"one": 1, "other": 2})],
        "It is a red dot.",
    ]
    with (
        RealtimeServer.scripted(replies) as server,
        ra.run(
            ra.agent(tools=[look, heavy.add]),
            model_config={"url": server.url},
            config={"max_concurrency": 1},
        ) as session,
    ):
        probe = Probe(session)
        session.send_message("What is this?")

        end = probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=20)
        assert end.status == "completed"
        assert [each.message for each in probe.all(ToolProgressEvent)] == ["looking"]
        assert [each.output for each in probe.all(ToolEndEvent)] == ["a red dot", "3"]
        shown = [item for item in session.history() if getattr(item, "role", "") == "user"]
        assert shown[-1].content == (IMAGE,)
        assert probe.all(ConnectionEvent) == []


@pytest.mark.parametrize("end", ["kill", "crash", "close"])
def test_a_session_ends_its_tools_whatever_its_own_end_is(script, tmp_path, end):
    seen: list[bool] = []
    entered, ended = threading.Event(), threading.Event()

    @ra.tool
    def patient(context: ra.ToolContext) -> str:
        entered.set()
        while not context.cancelled:
            ended.wait(0.001)
        seen.append(context.cancelled)
        ended.set()
        return "nobody wants it"

    @ra.tool(needs_approval=True)
    def asks() -> str:
        return "never"

    session = run(script, patient, asks, heavy.for_ever)
    probe, started = Probe(session), tmp_path / "started"
    script.emit(
        response_created(),
        call_done("patient", call_id="c1"),
        call_done("asks", call_id="c2"),
        call_done("for_ever", json.dumps({"started": str(started)}), call_id="c3"),
    )
    probe.wait_for(ToolApprovalRequiredEvent)
    process = process_in(started)
    assert entered.wait(5)

    if end == "kill":
        otp.exit_signal(session, otp.KILL)
    elif end == "crash":
        otp.send(session, "what nobody says")
    else:
        session.close()

    closed = probe.wait_for(ConnectionEvent, lambda event: event.state == "closed")
    ends = probe.all(ToolEndEvent)
    assert [each.call_id for each in ends] == ["c1", "c2", "c3"]
    assert {each.error for each in ends} == {f"Error: {closed.reason}"}
    assert probe.events.index(ends[-1]) < probe.events.index(closed)
    assert ended.wait(5)
    assert seen == [True]
    is_gone(process)


def test_an_output_and_an_image_of_twenty_megabytes_do_not_cost_the_connection():
    size = 20_000_000

    @ra.tool
    def everything() -> list[object]:
        """Give it all."""
        return ["x" * 90_000, InputImage(image_url="data:image/png;base64," + "A" * size)]

    replies: list[Reply] = [Call("everything"), "That was much."]
    with (
        RealtimeServer.scripted(replies) as server,
        ra.run(ra.agent(tools=[everything]), model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        with pytest.raises(LocalProtocolError, match="is too large to be sent"):
            session.send_message("x" * size)
        session.send_message("Tell me everything.")

        probe.wait_for(AgentEndEvent, lambda end: end.final)

        assert "can't be shown" in str(probe.all(ToolEndEvent)[0].error)
        assert [event.state for event in probe.all(ConnectionEvent)] == []
        assert session.transcript().endswith("Assistant: That was much.")


def test_a_permission_is_asked_for_again_when_the_model_calls():
    allowed, paid = {"pay": True}, []

    @ra.tool(is_enabled=lambda context: context["pay"])
    def pay() -> str:
        """Pay."""
        paid.append(1)
        return "paid"

    script = ScriptedTransport(strict=False)
    with ra.run(ra.agent(tools=[pay]), transport=script, context=allowed) as session:
        probe = Probe(session)
        allowed["pay"] = False
        script.emit(response_created("r1"), call_done("pay"), response_done("r1"))

        assert probe.wait_for(ToolEndEvent).output == "Error: pay is not available now"
        update = script.wait_for("session.update", count=2)
        assert (update["session"]["tools"], paid) == ([], [])


def test_a_permission_that_cannot_be_had_is_none():
    answers = [True]

    @ra.tool(is_enabled=lambda: answers.pop())
    def pay() -> str:
        """Pay."""
        raise AssertionError("it may not")

    script = ScriptedTransport(strict=False)
    with ra.run(ra.agent(tools=[pay]), transport=script) as session:
        probe = Probe(session)
        script.emit(response_created("r1"), call_done("pay"), response_done("r1"))

        assert probe.wait_for(ToolEndEvent).output.startswith("Error: pay failed")
