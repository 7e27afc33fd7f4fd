"""Tools as people write them: signatures, hints, wrappers, results; right, or refused by name."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import annotated_types as at
import attrs
import jsonschema
import pydantic
import pytest

import realtime_actors as ra
from realtime_actors.errors import ConfigError, ToolArgumentsError, ToolError
from realtime_actors.tools import Tool, output_text, tool
from tests.wrong import wrong

ID = "123e4567-e89b-42d3-a456-426614174000"


def taking(hint: object, default: object = ...) -> Tool:
    """A tool with one parameter, `x`."""

    def f(x: object) -> object:
        return x

    f.__annotations__ = {"x": hint}
    if default is not ...:
        f.__defaults__ = (default,)
    return tool(f)


def schema(hint: object, default: object = ...) -> dict[str, Any]:
    properties: dict[str, Any] = taking(hint, default).parameters["properties"]
    return dict(properties["x"])


def read(hint: object, value: object) -> object:
    """What the function is given for a JSON value."""
    return taking(hint).bind(json.dumps({"x": value}))["x"]


def refusal(hint: object, value: object) -> str:
    """What the model is told about a value that does not fit."""
    with pytest.raises(ToolArgumentsError) as refused:
        read(hint, value)
    return str(refused.value).removeprefix("Wrong arguments for f: ")


# --- hints ---------------------------------------------------------------------------------


class Point(NamedTuple):
    """A place.

    Attributes:
        x: to the right
    """

    x: int
    y: float = 0.5


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Folder:
    name: str
    folders: list[Folder] = dataclasses.field(default_factory=list)


@attrs.frozen
class Chicken:
    egg: Egg | None = None


@attrs.frozen
class Egg:
    chicken: Chicken | None = None


class Branch(TypedDict):
    left: Branch | int
    right: Branch | int


@pytest.mark.parametrize(
    ("hint", "value", "given"),
    [
        (uuid.UUID, ID, uuid.UUID(ID)),
        (list[uuid.UUID], [ID], [uuid.UUID(ID)]),
        (Decimal, 12.1, Decimal("12.1")),
        (Decimal, "12.10", Decimal("12.10")),
        (Decimal, 3, Decimal(3)),
        (Point, {"x": 1}, Point(1)),
        (Literal[Colour.RED, "x", None], "RED", Colour.RED),
        (Literal[Colour.RED, "x", None], "x", "x"),
        (Folder, {"name": "a", "folders": [{"name": "b"}]}, Folder("a", [Folder("b")])),
        (Chicken, {"egg": {"chicken": {}}}, Chicken(Egg(Chicken()))),
        (
            Branch,
            {"left": 1, "right": {"left": 2, "right": 3}},
            {"left": 1, "right": {"left": 2, "right": 3}},
        ),
        (list[Folder] | None, [{"name": "a"}], [Folder("a")]),
    ],
)
def test_hints_that_people_use_are_read(hint, value, given) -> None:
    assert read(hint, value) == given
    jsonschema.Draft202012Validator.check_schema(taking(hint).parameters)
    jsonschema.Draft202012Validator(taking(hint).parameters).validate({"x": value})


def test_what_contains_itself_is_referred_to() -> None:
    assert taking(Folder).parameters == {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/Folder"}},
        "required": ["x"],
        "additionalProperties": False,
        "$defs": {
            "Folder": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "folders": {"type": "array", "items": {"$ref": "#/$defs/Folder"}},
                },
                "required": ["name"],
                "additionalProperties": False,
            }
        },
    }


MISSPELT = (
    "x.folders[0].name is missing (expected a string); "
    "x.folders[0].nam is unknown (did you mean 'name'?)"
)


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (uuid.UUID, "17", f'x: expected a UUID like {ID}, got "17"'),
        (Decimal, "much", 'x: expected a number like 12.50, got "much"'),
        (Point, [1, 2], "x: expected an object with x, got [1, 2]"),
        (Point, {}, "x.x is missing (expected an integer)"),
        (Literal[Colour.RED], "BLUE", 'x: expected "RED", got "BLUE"'),
        (
            Folder,
            {"name": "a", "folders": [{"nam": "b"}]},
            MISSPELT,
        ),
    ],
)
def test_what_does_not_fit_them_is_told_with_its_place(hint, value, told) -> None:
    assert refusal(hint, value) == told


def test_an_argument_that_is_nested_too_deeply_is_refused() -> None:
    for depth in (300, 100_000):
        deep = '{"name": "x", "folders": [' * depth + "]}" * depth

        with pytest.raises(ToolArgumentsError, match=r"nested too deeply|recursion depth"):
            taking(Folder).bind(f'{{"x": {deep}}}')


@pytest.mark.parametrize(
    "hint",
    [bytes, complex, range, Callable[[], int], Exception, dict[int, str], Annotated[bytes, "x"]],
)
def test_what_json_does_not_have_is_refused_with_what_it_has(hint) -> None:
    with pytest.raises(ConfigError, match=r"^f\(x\): .*(use str|are text)"):
        taking(hint)


def test_classes_local_to_a_function_can_be_hints() -> None:
    @dataclasses.dataclass
    class Order:
        number: int
        before: Order | None = None

    @tool
    def place(order: Order) -> str:
        return repr(order.number)

    def later(order: Order) -> str:
        return repr(order.before)

    assert place.invoke('{"order": {"number": 3}}') == "3"
    assert tool(later).invoke('{"order": {"number": 3}}') == "None"


def test_a_hint_that_is_nowhere_is_refused_with_the_reason() -> None:
    def f(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # the test

    with pytest.raises(ConfigError, match=r"hints of f can't be read: name 'Nowhere'.*TYPE_CHECK"):
        tool(f)


# --- what stands beside a hint ---------------------------------------------------------------

PF = pydantic.Field


@pytest.mark.parametrize(
    ("hint", "described"),
    [
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
        (Annotated[int, PF(description="Age")], {"type": "integer", "description": "Age"}),
        (
            Annotated[int, PF(gt=0, le=9, multiple_of=3)],
            {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "multipleOf": 3},
        ),
        (
            Annotated[str, PF(min_length=1, max_length=3)],
            {"type": "string", "minLength": 1, "maxLength": 3},
        ),
        (Annotated[str, PF(pattern="^a")], {"type": "string", "pattern": "^a"}),
        (
            Annotated[str, PF(examples=["a"], title="T")],
            {"type": "string", "examples": ["a"], "title": "T"},
        ),
        (
            Annotated[str, PF(json_schema_extra={"format": "email"})],
            {"type": "string", "format": "email"},
        ),
        (Annotated[int, PF(default=3)], {"type": "integer", "default": 3}),
        (pydantic.PositiveInt, {"type": "integer", "exclusiveMinimum": 0}),
        (
            Annotated[int, at.Interval(ge=1, lt=5)],
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 5},
        ),
        (
            Annotated[list[int], at.Len(1, 3)],
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        ),
        (
            Annotated[dict[str, int], at.MinLen(1)],
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
        ),
        (
            Annotated[int | None, at.Gt(0)],
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "exclusiveMinimum": 0},
        ),
        (
            list[Annotated[int, at.Gt(0)]],
            {"type": "array", "items": {"type": "integer", "exclusiveMinimum": 0}},
        ),
        (Annotated[float, at.Unit("km")], {"type": "number", "description": "(in km)"}),
        (
            Annotated[date, at.Gt(date(2020, 1, 1))],
            {"type": "string", "format": "date", "description": "(more than 2020-01-01)"},
        ),
        (Annotated[int, object(), at.Gt(0), 17], {"type": "integer", "exclusiveMinimum": 0}),
        (pydantic.HttpUrl, {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}),
        (Annotated[str, pydantic.BeforeValidator(str.upper)], {"type": "string"}),
    ],
)
def test_what_is_said_beside_a_hint_is_told_to_the_model(hint, described) -> None:
    assert schema(hint) == described


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (Annotated[int, PF(gt=0)], -5, "x: expected more than 0, got -5"),
        (Annotated[int, at.MultipleOf(3)], 4, "x: expected a multiple of 3, got 4"),
        (Annotated[float, at.MultipleOf(0.1)], 0.35, "x: expected a multiple of 0.1, got 0.35"),
        (Annotated[Decimal, at.Ge(1)], "0.5", "x: expected at least 1, got 0.5"),
        (Annotated[Decimal, at.Lt(Decimal("2.5"))], 2.5, "x: expected less than 2.5, got 2.5"),
        (
            Annotated[date, at.Ge(date(2020, 1, 1))],
            "2019-12-31",
            "x: expected at least 2020-01-01, got 2019-12-31",
        ),
        (Annotated[set[int], at.MinLen(2)], [1, 1], "x: expected at least 2, got 1"),
        (Annotated[str, at.Predicate(str.islower)], "ABC", "x: 'ABC' is not what islower accepts"),
        (
            pydantic.HttpUrl,
            "nowhere",
            "x: Input should be a valid URL, relative URL without a base",
        ),
        (
            Annotated[Decimal, PF(max_digits=3)],
            "12.345",
            "x: Decimal input should have no more than 3 digits in total",
        ),
    ],
)
def test_what_is_said_beside_a_hint_holds(hint, value, told) -> None:
    assert refusal(hint, value) == told


@pytest.mark.parametrize(
    ("hint", "value", "given"),
    [
        (Annotated[int | None, at.Gt(0)], None, None),
        (Annotated[Decimal | str, at.Gt(0)], "none", "none"),
        (Annotated[float, at.MultipleOf(0.1)], 0.3, 0.3),
        (Annotated[str, pydantic.BeforeValidator(str.upper)], "a", "A"),
        (Annotated[str, pydantic.StringConstraints(strip_whitespace=True)], " a ", "a"),
    ],
)
def test_what_fits_passes(hint, value, given) -> None:
    assert read(hint, value) == given


@pytest.mark.parametrize(
    ("hint", "default", "described", "given"),
    [
        (int, PF(3, ge=1), {"type": "integer", "minimum": 1, "default": 3}, 3),
        (int, PF(default_factory=lambda: 7), {"type": "integer"}, 7),
        (Annotated[int, PF(default=3)], ..., {"type": "integer", "default": 3}, 3),
        (Annotated[int, PF(default=3)], 4, {"type": "integer", "default": 4}, None),
        (str | None, PF(None, description="who"), None, None),
    ],
)
def test_a_default_is_a_default_wherever_it_stands(hint, default, described, given) -> None:
    made = taking(hint, default)

    assert made.parameters["required"] == []
    if described is not None:
        assert made.parameters["properties"]["x"] == described
    assert made.bind("{}").get("x") == given
    expected = default if isinstance(default, int) else given
    assert made.invoke("{}") == output_text(expected)


@pytest.mark.parametrize(
    ("hint", "default", "message"),
    [
        (Annotated[int, PF(alias="age")], ..., r"alias 'age'.*rename it"),
        (Annotated[str, at.Gt(3)], ..., "gt=3 does not go with this type"),
        (Annotated[int, at.MinLen(3)], ..., "min_length=3 does not go with this type"),
        (Annotated[date, at.Gt("Monday")], ..., "gt='Monday' does not go"),
        (Annotated[float, at.Lt(math.inf)], ..., r"x: exclusiveMaximum can't be inf: JSON has no"),
        (Annotated[bytes, pydantic.Json()], PF(..., alias="y"), "alias"),  # type: ignore[type-arg] # as people write it
        (int, dataclasses.field(default=3), "the default is a field of a class"),
        (int, attrs.field(default=3), "the default is a field of a class"),
        (
            float,
            math.inf,
            r"f\(x\): the default inf can't be told to a model, JSON has no infinity",
        ),
        (float, math.nan, r"f\(x\): the default nan"),
    ],
)
def test_what_can_not_be_kept_is_refused(hint, default, message) -> None:
    with pytest.raises(ConfigError, match=message):
        taking(hint, default)


@pytest.mark.parametrize("value", ["1e400", "-1e999", "1" + "0" * 400])
def test_a_number_beyond_all_bounds_is_refused_with_its_name(value) -> None:
    with pytest.raises(ToolArgumentsError, match=r"Wrong arguments for f: x: .*large"):
        taking(float).bind(f'{{"x": {value}}}')


# --- pydantic ----------------------------------------------------------------------------------


class Line(pydantic.BaseModel):
    """A line of an order."""

    title: str
    pieces: Annotated[int, PF(gt=0, description="how many")] = 1
    parts: list[Line] = []


class Order(pydantic.BaseModel):
    model_config = {"strict": True}

    lines: list[Line]
    due: date
    price: Decimal


@pydantic.dataclasses.dataclass
class Pair:
    one: int
    other: int = PF(2, lt=9)


def test_a_model_is_described_without_what_names_say_already() -> None:
    assert taking(Line).parameters["$defs"] == {
        "Line": {
            "description": "A line of an order.",
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "pieces": {
                    "type": "integer",
                    "description": "how many",
                    "exclusiveMinimum": 0,
                    "default": 1,
                },
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "default": []},
            },
            "required": ["title"],
        }
    }


def test_models_are_parameters_and_results() -> None:
    @tool
    def place(order: Order, gift: Line | None = None) -> Order:
        assert order.due == date(2026, 1, 31)
        assert gift is None or gift.pieces == 1
        return order

    order = {"lines": [{"title": "pen", "pieces": 3}], "due": "2026-01-31", "price": "1.50"}

    told = json.loads(place.invoke(json.dumps({"order": order, "gift": {"title": "card"}})))

    assert told == {**order, "lines": [{"title": "pen", "pieces": 3, "parts": []}]}
    assert list(place.parameters["$defs"]) == ["Line"]
    assert output_text({"pairs": [Pair(1)]}) == '{"pairs": [{"one": 1, "other": 2}]}'


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (Line, {"title": "pen", "pieces": 0}, "x.pieces: expected more than 0, got 0"),
        (
            Order,
            {"lines": [], "due": "soon", "price": 1},
            'x.due: expected a date like 2026-01-31, got "soon"',
        ),
        (Pair, {"one": 1, "other": 9}, "x.other: expected less than 9, got 9"),
        (list[Line], [{"title": "pen"}, {}], "x[1].title is missing (expected a string)"),
    ],
)
def test_what_does_not_fit_a_model_is_told_with_its_place(hint, value, told) -> None:
    assert refusal(hint, value) == told


def test_what_only_pydantic_finds_is_told_in_a_line() -> None:
    class Adult(pydantic.BaseModel):
        age: int

        @pydantic.field_validator("age")
        @classmethod
        def grown(cls, age: int) -> int:
            if age < 18:
                raise ValueError("too young")
            return age

    assert refusal(Adult, {"age": 3}) == "x: age: Value error, too young"


def test_two_models_of_one_name_stay_apart() -> None:
    def line(kind: type) -> type:
        members = {"__annotations__": {"of": kind, "next": "Line | None"}, "next": None}
        return type("Line", (pydantic.BaseModel,), members)

    texts: Any = line(str)
    numbers: Any = line(int)

    def f(one: texts, other: numbers) -> str:
        return f"{one.of} {other.of}"

    made = tool(f)
    assert len(made.parameters["$defs"]) == 2
    assert made.invoke('{"one": {"of": "a"}, "other": {"of": 1}}') == "a 1"
    with pytest.raises(ToolArgumentsError, match=r"other\.of: expected an integer"):
        made.bind('{"one": {"of": "a"}, "other": {"of": "b"}}')


# --- unions, and what a model can act on -------------------------------------------------------


class Cat(TypedDict):
    kind: Literal["cat"]
    lives: int


class Dog(TypedDict):
    kind: Literal["dog"]
    name: str


NEITHER = (
    'x: expected an object with name or an object with x, got {"y": 1}'
    " (x.x is missing (expected an integer))"
)


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (Cat | Dog, {"kind": "cat"}, "x.lives is missing (expected an integer)"),
        (Cat | Dog, {"kind": "dog", "name": 3}, "x.name: expected a string, got 3"),
        (Cat | Dog, {"kind": "bird"}, 'x.kind: expected "cat" or "dog", got "bird"'),
        (
            Cat | Dog,
            3,
            "x: expected an object with kind, lives or an object with kind, name, got 3",
        ),
        (
            Folder | Point,
            {"y": 1},
            NEITHER,
        ),
        (int | str, None, "x: expected an integer or a string, got null"),
        (
            list[int] | list[str],
            [True],
            "x: expected an array, got [true] (x[0]: expected an integer, got true)",
        ),
    ],
)
def test_a_refused_union_says_what_was_meant(hint, value, told) -> None:
    assert refusal(hint, value) == told


# --- wrappers ----------------------------------------------------------------------------------


def look_up(city: str, database: object) -> str:
    """Look it up. Args: city: where, database: in which."""
    return f"{city} in {database}"


def wrapped(wrapper: Callable[..., object]) -> Callable[..., object]:
    return functools.wraps(look_up)(wrapper)


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(look_up, database="the book"),
        functools.update_wrapper(functools.partial(look_up, database="the book"), look_up),
        functools.partial(functools.partial(look_up), database="the book"),
        wrapped(lambda city: look_up(city, "the book")),
    ],
)
def test_what_a_wrapper_has_bound_is_not_for_the_model(function) -> None:
    made = tool(function)

    assert (made.name, made.description) == ("look_up", "Look it up.")
    assert made.parameters["properties"] == {"city": {"type": "string", "description": "where"}}
    assert made.invoke('{"city": "Rome"}') == "Rome in the book"


def test_a_wrapper_that_passes_everything_on_has_the_signature_of_what_it_wraps() -> None:
    made = tool(wrapped(lambda *args, **kwargs: look_up(*args, **kwargs).upper()))

    assert list(made.parameters["properties"]) == ["city", "database"]
    assert made.invoke('{"city": "Rome", "database": 1}') == "ROME IN 1"


def test_a_wrapper_may_add_a_parameter() -> None:
    def greet(name: str) -> str:
        return f"hello {name}"

    def louder(times: int, **kwargs: Any) -> str:
        return greet(**kwargs) + "!" * times

    louder.__wrapped__ = greet  # type: ignore[attr-defined]  # as functools does, hints apart

    made = tool(louder)

    assert made.parameters["required"] == ["times", "name"]
    assert made.invoke('{"times": 3, "name": "Ada"}') == "hello Ada!!!"


def test_a_positional_argument_may_be_bound_as_well() -> None:
    made = tool(functools.partial(look_up, "Rome"))

    assert list(made.parameters["properties"]) == ["database"]
    assert made.invoke('{"database": "b"}') == "Rome in b"


class Weather:
    """Knows the weather."""

    def __call__(self, city: str) -> str:
        """Tell the weather. Args: city: where."""
        return f"rain in {city}"


@dataclasses.dataclass
class Desk:
    """A desk with a clerk, who has tools."""

    clerk: str

    @tool
    def greet(self, name: str) -> str:
        """Say hello. Args: name: to whom."""
        return f"{self.clerk} greets {name}"

    @tool
    async def wait(self, context: ra.ToolContext) -> str:
        return f"{self.clerk} waits in {context.call_id}"

    @classmethod
    @tool
    def kind(cls, number: int) -> str:
        return f"{cls.__name__} {number}"

    @staticmethod
    @tool
    def plain(number: int) -> int:
        return number

    @tool
    @staticmethod
    def simple(number: int) -> int:
        return number


def test_an_object_that_can_be_called_is_a_tool() -> None:
    made = tool(Weather())

    assert (made.name, made.description) == ("Weather", "Tell the weather.")
    assert made.invoke('{"city": "Rome"}') == "rain in Rome"
    assert tool(name="weather")(Weather()).name == "weather"


def test_a_method_is_a_tool_of_each_instance() -> None:
    ada, bob = Desk("Ada"), Desk("Bob")

    agent = ra.agent(tools=[ada.greet, Desk("Eve").plain, ada.simple, Desk.kind])

    assert [each.name for each in agent.tools] == ["greet", "plain", "simple", "kind"]
    assert ada.greet.parameters["properties"] == {
        "name": {"type": "string", "description": "to whom."}
    }
    assert ada.greet.invoke('{"name": "you"}') == "Ada greets you"
    assert bob.greet.invoke('{"name": "you"}') == "Bob greets you"
    assert agent.tools[3].invoke('{"number": 1}') == "Desk 1"
    assert ada.greet == ada.greet != bob.greet
    assert Desk.greet(ada, "you") == ada.greet("you") == "Ada greets you"


def test_a_method_of_no_instance_is_refused_and_told_to_be_one() -> None:
    message = r"'greet' is a method of Desk, and bound to no instance: .* Desk\(\.\.\.\)\.greet"
    with pytest.raises(ConfigError, match=message):
        ra.agent(tools=[Desk.greet])
    with pytest.raises(ConfigError, match=message):
        Desk.greet.invoke('{"name": "you"}')


class Methods:
    def check(self, text: str) -> bool:
        return "$" in text

    @classmethod
    def instructions(cls, context: object) -> str:
        return "Be kind."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tool(wrong(classmethod)(look_up)), "goes below @classmethod"),
        (lambda: tool(Weather), "made of a function"),
        (lambda: tool(Desk.plain), "made of a function"),
        (lambda: tool(len), r"len\(obj\): a tool is called by name, this is positional-only"),
        (lambda: tool(print), r"can't take \*args"),
        (lambda: tool(functools.partial(int, "3")), "signature of int can't be read"),
        (lambda: tool(wrapped(lambda *args: look_up(*args))), r"look_up\(args\): .*\*args"),
        (lambda: tool(wrapped(lambda town, **kwargs: 1)), r"\(town\) has no .*functools\.wraps"),
        (lambda: ra.output_guardrail(Methods.check), "is a method: bind it first"),
        (lambda: ra.output_guardrail(lambda context, agent, text: True), "'context' in the wrong"),
        (lambda: ra.output_guardrail(lambda ctx, agent, output: True), "'ctx' in the wrong place"),
        (lambda: ra.output_guardrail(lambda text, agent: True), "called with text, context, agent"),
        (lambda: ra.tool_guardrail(lambda context, arguments: True), "called with arguments, cont"),
        (lambda: ra.tool_output_guardrail(lambda: True), "takes 0 positional arguments"),
        (lambda: ra.input_guardrail(lambda text, *, model: True), "keyword-only parameter"),
        (lambda: tool(needs_approval=lambda arguments: True)(look_up), "'arguments' in the wrong"),
        (lambda: ra.agent(instructions=lambda agent: "x"), "called with context, agent, in this"),
    ],
)
def test_what_can_not_be_called_as_it_will_be_is_refused_where_it_is_made(make, message) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_bound_methods_may_be_anything() -> None:
    agent = ra.agent(
        instructions=Methods.instructions,
        output_guardrails=[ra.output_guardrail(Methods().check)],
    )

    assert agent.resolve_instructions(None) == "Be kind."
    assert agent.output_guardrails[0].run("$5", None, agent).tripped


def test_the_wrapper_of_a_check_counts_and_not_what_it_wraps() -> None:
    def check(text: str, words: list[str]) -> bool:
        return text in words

    @functools.wraps(check)
    def bound(text: str) -> bool:
        return check(text, ["no"])

    guardrail = ra.output_guardrail(bound)

    assert guardrail.run("no", None, ra.agent()).tripped


# --- results -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12.10"), '"12.10"'),
        ({"price": Decimal("12.10")}, '{"price": "12.10"}'),
        (uuid.UUID(ID), f'"{ID}"'),
        ({uuid.UUID(ID): 1}, f'{{"{ID}": 1}}'),
        (Point(1), '{"x": 1, "y": 0.5}'),
        ({3}, "[3]"),
        (Line(title="pen"), '{"title": "pen", "pieces": 1, "parts": []}'),
        ([Line(title="pen")], '[{"title": "pen", "pieces": 1, "parts": []}]'),
    ],
)
def test_results_become_what_json_has(value, text) -> None:
    assert output_text(value) == text


@pytest.mark.parametrize("value", [b"data", {"a": b"data"}, [bytearray(b"data")]])
def test_bytes_are_refused_with_what_to_do(value) -> None:
    with pytest.raises(ToolError, match="4 bytes are no text: decode them, or return base64, or"):
        output_text(value)


# --- schemas made by hand ------------------------------------------------------------------------


def test_a_hand_made_schema_may_refer_to_itself() -> None:
    node: dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}},
        "required": ["id"],
    }
    made = Tool(
        name="f",
        parameters={
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/node"}},
            "$defs": {
                "node": {**node, "properties": {**node["properties"], "id": {"type": "integer"}}}
            },
        },
        invoke=lambda arguments: "",
    )

    assert made.bind('{"x": {"id": 1, "next": {"id": 2}}}') == {"x": {"id": 1, "next": {"id": 2}}}
    with pytest.raises(ToolArgumentsError, match=r"x\.next\.id: expected an integer"):
        made.bind('{"x": {"id": 1, "next": {"id": "two"}}}')


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"$ref": "#/$defs/none"}, r"parameters\.x: there is no '#/\$defs/none' in the schema"),
        ({"$ref": "#/$defs/loop"}, "refers to itself without an end"),
        ({"anyOf": [{"$ref": "#/properties/x"}]}, "refers to itself without an end"),
        ({"type": "number", "maximum": math.inf}, r"x: maximum can't be inf: JSON has no infinity"),
        ({"default": math.nan}, "x: default can't be nan"),
        ({"$ref": 3}, r"x: \$ref can't be 3"),
    ],
)
def test_a_hand_made_schema_that_leads_nowhere_is_refused(x, message) -> None:
    loop = {"loop": {"$ref": "#/$defs/loop"}} if "loop" in str(x) else {}
    with pytest.raises(ConfigError, match=message):
        Tool(
            name="f",
            parameters={"type": "object", "properties": {"x": x}, "$defs": loop},
            invoke=lambda arguments: "",
        )


def test_references_to_elsewhere_are_not_followed() -> None:
    made = Tool(
        name="f",
        parameters={"type": "object", "properties": {"x": {"$ref": "https://example.com/a"}}},
        invoke=lambda arguments: "",
    )

    assert made.bind('{"x": [1]}') == {"x": [1]}
