"""What `print(event)` shows: lengths of what was said, errors without keys, all if asked to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors import events, items, messages
from realtime_actors.content import without_keys
from realtime_actors.protocol import dialect
from realtime_actors.usage import Usage

SAID = "My name is Ada."
AGENT = ra.agent(name="Desk")


@pytest.fixture
def shown() -> Iterator[None]:
    ra.show_content()
    yield
    ra.show_content(False)


def delta(text: str = SAID) -> events.TranscriptDeltaEvent:
    return events.TranscriptDeltaEvent(response_id="r", item_id="i", content_index=0, delta=text)


def audio() -> events.AudioEvent:
    return events.AudioEvent(
        audio=events.Audio(data=bytes(4800), response_id="r", item_id="i", content_index=0)
    )


def error(message: str) -> events.ErrorEvent:
    return events.ErrorEvent(error=events.ErrorInfo(type="invalid_request_error", message=message))


THINGS = [
    (delta(), "delta=<15 chars>"),
    (delta(""), "delta=<0 chars>"),
    (audio(), "data=<4800 bytes>"),
    (
        events.ToolEndEvent(agent=AGENT, tool=None, name="f", call_id="c", output=SAID, error=SAID),
        "call_id='c', output=<15 chars>, error=<15 chars>",
    ),
    (
        events.ToolEndEvent(agent=AGENT, tool=None, name="f", call_id="c", output=SAID),
        "output=<15 chars>, error=None",
    ),
    (
        events.HistoryUpdatedEvent(history=(items.user_message(SAID),), item_id="i"),
        "history=<1 items>, item_id='i'",
    ),
    (events.HistoryAddedEvent(item=items.user_message(SAID)), "InputText(text=<15 chars>)"),
    (items.OutputAudio(audio=b"12", transcript=SAID), "audio=<2 bytes>, transcript=<15 chars>"),
    (messages.SendMessage(SAID), "SendMessage(message=<15 chars>)"),
    (messages.SendMessage({"role": "user"}), "SendMessage(message=<1 items>)"),
    (messages.SendAudio(b"1234"), "audio=<4 bytes>"),
    (
        dialect("ga").decode_server(
            '{"type": "response.output_text.delta", "response_id": "r", "item_id": "i",'
            ' "output_index": 0, "content_index": 0, "delta": "My name is Ada."}'
        ),
        "delta=<15 chars>",
    ),
]


@pytest.mark.parametrize(("thing", "part"), THINGS)
def test_a_repr_says_how_long_something_is_and_not_what_it_is(thing, part) -> None:
    assert part in repr(thing)
    assert part in str(thing)
    assert "Ada" not in repr(thing)


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(
    "thing", [thing for thing, part in THINGS if "<15 chars>" in part and "delta=<0" not in part]
)
def test_one_switch_shows_it(thing) -> None:
    assert SAID in repr(thing)


@pytest.mark.usefixtures("shown")
def test_sound_stays_a_length() -> None:
    assert "data=<4800 bytes>" in repr(audio())


def test_the_message_of_an_error_is_shown() -> None:
    assert "message='No such item.'" in repr(error("No such item."))
    assert str(error("No such item.").error) == "invalid_request_error: No such item."


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-0123456789abcdef",
        "sk-abc***************xyz",
        "ek_68a5f2b0c1d2",
        "0123456789abcdef0123456789ABCDEF",  # Azure's
    ],
)
def test_the_keys_in_it_are_not(key) -> None:
    said = f"Incorrect API key provided: {key}. You can find it elsewhere."
    cut = "Incorrect API key provided: ***. You can find it elsewhere."

    assert f"message={cut!r}" in repr(error(said))
    assert str(error(said).error) == f"invalid_request_error: {cut}"
    ra.show_content()
    try:
        assert key not in repr(error(said)) + repr(delta(said))
    finally:
        ra.show_content(False)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("wss://ada:geheim@example.com/?api-key=17&x=1", "wss://***@example.com/?api-key=***&x=1"),
        ("token=abc, secret='x'", "token=***, secret='***'"),
    ],
)
def test_other_secrets_are_cut_out_as_well(text, cut) -> None:
    assert without_keys(text) == cut


@pytest.mark.parametrize(
    "text",
    [
        "response resp_0a1b2c3d4e5f60718293a4b5c6d7e8f9 was not found",
        "item_BsQ9tN3zX2aLr8Yd7VqEw has no audio",
        "conversation_already_has_active_response_in_progress_for_session",
        "the skateboard is task-3, risk-free, and costs 1234567890123456789012345678901234",
        "urn:uuid:123e4567-e89b-42d3-a456-426614174000",
    ],
)
def test_ids_and_words_are_no_keys(text) -> None:
    assert without_keys(text) == text


def test_numbers_and_names_are_shown_as_they_were() -> None:
    usage = events.UsageEvent(response_id="r", usage=Usage(), cost=None)

    assert repr(usage).startswith("UsageEvent(response_id='r', usage=Usage(")
