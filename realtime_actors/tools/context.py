"""What a tool is given that asks for it: its call, and the session that runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from realtime_actors.tools.tool import Tool

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, Handoff

__all__ = ["ToolContext"]


def _never() -> bool:
    return False


def _nobody_listens(message: str) -> None:
    pass


@frozen(kw_only=True)
class ToolContext:
    """Given to a tool that has a parameter annotated with it."""

    # A `Session`. It lives four floors up, and naming it here would tie a tool's
    # author to the whole of it.
    session: Any = field(repr=False)
    """The session that runs the tool: send, interrupt, read the history."""
    agent: Agent
    call_id: str
    context: Any = field(default=None, repr=False)
    """What was given to `run(context=...)`."""
    tool: Tool | Handoff | None = None
    _is_cancelled: Callable[[], bool] = field(
        default=_never, repr=False, eq=False, alias="is_cancelled"
    )
    _report: Callable[[str], None] = field(
        default=_nobody_listens, repr=False, eq=False, alias="report"
    )

    @property
    def cancelled(self) -> bool:
        """Nobody waits for this call any more: it took too long, or the session is over.

        The model has been told. Whatever the tool still returns is thrown away.
        """
        return self._is_cancelled()

    def progress(self, message: str) -> None:
        """Say how far the call is: a `ToolProgressEvent` for subscribers, not for the model.

        Never waits. While the session has not heard the last hundred, more are dropped.
        """
        self._report(message)
