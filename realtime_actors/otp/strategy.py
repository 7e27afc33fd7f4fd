"""What a supervisor does about an end: pure functions, no thread and no clock."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import TypeVar

from attrs import field, frozen

from realtime_actors.otp.kernel.exits import Reason, is_orderly
from realtime_actors.otp.kernel.options import check_count
from realtime_actors.seconds import seconds

__all__ = [
    "AutoShutdown",
    "Intensity",
    "Restart",
    "Restarts",
    "Strategy",
    "affected",
    "auto_shutdown",
    "wants_restart",
]

Id = TypeVar("Id", bound=Hashable)


class Restart(Enum):
    """When a child is started again."""

    PERMANENT = "permanent"
    """Always, whatever it ended with."""
    TRANSIENT = "transient"
    """When it crashed: not after normal, shutdown or (shutdown, detail)."""
    TEMPORARY = "temporary"
    """Never: it is forgotten as soon as it ends."""


class Strategy(Enum):
    """Which children go down and up again with one that ended."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"
    """Those that were started after it."""


class AutoShutdown(Enum):
    """Whether a supervisor ends because its significant children did."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


@frozen
class Intensity:
    """How often children may be restarted, before the supervisor gives up."""

    max_restarts: int = 3
    max_seconds: float = field(default=5.0)

    def __attrs_post_init__(self) -> None:
        check_count(self.max_restarts, "max_restarts", least=0)
        seconds(self.max_seconds, "max_seconds", zero=False)


@frozen
class Restarts:
    """The restarts that still count."""

    at: tuple[float, ...] = ()
    """Newest first."""

    def another(self, now: float, intensity: Intensity) -> Restarts | None:
        """One more, at `now`. None if that is one too many."""
        at = (now, *(each for each in self.at if now - each <= intensity.max_seconds))
        return Restarts(at) if len(at) <= intensity.max_restarts else None


def wants_restart(restart: Restart, reason: Reason) -> bool:
    """Whether a child that ended with `reason` is started again."""
    if restart is Restart.TRANSIENT:
        return not is_orderly(reason)
    return restart is Restart.PERMANENT


def affected(strategy: Strategy, children: Sequence[Id], ended: Id) -> tuple[Id, ...]:
    """The children to start again, in start order, when `ended` has ended.

    Those that still run are stopped before, in reverse order.
    """
    if strategy is Strategy.ONE_FOR_ONE:
        return (ended,)
    if strategy is Strategy.ONE_FOR_ALL:
        return tuple(children)
    return tuple(children[children.index(ended) :])


def auto_shutdown(policy: AutoShutdown, *, ended_significant: bool, significant_left: int) -> bool:
    """Whether the supervisor ends, now that a child has ended that is not restarted.

    `significant_left` is how many other significant children still run.
    """
    if not ended_significant or policy is AutoShutdown.NEVER:
        return False
    return policy is AutoShutdown.ANY_SIGNIFICANT or significant_left == 0
