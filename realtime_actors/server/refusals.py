"""Refusals, in the words of the real service.

A rule that the client broke raises `Refused` before anything was changed; it becomes
one `error` event, and the session goes on.
"""

from __future__ import annotations

from collections.abc import Iterable

from realtime_actors.protocol import ErrorDetail

__all__ = ["Refused", "invalid_value", "missing", "unknown_item"]

_SHOWN_CHARACTERS = 200


class Refused(Exception):  # noqa: N818 - it is no error of ours, and never leaves the server
    """What the client asked for can't be done."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None,
        param: str | None = None,
        type_: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(type=type_, message=message, code=code, param=param)


def invalid_value(value: object, supported: Iterable[str], param: str) -> Refused:
    """Refuse a value that isn't among those that there are."""
    quoted = [f"'{each}'" for each in supported]
    if len(quoted) > 1:
        listed = ", ".join(quoted[:-1]) + (", and " if len(quoted) > 2 else " and ") + quoted[-1]
        choice = f"Supported values are: {listed}."
    else:
        choice = f"Value must be {quoted[0]}."
    shown = str(value)[:_SHOWN_CHARACTERS]
    return Refused(f"Invalid value: '{shown}'. {choice}", code="invalid_value", param=param)


def missing(param: str) -> Refused:
    """Refuse what lacks something without which the rest makes no sense."""
    return Refused(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def unknown_item(doing: str, item_id: str, *, code: str, param: str = "item_id") -> Refused:
    """Refuse an item that is not in the conversation."""
    return Refused(
        f"Error {doing} item: the item with id '{item_id}' does not exist.",
        code=code,
        param=param,
    )
