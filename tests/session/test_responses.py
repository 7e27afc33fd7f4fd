"""Asking for responses: one at a time, beside the conversation, and by hand."""

from __future__ import annotations

import array
import math
import threading

import realtime_actors as ra
from realtime_actors.events import AgentEndEvent, RawModelEvent, SpeechStoppedEvent
from realtime_actors.items import MessageItem
from realtime_actors.messages import SessionEvent
from realtime_actors.protocol import (
    ClientEvent,
    Dialect,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    ServerError,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.interfaces import BrainRequest
from realtime_actors.server.engines.scripted import Call
from realtime_actors.testing import Probe, ScriptedTransport
from realtime_actors.transport.base import ConnectOptions
from realtime_actors.transport.websocket import WebSocketTransport

WISHES = 50


def tone(ms: int) -> bytes:
    samples = (round(12_000 * math.sin(n / 17)) for n in range(ms * 24))
    return array.array("h", samples).tobytes()


class Log:
    """What the session sent and was told about responses, in its own order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.granted: set[str] = set()
        self.all_granted = threading.Event()

    def transport(self, options: ConnectOptions, dialect: Dialect) -> WebSocketTransport:
        log = self

        class Logged(WebSocketTransport):
            def send(self, event: ClientEvent) -> None:
                if isinstance(event, ResponseCreate):
                    log.lines.append(("asked", ""))
                super().send(event)

        return Logged(options, dialect)

    def put(self, message: SessionEvent) -> None:
        """Called by the session, right before it acts on an event of the server."""
        event = message.event
        assert isinstance(event, RawModelEvent)
        match event.event:
            case ResponseCreated(response=response):
                self.lines.append(("began", response.id or ""))
                self.granted.update((response.metadata or {}).values())
                if len(self.granted) == WISHES:
                    self.all_granted.set()
            case ResponseDone(response=response):
                self.lines.append(("ended", response.id or ""))
            case ServerError(error=error):
                self.lines.append(("refused", error.code or ""))


def reply(request: BrainRequest) -> str | Call:
    """Call the tool now and then."""
    return Call("look_up") if "3" in (request.instructions or "") else "Yes."


def test_fifty_wishes_from_many_threads_beside_a_user_who_speaks():
    @ra.tool
    def look_up() -> str:
        return "found"

    @ra.output_guardrail
    def no_yes(text: str) -> bool:
        return "Yes" in text and len(log.lines) % 7 == 0

    log = Log()
    agent = ra.agent(tools=[look_up], output_guardrails=[no_yes])
    with (
        RealtimeServer.scripted([reply] * 1000, heard=["Hm."] * 1000, character_ms=5) as server,
        ra.run(agent, model_config={"url": server.url}, transport=log.transport) as session,
    ):
        session.subscribe(log, only=[RawModelEvent], raw=True)

        def wish(number: int) -> None:
            name = f"wish {number}"
            session.create_response(instructions=name, metadata={"wish": name})
            session.send_message(f"Message {number}")

        threads = [threading.Thread(target=wish, args=[number]) for number in range(WISHES)]
        for number, thread in enumerate(threads):
            thread.start()
            if number % 10 == 0:  # a turn of the user: the server answers it by itself
                session.send_audio(tone(100) + bytes(48 * 700))
        for thread in threads:
            thread.join()

        assert log.all_granted.wait(40), f"{len(log.granted)} of {WISHES}"

    active, asked, refusals = None, False, []
    for what, about in log.lines:
        match what:
            case "asked":
                assert active is None, f"asked while {active} was active"
                assert not asked, "asked twice"
                asked = True
            case "began":
                active, asked = about, False
            case "ended":
                active = None
            case "refused":
                asked = False
                refusals.append(about)
    # What the user has talked over may be over before our cancel is there.
    assert set(refusals) <= {
        "conversation_already_has_active_response",
        "response_cancel_not_active",
    }


def test_a_response_of_its_own_kind():
    script = ScriptedTransport()
    script.expect(
        "response.create",
        response={
            "instructions": "Be brief.",
            "output_modalities": ["text"],
            "tools": [{"type": "function", "name": "look_up"}],
            "metadata": {"topic": "weather"},
        },
    )

    @ra.tool
    def look_up() -> str:
        return "found"

    with (
        script,
        ra.run(ra.agent(), transport=script, model_config={"url": "ws://127.0.0.1:1/"}) as session,
    ):
        session.create_response(
            instructions="Be brief.",
            output_modalities=["text"],
            tools=[look_up],
            metadata={"topic": "weather"},
        )


def test_a_response_beside_the_conversation_is_known_by_its_metadata():
    with (
        RealtimeServer.scripted(["The long story.", "polite"], pace=2.0) as server,
        ra.run(ra.agent(), model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        session.send_message("Tell me.")
        session.create_response(
            conversation="none",
            instructions="Classify the user's tone.",
            output_modalities=["text"],
            metadata={"purpose": "tone"},
        )
        beside = probe.wait_for(
            RawModelEvent,
            lambda raw: (
                isinstance(raw.event, ResponseDone)
                and (raw.event.response.metadata or {}).get("purpose") == "tone"
            ),
        )

        probe.wait_for(AgentEndEvent)
        assert isinstance(beside.event, ResponseDone)
        assert len(beside.event.response.output) == 1
        assert [each.role for each in session.history() if isinstance(each, MessageItem)] == [
            "user",
            "assistant",
        ]


def test_turns_by_hand():
    with (
        RealtimeServer.scripted(["Good."], heard=["The second try."]) as server,
        ra.run(
            ra.agent(),
            model_config={
                "url": server.url,
                "initial_model_settings": {
                    "turn_detection": "off",
                    "input_audio_transcription": {"model": "gpt-transcribe"},
                },
            },
        ) as session,
    ):
        probe, lines = Probe(session), session.transcripts(timeout=10)
        session.send_audio(tone(200))
        session.clear_audio()
        session.send_audio(tone(300))
        session.commit_audio()
        assert next(lines).text == "The second try."
        session.create_response()

        assert probe.wait_for(AgentEndEvent).status == "completed"
        assert session.transcript() == "User: The second try.\nAssistant: Good."
        assert probe.all(SpeechStoppedEvent) == []
