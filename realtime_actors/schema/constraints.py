"""What stands beside a type in `Annotated`: words, bounds, lengths, defaults.

Those of annotated_types, msgspec and pydantic are known by what they look like: none of them
is imported. What only pydantic can apply is left to it, where it is there. Anything else is
not meant for us: that is how `Annotated` is meant to be read.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from decimal import Decimal
from typing import Any, Final

from attrs import define, evolve, field, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.schema.check import resolved
from realtime_actors.schema.pydantic_types import pydantic
from realtime_actors.schema.shapes import Shape, described

__all__ = ["NO_DEFAULT", "Constraints", "MadeAnew", "is_field_of_pydantic"]

NO_DEFAULT: Final = object()


@frozen
class MadeAnew:
    """A default that is made each time."""

    make: Callable[[], object]


_BOUNDS: Final[Mapping[str, tuple[str, Callable[[Any, Any], bool], str]]] = {
    "gt": ("exclusiveMinimum", operator.gt, "more than"),
    "ge": ("minimum", operator.ge, "at least"),
    "lt": ("exclusiveMaximum", operator.lt, "less than"),
    "le": ("maximum", operator.le, "at most"),
    "multiple_of": (
        "multipleOf",
        lambda value, of: Decimal(str(value)) % Decimal(str(of)) == 0,
        "a multiple of",
    ),
}
_LENGTHS: Final = {
    "min_length": {"string": "minLength", "array": "minItems", "object": "minProperties"},
    "max_length": {"string": "maxLength", "array": "maxItems", "object": "maxProperties"},
}
_STRICTNESS: Final = {"strict", "allow_inf_nan", "coerce_numbers_to_str", "fail_fast"}
"""Settings of pydantic's that say what JSON Schema says anyway."""

Judge = Callable[[Any], str | None]
"""What is wrong with a converted value; None for nothing."""


@define
class Constraints:
    """What the metadata of a hint say."""

    where: str
    description: list[str] = field(factory=list)
    bounds: list[tuple[str, Any]] = field(factory=list)
    lengths: list[tuple[str, int]] = field(factory=list)
    keywords: dict[str, Any] = field(factory=dict)
    judges: list[Judge] = field(factory=list)
    default: Any = NO_DEFAULT
    """What a pydantic `Field` says."""
    needs_pydantic: bool = False

    @classmethod
    def of(cls, metadata: Iterable[object], where: str) -> Constraints:
        """Read metadata. Raises `ConfigError` for what can't be kept."""
        found = cls(where)
        for each in metadata:
            found._read(each)
        if found.needs_pydantic and pydantic() is None:
            raise ConfigError(f"{where}: {metadata!r} need pydantic 2")
        return found

    @property
    def words(self) -> str:
        """What is told to the model in words."""
        return " ".join(self.description)

    def applied(self, shape: Shape, root: Mapping[str, Any], where: str) -> Shape:
        """The shape of the type, with all that was said of it."""
        schema = {**shape.schema, **self.keywords}
        types = _types_in(shape.schema, root)
        judges, words = list(self.judges), list(self.description)
        for name, bound in self.bounds:
            keyword, holds, meaning = _BOUNDS[name]
            number = _as_number(bound)
            if number is not None and types & {"number", "integer"}:
                schema[keyword] = number
            elif number is not None or not _goes_with(bound, shape):
                raise ConfigError(f"{where}: {name}={bound!r} does not go with this type")
            else:
                words.append(f"({meaning} {bound})")
            judges.append(_bounded(holds, bound, f"{meaning} {bound}"))
        for name, length in self.lengths:
            told = [key for kind, key in _LENGTHS[name].items() if kind in types]
            if not told:
                raise ConfigError(f"{where}: {name}={length!r} does not go with this type")
            schema.update(dict.fromkeys(told, length))
            judges.append(_sized(name, length))
        shape = described(evolve(shape, schema=schema), " ".join(words))
        if not judges:
            return shape

        def convert(value: Any) -> Any:
            converted = shape.convert(value)
            for judge in judges:
                problem = judge(converted)
                if problem is not None:
                    raise ValueError(problem)
            return converted

        return evolve(shape, convert=convert)

    def _read(self, said: Any) -> None:
        if isinstance(said, str):
            self.description.append(said)
        elif isinstance(getattr(said, "documentation", None), str):  # PEP 727: Doc("...")
            self.description.append(said.documentation)
        elif is_field_of_pydantic(said):
            self._read_field(said)
        elif hasattr(type(said), "__is_annotated_types_grouped_metadata__"):
            for each in said:
                self._read(each)
        elif type(said).__module__.partition(".")[0] == "pydantic":
            self._read_pydantic(said)
        elif _comes_from(said, "annotated_types", "msgspec"):
            self._read_limits(said)

    def _read_limits(self, said: Any) -> None:
        for name in _BOUNDS:
            if getattr(said, name, None) is not None:
                self.bounds.append((name, getattr(said, name)))
        for name in _LENGTHS:
            if getattr(said, name, None) is not None:
                self.lengths.append((name, getattr(said, name)))
        if isinstance(getattr(said, "pattern", None), str):
            self.keywords["pattern"] = said.pattern
        if isinstance(getattr(said, "description", None), str):  # msgspec's
            self.description.append(said.description)
        if isinstance(getattr(said, "unit", None), str):
            self.description.append(f"(in {said.unit})")
        if callable(getattr(said, "func", None)):
            self.judges.append(_satisfying(said.func))
        if hasattr(said, "tz"):
            self.needs_pydantic = True

    def _read_field(self, said: Any) -> None:
        """Read a `pydantic.Field(...)`."""
        alias = said.alias or said.validation_alias
        if alias is not None:
            raise ConfigError(
                f"{self.where}: a Field with the alias {alias!r}: a parameter is called by its own"
                " name, so rename it"
            )
        if isinstance(said.description, str):
            self.description.append(said.description)
        if said.title is not None:
            self.keywords["title"] = said.title
        if said.examples:
            self.keywords["examples"] = list(said.examples)
        if said.deprecated:
            self.keywords["deprecated"] = True
        if isinstance(said.json_schema_extra, Mapping):
            self.keywords.update(said.json_schema_extra)
        elif said.json_schema_extra is not None or said.discriminator is not None:
            self.needs_pydantic = True
        if said.default_factory is not None:
            self.default = MadeAnew(said.default_factory)
        elif said.default is not ... and type(said.default).__name__ != "PydanticUndefinedType":
            self.default = said.default
        for each in said.metadata:
            self._read(each)

    def _read_pydantic(self, said: Any) -> None:
        kind = type(said).__name__
        if kind in ("Strict", "AllowInfNan"):
            return
        members = vars(said) if "GeneralMetadata" in kind else {kind: said}
        needed = members.keys() - _STRICTNESS
        if needed == {"pattern"} and isinstance(members["pattern"], str):
            self.keywords["pattern"] = members["pattern"]
        elif needed:
            self.needs_pydantic = True


def is_field_of_pydantic(said: object) -> bool:
    """Whether it is a `pydantic.Field(...)`, or what FastAPI makes of one."""
    return any(
        each.__name__ == "FieldInfo" and each.__module__.partition(".")[0] == "pydantic"
        for each in type(said).__mro__
    )


def _comes_from(said: object, *packages: str) -> bool:
    return any(each.__module__.partition(".")[0] in packages for each in type(said).__mro__)


def _types_in(schema: Mapping[str, Any] | bool, root: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema lets pass; a schema that says nothing lets pass all."""
    schema = resolved(schema, root)
    if isinstance(schema, bool):
        return {"string", "number", "array", "object"}
    if "type" in schema:
        types = schema["type"]
        return {types} if isinstance(types, str) else set(types)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return set().union(*(_types_in(each, root) for each in options))
    return set() if "enum" in schema else {"string", "number", "array", "object"}


def _as_number(bound: object) -> float | int | None:
    """The bound as JSON writes it; None for what is no number."""
    if isinstance(bound, bool) or not isinstance(bound, int | float | Decimal):
        return None
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    return bound


def _goes_with(bound: object, shape: Shape) -> bool:
    """Whether values of a type can be compared with a bound: tried with the bound itself."""
    plain = bound.isoformat() if hasattr(bound, "isoformat") else bound
    try:
        return type(shape.convert(plain)) is type(bound)
    except Exception:  # whatever the type makes of what is none of its values
        return False


def _bounded(holds: Callable[[Any, Any], bool], bound: Any, meaning: str) -> Judge:
    def judge(value: Any) -> str | None:
        if isinstance(value, int | float):
            return None  # the schema says it
        try:
            return None if holds(value, bound) else f"expected {meaning}, got {value}"
        except (TypeError, ArithmeticError):
            return None  # None in a union, say: a bound is about what can be compared

    return judge


def _sized(name: str, length: int) -> Judge:
    def judge(value: Any) -> str | None:
        if not isinstance(value, Sized):
            return None
        fits = len(value) >= length if name == "min_length" else len(value) <= length
        most = "at least" if name == "min_length" else "at most"
        return None if fits else f"expected {most} {length}, got {len(value)}"

    return judge


def _satisfying(function: Callable[[Any], object]) -> Judge:
    def judge(value: Any) -> str | None:
        name = getattr(function, "__name__", repr(function))
        return None if function(value) else f"{value!r} is not what {name} accepts"

    return judge
