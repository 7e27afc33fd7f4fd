"""Types for the tools of a hotel: what a parameter may be, and what it may not."""

from __future__ import annotations

import dataclasses
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, NewType, NotRequired, TypedDict

import attrs


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
