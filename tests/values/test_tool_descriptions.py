"""Tools as the model sees them: names, descriptions and schemas, and what has none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agent import Agent
from realtime_actors.errors import ConfigError
from realtime_actors.tools import HostedMcpTool, Tool, ToolContext, tool
from tests.values.hotel import (
    Address,
    Colour,
    Floor,
    Guest,
    OwnInit,
    Plain,
    Room,
    RoomNumber,
    Size,
)
from tests.wrong import wrong


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


DOCSTRING_PIECES = [
    "Args:", "Parameters", "----------", "Returns:", ":param city:", ":returns:", "city", "days",
    "(int)", ":", " : ", "\n", "\n", "\n    ", "\n        ", "Weather. ", "*", ",", "",
]  # fmt: skip


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

    def test_sections_that_follow_do_not_run_into_the_parameters(self) -> None:
        @tool
        def weather(city: str, days: int) -> str:
            """Current weather.

            Not the forecast: city: and days: in here are words.

            Args:
                *city: where
                days: how many;
                    city: is not this one

            Note:
                days: this is not it either
            """
            return city

        properties = weather.parameters["properties"]
        assert weather.description == (
            "Current weather.\n\nNot the forecast: city: and days: in here are words."
        )
        assert properties["city"]["description"] == "where"
        assert properties["days"]["description"] == "how many; city: is not this one"

    @given(st.lists(st.sampled_from(DOCSTRING_PIECES)).map("".join))
    def test_no_docstring_is_too_odd(self, text: str) -> None:
        def weather(city: str, days: int) -> str:
            return city

        weather.__doc__ = text

        made = tool(weather)

        assert set(made.parameters["properties"]) == {"city", "days"}
        words = set(" ".join(text.split()).split())
        assert set(made.description.split()) <= words

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
        def ping():  # hints matter only for parameters
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

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with 3.12")
    def test_a_type_statement_is_looked_through(self) -> None:
        names: dict[str, Any] = {}
        exec("type Count = int | None", names)

        assert schema_of(names["Count"]) == schema_of(int | None)

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
            (OwnInit, "not made from its fields alone"),
            (dict[int, str], "keys of a JSON object are text"),
            (Literal[b"a"], "can't be written in JSON"),
            (Enum("Nothing", {}), "no members"),
            ([int], "can't be described"),
            (list["Nowhere"], "can't be read: name 'Nowhere' is not defined"),  # type: ignore[name-defined]  # noqa: F821
            (list[Plain], "Plain can't be described"),
            (attrs.make_class("Old", ["member"]), "Old.member has no type hint"),
            (
                attrs.make_class("Lost", {"a": attrs.field(type=wrong("Nowhere"))}),
                "hints of Lost can't",
            ),
        ],
    )
    def test_a_type_that_json_does_not_have_is_refused(self, hint: object, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            taking(hint)

    def test_a_parameter_without_a_hint_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"weather\(city\) has no type hint"):

            @tool
            def weather(city):  # that is the test
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

    @pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "5", True])
    def test_a_timeout_is_some_time(self, timeout: Any) -> None:
        with pytest.raises(ConfigError, match="timeout"):
            Tool(name="a", invoke=lambda arguments: "", timeout=timeout)

    @pytest.mark.parametrize("invoke", [None, lambda: "", lambda a, b, c: "", lambda a, *, b: ""])
    def test_a_hand_made_tool_takes_arguments_and_perhaps_the_context(self, invoke: Any) -> None:
        with pytest.raises(ConfigError, match="tool 'a'"):
            Tool(name="a", invoke=invoke)

    def test_a_description_is_text(self) -> None:
        with pytest.raises(ConfigError, match="description must be text, not 3"):
            Tool(name="a", invoke=lambda arguments: "", description=3)  # type: ignore[arg-type]

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
