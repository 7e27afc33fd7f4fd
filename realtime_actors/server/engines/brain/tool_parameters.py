"""The parameters of a tool: what its JSON schema says, and what kind of thing each one is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from attrs import field, frozen

from realtime_actors.server.engines.brain.plain_words import humanized, stem, word_set

__all__ = ["Kind", "Parameter", "parameters_of"]

Schema = Mapping[str, Any]


class Kind(Enum):
    """What to look for in a sentence."""

    CHOICE = auto()
    BOOLEAN = auto()
    NUMBER = auto()
    DATE = auto()
    TIME = auto()
    MOMENT = auto()
    EMAIL = auto()
    CODE = auto()
    PERSON = auto()
    PLACE = auto()
    TEXT = auto()
    LIST = auto()
    OBJECT = auto()


@frozen(kw_only=True)
class Parameter:
    """One argument that a tool takes."""

    name: str
    description: str = ""
    kind: Kind
    required: bool = False
    whole: bool = False
    """A number without a fraction."""
    iso: bool = False
    """A date or a time as ISO 8601 writes it."""
    choices: tuple[Any, ...] = ()
    default: Any = None
    item: Parameter | None = None
    """What a list is made of."""
    members: tuple[Parameter, ...] = ()
    """What an object is made of."""
    stems: frozenset[str] = field(default=frozenset(), repr=False)
    """The words of its name and description."""

    @property
    def words(self) -> str:
        return humanized(self.name)


# Looked for in the name first, in this order, then at the head of the description.
_KINDS: tuple[tuple[Kind, frozenset[str]], ...] = (
    (Kind.EMAIL, word_set("email mail")),
    (Kind.MOMENT, word_set("datetime when moment")),
    (Kind.DATE, word_set("date day weekday birthday deadline")),
    (Kind.TIME, word_set("time hour clock")),
    (
        Kind.PLACE,
        word_set(
            "city place location town country address street origin destination airport station "
            "region area village where venue"
        ),
    ),
    (Kind.CODE, word_set("number id code phone telephone pin reference zip postcode sku iban no")),
    (
        Kind.PERSON,
        word_set(
            "name person guest customer recipient contact who client patient attendee caller "
            "passenger firstname lastname surname"
        ),
    ),
)
_WANTS_ISO = re.compile(r"\bYYYY|\bHH:?MM|\bISO[ -]?8601", re.IGNORECASE)
_ARTICLES = word_set("the a an your their full first last optional required")
_ENDS_OF_HEAD = word_set("of that for to in where at from on which under")


def parameters_of(tool: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Return the parameters of a wire-shaped tool, in order. What makes no sense is left out."""
    schema = tool.get("parameters")
    if not isinstance(schema, Mapping):
        return ()
    return _members(schema, schema)


def _members(schema: Schema, root: Schema) -> tuple[Parameter, ...]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    required = schema.get("required") or ()
    return tuple(
        _parameter(name, each, root, required=name in required)
        for name, each in properties.items()
        if isinstance(each, Mapping)
    )


def _parameter(name: str, declared: Schema, root: Schema, *, required: bool) -> Parameter:
    schema = _resolved(declared, root)
    description = str(declared.get("description") or schema.get("description") or "")
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else ())
    kind = _kind(name, description, schema, bool(choices))
    item = None
    if kind is Kind.LIST and isinstance(schema.get("items"), Mapping):
        item = _parameter(name, schema["items"], root, required=True)
    return Parameter(
        name=name,
        description=description,
        kind=kind,
        required=required,
        whole=schema.get("type") == "integer",
        iso=schema.get("format") in ("date", "time", "date-time")
        or bool(_WANTS_ISO.search(description)),
        choices=tuple(each for each in choices if each is not None),
        default=schema.get("default"),
        item=item,
        members=_members(schema, root) if kind is Kind.OBJECT else (),
        stems=frozenset(map(stem, f"{humanized(name)} {humanized(description)}".split())),
    )


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow references and alternatives of a schema, to the first one that isn't null."""
    for _ in range(8):  # schemas may refer to themselves
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            found: Any = root
            for step in reference[2:].split("/"):
                found = found.get(step, {}) if isinstance(found, Mapping) else {}
            schema = {**found, **{k: v for k, v in schema.items() if k != "$ref"}}
            continue
        options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if isinstance(options, list | tuple):
            real = [
                each for each in options if isinstance(each, Mapping) and each.get("type") != "null"
            ]
            rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "allOf")}
            schema = {**(real[0] if real else {}), **rest}
            continue
        break
    if isinstance(schema.get("type"), list):
        types = [each for each in schema["type"] if each != "null"]
        schema = {**schema, "type": types[0] if types else "string"}
    return schema


def _kind(name: str, description: str, schema: Schema, has_choices: bool) -> Kind:
    if has_choices:
        return Kind.CHOICE
    match schema.get("type"):
        case "boolean":
            return Kind.BOOLEAN
        case "integer" | "number":
            return Kind.NUMBER
        case "array":
            return Kind.LIST
        case "object":
            return Kind.OBJECT
        case _:
            pass
    match schema.get("format"):
        case "date":
            return Kind.DATE
        case "time":
            return Kind.TIME
        case "date-time":
            return Kind.MOMENT
        case "email":
            return Kind.EMAIL
        case _:
            pass
    return (
        _kind_of_words(humanized(name).split()) or _kind_of_words(_head(description)) or Kind.TEXT
    )


def _kind_of_words(words: list[str]) -> Kind | None:
    """Return the kind that the last telling word stands for: an "order date" is a date."""
    for word in reversed(words):
        for kind, telling in _KINDS:
            if word in telling:
                # "product name" is no person's.
                others = [each for each in words if each not in telling]
                if word == "name" and any(each not in _ARTICLES for each in others):
                    return _kind_of_words(others)
                return kind
    return None


def _head(description: str) -> list[str]:
    """Return the words that say what it is: "day" of "Day of the visit"."""
    head: list[str] = []
    for word in humanized(description).split():
        if word in _ENDS_OF_HEAD or (word == "why" and not head):
            break
        if word not in _ARTICLES:
            head.append(word)
        if len(head) == 3:
            break
    return head
