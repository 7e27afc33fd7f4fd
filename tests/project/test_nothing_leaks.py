"""Where keys, transcripts and the outputs of tools may go, tried with canaries, at DEBUG."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import socket
import threading
import traceback
from typing import Any

import attrs
import pytest
from attrs import frozen

import realtime_actors as ra
from realtime_actors import console, items, messages
from realtime_actors.events import AgentEndEvent, Event, RawModelEvent
from realtime_actors.recording import Recorder, render_page
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe

KEY = "sk-canary-0123456789abcdef"
SAID = "canary-of-the-caller"
ANSWERED = "canary-of-the-agent"
OUTPUT = "canary-of-a-tool"
RAISED = "canary-of-an-exception"
SECRETS = (KEY, SAID, ANSWERED, OUTPUT, RAISED)
PATIENCE = 20.0


@ra.tool
def look_up(word: str) -> str:
    """Look a word up. Args: word: the word."""
    return OUTPUT


@ra.tool
def fail(word: str) -> str:
    """Fail over a word. Args: word: the word."""
    raise KeyError(f"{RAISED}: {word}")


@ra.tool(needs_approval=True)
def ask_first(word: str) -> str:
    """Ask first. Args: word: the word."""
    return OUTPUT


AGENT = ra.agent(name="Canary", instructions="Sing.", tools=[look_up, fail, ask_first])


@frozen
class Conversation:
    """All that came out of one, and all that held it."""

    events: list[Event]
    objects: list[Any]
    log: str
    trace: str
    top: str
    errors: list[BaseException]


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    folder = tmp_path_factory.mktemp("canary")
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith("realtime_actors"):
                records.append(logging.Formatter("%(message)s %(args)s").format(record))

    root, handler = logging.getLogger(), Keep(logging.DEBUG)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    replies: list[Reply] = [
        [Call("look_up", {"word": SAID})],
        ANSWERED,
        [Call("fail", {"word": SAID})],
        ANSWERED,
        [Call("ask_first", {"word": SAID})],
        ANSWERED,
    ]
    config = ra.ModelConfig(api_key=KEY, headers={"X-Api-Key": KEY}, proxy=None)
    errors: list[BaseException] = []
    try:
        with (
            RealtimeServer.scripted(replies, api_key=KEY, heard=[SAID]) as server,
            console.listen(folder / "window") as window,
        ):
            config = attrs.evolve(config, url=server.url)
            with ra.run(
                AGENT, model_config=config, trace=folder / "trace.jsonl", context={"key": KEY}
            ) as session:
                probe = Probe(session, raw=True)
                session.send_message(SAID)
                probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=PATIENCE)
                session.send_message(SAID)
                probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=PATIENCE)
                session.send_message(SAID)
                required = probe.wait_for(ra.events.ToolApprovalRequiredEvent, timeout=PATIENCE)
                session.approve(required.call_id)
                probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=PATIENCE)
                top = json.dumps(console.look(window.path))
                objects = [
                    *(session, session.history(), session.usage(), session.current_agent()),
                    *(config, ra.RunConfig(), AGENT, server, messages.SendMessage(SAID)),
                    *(messages.SendAudio(SAID.encode()), items.user_message(SAID)),
                    ra.messages.SessionEvent(session, probe.events[0]),
                ]
            for verb in (lambda: session.send_message(SAID), lambda: session.send_audio(bytes(2))):
                errors.append(error_of(verb))
            wrong = attrs.evolve(config, api_key=f"{KEY}-wrong", headers={})
            errors.append(error_of(lambda: ra.run(AGENT, model_config=wrong)))
        errors.append(error_of(lambda: ra.run(AGENT, model_config=config)))  # nobody listens now
        errors.append(
            error_of(lambda: ra.run(AGENT, model_config={"url": f"wss://u:{KEY}@h?key={KEY}\n"}))
        )
        clear = {"api_key": KEY, "url": "ws://192.0.2.1/"}
        errors.append(error_of(lambda: ra.run(AGENT, model_config=clear)))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    trace = (folder / "trace.jsonl").read_text()
    return Conversation(list(probe.events), objects, "\n".join(records), trace, top, errors)


def error_of(verb: Any) -> BaseException:
    with pytest.raises(ra.RealtimeError) as caught:
        verb()
    return caught.value


def test_the_conversation_had_what_is_looked_for(conversation: Conversation) -> None:
    said = json.dumps([attrs.asdict(each) for each in conversation.events], default=repr)

    for canary in (SAID, ANSWERED, OUTPUT):
        assert canary in said
    assert conversation.log.count("\n") > 3
    assert len(conversation.errors) == 6


@pytest.mark.parametrize("canary", SECRETS)
def test_the_log_has_none_of_it(conversation: Conversation, canary: str) -> None:
    assert canary not in conversation.log


@pytest.mark.parametrize("canary", SECRETS)
def test_no_repr_of_an_event_has_it(conversation: Conversation, canary: str) -> None:
    assert [each for each in conversation.events if canary in repr(each) + str(each)] == []


@pytest.mark.parametrize("canary", SECRETS)
def test_no_repr_of_anything_public_has_it(conversation: Conversation, canary: str) -> None:
    shown = [repr(each) + str(each) for each in conversation.objects]

    assert [each for each in shown if canary in each] == []


@pytest.mark.parametrize("canary", SECRETS)
def test_top_has_none_of_it(conversation: Conversation, canary: str) -> None:
    assert canary not in conversation.top


@pytest.mark.parametrize("canary", [KEY, ANSWERED, OUTPUT])
def test_no_error_and_no_traceback_has_it(conversation: Conversation, canary: str) -> None:
    for error in conversation.errors:
        assert canary not in "".join(traceback.format_exception(error)), type(error)
        assert canary not in repr(error)


def test_a_trace_has_the_conversation_and_no_key(conversation: Conversation) -> None:
    assert ANSWERED in conversation.trace
    assert KEY not in conversation.trace


def test_a_recording_has_the_conversation_and_no_key(conversation: Conversation) -> None:
    recorder = Recorder(0.0)
    for number, event in enumerate(conversation.events):
        recorder.received(event, number / 10)
    page = render_page(recorder.finish(100.0))

    assert ANSWERED in page
    assert KEY not in page


def test_no_event_carries_a_key_however_it_is_copied(conversation: Conversation) -> None:
    for event in conversation.events:
        if isinstance(event, RawModelEvent):
            assert KEY.encode() not in pickle.dumps(event.event)
        bare = attrs.evolve(event, info=attrs.evolve(event.info, context=None))
        assert KEY not in json.dumps(attrs.asdict(copy.copy(bare)), default=repr)


def test_a_foreign_host_hears_nothing_of_the_environments_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def listen() -> None:
            client, _ = listener.accept()
            with client:
                client.settimeout(PATIENCE)
                while b"\r\n\r\n" not in b"".join(heard):
                    heard.append(client.recv(65536))

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        error_of(lambda: ra.run(AGENT, model_config={"url": url}, timeout=PATIENCE))
        thread.join(PATIENCE)

    assert b"GET /v1/realtime" in b"".join(heard)
    assert KEY.encode() not in b"".join(heard)
