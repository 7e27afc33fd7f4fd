"""What sentences say about the parameters of a tool."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.server.engines.brain.arguments import answer_to, find_arguments
from realtime_actors.server.engines.brain.iso import iso_date, iso_time
from realtime_actors.server.engines.brain.quantities import (
    find_codes,
    find_dates,
    find_numbers,
    find_times,
)
from realtime_actors.server.engines.brain.tool_parameters import Kind, parameters_of

FRIDAY = date(2026, 1, 30)


def find(text: str, action: str = "", /, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return find_arguments(text, parameters_of({"parameters": schema}), today=FRIDAY, action=action)


STRING = {"type": "string"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("four five two", [4, 5, 2]),
        ("twenty five and a hundred and one", [25, 101]),
        ("two thousand three hundred", [2300]),
        ("a couple of eggs, or a dozen, or two dozen", [2, 12, 24]),
        ("1,250.50 or 3.5 or 12", [1250.5, 3.5, 12]),
        ("nobody", []),
    ],
)
def test_numbers_are_read_in_figures_and_words(text: str, numbers: list[float]) -> None:
    assert [span.value for span in find_numbers(text)] == numbers


@pytest.mark.parametrize(
    ("text", "dates", "times"),
    [
        ("tomorrow at seven", ["tomorrow"], ["seven"]),
        ("next Monday, half past eight", ["next Monday"], ["half past eight"]),
        ("on June 5th at 7:30 p.m.", ["June 5th"], ["7:30 p.m."]),
        ("the third of March, nine thirty", ["the third of March"], []),
        ("in two weeks at noon", ["in two weeks"], ["noon"]),
        ("2026-03-01 at 19:00", ["2026-03-01"], ["19:00"]),
        ("a quarter to nine in the morning", [], ["a quarter to nine in the morning"]),
        ("the four of us at the bar", [], []),
    ],
)
def test_dates_and_times_stay_as_they_were_said(
    text: str, dates: list[str], times: list[str]
) -> None:
    assert [span.text for span in find_dates(text)] == dates
    assert [span.text for span in find_times(text)] == times


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-01-30"),
        ("Tomorrow", "2026-01-31"),
        ("the day after tomorrow", "2026-02-01"),
        ("Friday", "2026-02-06"),
        ("next Monday", "2026-02-02"),
        ("this weekend", "2026-01-31"),
        ("next week", "2026-02-06"),
        ("in two days", "2026-02-01"),
        ("in a week", "2026-02-06"),
        ("June 5th", "2026-06-05"),
        ("the third of March", "2026-03-03"),
        ("the twenty first", "2026-02-21"),
        ("January 2", "2027-01-02"),
        ("2026-03-01", "2026-03-01"),
        ("31.12.2026", "2026-12-31"),
        ("12/31/26", "2026-12-31"),
        ("2026-02-30", None),
        ("someday", None),
    ],
)
def test_days_can_be_found_in_the_calendar(text: str, day: str | None) -> None:
    assert iso_date(text, FRIDAY) == day


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("seven", "19:00:00"),
        ("nine", "09:00:00"),
        ("7 a.m.", "07:00:00"),
        ("12 p.m.", "12:00:00"),
        ("12:15 am", "00:15:00"),
        ("7:30 in the evening", "19:30:00"),
        ("19:45", "19:45:00"),
        ("07:05", "07:05:00"),
        ("nine thirty", "09:30:00"),
        ("eight forty five", "08:45:00"),
        ("half past eight", "08:30:00"),
        ("a quarter to nine in the morning", "08:45:00"),
        ("ten past six", "18:10:00"),
        ("noon", "12:00:00"),
        ("midnight", "00:00:00"),
        ("25:00", None),
        ("soon", None),
    ],
)
def test_times_can_be_found_on_the_clock(text: str, time: str | None) -> None:
    assert iso_time(text) == time


def test_a_tool_that_wants_a_calendar_s_day_gets_one() -> None:
    day = {"type": "string", "format": "date"}
    hour = {"type": "string", "format": "time"}
    moment = {"type": "string", "format": "date-time"}
    by_description = {"type": "string", "description": "Date as YYYY-MM-DD"}

    assert find("Tomorrow at seven.", day=day, hour=hour) == {
        "day": "2026-01-31",
        "hour": "19:00:00",
    }
    assert find("Tomorrow at seven.", start=moment) == {"start": "2026-01-31T19:00:00"}
    assert find("Tomorrow.", start=moment) == {}
    assert find("Tomorrow.", date=by_description) == {"date": "2026-01-31"}
    assert find("Tomorrow at seven.", day=STRING) == {"day": "tomorrow"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("It is A1234.", "A1234"),
        ("four five two one", "4521"),
        ("4 5 2 1", "4521"),
        ("order number seven, seven, oh, three", "7703"),
    ],
)
def test_numbers_that_are_names_are_joined(text: str, code: str) -> None:
    assert [span.text for span in find_codes(text)] == [code]


def test_a_number_belongs_to_the_parameter_that_it_stands_beside() -> None:
    found = find(
        "Two adults and three children for four nights, please.",
        adults=INTEGER,
        children=INTEGER,
        nights=INTEGER,
    )

    assert found == {"adults": 2, "children": 3, "nights": 4}


def test_a_time_is_not_the_number_of_guests() -> None:
    assert find("At eight for six people.", time=STRING, people=INTEGER) == {
        "time": "eight",
        "people": 6,
    }
    assert find("At eight.", time=STRING, people=INTEGER) == {"time": "eight"}


def test_from_and_to_tell_two_of_a_kind_apart() -> None:
    places = {"origin": STRING, "destination": STRING}

    assert find("From Paris to Rome.", **places) == {"origin": "Paris", "destination": "Rome"}
    assert find("To Rome from New York.", **places) == {
        "origin": "New York",
        "destination": "Rome",
    }
    assert find("I want to go to Rome.", **places) == {"destination": "Rome"}


def test_names_are_found_where_people_say_them() -> None:
    for text in (
        "My name is Anna Miller.",
        "it's for Anna Miller, please",
        "A table tomorrow, under the name of Anna Miller",
        "Hello, this is Anna Miller.",
        "Tomorrow at seven, for Anna Miller.",
    ):
        assert find(text, name=STRING) == {"name": "Anna Miller"}
    assert find("Tell Bob I'm late.", recipient=STRING) == {"recipient": "Bob"}
    assert find("I'm Sorry. For Tomorrow.", name=STRING) == {}
    assert find("my name is anna miller", name=STRING) == {"name": "anna miller"}


def test_a_choice_is_found_in_any_form() -> None:
    sizes = {"type": "string", "enum": ["small", "medium", "extra_large"]}

    assert find("An extra large one.", size=sizes) == {"size": "extra_large"}
    assert find("EXTRA-LARGE!", size=sizes) == {"size": "extra_large"}
    assert find("the biggest", size=sizes) == {}
    assert find("In the garden.", fuel={"enum": ["gas", "oil"]}) == {}
    assert find("Into euros.", target={"enum": ["USD", "EUR"]}) == {"target": "EUR"}
    assert find("Two or three", level={"type": "integer", "enum": [1, 2, 3]}) == {}
    assert find("level 3", level={"type": "integer", "enum": [1, 2, 3]}) == {"level": 3}


def test_lists_objects_and_yes_or_no() -> None:
    toppings = {"type": "array", "items": {"type": "string", "enum": ["ham", "corn", "tuna"]}}
    assert find("With tuna and ham.", toppings=toppings) == {"toppings": ["tuna", "ham"]}

    address = {"type": "object", "properties": {"street": STRING, "city": STRING}}
    assert find("I live in Berlin.", address=address) == {"address": {"street": "Berlin"}}

    breakfast = {"type": "boolean"}
    assert find("With breakfast.", breakfast=breakfast) == {"breakfast": True}
    assert find("Without any breakfast.", breakfast=breakfast) == {"breakfast": False}
    assert find("A room, please.", breakfast=breakfast) == {}


def test_messages_and_objects_of_a_verb() -> None:
    assert find("Text Tom that I'm on my way.", recipient=STRING, text=STRING) == {
        "recipient": "Tom",
        "text": "I'm on my way",
    }
    assert find("Add two cappuccinos to my order.", "add item", item=STRING, count=INTEGER) == {
        "item": "cappuccinos",
        "count": 2,
    }
    assert find("What is the meaning of life?", query=STRING) == {
        "query": "What is the meaning of life?"
    }


def test_an_email_address_may_be_spelled_out() -> None:
    assert find("Write to anna.m@example.org.", email=STRING) == {"email": "anna.m@example.org"}
    assert find("It's anna at example dot org", email=STRING) == {"email": "anna@example.org"}


@pytest.mark.parametrize(
    ("text", "schema", "name", "answer"),
    [
        ("Um, it's Anna Miller, please.", STRING, "name", "Anna Miller"),
        ("anna", STRING, "name", "Anna"),
        ("Four.", INTEGER, "people", 4),
        ("I don't know.", INTEGER, "people", None),
        ("As soon as possible.", STRING, "time", "As soon as possible"),
        ("yes, please", {"type": "boolean"}, "breakfast", True),
        ("no thanks", {"type": "boolean"}, "breakfast", False),
        ("the red one", {"type": "string", "enum": ["red", "blue"]}, "colour", "red"),
        ("a banana", {"type": "string", "enum": ["red", "blue"]}, "colour", None),
        ("because of my back", STRING, "reason", "my back"),
        (
            "bread, milk and eggs",
            {"type": "array", "items": STRING},
            "items",
            ["bread", "milk", "eggs"],
        ),
    ],
)
def test_an_answer_may_be_just_the_value(
    text: str, schema: dict[str, Any], name: str, answer: object
) -> None:
    tool = {"parameters": {"type": "object", "properties": {name: schema}, "required": [name]}}
    (parameter,) = parameters_of(tool)

    assert answer_to(text, parameter, today=FRIDAY) == answer


def test_schemas_with_references_and_alternatives_are_understood() -> None:
    schema = {
        "type": "object",
        "properties": {
            "size": {"$ref": "#/$defs/Size"},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "count": {"type": ["integer", "null"]},
            "itself": {"$ref": "#/properties/itself"},
        },
        "required": ["size"],
        "$defs": {"Size": {"type": "string", "enum": ["small", "large"]}},
    }

    found = parameters_of({"parameters": schema})

    assert [(each.name, each.kind, each.required) for each in found] == [
        ("size", Kind.CHOICE, True),
        ("note", Kind.TEXT, False),
        ("count", Kind.NUMBER, False),
        ("itself", Kind.TEXT, False),
    ]
    assert parameters_of({}) == parameters_of({"parameters": {"type": "object"}}) == ()


PARAMETERS = parameters_of(
    {
        "parameters": {
            "type": "object",
            "properties": {
                "name": STRING,
                "city": STRING,
                "date": STRING,
                "time": STRING,
                "order_number": STRING,
                "email": STRING,
                "text": STRING,
                "people": INTEGER,
                "price": {"type": "number"},
                "colour": {"enum": ["red", "light blue", "x"]},
                "gift": {"type": "boolean"},
                "tags": {"type": "array", "items": STRING},
            },
        }
    }
)


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                "for",
                "Anna",
                "at",
                "seven",
                "in",
                "Paris",
                "tomorrow",
                "red",
                "4",
                "my",
                "name",
                "is",
                "from",
                "to",
                "A12",
                ",",
                ".",
                "gift",
                "no",
                "that",
                "twenty",
                "hundred",
            ]
        ),
        max_size=25,
    ).map(" ".join)
)
def test_any_sentence_gives_arguments_of_the_right_types(text: str) -> None:
    found = find_arguments(text, PARAMETERS, today=FRIDAY, action="order pizza")

    for name, value in found.items():
        match name:
            case "people":
                assert isinstance(value, int)
            case "price":
                assert isinstance(value, int | float)
            case "colour":
                assert value in ("red", "light blue", "x")
            case "gift":
                assert isinstance(value, bool)
            case "tags":
                assert value
                assert all(isinstance(each, str) for each in value)
            case _:
                assert isinstance(value, str)
                assert value.strip()
    for parameter in PARAMETERS:
        answer_to(text, parameter, today=FRIDAY)
