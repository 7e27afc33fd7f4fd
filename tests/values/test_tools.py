"""Tools: what the model is told about a function, and what the function is told by the model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import Enum, IntEnum, StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import attrs
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agent import Agent
from realtime_actors.errors import ConfigError, ToolArgumentsError, ToolError
from realtime_actors.tools import HostedMcpTool, Tool, ToolContext, error_text, output_text, tool


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Floor(IntEnum):
    GROUND = 0
    FIRST = 1


class Colour(StrEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Guest:
    """Somebody who stays.

    Attributes:
        name: as in the passport
    """

    name: str
    age: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    _secret: str = "none"
    made: int = attrs.field(init=False, default=1)


@dataclasses.dataclass
class Room:
    number: int
    guests: list[Guest] = dataclasses.field(default_factory=list)
    floor: Floor = Floor.GROUND


class Address(TypedDict):
    street: str
    town: NotRequired[Annotated[str, "where it is"]]


@attrs.frozen
class Chain:
    link: Chain | None = None


@dataclasses.dataclass
class OwnInit:
    number: int

    def __init__(self) -> None:
        self.number = 1


class Plain:
    pass


RoomNumber = NewType("RoomNumber", int)


def context_for(tool: Tool, context: object = None) -> ToolContext:
    return ToolContext(session=None, agent=Agent(), call_id="call_1", context=context, tool=tool)


def schema_of(hint: object) -> dict[str, Any]:
    """The schema of one parameter, `value`, with this type hint."""
    properties = taking(hint).parameters["properties"]
    return dict(properties["value"])


def taking(hint: object) -> Tool:
    def function(value: object) -> object:
        return value

    function.__annotations__ = {"value": hint}
    return tool(function)


def bound(hint: object, value: object) -> object:
    return taking(hint).bind(json.dumps({"value": value}))["value"]


class TestDescribing:
    def test_a_function_is_described_by_its_signature_and_docstring(self) -> None:
        @tool
        def book(city: str, nights: int = 1, *, view: bool = False) -> str:
            """Book a room.

            Ask for the city first.

            Args:
                city: name of the city,
                    in English
                nights (int): how many
            Returns:
                a confirmation
            """
            return f"{city} {nights} {view}"

        assert book.to_wire() == {
            "type": "function",
            "name": "book",
            "description": "Book a room.\n\nAsk for the city first.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "name of the city, in English"},
                    "nights": {"type": "integer", "description": "how many", "default": 1},
                    "view": {"type": "boolean", "default": False},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        }

    def test_a_docstring_of_one_line_can_describe_parameters(self) -> None:
        @tool
        def weather(city: str, days: int) -> str:
            """Current weather. Args: city: name of the city, days: how many."""
            return city

        properties = weather.parameters["properties"]
        assert weather.description == "Current weather."
        assert properties["city"]["description"] == "name of the city"
        assert properties["days"]["description"] == "how many."

    def test_sphinx_docstrings_are_understood(self) -> None:
        @tool
        def weather(city: str, days: int) -> str:
            """Current weather.

            :param city: name of the city,
                in English
            :type city: str
            :param int days: how many
            :returns: a sentence
            """
            return city

        properties = weather.parameters["properties"]
        assert weather.description == "Current weather."
        assert properties["city"]["description"] == "name of the city, in English"
        assert properties["days"]["description"] == "how many"

    def test_numpy_docstrings_are_understood(self) -> None:
        @tool
        def weather(city: str, days: int) -> str:
            """Current weather.

            Parameters
            ----------
            city : str
                Name of the city,
                in English.
            days
                How many.

            Returns
            -------
            days : str
                A sentence.
            """
            return city

        properties = weather.parameters["properties"]
        assert weather.description == "Current weather."
        assert properties["city"]["description"] == "Name of the city, in English."
        assert properties["days"]["description"] == "How many."

    def test_a_description_in_the_hint_is_the_parameter_s(self) -> None:
        @tool
        def weather(city: Annotated[str, "where"]) -> str:
            """Weather. Args: city: here."""
            return city

        # What the docstring says comes second: it was written for this function.
        assert weather.parameters["properties"]["city"]["description"] == "here."
        assert schema_of(Annotated[int, "how many"]) == {
            "type": "integer",
            "description": "how many",
        }

    def test_a_function_without_words_or_parameters_is_a_tool(self) -> None:
        @tool
        def ping():  # type: ignore[no-untyped-def]  # hints matter only for parameters
            return "pong"

        assert ping.to_wire() == {
            "type": "function",
            "name": "ping",
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {},
                "required": [],
                "additionalProperties": False,
            },
        }
        assert ping.invoke("{}", context_for(ping)) == "pong"

    def test_options_replace_what_the_function_says(self) -> None:
        @tool(name="forecast", description="Tomorrow.", timeout=2.5, is_enabled=False)
        def weather(city: str) -> str:
            """Today."""
            return city

        assert (weather.name, weather.description, weather.timeout) == (
            "forecast",
            "Tomorrow.",
            2.5,
        )
        assert not weather.enabled_for(None, Agent())

    def test_a_return_hint_that_cannot_be_read_does_not_matter(self) -> None:
        def weather(city: str) -> Elsewhere:  # type: ignore[name-defined]  # noqa: F821  # the test
            return city

        assert tool(weather).name == "weather"

    def test_a_tool_can_be_called_like_the_function(self) -> None:
        @tool
        def double(number: int) -> int:
            return number * 2

        assert double(4) == double(number=4) == 8

    def test_a_bound_method_can_be_a_tool(self) -> None:
        class Desk:
            def greet(self, name: str) -> str:
                """Say hello."""
                return f"hello {name}"

        greet = tool(Desk().greet)

        assert greet.invoke('{"name": "Ann"}', context_for(greet)) == "hello Ann"

    @pytest.mark.parametrize(
        ("hint", "schema"),
        [
            (str, {"type": "string"}),
            (float, {"type": "number"}),
            (Any, {}),
            (object, {}),
            (None, {"type": "null"}),
            (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
            (Literal[1, 2], {"enum": [1, 2], "type": "integer"}),
            (Literal["a", 1, None], {"enum": ["a", 1, None]}),
            (Size, {"type": "string", "enum": ["small", "large"]}),
            (Colour, {"type": "string", "enum": ["red"]}),
            (Floor, {"type": "string", "enum": ["GROUND", "FIRST"]}),
            (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
            (list, {"type": "array"}),
            (list[int], {"type": "array", "items": {"type": "integer"}}),
            (Sequence[str], {"type": "array", "items": {"type": "string"}}),
            (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
            (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
            (
                tuple[int, str],
                {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}, {"type": "string"}],
                    "minItems": 2,
                    "maxItems": 2,
                },
            ),
            (dict, {"type": "object"}),
            (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
            (Mapping[str, Any], {"type": "object", "additionalProperties": True}),
            (date, {"type": "string", "format": "date"}),
            (datetime, {"type": "string", "format": "date-time"}),
            (time, {"type": "string", "format": "time"}),
            (RoomNumber, {"type": "integer"}),
            (
                Address,
                {
                    "type": "object",
                    "properties": {
                        "street": {"type": "string"},
                        "town": {"type": "string", "description": "where it is"},
                    },
                    "required": ["street"],
                    "additionalProperties": False,
                },
            ),
            (
                Guest,
                {
                    "type": "object",
                    "description": "Somebody who stays.",
                    "properties": {
                        "name": {"type": "string", "description": "as in the passport"},
                        "age": {"type": "integer"},
                        "secret": {"type": "string"},
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                },
            ),
        ],
    )
    def test_types_become_schemas(self, hint: object, schema: dict[str, Any]) -> None:
        assert schema_of(hint) == schema

    def test_classes_nest(self) -> None:
        schema = schema_of(Room)

        assert schema["required"] == ["number"]
        assert schema["properties"]["guests"] == {"type": "array", "items": schema_of(Guest)}
        assert schema["properties"]["floor"] == schema_of(Floor)

    def test_what_we_describe_is_json_schema(self) -> None:
        for hint in (Room, Address, tuple[int, str], dict[str, set[Floor]], Guest | None):
            jsonschema.Draft202012Validator.check_schema(taking(hint).parameters)


class TestRefusing:
    @pytest.mark.parametrize(
        ("hint", "message"),
        [
            (bytes, r"value\): bytes can't be described"),
            (complex, "use str, int"),
            (Plain, "Plain can't be described"),
            (Callable[[], int], "can't be described"),
            (Chain, r"\(value\)\.link: Chain contains itself"),
            (OwnInit, "not made from its fields alone"),
            (dict[int, str], "keys of a JSON object are text"),
            (Literal[b"a"], "can't be written in JSON"),
            (Enum("Nothing", {}), "no members"),
            ([int], "can't be described"),
            (list["Nowhere"], "can't be read: name 'Nowhere' is not defined"),  # type: ignore[name-defined]  # noqa: F821
            (list[Plain], "Plain can't be described"),
        ],
    )
    def test_a_type_that_json_does_not_have_is_refused(self, hint: object, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            taking(hint)

    def test_a_parameter_without_a_hint_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"weather\(city\) has no type hint"):

            @tool
            def weather(city):  # type: ignore[no-untyped-def]  # that is the test
                return city

    def test_parameters_that_cannot_be_filled_by_name_are_refused(self) -> None:
        def positional(city: str, /) -> None: ...
        def several(*cities: str) -> None: ...
        def anything(**options: str) -> None: ...

        for function, message in (
            (positional, "positional-only"),
            (several, r"can't take \*cities"),
            (anything, r"can't take \*\*options"),
        ):
            with pytest.raises(ConfigError, match=message):
                tool(function)

    def test_two_contexts_are_refused(self) -> None:
        def weather(one: ToolContext, other: ToolContext) -> None: ...

        with pytest.raises(ConfigError, match="one is given the context already"):
            tool(weather)

    @pytest.mark.parametrize("thing", [Plain, "weather", 3])
    def test_only_functions_become_tools(self, thing: Any) -> None:
        with pytest.raises(ConfigError, match="made of a function"):
            tool(thing)

    @pytest.mark.parametrize("name", ["", "two words", "größe", "a" * 65, "a.b", "a\n", None, 3])
    def test_a_name_that_the_api_refuses_is_refused_here(self, name: Any) -> None:
        with pytest.raises(ConfigError, match="1 to 64 letters"):
            Tool(name=name, invoke=lambda arguments: "")

    @pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
    def test_a_timeout_is_some_time(self, timeout: float) -> None:
        with pytest.raises(ConfigError, match="timeout"):
            Tool(name="a", invoke=lambda arguments: "", timeout=timeout)

    @pytest.mark.parametrize("invoke", [None, lambda: "", lambda a, b, c: "", lambda a, *, b: ""])
    def test_a_hand_made_tool_takes_arguments_and_perhaps_the_context(self, invoke: Any) -> None:
        with pytest.raises(ConfigError, match="tool 'a'"):
            Tool(name="a", invoke=invoke)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ([], "of type object"),
            ({}, "of type object"),
            ({"type": "array"}, "of type object"),
            ({"type": "object", "properties": []}, r"properties can't be \[\]"),
            ({"type": "object", "properties": {"a": 3}}, "parameters.a must be a JSON Schema"),
            (
                {"type": "object", "properties": {"a": {"type": "text"}}},
                r"parameters\.a: unknown type 'text'",
            ),
            ({"type": "object", "properties": {"a": {"type": "strin"}}}, "did you mean 'string'"),
            ({"type": "object", "properties": {"a": {"pattern": "("}}}, "pattern"),
            ({"type": "object", "properties": {"a": {"items": {"enum": 1}}}}, "enum can't be 1"),
            ({"type": "object", "properties": {"a": {"anyOf": [0]}}}, "must be a JSON Schema"),
            ({"type": "object", "x": {1, 2}}, "can't be written as JSON"),
        ],
    )
    def test_a_hand_made_schema_that_makes_no_sense_is_refused(
        self, parameters: Any, message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            Tool(name="a", invoke=lambda arguments: "", parameters=parameters)

    def test_is_enabled_is_a_bool_or_a_function_of_context_and_agent(self) -> None:
        with pytest.raises(ConfigError, match="is_enabled of tool 'a'"):
            Tool(name="a", invoke=lambda arguments: "", is_enabled=lambda a, b, c: True)
        with pytest.raises(ConfigError, match="must be a function"):
            Tool(name="a", invoke=lambda arguments: "", is_enabled="yes")  # type: ignore[arg-type]


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
        assert weather.bind("") == {}
        assert weather.invoke('{"unit": "F"}', context_for(weather)) == "Paris F"

    @pytest.mark.parametrize(
        "text", ["{", "city=Paris", "{'city': 1}", '{"city": NaN}', "[" * 99999]
    )
    def test_what_is_not_json_is_said_to_be_none(self, text: str) -> None:
        with pytest.raises(ToolArgumentsError) as caught:
            taking(str).bind(text)

        assert error_text(caught.value).startswith("Error: Invalid JSON arguments")

    @pytest.mark.parametrize("text", ["[]", "3", "null", '"city"'])
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
        st.tuples(inner, inner).map(lambda items: tuple[items[0], items[1]]),  # type: ignore[name-defined]
    ),
    max_leaves=4,
)


@given(st.data())
def test_what_a_tool_returns_can_be_sent_back_as_an_argument(data: st.DataObject) -> None:
    hint = data.draw(HINTS)
    value = data.draw(st.from_type(hint))

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

        for value in (object(), b"bytes", float("nan"), circle, "\ud800", {"a": Plain}, {(1,): 2}):
            with pytest.raises(ToolError, match=f"returned a {type(value).__name__} that can't"):
                output_text(value)

    def test_an_error_is_told_in_its_own_words(self) -> None:
        assert error_text(ToolError("no rooms left")) == "Error: no rooms left"
        assert error_text(TimeoutError()) == "Error: TimeoutError"


class TestHostedMcp:
    def test_a_hosted_tool_is_passed_through(self) -> None:
        hosted = HostedMcpTool(
            server_label="docs",
            server_url="https://example.com/mcp",
            authorization="secret",
            headers={"X-Key": "secret"},
            allowed_tools=("search",),
            require_approval={"never": {"tool_names": ["search"]}},
            extra={"defer_loading": True},
        )

        assert hosted.to_wire() == {
            "type": "mcp",
            "server_label": "docs",
            "server_url": "https://example.com/mcp",
            "authorization": "secret",
            "headers": {"X-Key": "secret"},
            "allowed_tools": ["search"],
            "require_approval": {"never": {"tool_names": ["search"]}},
            "defer_loading": True,
        }
        assert "secret" not in repr(hosted)

    def test_a_connector_needs_no_url(self) -> None:
        hosted = HostedMcpTool(
            server_label="mail", connector_id="connector_gmail", require_approval="never"
        )

        assert hosted.to_wire() == {
            "type": "mcp",
            "server_label": "mail",
            "connector_id": "connector_gmail",
            "require_approval": "never",
        }

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"server_label": ""}, "server_label"),
            ({"server_label": "a"}, "one of server_url"),
            ({"server_label": "a", "server_url": "b", "connector_id": "c"}, "one of server_url"),
            (
                {"server_label": "a", "server_url": "b", "require_approval": "sometimes"},
                "'always', 'never' or a filter",
            ),
        ],
    )
    def test_a_hosted_tool_that_leads_nowhere_is_refused(
        self, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            HostedMcpTool(**options)


def test_tools_are_values() -> None:
    def invoke(arguments: dict[str, object]) -> str:
        return ""

    one, other = Tool(name="a", invoke=invoke), Tool(name="a", invoke=invoke)
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == "Tool(name='a', description='', timeout=None)"
