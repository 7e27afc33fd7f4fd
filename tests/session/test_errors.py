"""Errors of the server, and everybody who waits meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.errors import RealtimeError
from realtime_actors.events import AgentEndEvent, ConnectionEvent, ErrorEvent, Event
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import error, response_created, response_done

BENIGN = (
    "conversation_already_has_active_response",
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "item_truncate_invalid_item_id",
    "invalid_value",
)
FATAL = (
    "account_deactivated",
    "beta_api_shape_disabled",
    "billing_hard_limit_reached",
    "insufficient_quota",
    "invalid_api_key",
)
AT_ONCE = 0.1
"""Seconds from the error to whoever waits."""


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    # Without a handshake of its own: so that an update stays unanswered.
    with ScriptedTransport(strict=False, handshake=False) as script:
        yield script


def run(script: ScriptedTransport, agent: ra.Agent | None = None) -> ra.Session:
    script.expect("session.update", answer=[{"type": "session.updated", "session": {}}])
    where = {"url": "ws://127.0.0.1:1/"}
    return ra.run(agent or ra.agent(), transport=script, model_config=where)


class Waiting:
    """Something that blocks, in a thread of its own: what it gave or raised, and when."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.raised: BaseException | None = None
        self.given: object = None
        self.ended_at = 0.0
        self._what = what
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.given = self._what()
        except RealtimeError as raised:
            self.raised = raised
        self.ended_at = time.monotonic()

    def join(self) -> None:
        self._thread.join(5)
        assert not self._thread.is_alive(), "it still waits"


@pytest.mark.parametrize("code", BENIGN)
def test_a_benign_error_leaves_the_session_usable(script: ScriptedTransport, code: str) -> None:
    with run(script) as session:
        probe = Probe(session)

        script.emit(error(code))

        told = probe.wait_for(ErrorEvent)
        assert (told.error.code, told.recoverable) == (code, True)
        session.send_message("Still there?")
        script.wait_for("response.create")
        assert session.is_alive()


@pytest.mark.parametrize("code", FATAL)
def test_a_fatal_error_reaches_everybody_who_waits_at_once(
    script: ScriptedTransport, code: str
) -> None:
    session = run(script)
    stream, seen = session.events(), list[Event]()
    update = Waiting(lambda: session.update_session({"speed": 1.2}))
    reader = Waiting(lambda: seen.extend(stream))
    script.wait_for("session.update", count=2)
    script.emit(response_created())

    began = time.monotonic()
    script.emit(error(code, "it is over"))
    for waiting in (update, reader):
        waiting.join()

    assert max(update.ended_at, reader.ended_at) - began < AT_ONCE
    for waiting in (update, reader):
        assert isinstance(waiting.raised, ra.SessionFailedError)
        assert waiting.raised.code == code
        assert "it is over" in str(waiting.raised)
    # Before it raised, the iterator gave all there was: the error, the turn's end, the session's.
    _, told, end, closed = seen
    assert isinstance(told, ErrorEvent)
    assert (told.error.code, told.recoverable) == (code, False)
    assert isinstance(end, AgentEndEvent)
    assert end.status == "disconnected"
    assert isinstance(closed, ConnectionEvent)
    assert (closed.state, "it is over" in closed.reason) == ("closed", True)
    assert closed.error is reader.raised
    for verb in (lambda: session.send_message("Too late."), lambda: session.send_audio(bytes(96))):
        with pytest.raises(ra.SessionClosedError, match="it is over"):
            verb()


def test_the_repr_of_an_end_quotes_nobody() -> None:
    failure = ra.SessionFailedError("My name is Ada.")

    assert "error=SessionFailedError" in repr(ConnectionEvent(state="closed", error=failure))
    assert "Ada" not in repr(ConnectionEvent(state="closed", error=failure))


def test_who_reads_transcripts_learns_what_ended_the_session(script: ScriptedTransport) -> None:
    script.expect("session.update", answer=[{"type": "session.updated", "session": {}}])
    session = ra.transcribe(transport=script, model_config={"url": "ws://127.0.0.1:1/"})
    lines = session.transcripts(timeout=5)

    script.emit(error("insufficient_quota", "an hour is over"))

    with pytest.raises(ra.SessionFailedError, match="an hour is over"):
        next(lines)
    assert next(lines, None) is None


@pytest.mark.parametrize("only", [None, ErrorEvent])
def test_an_end_that_was_asked_for_is_no_error(script: ScriptedTransport, only: type) -> None:
    with run(script) as session:
        stream = session.events(timeout=5, only=only)

    (closed,) = stream

    assert (closed.state, closed.error) == ("closed", None)
    with pytest.raises(ra.SessionClosedError, match="the session was closed"):
        session.interrupt()


def test_what_broke_the_session_itself_is_raised_at_its_readers(script: ScriptedTransport) -> None:
    session = run(script)
    stream, seen = session.events(timeout=5), list[Event]()
    otp.send(session, "what nobody says")

    with pytest.raises(ra.SessionFailedError, match="internal error") as raised:
        seen.extend(stream)

    assert raised.value.__cause__ is not None
    assert [type(event) for event in seen] == [ErrorEvent, ConnectionEvent]


def test_a_session_that_is_killed_while_it_ends_leaves_no_connection(
    script: ScriptedTransport,
) -> None:
    busy, go_on = threading.Event(), threading.Event()

    class Slow(ra.AgentHooks):
        def on_start(self, context: object, agent: ra.Agent) -> None:
            busy.set()
            go_on.wait(timeout=10)

    session = run(script, ra.agent(hooks=Slow()))
    probe = Probe(session)
    script.emit(response_created())
    assert busy.wait(timeout=10)
    session.stop(block=False)
    probe.wait_for(ConnectionEvent)  # now it gives its hooks a moment
    otp.exit_signal(session, otp.KILL)
    go_on.set()

    for thread in threading.enumerate():
        if thread.name == "realtime-close":
            thread.join(5.0)
    assert not script.connected
    assert len(probe.all(ConnectionEvent)) == 1


def test_who_reads_events_learns_that_the_session_was_killed(script: ScriptedTransport) -> None:
    session = run(script)
    stream, seen = session.events(timeout=5), list[Event]()
    otp.exit_signal(session, otp.KILL)

    with pytest.raises(ra.SessionClosedError, match="was killed"):
        seen.extend(stream)

    assert [type(event) for event in seen] == [ErrorEvent, ConnectionEvent]
    with pytest.raises(ra.SessionClosedError, match="was killed"):
        session.send_message("Hello?")


@pytest.mark.parametrize("code", FATAL)
def test_a_fatal_error_while_starting_is_raised_by_run(
    script: ScriptedTransport, code: str
) -> None:
    script.expect("session.update", answer=[error(code, "not today")])

    with pytest.raises(RealtimeError, match="not today"):
        ra.run(ra.agent(), transport=script, model_config={"url": "ws://127.0.0.1:1/"})


@pytest.mark.parametrize(
    ("status", "details", "kind", "code"),
    [
        ("failed", {"error": {"type": "server_error", "code": "oops"}}, "server_error", "oops"),
        (
            "failed",
            {"error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow down"}},
            "tokens",
            "rate_limit_exceeded",
        ),
        (
            "failed",
            {"error": {"code": "inference_rate_limit_exceeded"}},
            "response_failed",
            "inference_rate_limit_exceeded",
        ),
        (
            "incomplete",
            {"reason": "max_output_tokens"},
            "response_incomplete",
            "max_output_tokens",
        ),
        ("incomplete", {"reason": "content_filter"}, "response_incomplete", "content_filter"),
    ],
)
def test_a_response_that_went_wrong_tells_its_reason(script, status, details, kind, code) -> None:
    with run(script) as session:
        probe = Probe(session)

        script.emit(response_created(), response_done("r1", status, status_details=details))

        told, end = probe.wait_for(ErrorEvent), probe.wait_for(AgentEndEvent)
        assert (told.error.type, told.error.code, told.recoverable) == (kind, code, True)
        assert (told.response_id, end.status, end.reason) == ("r1", status, code)
        assert session.is_alive()
