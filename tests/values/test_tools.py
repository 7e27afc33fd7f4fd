"""Tools at work: arguments as the model sends them, and results as it gets them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from types import NoneType
from typing import Any, Literal, cast

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agent import Agent
from realtime_actors.errors import ToolArgumentsError, ToolError
from realtime_actors.tools import Tool, ToolContext, error_text, output_text, tool
from tests.values.hotel import Address, Colour, Floor, Guest, Plain, Room, Size


def context_for(tool: Tool, context: object = None) -> ToolContext:
    return ToolContext(session=None, agent=Agent(), call_id="call_1", context=context, tool=tool)


def taking(hint: object) -> Tool:
    def function(value: object) -> object:
        return value

    function.__annotations__ = {"value": hint}
    return tool(function)


def bound(hint: object, value: object) -> object:
    return taking(hint).bind(json.dumps({"value": value}))["value"]


class TestBinding:
    def test_arguments_become_the_types_of_the_function(self) -> None:
        @tool
        def book(room: Room, when: date, sizes: set[Size], to: Address | None = None) -> None:
            """Book."""

        arguments = book.bind(
            json.dumps(
                {
                    "room": {
                        "number": 7.0,
                        "guests": [{"name": "Ann", "secret": "x"}],
                        "floor": "FIRST",
                    },
                    "when": "2026-01-31",
                    "sizes": ["small", "large"],
                    "to": {"street": "High St"},
                }
            )
        )

        assert arguments == {
            "room": Room(number=7, guests=[Guest(name="Ann", secret="x")], floor=Floor.FIRST),
            "when": date(2026, 1, 31),
            "sizes": {Size.SMALL, Size.LARGE},
            "to": {"street": "High St"},
        }

    @pytest.mark.parametrize(
        ("hint", "value", "converted"),
        [
            (int, 3.0, 3),
            (float, 3, 3.0),
            (tuple[int, ...], [1, 2], (1, 2)),
            (tuple[int, str], [1, "a"], (1, "a")),
            (frozenset[str], ["a"], frozenset("a")),
            (dict[str, Floor], {"a": "GROUND"}, {"a": Floor.GROUND}),
            (date | str, "2026-01-31", date(2026, 1, 31)),
            (date | str, "soon", "soon"),
            (int | str, "3", "3"),
            (Guest | None, None, None),
            (Literal[True, 1], 1, 1),
            (datetime, "2026-01-31T13:45:00Z", datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
            (time, "13:45", time(13, 45)),
            (Any, {"a": [1, None]}, {"a": [1, None]}),
        ],
    )
    def test_values_are_converted(self, hint: object, value: object, converted: object) -> None:
        result = bound(hint, value)

        assert (result, type(result)) == (converted, type(converted))

    def test_optional_arguments_may_be_left_out(self) -> None:
        @tool
        def weather(city: str = "Paris", unit: Literal["C", "F"] = "C") -> str:
            return f"{city} {unit}"

        assert weather.bind("{}") == {}
        assert weather.invoke('{"unit": "F"}', context_for(weather)) == "Paris F"

    @pytest.mark.parametrize("text", ["{}", "", "  ", "\n\t", "null", " null "])
    def test_there_are_many_ways_to_write_no_arguments(self, text: str) -> None:
        @tool
        def today(day: str = "today") -> str:
            return day

        assert today.bind(text) == {}
        with pytest.raises(ToolArgumentsError, match="value is missing"):
            taking(str).bind(text)

    @pytest.mark.parametrize(
        "text", ["{", "city=Paris", "{'city': 1}", '{"city": NaN}', "[" * 99999]
    )
    def test_what_is_not_json_is_said_to_be_none(self, text: str) -> None:
        with pytest.raises(ToolArgumentsError) as caught:
            taking(str).bind(text)

        assert error_text(caught.value).startswith("Error: Invalid JSON arguments")

    @pytest.mark.parametrize("text", ["[]", "3", "false", '"city"'])
    def test_what_is_no_object_is_said_to_be_none(self, text: str) -> None:
        with pytest.raises(
            ToolArgumentsError, match=r"Invalid JSON arguments .* expected an object"
        ):
            taking(str).bind(text)

    def test_each_wrong_argument_is_named_with_what_came_and_what_is_expected(self) -> None:
        @tool
        def book(city: str, nights: int, size: Size, room: Room | None = None) -> None:
            """Book."""

        with pytest.raises(ToolArgumentsError) as caught:
            book.bind(
                '{"nigths": 2, "size": "huge", "nights": "two",'
                ' "room": {"number": true, "guests": [{"name": "Ann"}, {"age": "x"}]}}'
            )

        assert str(caught.value).split("; ") == [
            "Wrong arguments for book: city is missing (expected a string)",
            "nigths is unknown (did you mean 'nights'?)",
            'size: expected "small" or "large", got "huge"',
            'nights: expected an integer, got "two"',
            "room.number: expected an integer, got true",
            "room.guests[1].name is missing (expected a string)",
            'room.guests[1].age: expected an integer, got "x"',
        ]

    @pytest.mark.parametrize(
        ("hint", "value", "message"),
        [
            (str, 3, "expected a string, got 3"),
            (int, 3.5, "expected an integer, got 3.5"),
            (int, True, "expected an integer, got true"),
            (bool, 1, "expected true or false, got 1"),
            (int | str, None, "expected an integer or a string, got null"),
            (date, "tomorrow", 'expected a date like 2026-01-31, got "tomorrow"'),
            (time, "noon", "expected a time like"),
            (Literal[1], True, "expected 1, got true"),
            (tuple[int, str], [1], "expected at least 2 items"),
            (tuple[int, str], [1, 2], r"value\[1\]: expected a string, got 2"),
            (list[int], [1, "a"], r"value\[1\]: expected an integer"),
            (dict[str, int], {"a": "b"}, "value.a: expected an integer"),
            (str, ["x" * 200], r'got \["x{78}\.\.\.'),
            (Guest, {"name": "Ann", "age": -1}, "Wrong arguments for function: value: .*age"),
            (set[list[int]], [[1]], "unhashable"),
        ],
    )
    def test_a_wrong_value_is_described(self, hint: object, value: object, message: str) -> None:
        with pytest.raises(ToolArgumentsError, match=message):
            bound(hint, value)

    @pytest.mark.parametrize(
        ("schema", "good", "bad"),
        [
            ({"minimum": 1, "maximum": 3}, [1, 3, "text"], [0, 4]),
            ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
            ({"minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc"]),
            ({"minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
            ({"pattern": "^a"}, ["ab", 3], ["ba"]),
            ({"const": 3}, [3], [4]),
            ({"type": ["string", "null"]}, ["a", None], [3]),
            (
                {"oneOf": [{"type": "string"}, {"minimum": 3, "type": "integer"}]},
                ["a", 3],
                [2, None],
            ),
            ({"items": {"type": "string"}}, [["a"], 3], [["a", 1]]),
            ({"items": False}, [[]], [[1]]),
            ({"unheard-of": True, "format": "email"}, ["a", 1], []),
        ],
    )
    def test_hand_made_schemas_are_checked(
        self, schema: dict[str, Any], good: list[object], bad: list[object]
    ) -> None:
        parameters = {"type": "object", "properties": {"value": schema}}
        made = Tool(name="made", parameters=parameters, invoke=lambda arguments: "")

        for value in good:
            assert made.bind(json.dumps({"value": value})) == {"value": value}
        for value in bad:
            with pytest.raises(ToolArgumentsError, match="value"):
                made.bind(json.dumps({"value": value}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "", "a", "bb"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
TYPE_NAMES = ["string", "integer", "number", "boolean", "null", "array", "object"]
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPE_NAMES)
            | st.lists(st.sampled_from(TYPE_NAMES), min_size=1, unique=True),
            "enum": st.lists(JSON, min_size=1, max_size=3),
            "minimum": st.integers(-3, 3),
            "maxLength": st.integers(0, 2),
            "minItems": st.integers(0, 2),
            "pattern": st.sampled_from(["a", "^b"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["array", "object"]),
            "items": inner | st.booleans(),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
            "additionalProperties": inner | st.booleans(),
        },
    ),
    max_leaves=4,
)


@given(SCHEMAS, JSON)
def test_the_checker_agrees_with_the_standard(schema: dict[str, Any], value: object) -> None:
    parameters = {"type": "object", "properties": {"value": schema}}
    made = Tool(name="made", parameters=parameters, invoke=lambda arguments: "")

    try:
        made.bind(json.dumps({"value": value}))
        fits = True
    except ToolArgumentsError:
        fits = False

    # jsonschema takes true for 1 inside of lists and objects, which JSON does not.
    if "enum" not in json.dumps(schema):
        assert fits == jsonschema.Draft202012Validator(parameters).is_valid({"value": value})


HINTS = st.recursive(
    st.sampled_from(
        [str, int, bool, NoneType, Size, Floor, Literal["a", "b"], date, time, datetime]
    ),
    lambda inner: st.one_of(
        inner.map(lambda item: list[item]),  # type: ignore[valid-type]  # made at run time
        inner.map(lambda item: tuple[item, ...]),  # type: ignore[valid-type]
        inner.map(lambda item: dict[str, item]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda items: tuple.__class_getitem__(items)),
    ),
    max_leaves=4,
)


@given(st.data())
def test_what_a_tool_returns_can_be_sent_back_as_an_argument(data: st.DataObject) -> None:
    hint = data.draw(HINTS)
    value = data.draw(st.from_type(cast("type[Any]", hint)))

    again = taking(hint).bind(output_text({"value": value}))["value"]

    assert again == value


class TestRunning:
    def test_a_context_is_handed_to_the_parameter_annotated_with_it(self) -> None:
        @tool
        def who(greeting: str, ctx: ToolContext) -> str:
            return f"{greeting} {ctx.context} {ctx.call_id} {ctx.agent.name} {ctx.tool is who}"

        assert list(who.parameters["properties"]) == ["greeting"]
        assert who.invoke('{"greeting": "hi"}', context_for(who, "Ann")) == (
            "hi Ann call_1 Agent True"
        )

    def test_a_context_may_be_optional_so_that_a_test_can_leave_it_out(self) -> None:
        @tool
        def who(ctx: ToolContext | None = None) -> str:
            return "nobody" if ctx is None else str(ctx.context)

        assert who.invoke("{}", context_for(who, "Ann")) == "Ann"
        assert who() == "nobody"

    def test_a_context_cannot_be_sent_by_the_model(self) -> None:
        @tool
        def who(ctx: ToolContext) -> str:
            return str(ctx.call_id)

        with pytest.raises(ToolArgumentsError, match="ctx is unknown"):
            who.invoke('{"ctx": {}}', context_for(who))

    def test_hand_made_tools_take_the_arguments_or_the_context_too(self) -> None:
        parameters = {"type": "object", "properties": {"a": {"type": "integer"}}}
        one = Tool(name="one", parameters=parameters, invoke=lambda arguments: arguments["a"])
        two = Tool(
            name="two",
            parameters=parameters,
            invoke=lambda arguments, ctx: [arguments["a"], ctx.context],
        )

        assert one.invoke('{"a": 1}', context_for(one)) == "1"
        assert two.invoke('{"a": 1}', context_for(two, "Ann")) == '[1, "Ann"]'

    def test_a_coroutine_function_runs_to_its_end(self) -> None:
        @tool
        async def slow(city: str) -> str:
            return city.upper()

        async def made(arguments: dict[str, str]) -> str:
            return arguments["a"]

        assert slow.invoke('{"city": "paris"}', context_for(slow)) == "PARIS"
        hand_made = Tool(name="made", invoke=made)
        assert hand_made.invoke('{"a": "b"}', context_for(hand_made)) == "b"

    def test_what_a_tool_raises_comes_through(self) -> None:
        @tool
        def broken() -> str:
            raise ZeroDivisionError("no")

        with pytest.raises(ZeroDivisionError):
            broken.invoke("{}", context_for(broken))

    def test_a_tool_is_not_run_with_wrong_arguments(self) -> None:
        ran = []

        @tool
        def note(text: str) -> None:
            ran.append(text)

        with pytest.raises(ToolArgumentsError):
            note.invoke('{"text": 3}', context_for(note))
        assert ran == []

    def test_is_enabled_may_ask_the_context_and_the_agent(self) -> None:
        def enabled(is_enabled: Any, context: object) -> bool:
            made = Tool(name="a", invoke=lambda arguments: "", is_enabled=is_enabled)
            return made.enabled_for(context, Agent(name="Ann"))

        assert enabled(True, None)
        assert enabled(lambda: True, None)
        assert enabled(lambda context: context == 3, 3)
        assert not enabled(lambda context, agent: agent.name == "Bob", 3)


class TestOutput:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("sunny", "sunny"),
            ("", ""),
            (None, ""),
            (3, "3"),
            (True, "true"),
            ({"a": ["ü", None]}, '{"a": ["ü", null]}'),
            ((1, 2), "[1, 2]"),
            ({1}, "[1]"),
            (Size.SMALL, '"small"'),
            (Colour.RED, "red"),
            ([Colour.RED, Floor.FIRST], '["red", "FIRST"]'),
            ({Floor.FIRST: Size.LARGE}, '{"FIRST": "large"}'),
            (date(2026, 1, 31), '"2026-01-31"'),
            (time(13, 45), '"13:45:00"'),
            (datetime(2026, 1, 31, 1, 2, tzinfo=UTC), '"2026-01-31T01:02:00+00:00"'),
            (
                Room(number=1, guests=[Guest(name="Ann", age=3)]),
                (
                    '{"number": 1, "guests": [{"name": "Ann", "age": 3, "_secret": "none", '
                    '"made": 1}], "floor": "GROUND"}'
                ),
            ),
        ],
    )
    def test_results_are_text_or_become_json(self, value: object, text: str) -> None:
        assert output_text(value) == text

    def test_what_cannot_be_sent_is_said_to_be(self) -> None:
        circle: list[object] = []
        circle.append(circle)

        for value in (object(), b"bytes", float("nan"), circle, {"a": Plain}, {(1,): 2}):
            with pytest.raises(ToolError, match=f"returned a {type(value).__name__} that can't"):
                output_text(value)

    def test_an_error_is_told_in_its_own_words(self) -> None:
        assert error_text(ToolError("no rooms left")) == "Error: no rooms left"
        assert error_text(TimeoutError()) == "Error: TimeoutError"
