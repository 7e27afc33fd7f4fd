"""The server over a real socket, with a bare websocket client."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from realtime_actors.audio import calculate_audio_length_ms, encode_audio
from realtime_actors.server import ConversationOptions, Faults, RealtimeServer
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    EngineError,
    Engines,
    TextDelta,
    never,
)
from realtime_actors.server.engines.scripted import Call
from realtime_actors.server.engines.tone import ToneVoice
from tests.server.talk import Client, client, silence, speech


def set_input(caller: Client, **members: Any) -> None:
    caller.send("session.update", session={"type": "realtime", "audio": {"input": members}})
    caller.until("session.updated")


def audio_of(caller: Client) -> bytes:
    deltas = caller.of("response.output_audio.delta")
    return b"".join(base64.b64decode(event["delta"]) for event in deltas)


# --- conversations ---------------------------------------------------------------------------


def test_a_text_is_answered_in_speech() -> None:
    with RealtimeServer.scripted(["Hello there. How are you?"]) as server, client(server) as caller:
        assert caller.until("session.created")["session"]["model"] == "gpt-realtime"

        caller.say("Hi!")
        done = caller.until("response.done")

    assert done["response"]["status"] == "completed"
    [item] = done["response"]["output"]
    assert item["content"] == [{"type": "output_audio", "transcript": "Hello there. How are you?"}]
    # Letters of 60 ms, and a pause of 100 ms after each sentence.
    length_ms = calculate_audio_length_ms(audio_of(caller))
    assert length_ms == pytest.approx(19 * 60 + 2 * 100, abs=10)


def test_speech_is_heard_and_answered() -> None:
    scripted = RealtimeServer.scripted(heard=["Good morning."], character_ms=10)
    with scripted as server, client(server) as caller:
        set_input(caller, transcription={"model": "whisper-1"})

        for _ in range(5):
            caller.append(speech(100))
        for _ in range(10):
            caller.append(silence(100))
        done = caller.until("response.done")

    [item] = done["response"]["output"]
    assert item["content"][0]["transcript"] == "You said: Good morning."
    [completed] = caller.of("conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "Good morning."
    started, stopped, committed = (
        caller.of(f"input_audio_buffer.{what}")[0]
        for what in ("speech_started", "speech_stopped", "committed")
    )
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert started["audio_start_ms"] == 0
    assert stopped["audio_end_ms"] == pytest.approx(1000, abs=100)


@pytest.mark.parametrize("law", ["g711_ulaw", "g711_alaw"])
def test_a_telephone_is_served_in_its_own_format(law: str) -> None:
    wire = {"type": "audio/pcmu" if law == "g711_ulaw" else "audio/pcma"}
    scripted = RealtimeServer.scripted(["Hello."], heard=["Hi."], character_ms=100)
    with scripted as server, client(server) as caller:
        audio = {"input": {"format": wire}, "output": {"format": wire}}
        caller.send("session.update", session={"type": "realtime", "audio": audio})

        caller.append(encode_audio(speech(500, rate_hz=8000) + silence(900, rate_hz=8000), law))
        caller.until("response.done")

    assert len(audio_of(caller)) == pytest.approx((5 * 100 + 100) * 8, abs=80)


def test_speech_cuts_the_answer_off() -> None:
    long_answer = "One moment please. " * 40
    scripted = RealtimeServer.scripted([long_answer, "Yes?"], heard=["Stop."], pace=4.0)
    with scripted as server, client(server) as caller:
        caller.say("Tell me a story.")
        caller.until("response.output_audio.delta")

        caller.append(speech(500) + silence(900))
        cut = caller.until("response.done")["response"]
        answer = caller.until("response.done")["response"]

    assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert answer["output"][0]["content"][0]["transcript"] == "Yes?"
    first_done = caller.types.index("response.done")
    late = [e for e in caller.received[first_done:] if e.get("response_id") == cut["id"]]
    assert late == []


def test_a_tool_is_called_and_its_output_read() -> None:
    def answer(request: BrainRequest) -> str:
        return f"It is {request.items[-1].output}."

    scripted = RealtimeServer.scripted([["Let me see.", Call("weather", {"city": "Oslo"})], answer])
    with scripted as server, client(server) as caller:
        caller.say("Weather in Oslo?")
        spoken, call = caller.until("response.done")["response"]["output"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        caller.send("conversation.item.create", item=output)
        caller.send("response.create")
        [answer_item] = caller.until("response.done")["response"]["output"]

    assert spoken["content"][0]["transcript"] == "Let me see."
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    assert answer_item["content"][0]["transcript"] == "It is sunny."


def test_a_client_of_the_beta_dialect_is_served_in_it() -> None:
    headers = {"OpenAI-Beta": "realtime=v1"}
    with (
        RealtimeServer.scripted(["Hello."]) as server,
        client(server, additional_headers=headers) as caller,
    ):
        caller.say("Hi!")
        caller.until("response.done")

    assert caller.types[:2] == ["session.created", "conversation.created"]
    assert "response.audio_transcript.delta" in caller.types


def test_a_brain_that_fails_fails_the_response() -> None:
    with RealtimeServer.scripted([]) as server, client(server) as caller:
        caller.say("Hi!")
        response = caller.until("response.done")["response"]

    assert response["status"] == "failed"
    assert response["status_details"]["error"]["message"] == "the script is over"


def test_a_server_without_ears_says_so() -> None:
    engines = Engines(
        detector=EnergyDetector, recognizer=None, brain=EndlessBrain(words=3), voice=ToneVoice()
    )
    with RealtimeServer(engines=engines) as server, client(server) as caller:
        set_input(caller, transcription={"model": "whisper-1"}, turn_detection=None)
        caller.append(speech(500))
        caller.send("input_audio_buffer.commit")
        failed = caller.until("conversation.item.input_audio_transcription.failed")

    assert failed["error"]["message"] == "This server has no speech recognition."


class EndlessBrain:
    """Talks until it is cancelled, or has said so many words."""

    def __init__(self, *, words: int | None = None) -> None:
        self.cancelled = threading.Event()
        self._words = words

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        said = 0
        try:
            while not cancelled():
                yield TextDelta("word. ")
                said += 1
                if said == self._words:
                    raise EngineError("I have said all I know.")
        finally:
            self.cancelled.set()


def endless(**options: Any) -> tuple[RealtimeServer, EndlessBrain]:
    brain = EndlessBrain()
    engines = Engines(
        detector=EnergyDetector, recognizer=None, brain=brain, voice=ToneVoice(character_ms=5)
    )
    return RealtimeServer(engines=engines, **options), brain


def test_cancelling_stops_the_brain() -> None:
    server, brain = endless()
    with server, client(server) as caller:
        caller.say("Talk!")
        caller.until("response.output_audio.delta")

        caller.send("response.cancel")
        response = caller.until("response.done")["response"]

        assert response["status"] == "cancelled"
        assert brain.cancelled.wait(5)


def test_an_answer_ends_at_its_limit_of_tokens() -> None:
    server, brain = endless()
    with server, client(server) as caller:
        caller.send("response.create", response={"max_output_tokens": 100})
        response = caller.until("response.done")["response"]

        assert response["status_details"]["reason"] == "max_output_tokens"
        assert response["usage"]["output_tokens"] >= 100
        assert brain.cancelled.wait(5)


def test_two_clients_talk_at_once() -> None:
    with RealtimeServer.scripted() as server, client(server) as one, client(server) as two:
        one.say("One.")
        two.say("Two.")

        for caller, text in ((one, "One."), (two, "Two.")):
            [item] = caller.until("response.done")["response"]["output"]
            assert item["content"][0]["transcript"] == f"You said: {text}"


def test_what_is_no_event_gets_an_error_and_the_session_lives() -> None:
    with RealtimeServer.scripted(["Hello."]) as server, client(server) as caller:
        caller.until("session.created")
        for nonsense in ("{", "[]", '{"type": "unheard.of"}', b"\x00\x01"):
            caller.socket.send(nonsense)
            assert caller.next()["type"] == "error"

        caller.say("Hi!")
        assert caller.until("response.done")["response"]["status"] == "completed"


def test_too_much_audio_at_once_gets_an_error_and_the_session_lives() -> None:
    with RealtimeServer.scripted(["Hello."]) as server, client(server) as caller:
        set_input(caller, turn_detection=None)
        caller.append(bytes(15 * 2**20 + 2))
        assert caller.until("error")["error"]["param"] == "audio"

        caller.append(bytes(15 * 2**20))
        caller.send("input_audio_buffer.commit")
        assert caller.until("input_audio_buffer.committed")


def test_a_session_ends_after_its_time() -> None:
    options = ConversationOptions(max_session_seconds=0.2)
    with RealtimeServer.scripted(options=options) as server, client(server) as caller:
        assert caller.until("error")["error"]["code"] == "session_expired"
        with pytest.raises(ConnectionClosed) as closed:
            caller.next()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


class BrokenDetector:
    """Fails at the first sound."""

    rate_hz, frame_ms = 8_000, 20

    def probability(self, frame: bytes) -> float:
        raise RuntimeError("broken")

    def reset(self) -> None:
        """There is nothing to forget."""


def test_a_connection_that_fails_is_closed_with_1011_and_the_others_live(caplog) -> None:
    engines = Engines(
        detector=BrokenDetector, recognizer=None, brain=EndlessBrain(words=3), voice=ToneVoice()
    )
    with (
        RealtimeServer(engines=engines) as server,
        client(server) as unlucky,
        client(server) as other,
    ):
        unlucky.append(speech(500))
        with pytest.raises(ConnectionClosed) as closed:
            unlucky.until("response.done")
        other.say("Hi!")
        other.until("response.done")

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    [failure] = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert failure.exc_info is not None


# --- who may come in -------------------------------------------------------------------------


def test_a_wrong_key_is_refused_with_401() -> None:
    with RealtimeServer.scripted(api_key="secret") as server:
        with pytest.raises(InvalidStatus) as refused, client(server):
            pass
        headers = {"Authorization": "Bearer secret"}
        with client(server, additional_headers=headers) as caller:
            caller.until("session.created")

    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error"]["code"] == "invalid_api_key"


def test_neither_keys_nor_words_are_logged_where_everything_is(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Authorization": "Bearer secret"}
    with (
        RealtimeServer.scripted(["Whisper."], api_key="secret") as server,
        client(server, additional_headers=headers) as caller,
    ):
        caller.say("Confidential.")
        caller.until("response.done")

    # The client of this test has a logger of its own: websockets.client.
    ours = [each for each in caplog.records if each.name.startswith("realtime_actors")]
    assert ours
    for word in ("secret", "Whisper", "Confidential"):
        assert [each for each in ours if word in each.getMessage()] == []


@pytest.mark.parametrize(
    ("options", "connecting", "code"),
    [
        (
            {"beta": "retired"},
            {"additional_headers": {"OpenAI-Beta": "realtime=v1"}},
            "beta_api_shape_disabled",
        ),
        ({"models": ["gpt-realtime"]}, {"query": "model=gpt-9"}, "model_not_found"),
    ],
)
def test_a_client_that_is_not_served_gets_an_error_and_close_4000(
    options: dict[str, Any], connecting: dict[str, Any], code: str
) -> None:
    with RealtimeServer.scripted(**options) as server, client(server, **connecting) as caller:
        assert caller.next()["error"]["code"] == code
        with pytest.raises(ConnectionClosed) as closed:
            caller.next()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4000,
        f"invalid_request_error.{code}",
    )


def test_a_browser_gets_its_subprotocol() -> None:
    with (
        RealtimeServer.scripted(api_key="secret") as server,
        connect(
            server.url,
            subprotocols=[Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.secret")],
        ) as websocket,
    ):
        assert websocket.subprotocol == "realtime"


# --- what can go wrong on purpose ------------------------------------------------------------


def test_an_upgrade_can_be_refused() -> None:
    with (
        RealtimeServer.scripted(faults=Faults(upgrade_status=503)) as server,
        pytest.raises(InvalidStatus) as refused,
        client(server),
    ):
        pass

    assert refused.value.response.status_code == 503


def test_faults_hold_for_the_connections_to_come() -> None:
    with RealtimeServer.scripted() as server:
        server.faults = Faults(drop_after=1)
        with client(server) as caller:
            caller.until("session.created")
            caller.send("response.create")
            with pytest.raises(ConnectionClosed) as closed:
                caller.next()
        server.faults = Faults()
        with client(server) as caller:
            caller.say("Hi!")
            caller.until("response.done")

    assert closed.value.rcvd is None  # no close frame


def test_a_silent_server_answers_nothing_not_even_a_close_frame() -> None:
    with RealtimeServer.scripted(faults=Faults(silent_after=1)) as server:
        websocket = connect(server.url, compression=None, close_timeout=0.2)
        assert json.loads(websocket.recv(timeout=5))["type"] == "session.created"
        websocket.send('{"type": "response.create"}')
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.2)
        websocket.close()

        assert websocket.protocol.close_rcvd is None


def test_a_slow_upgrade_outlasts_an_impatient_client() -> None:
    with (
        RealtimeServer.scripted(faults=Faults(upgrade_delay=30)) as server,
        pytest.raises(TimeoutError),
        client(server, open_timeout=0.2),
    ):
        pass


def test_connections_can_be_dropped() -> None:
    with RealtimeServer.scripted() as server, client(server) as caller:
        caller.until("session.created")

        server.drop_connections()

        with pytest.raises(ConnectionClosed):
            caller.next()


# --- stopping --------------------------------------------------------------------------------


def test_stopping_says_goodbye() -> None:
    server = RealtimeServer.scripted().start()
    with client(server) as caller:
        caller.until("session.created")
        server.stop()
        with pytest.raises(ConnectionClosed) as closed:
            caller.next()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_stopping_twice_and_starting_again() -> None:
    server = RealtimeServer.scripted(["Hello."])
    server.start()
    server.stop()
    server.stop()
    with server, client(server) as caller:
        caller.say("Hi!")
        caller.until("response.done")


def test_stopping_waits_for_no_client() -> None:
    server, _ = endless()
    server.start()
    # One that has not even asked yet, one that does not read what it gets.
    stranger = socket.create_connection(("127.0.0.1", server.port))
    deaf = connect(server.url, compression=None, max_queue=1, close_timeout=0)
    deaf.send('{"type": "response.create", "response": {"output_modalities": ["audio"]}}')
    deaf.recv(timeout=5)

    began = time.monotonic()
    server.stop(timeout=1.5)
    took = time.monotonic() - began

    stranger.close()
    deaf.close()
    assert took < 4


def test_a_port_that_is_taken_is_an_error() -> None:
    with (
        RealtimeServer.scripted() as server,
        pytest.raises(OSError, match="in use"),
        RealtimeServer.scripted(port=server.port),
    ):
        pass


def test_events_may_come_in_binary_messages_and_samples_in_halves() -> None:
    """As from behind a gateway, by a client that cuts its recording anywhere."""
    turn = silence(300) + speech(700) + silence(900)
    with (
        RealtimeServer.scripted(["Yes."], heard=["Hello."]) as server,
        connect(server.url) as websocket,
    ):
        for start in range(0, len(turn), 961):
            audio = base64.b64encode(turn[start : start + 961]).decode()
            event = {"type": "input_audio_buffer.append", "audio": audio}
            websocket.send(json.dumps(event).encode())
        kinds: list[str] = []
        while "response.done" not in kinds:
            kinds.append(json.loads(websocket.recv(timeout=10))["type"])

    assert "error" not in kinds
    assert "input_audio_buffer.committed" in kinds
