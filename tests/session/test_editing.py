"""Changing the conversation by hand, and reading it."""

from __future__ import annotations

import pytest
from attrs import evolve

import realtime_actors as ra
from realtime_actors.events import (
    AgentEndEvent,
    HistoryAddedEvent,
    HistoryUpdatedEvent,
    InputTranscriptEvent,
)
from realtime_actors.items import InputImage, InputText, MessageItem, system_message, user_message
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from tests.session.wire import item_added


@pytest.fixture
def session():
    with (
        RealtimeServer.scripted(["A very short story."]) as server,
        ra.run(ra.agent(), model_config={"url": server.url}) as session,
    ):
        yield session


def text(session: ra.Session) -> list[str]:
    return session.transcript().splitlines()


def test_items_are_added_behind_others_and_before_all(session):
    probe = Probe(session)
    last = session.add_item("last")
    session.add_item(system_message("first"), after="root")
    for _ in range(2):
        probe.wait_for(HistoryAddedEvent)
    session.add_item("middle", after=session.history()[0].id)
    probe.wait_for(HistoryAddedEvent)

    assert text(session) == ["System: first", "User: middle", "User: last"]
    assert session.history()[2].id == last
    with pytest.raises(ra.ConfigError, match="no item 'nothing'"):
        session.add_item("lost", after="nothing")
    with pytest.raises(ra.ConfigError, match="already"):
        session.add_item(evolve(user_message("twice"), id=last))


def test_an_item_is_deleted_and_an_image_added(session):
    probe = Probe(session)
    item_id = session.add_item("Forget this.")
    probe.wait_for(HistoryAddedEvent)
    session.delete_item(item_id)
    assert probe.wait_for(HistoryUpdatedEvent).change == "deleted"
    dot = "data:image/png;base64,iVBORw0KGgo="
    session.add_item(MessageItem(role="user", content=(InputImage(image_url=dot),)))
    probe.wait_for(HistoryAddedEvent)

    assert text(session) == ["User: (an image)"]
    with pytest.raises(ra.ConfigError):
        session.delete_item(item_id)


def test_what_was_said_can_be_cut_and_read_again(session):
    probe = Probe(session)
    session.send_message("A story, please.")
    probe.wait_for(AgentEndEvent)
    story = session.history()[-1]
    session.truncate_item(story.id, 300)
    assert (
        probe.wait_for(HistoryUpdatedEvent, lambda e: e.change == "truncated").item_id == story.id
    )

    assert session.history()[-1].content[0].truncated_at_ms == 300
    assert text(session)[-1].endswith("—")
    session.retrieve_item(story.id)
    assert session.history()[-1].content[0].truncated_at_ms == 300


def test_the_whole_history_is_replaced_by_sending_the_difference(session):
    probe = Probe(session)
    for words in ("one", "two", "three"):
        session.add_item(words)
    for _ in range(3):
        probe.wait_for(HistoryAddedEvent)
    one, two, three = session.history()
    changed = evolve(two, content=(InputText(text="zwei"),))
    session.update_history([one, changed, user_message("two and a half"), three])
    for _ in range(2):
        probe.wait_for(HistoryAddedEvent)

    assert text(session) == ["User: one", "User: zwei", "User: two and a half", "User: three"]
    now = session.history()
    assert (now[0], now[3]) == (one, three)
    with pytest.raises(ra.ConfigError, match="change places"):
        session.update_history([now[3], *now[:3]])
    session.update_history([])
    probe.wait_for(HistoryUpdatedEvent, lambda event: event.history == ())


def committed(item_id: str) -> dict[str, object]:
    return {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None}


def run(script: ScriptedTransport, transcription: object) -> ra.Session:
    config = {"input_audio_transcription": transcription}
    url = "ws://127.0.0.1:1/"
    return ra.run(
        ra.agent(),
        transport=script,
        model_config={"url": url, "initial_model_settings": config},
    )


def test_speech_whose_words_never_come_ends_all_the_same():
    with (
        fake_clock() as clock,
        ScriptedTransport(strict=False) as script,
        run(script, {"model": "gpt-transcribe"}) as session,
    ):
        probe = Probe(session, only=[InputTranscriptEvent])
        script.emit(item_added("u1", "user", {"type": "input_audio"}), committed("u1"))
        session.history()
        clock.advance(15.0)
        assert script.wait_for("conversation.item.retrieve")["item_id"] == "u1"
        clock.advance(5.0)

        assert probe.wait_for(InputTranscriptEvent).status == "timed_out"


def test_retrieving_fills_in_words_that_never_came():
    with (
        fake_clock() as clock,
        ScriptedTransport(strict=False) as script,
        run(script, {"model": "gpt-transcribe"}) as session,
    ):
        probe = Probe(session, only=[InputTranscriptEvent])
        script.emit(item_added("u1", "user", {"type": "input_audio"}), committed("u1"))
        session.history()
        clock.advance(15.0)
        script.wait_for("conversation.item.retrieve")
        part = {"type": "input_audio", "transcript": "Hello?"}
        item = {"id": "u1", "type": "message", "role": "user", "content": [part]}
        script.emit({"type": "conversation.item.retrieved", "item": item})

        end = probe.wait_for(InputTranscriptEvent)
        assert (end.status, end.text) == ("completed", "Hello?")
        assert session.transcript() == "User: Hello?"


def test_without_transcription_nobody_waits_for_words():
    with ScriptedTransport(strict=False) as script, run(script, "off") as session:
        probe = Probe(session)
        script.emit(committed("u1"))

        assert probe.wait_for(InputTranscriptEvent).status == "disabled"
