"""The brain behind a chat endpoint, against a small one over loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    ItemReference,
    MessageItem,
    OutputAudio,
    assistant_message,
    system_message,
    user_message,
)
from realtime_actors.server.engines import (
    BrainOutput,
    BrainRequest,
    EngineError,
    Finished,
    TextDelta,
    ToolCallDelta,
)
from tests.engines.brain.chat_endpoint import HOLD, ChatEndpoint, calls, chat_endpoint, event, text

pytest.importorskip("httpx2", reason="the extra [local] is not installed: httpx2")

from realtime_actors.server.engines.brain.chat import ChatBrain

HELLO = BrainRequest(items=(user_message("Hello."),))


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint() as endpoint:
        yield endpoint


def ask(endpoint: ChatEndpoint, request: BrainRequest = HELLO, **brain: Any) -> list[BrainOutput]:
    return list(ChatBrain(endpoint.url, **brain).respond(request))


# --- what is answered ------------------------------------------------------------------------


def test_text_comes_as_it_is_written(endpoint: ChatEndpoint) -> None:
    endpoint.answer(
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        text("Good "),
        text("morning."),
        text("", finish_reason="stop"),
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
    )

    assert ask(endpoint) == [
        TextDelta("Good "),
        TextDelta("morning."),
        Finished(input_tokens=7, output_tokens=3),
    ]


def test_tool_calls_come_piece_by_piece(endpoint: ChatEndpoint) -> None:
    endpoint.answer(
        text("Let me see."),
        calls({"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}),
        calls({"index": 0, "function": {"arguments": '{"city": '}}),
        calls({"index": 0, "function": {"arguments": '"Paris"}'}}),
        calls({"index": 1, "id": "b", "function": {"name": "time", "arguments": "{}"}}),
        calls(finish_reason="tool_calls"),
    )

    assert ask(endpoint) == [
        TextDelta("Let me see."),
        ToolCallDelta(index=0, call_id="a", name="weather", arguments=""),
        ToolCallDelta(index=0, call_id="a", name="weather", arguments='{"city": '),
        ToolCallDelta(index=0, call_id="a", name="weather", arguments='"Paris"}'),
        ToolCallDelta(index=1, call_id="b", name="time", arguments="{}"),
        Finished(),
    ]


def test_tool_calls_without_an_index_are_told_apart_by_their_ids(endpoint: ChatEndpoint) -> None:
    endpoint.answer(
        calls(
            {"id": "a", "function": {"name": "weather", "arguments": "{}"}},
            {"id": "b", "function": {"name": "weather", "arguments": "{}"}},
        )
    )

    assert ask(endpoint) == [
        ToolCallDelta(index=0, call_id="a", name="weather", arguments="{}"),
        ToolCallDelta(index=1, call_id="b", name="weather", arguments="{}"),
        Finished(),
    ]


@pytest.mark.parametrize(
    ("reason", "finished"),
    [
        ("length", Finished(reason="max_output_tokens")),
        ("content_filter", Finished(reason="content_filter")),
        ("something new", Finished()),
    ],
)
def test_why_an_answer_ended_is_told(
    endpoint: ChatEndpoint, reason: str, finished: Finished
) -> None:
    endpoint.answer(text("Once upon", finish_reason=reason))

    assert ask(endpoint) == [TextDelta("Once upon"), finished]


def test_comments_and_an_end_without_its_mark_are_no_trouble(endpoint: ChatEndpoint) -> None:
    endpoint.lines = [": keep-alive\n\n", "\n", "event: message\n", event(text("Yes."))]

    assert ask(endpoint) == [TextDelta("Yes."), Finished()]


# --- what is asked ----------------------------------------------------------------------------


def test_a_conversation_becomes_chat_messages(endpoint: ChatEndpoint) -> None:
    endpoint.answer(text("Fine."))
    weather = {
        "type": "function",
        "name": "weather",
        "description": "Weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    request = BrainRequest(
        instructions="Be brief.",
        items=(
            system_message("The caller is Anna."),
            MessageItem(
                role="user", content=(InputAudio(audio=b"\0\0", transcript="Paris and Rome?"),)
            ),
            FunctionCallItem(call_id="a", name="weather", arguments='{"city":"Paris"}'),
            FunctionCallItem(call_id="b", name="weather", arguments='{"city":"Rome"}'),
            FunctionCallItem(call_id="c", name="weather", arguments="{}"),
            FunctionCallOutputItem(call_id="b", output="rain"),
            FunctionCallOutputItem(call_id="a", output="sun"),
            FunctionCallOutputItem(call_id="lost", output="?"),
            MessageItem(role="assistant", content=(OutputAudio(transcript="Sun, rain."),)),
            assistant_message(""),
            ItemReference(id="x"),
            MessageItem(
                role="user",
                content=(
                    InputText("And here?"),
                    InputImage(image_url="data:image/png;base64,AA==", detail="low"),
                ),
            ),
        ),
        tools=(weather, {"type": "mcp", "server_label": "docs"}),
        tool_choice={"type": "function", "name": "weather"},
        max_output_tokens=50,
    )

    ask(endpoint, request, model="small", api_key="secret")

    assert endpoint.path == "/v1/chat/completions"
    assert endpoint.headers["authorization"] == "Bearer secret"
    assert endpoint.body == {
        "model": "small",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Weather in a city.",
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "The caller is Anna."},
            {"role": "user", "content": "Paris and Rome?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
                    },
                    {
                        "id": "b",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "sun"},
            {"role": "tool", "tool_call_id": "b", "content": "rain"},
            {"role": "assistant", "content": "Sun, rain."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And here?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
                    },
                ],
            },
        ],
    }


def test_what_was_not_asked_for_is_not_sent(endpoint: ChatEndpoint) -> None:
    endpoint.answer(text("Hi."))

    ask(endpoint)

    assert endpoint.body == {
        "messages": [{"role": "user", "content": "Hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "authorization" not in endpoint.headers


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    ['{"error": {"message": "no such key"}}', '{"error": "no such key"}', "no such key"],
)
def test_a_refusal_says_why(endpoint: ChatEndpoint, body: str) -> None:
    endpoint.status, endpoint.lines = 401, [body]

    with pytest.raises(EngineError, match=r"answered 401: no such key"):
        ask(endpoint, api_key="secret")


def test_an_error_in_the_middle_ends_the_answer(endpoint: ChatEndpoint) -> None:
    endpoint.answer(text("Well, "), {"error": {"message": "out of memory"}})

    answer = ChatBrain(endpoint.url).respond(HELLO)

    assert next(answer) == TextDelta("Well, ")
    with pytest.raises(EngineError, match="out of memory"):
        next(answer)


@pytest.mark.parametrize(
    "line", ["data: {nonsense\n\n", event(calls({"index": 0, "function": {"arguments": "{}"}}))]
)
def test_nonsense_is_an_error_and_no_crash(endpoint: ChatEndpoint, line: str) -> None:
    endpoint.lines = [line]

    with pytest.raises(EngineError, match="chat endpoint"):
        ask(endpoint)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with chat_endpoint() as gone:
        url = gone.url

    with pytest.raises(EngineError, match=r"the chat endpoint 127\.0\.0\.1"):
        list(ChatBrain(url).respond(HELLO))


# --- who loses interest -------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [[HOLD], [event(text("Well, ")), HOLD]])
def test_an_answer_that_is_cancelled_hangs_up(endpoint: ChatEndpoint, lines: list[str]) -> None:
    endpoint.lines = lines
    lost_interest = threading.Event()
    heard: list[BrainOutput] = []

    def listen() -> None:
        heard.extend(ChatBrain(endpoint.url).respond(HELLO, cancelled=lost_interest.is_set))

    listener = threading.Thread(target=listen)
    listener.start()
    assert endpoint.asked.wait(5)
    started = time.monotonic()
    lost_interest.set()
    listener.join(5)

    assert not listener.is_alive()
    assert time.monotonic() - started < 2
    assert endpoint.hung_up.wait(5)
    assert Finished() not in heard


def test_closing_the_answer_hangs_up(endpoint: ChatEndpoint) -> None:
    endpoint.lines = [event(text("Well, ")), HOLD]
    answer = ChatBrain(endpoint.url).respond(HELLO)
    assert next(answer) == TextDelta("Well, ")

    answer.close()  # type: ignore[attr-defined]  # it is a generator

    assert endpoint.hung_up.wait(5)


def test_several_answers_at_once_do_not_mix(endpoint: ChatEndpoint) -> None:
    endpoint.answer(text("a"), text("b"), text("c"))
    brain = ChatBrain(endpoint.url)
    heard: list[list[BrainOutput]] = []
    threads = [
        threading.Thread(target=lambda: heard.append(list(brain.respond(HELLO)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert heard == [[TextDelta("a"), TextDelta("b"), TextDelta("c"), Finished()]] * 4
