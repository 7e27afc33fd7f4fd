"""What the model is told about a call of a tool that came to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import field, frozen

from realtime_actors.config.checks import Check, Settings, check, is_text
from realtime_actors.schema.calling import call, check_takes

__all__ = ["ToolTexts"]

Text: TypeAlias = str | Callable[..., object]


def _text(*places: str) -> Check:
    allowed = "text" + (f", in which {' and '.join(places)} may stand" if places else "")
    return check(is_text, allowed)


def _is_text_or_function(value: object) -> bool:
    if callable(value):
        check_takes(value, ("error", "context"), what="ToolTexts.failed")
    return callable(value) or is_text(value)


@frozen(kw_only=True, repr=False)
class ToolTexts(Settings):
    """What the model is told about a call that came to nothing: None for a text of ours.

    `{tool}` in a text is the name of the tool. Those of a tool win over those of the run.
    """

    failed: Text | None = field(
        default=None,
        validator=check(_is_text_or_function, "text, or a function of the error that gives one"),
    )
    """The tool raised something that is no `ToolError` (which says itself what the model is
    told). `{error}` is what it says: the model hears it only where you ask for that. A function
    is given the error, and if it takes it the context of the run."""
    timed_out: str | None = field(default=None, validator=_text("{tool}", "{seconds}"))
    """It took longer than it may."""
    rejected: str | None = field(default=None, validator=_text("{tool}", "{reason}"))
    """It was not approved."""

    def over(self, others: ToolTexts) -> ToolTexts:
        """These texts, and the others where there are none."""
        return ToolTexts(**{**others.set_members(), **self.set_members()})

    def after_failure(self, tool: str, error: BaseException, context: object) -> str:
        """What the model is told when a tool raised `error`. May raise what a function raises."""
        if callable(self.failed):
            return str(call(self.failed, error, context))
        said = str(error) or type(error).__name__
        return _filled(self.failed or "Error: {tool} failed", tool=tool, error=said)

    def after_timeout(self, tool: str, seconds: float) -> str:
        """What the model is told when a tool took longer than `seconds`."""
        told = self.timed_out or "Error: {tool} took longer than {seconds} s"
        return _filled(told, tool=tool, seconds=f"{seconds:g}")

    def after_rejection(self, tool: str, reason: str | None) -> str:
        """What the model is told when a call was not approved."""
        if self.rejected is not None:
            return _filled(self.rejected, tool=tool, reason=reason or "")
        because = f": {reason}" if reason else ""
        return f"Error: the call of {tool} was not approved{because}"


def _filled(text: str, **values: str) -> str:
    # Not `str.format`: a text of somebody's may have braces of its own.
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
