"""How a response has ended, by what the server says of it."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from realtime_actors.protocol import Response

__all__ = ["was_talked_over", "with_status"]

_ENDS: Final = ("completed", "cancelled", "failed", "incomplete")
_ENDS_BY_REASON: Final = {
    "turn_detected": "cancelled",
    "client_cancelled": "cancelled",
    "max_output_tokens": "incomplete",
    "content_filter": "incomplete",
}
"""How a response has ended that has ended for this reason."""


def with_status(response: Response) -> Response:
    """Give a response that has ended its status, where the server says only why it has."""
    details = response.status_details
    if details is None or response.status not in (None, "in_progress"):
        return response
    status = details.type if details.type in _ENDS else _ENDS_BY_REASON.get(details.reason or "")
    if details.error is not None:
        status = "failed"
    return evolve(response, status=status)


def was_talked_over(response: Response) -> bool:
    """Return whether the server has stopped a response because the user spoke."""
    details = response.status_details
    return (
        response.status == "cancelled" and details is not None and details.reason == "turn_detected"
    )
