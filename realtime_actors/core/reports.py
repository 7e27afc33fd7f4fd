"""What is told of a server's mistakes: each kind once a minute, however often it is made.

A server that sends nonsense may send it fifty times a second. The first of a kind is told at
once; those that follow within a minute are counted, and told with the first one after it.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

from realtime_actors.core.outbox import Outbox

__all__ = ["REPORT_AGAIN_AFTER", "Reports"]

REPORT_AGAIN_AFTER: Final = 60.0
"""Seconds until the same kind of mistake is told again. Ours."""

MAX_KINDS: Final = 1_000
"""How many kinds are told apart: a server may make them up."""


@define
class _Told:
    at: float
    since: int = 0  # how many of the kind came since, and were not told


@define
class Reports:
    """The mistakes that were told of."""

    outbox: Outbox
    _told: dict[str, _Told] = field(factory=dict)

    def report(
        self,
        kind: str,
        message: str,
        now: float,
        *,
        type: str = "invalid_event",  # noqa: A002 - the error's word
        source: str = "protocol",
    ) -> None:
        """Tell of a mistake, unless one of this kind was told within the last minute."""
        told = self._told.get(kind)
        if told is not None and now - told.at < REPORT_AGAIN_AFTER:
            told.since += 1
            return
        if told is None and len(self._told) >= MAX_KINDS:
            del self._told[next(iter(self._told))]
        self._told.pop(kind, None)  # the oldest is the first to be forgotten
        self._told[kind] = _Told(now)
        if told is not None and told.since:
            message = f"{message} (and {told.since} more like it since the last report)"
        self.outbox.publish_error(type, message, source=source)
