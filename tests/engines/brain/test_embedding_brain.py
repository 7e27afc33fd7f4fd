"""Conversations with the default brain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    Item,
    MessageItem,
    OutputAudio,
    assistant_message,
    system_message,
    user_message,
)
from realtime_actors.server.engines import (
    BrainOutput,
    BrainRequest,
    Finished,
    TextDelta,
    ToolCallDelta,
)
from realtime_actors.server.engines.brain.embedding import EmbeddingBrain

STRING = {"type": "string"}
INSTRUCTIONS = """You are Anna, the receptionist of Bella Vista, an Italian restaurant.
Greet callers with "Thank you for calling Bella Vista!".
We are open from Tuesday to Sunday, from five in the afternoon until eleven at night.
Our address is 12 Main Street, next to the town hall.
- Dogs are welcome in the garden.
Always be friendly. If the caller asks about an invoice, transfer the call to billing."""


def tool(
    name: str, description: str, required: Sequence[str] = (), /, **properties: Any
) -> Mapping[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
    }


BOOK = tool(
    "book_table",
    "Book a table at the restaurant.",
    ("date", "time", "people", "name"),
    date={**STRING, "description": "Day of the visit"},
    time=STRING,
    people={"type": "integer", "description": "Number of guests"},
    name={**STRING, "description": "Name of the guest"},
)
LIGHT = tool(
    "set_light",
    "Switch the light in a room on or off.",
    ("room", "state"),
    room={"type": "string", "enum": ["kitchen", "living_room"]},
    state={"type": "string", "enum": ["on", "off"]},
)
WEATHER = tool("get_weather", "Current weather in a city.", ("city",), city=STRING)
BILLING = tool(
    "transfer_to_billing",
    "Handoff to the Billing agent to handle the request. Handles invoices and refunds.",
)
TOOLS = (BOOK, LIGHT, WEATHER, BILLING)

DEMONSTRATION = (
    "I am a demonstration brain: start the server with --brain-url to give it a real one."
)

Call = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def brain() -> EmbeddingBrain:
    return EmbeddingBrain()


class Conversation:
    """What was said and called so far."""

    def __init__(self, brain: EmbeddingBrain, **request: Any) -> None:
        self._brain = brain
        self._request = {"instructions": INSTRUCTIONS, "tools": TOOLS, **request}
        self.items: list[Item] = []

    def answer(self, **changes: Any) -> str | list[Call]:
        """What the brain says, or calls, with the conversation as it stands."""
        request = BrainRequest(**{**self._request, **changes}, items=tuple(self.items))
        outputs = list(self._brain.respond(request))
        assert outputs[-1] == Finished()
        calls = [each for each in outputs if isinstance(each, ToolCallDelta)]
        if not calls:
            text = said(outputs)
            self.items.append(assistant_message(text))
            return text
        for call in calls:
            call_id = f"call_{len(self.items)}"
            self.items.append(
                FunctionCallItem(call_id=call_id, name=call.name, arguments=call.arguments)
            )
        return [(call.name, json.loads(call.arguments)) for call in calls]

    def user(self, text: str, **changes: Any) -> str | list[Call]:
        self.items.append(user_message(text))
        return self.answer(**changes)

    def tools_answer(self, *outputs: str, **changes: Any) -> str | list[Call]:
        calls = [item for item in self.items if isinstance(item, FunctionCallItem)]
        for call, output in zip(calls[-len(outputs) :], outputs, strict=True):
            assert call.call_id is not None
            self.items.append(FunctionCallOutputItem(call_id=call.call_id, output=output))
        return self.answer(**changes)


def said(outputs: Sequence[BrainOutput]) -> str:
    return "".join(each.text for each in outputs if isinstance(each, TextDelta))


def test_a_table_is_booked_once_everything_is_known(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)

    assert talk.user("I'd like to book a table for four tomorrow.") == "What is the time?"
    assert talk.user("At seven.") == "What is the name of the guest?"
    assert talk.user("It's Anna Miller.") == [
        (
            "book_table",
            {"date": "tomorrow", "time": "seven", "people": 4, "name": "Anna Miller"},
        )
    ]
    assert talk.tools_answer("Your table is booked.") == "Your table is booked."
    assert talk.user("Thank you very much.") == "You're welcome. Is there anything else?"
    assert talk.user("No, thanks. Bye.") == "Goodbye!"


def test_an_answer_may_say_more_than_was_asked(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("A table for Friday, please.")

    assert talk.user("At eight, for two people, my name is Bob Hill.") == [
        ("book_table", {"date": "Friday", "time": "eight", "people": 2, "name": "Bob Hill"})
    ]


def test_who_does_not_understand_the_question_is_asked_once_more(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)

    assert talk.user("Turn on the light.") == "Which room: kitchen or living room?"
    assert talk.user("Bananas.") == (
        "Sorry, I didn't get that. Which room: kitchen or living room?"
    )
    assert talk.user("Bananas!") == "I'm sorry, I can't do that without the room."


def test_who_asks_back_gets_an_answer_and_the_question_again(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("A table for two, please. My name is Bob.")

    assert talk.user("Are dogs allowed?") == (
        "Dogs are welcome in the garden. What is the day of the visit?"
    )
    assert talk.user("Today, at eight.") == [
        ("book_table", {"date": "today", "time": "eight", "people": 2, "name": "Bob"})
    ]


def test_who_wants_something_else_gets_that(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("A table for two, please.")

    assert talk.user("What's the weather like in Paris?") == [("get_weather", {"city": "Paris"})]


def test_who_does_not_want_to_go_on_need_not(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("Turn on the light.")

    assert talk.user("Never mind.") == "All right. What else can I do for you?"
    assert isinstance(talk.user("The kitchen."), str)


def test_a_question_that_was_cut_off_by_its_answer_still_counts(brain: EmbeddingBrain) -> None:
    for heard in ("What is the", ""):
        talk = Conversation(brain)
        talk.user("What's the weather?")
        talk.items[-1] = MessageItem(role="assistant", content=(OutputAudio(transcript=heard),))

        assert talk.user("Paris.") == [("get_weather", {"city": "Paris"})]


def test_two_things_at_once_are_two_calls(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)

    assert talk.user("Turn off the light in the kitchen and tell me the weather in Rome.") == [
        ("set_light", {"room": "kitchen", "state": "off"}),
        ("get_weather", {"city": "Rome"}),
    ]
    assert talk.tools_answer("The light is off.", '{"sky": "blue"}') == (
        "The light is off. The sky is blue."
    )


@pytest.mark.parametrize(
    ("output", "spoken"),
    [
        ("It is sunny.", "It is sunny."),
        ("", "Done."),
        ("null", "Done."),
        ('"Booked."', "Booked."),
        ("42", "42"),
        (
            '{"temperature_celsius": 21.0, "winds": ["weak", "warm"], "rain": false}',
            "The temperature celsius is 21. The winds are weak and warm. The rain is no.",
        ),
        (
            '{"order": {"state": "sent", "items": 2}}',
            "The order state is sent. The order items are 2.",
        ),
        ('[{"day": "Monday"}, {"day": "Friday"}]', "The day is Monday. The day is Friday."),
        ('{"message": "All done."}', "All done."),
    ],
)
def test_what_a_tool_answers_is_spoken(brain: EmbeddingBrain, output: str, spoken: str) -> None:
    talk = Conversation(brain)
    talk.user("What's the weather in Rome?")

    assert talk.tools_answer(output) == spoken


def test_a_handoff_is_a_tool_and_the_next_agent_takes_up_the_request(
    brain: EmbeddingBrain,
) -> None:
    refund = tool(
        "refund", "Pay money back for an invoice.", ("invoice_number",), invoice_number=STRING
    )
    talk = Conversation(brain)

    assert talk.user("I want a refund for my invoice.") == [("transfer_to_billing", {})]
    assert talk.tools_answer('{"assistant": "Billing"}', tools=(refund,), instructions="") == (
        "What is the invoice number?"
    )
    assert talk.user("It's 4 5 2 1.", tools=(refund,)) == [("refund", {"invoice_number": "4521"})]


def test_the_next_agent_introduces_itself_when_nothing_was_asked(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("I want to talk to billing.")

    assert talk.tools_answer("Transferred.", tools=(), instructions="") == (
        "You are talking to billing now. How can I help you?"
    )


def test_a_handoff_that_failed_is_told(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("I want to talk to billing.")

    assert talk.tools_answer("Nobody is there.") == "Nobody is there."


def test_questions_are_answered_with_the_instructions(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)

    assert talk.user("When are you open on Sundays?") == (
        "We are open from Tuesday to Sunday, from five in the afternoon until eleven at night."
    )
    assert talk.user("Where are you?") == "Our address is 12 Main Street, next to the town hall."
    assert talk.user("Who are you?") == (
        "I am Anna, the receptionist of Bella Vista, an Italian restaurant."
    )


def test_what_it_cannot_do_it_says_and_what_it_can(brain: EmbeddingBrain) -> None:
    can = (
        "I can book a table at the restaurant, switch the light in a room on or off, "
        "tell you the weather or connect you with billing."
    )
    talk = Conversation(brain)

    sorry = f"I'm sorry, I can't help with that. {can}"
    first, later = talk.user("Who won the football game?"), talk.user("Who won the boxing match?")
    assert first == f"{sorry} {DEMONSTRATION}"
    assert later == sorry
    assert talk.user("What can you do for me?") == can
    assert talk.user("Sorry, can you say that again?") == can


def test_it_greets_as_the_instructions_want(brain: EmbeddingBrain) -> None:
    assert Conversation(brain).answer() == "Thank you for calling Bella Vista!"
    assert Conversation(brain).user("Hello, good evening.") == "Thank you for calling Bella Vista!"
    assert Conversation(brain, instructions="").user("Hi.") == "Hello! How can I help you?"


def test_instructions_for_one_response_may_be_a_line_to_say(brain: EmbeddingBrain) -> None:
    assert Conversation(brain).user("Hi.", instructions='Say "One moment."') == "One moment."


def test_a_note_at_the_end_may_give_the_words_to_say(brain: EmbeddingBrain) -> None:
    note = system_message('A guardrail stopped you: Say "I may not tell you that." Do not repeat.')
    request = BrainRequest(instructions="", items=(user_message("The code?"), note), tools=())

    said = "".join(each.text for each in brain.respond(request) if isinstance(each, TextDelta))
    assert said == "I may not tell you that."


def test_speech_without_words_is_asked_for_again(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.items.append(MessageItem(role="user", content=(InputAudio(transcript=None),)))

    assert talk.answer() == "Sorry, I didn't catch that."


def test_a_system_message_in_between_changes_nothing(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)
    talk.user("Turn on the light.")
    talk.items.append(system_message("The caller is a regular."))

    assert talk.user("In the kitchen.") == [("set_light", {"room": "kitchen", "state": "on"})]


# --- tool_choice and limits -----------------------------------------------------------------


def test_no_tool_is_called_when_none_may_be(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain)

    assert isinstance(talk.user("What's the weather in Rome?", tool_choice="none"), str)


def test_a_tool_is_called_when_one_must_be_whatever_is_missing(brain: EmbeddingBrain) -> None:
    named = {"type": "function", "name": "set_light"}
    nested = {"type": "function", "function": {"name": "set_light"}}

    for choice in (named, nested):
        assert Conversation(brain).user("Hello.", tool_choice=choice) == [
            ("set_light", {"room": "kitchen", "state": "on"})
        ]
    assert Conversation(brain).user("The weather, please.", tool_choice="required") == [
        ("get_weather", {"city": "The weather, please."})
    ]


def test_a_required_tool_is_not_called_again_for_its_own_output(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain, tool_choice="required")
    talk.user("What's the weather in Rome?")

    assert talk.tools_answer("Sunny.") == "Sunny."


def test_what_is_too_long_ends_where_the_tokens_do(brain: EmbeddingBrain) -> None:
    request = BrainRequest(items=(user_message("Hello."),), max_output_tokens=3)

    outputs = list(brain.respond(request))

    assert said(outputs) == "Hello! How "
    assert outputs[-1] == Finished(reason="max_output_tokens")


def test_a_response_that_is_cancelled_ends_at_the_next_word(brain: EmbeddingBrain) -> None:
    wanted = True
    outputs = brain.respond(
        BrainRequest(items=(user_message("Hello."),)), cancelled=lambda: not wanted
    )

    assert next(outputs) == TextDelta("Hello! ")
    wanted = False
    assert list(outputs) == []


def test_tools_that_are_not_functions_are_left_to_others(brain: EmbeddingBrain) -> None:
    mcp = {"type": "mcp", "server_label": "docs"}

    assert Conversation(brain, tools=(mcp, LIGHT)).user("Lights on in the kitchen.") == [
        ("set_light", {"room": "kitchen", "state": "on"})
    ]
    assert isinstance(Conversation(brain, tools=(mcp,)).user("Lights on."), str)


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("Hi, how are you?", "I'm fine, thank you. How can I help you?"),
        ("Okay, thanks a lot!", "You're welcome. Is there anything else?"),
        ("Hold on a second.", "Of course, take your time."),
        ("No, that's all.", "All right."),
        ("Great, bye bye!", "Goodbye!"),
        ("Yes, please.", "What else can I do for you?"),
    ],
)
def test_small_talk_is_answered_in_kind(brain: EmbeddingBrain, said: str, answered: str) -> None:
    assert Conversation(brain).user(said) == answered


@pytest.mark.timeout(10)
def test_no_text_takes_long_to_understand(brain: EmbeddingBrain) -> None:
    for text in (
        "thanks for " * 2000,
        "hello " * 2000 + "x",
        "okay, " * 2000 + "x",
        "one hundred and " * 2000,
        "Anna " * 2000,
        "at seven " * 2000,
        "4 5 " * 2000,
        '"' * 2000,
        "a.b@" * 2000,
    ):
        assert Conversation(brain).user(text)


def test_the_same_conversation_always_gets_the_same_answer(brain: EmbeddingBrain) -> None:
    again = EmbeddingBrain()
    for text in ("A table for two tomorrow.", "Who are you?", "What is love?"):
        assert Conversation(brain).user(text) == Conversation(again).user(text)


HOURS = tool("opening_hours", "Opening hours of the shop.", ("day",), day=STRING)
NOTE = tool("take_note", "Write down a note.", ("note",), note=STRING)


@pytest.mark.parametrize("asked_for", ["opening_hours", "take_note"])
def test_an_open_question_takes_only_what_answers_it(brain: EmbeddingBrain, asked_for: str) -> None:
    talk = Conversation(brain, tools=[HOURS, NOTE])
    question = talk.user(
        "What are your opening hours?" if asked_for == "opening_hours" else "Take a note, please."
    )
    assert isinstance(question, str)
    assert question.endswith("?")

    again, given_up = talk.user("Tell me a joke."), talk.user("Sing a song for me.")

    assert again == f"Sorry, I didn't get that. {question}"
    assert isinstance(given_up, str)
    assert given_up.startswith("I'm sorry, I can't do that without")


def test_an_open_question_takes_its_answer(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain, tools=[HOURS, NOTE])
    talk.user("What are your opening hours?")

    assert talk.user("On Friday.") == [("opening_hours", {"day": "Friday"})]


def test_it_says_what_its_tools_are_for_in_english(brain: EmbeddingBrain) -> None:
    talk = Conversation(brain, tools=[HOURS])

    assert talk.user("What can you do?") == "I can tell you about opening hours."
