"""What a handle is good for when its session has ended."""

from __future__ import annotations

import copy
import pickle
import queue
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pykka
import pytest

import realtime_actors as ra
from realtime_actors import messages, otp
from realtime_actors.events import (
    AgentEndEvent,
    ConnectionEvent,
    HistoryAddedEvent,
)
from realtime_actors.items import MessageItem, user_message
from realtime_actors.session import DeadSessionError
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import (
    error,
    item_added,
    response_created,
    response_done,
    transcript_delta,
)

VERBS: dict[str, Callable[[ra.Session], object]] = {
    "add_item": lambda session: session.add_item("too late"),
    "approve": lambda session: session.approve("call1"),
    "ask": lambda session: session.ask(messages.SendMessage("too late")),
    "ask, not blocking": lambda session: session.ask(messages.Interrupt(), block=False).get(),
    "clear_audio": lambda session: session.clear_audio(),
    "commit_audio": lambda session: session.commit_audio(),
    "create_response": lambda session: session.create_response(),
    "delete_item": lambda session: session.delete_item("item1"),
    "events": lambda session: session.events(),
    "hand_off": lambda session: session.hand_off(ra.agent(name="Too late")),
    "interrupt": lambda session: session.interrupt(),
    "proxy": lambda session: session.proxy().interrupt().get(),
    "reject": lambda session: session.reject("call1"),
    "retrieve_item": lambda session: session.retrieve_item("item1"),
    "send_audio": lambda session: session.send_audio(bytes(96)),
    "send_message": lambda session: session.send_message("too late"),
    "send_raw_event": lambda session: session.send_raw_event({"type": "response.cancel"}),
    "subscribe": lambda session: session.subscribe(queue.SimpleQueue()),
    "transcripts": lambda session: session.transcripts(),
    "truncate_item": lambda session: session.truncate_item("item1", 100),
    "unsubscribe": lambda session: session.unsubscribe(queue.SimpleQueue()),
    "update_history": lambda session: session.update_history([user_message("too late")]),
    "update_session": lambda session: session.update_session({"voice": "ash"}),
}
READABLE = {
    "attach",
    "audio_was_dropped",
    "begin_close",
    "detach",
    "close",
    "current_agent",
    "dropped",
    "history",
    "transcript",
    "usage",
}
"""What still works, or does nothing."""


@pytest.fixture
def ended() -> ra.Session:
    with ra.run(ra.agent(), transport=ScriptedTransport(strict=False)) as session:
        return session


def test_every_verb_of_the_handle_is_tried_here():
    verbs = {name for name, each in vars(ra.Session).items() if callable(each) and name[0] != "_"}
    assert verbs - VERBS.keys() - READABLE == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_raises_one_class_which_is_a_dead_actor_too(verb: str, ended: ra.Session):
    if verb == "proxy":  # pykka's own, and it looks first
        with pytest.raises(pykka.ActorDeadError):
            VERBS[verb](ended)
        return
    with pytest.raises(ra.SessionClosedError, match="the session was closed") as raised:
        VERBS[verb](ended)
    assert type(raised.value) is DeadSessionError
    assert isinstance(raised.value, pykka.ActorDeadError)


def test_the_error_can_be_told_to_another_process(ended: ra.Session):
    with pytest.raises(ra.SessionClosedError) as raised:
        ended.send_message("too late")

    again = pickle.loads(pickle.dumps(raised.value))

    assert (type(again), str(again)) == (DeadSessionError, str(raised.value))


def test_a_session_is_copied_as_itself_and_not_pickled(ended: ra.Session):
    assert copy.deepcopy([ended]) == [ended]
    assert copy.deepcopy([ended])[0] is ended
    with pytest.raises(TypeError, match="a Session can't be pickled"):
        pickle.dumps(ended)


# --- what was known last -------------------------------------------------------------------


def talked(script: ScriptedTransport, **options: Any) -> ra.Session:
    """A session that has heard and said something, which was counted."""
    agent = ra.agent(name="Desk", model="gpt-realtime-2.1")
    session = ra.run(agent, transport=script, **options)
    probe = Probe(session)
    script.emit(
        item_added("u1", "user", {"type": "input_text", "text": "Hello?"}),
        response_created(),
        item_added("i1", "assistant"),
        transcript_delta("Good morning."),
        response_done(usage=USAGE),
    )
    probe.wait_for(AgentEndEvent)
    return session


def closed(session: ra.Session, script: ScriptedTransport) -> None:
    session.close()


def failed(session: ra.Session, script: ScriptedTransport) -> None:
    otp.send(session, "what nobody says")


def killed(session: ra.Session, script: ScriptedTransport) -> None:
    otp.exit_signal(session, otp.KILL)


def ended_by_the_server(session: ra.Session, script: ScriptedTransport) -> None:
    script.emit(error("insufficient_quota", "an hour is over"))


def lost_and_closed(session: ra.Session, script: ScriptedTransport) -> None:
    script.drop()
    session.close()


ENDS = [closed, failed, killed, ended_by_the_server, lost_and_closed]
USAGE = {
    "total_tokens": 30_000,
    "input_tokens": 20_000,
    "output_tokens": 10_000,
    "input_token_details": {"audio_tokens": 20_000},
    "output_token_details": {"audio_tokens": 10_000},
}
SAID = [("user", "Hello?"), ("assistant", "Good morning.")]


def said(session: ra.Session) -> list[tuple[str, str]]:
    return [
        (item.role, getattr(part, "text", None) or getattr(part, "transcript", None) or "")
        for item in session.history()
        if isinstance(item, MessageItem)
        for part in item.content
    ]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("traced", [False, True], ids=["", "traced"])
def test_what_was_said_and_used_can_be_read_for_ever(end, traced, tmp_path) -> None:
    script = ScriptedTransport(strict=False)
    session = talked(script, trace=tmp_path / "trace" if traced else None)
    over = Probe(session)
    before = session.history(), session.transcript(), session.usage(), session.current_agent()

    end(session, script)
    event = over.wait_for(ConnectionEvent)
    while event.state != "closed":
        event = over.wait_for(ConnectionEvent)

    for _ in range(2):
        after = session.history(), session.transcript(), session.usage(), session.current_agent()
        assert after == before
    assert said(session) == SAID
    assert (event.usage, event.cost) == (session.usage(), Decimal("1.28"))
    assert session.ask(messages.Usage()) == session.ask(messages.Usage(), block=False).get()


@pytest.mark.parametrize("end", [closed, failed, killed])
def test_a_subscriber_reads_them_as_soon_as_it_hears_of_the_end(end) -> None:
    script = ScriptedTransport(strict=False)
    session = talked(script)
    read: queue.SimpleQueue[object] = queue.SimpleQueue()

    class Reader:
        def put(self, message: ra.SessionEvent) -> None:
            if isinstance(message.event, ConnectionEvent):
                threading.Thread(target=lambda: read.put(said(session)), daemon=True).start()

    session.subscribe(Reader())
    end(session, script)

    assert read.get(timeout=5) == SAID


def test_a_session_that_is_started_again_begins_anew_and_the_last_one_can_be_read_between() -> None:
    scripts = [ScriptedTransport(strict=False) for _ in range(2)]
    waiting = iter(scripts)
    calls = otp.start(otp.DynamicSupervisor)
    try:
        session = ra.run(
            ra.agent(),
            transport=lambda options, dialect: next(waiting)(options, dialect),
            supervisor=calls,
        )
        probe = Probe(session)
        scripts[0].emit(item_added("u1", "user", {"type": "input_text", "text": "Hello?"}))
        probe.wait_for(HistoryAddedEvent)

        killed(session, scripts[0])
        lost = probe.wait_for(ConnectionEvent)
        while probe.wait_for(ConnectionEvent).state != "connected":
            pass

        assert lost.state == "lost"
        assert session.history() == ()
    finally:
        calls.stop()
    assert session.history() == ()
