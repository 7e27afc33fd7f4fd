"""One response after the last of the calls that a response made, and how often in a row.

    called --> open --answered--> closed --the response is done, its last call closed--> go on

A round is a response that made calls, all of them answered: the model is asked to go on, and
may call again. What forces it to call (`tool_choice`) holds for the first response of a turn
only, else it would do nothing else. After so many rounds without a word of the user it is
asked to answer without tools; if it still calls then, its calls are refused and nothing more
is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from attrs import define, field

from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.settings import Configuration

__all__ = ["TOO_MANY_ROUNDS", "Rounds"]

TOO_MANY_ROUNDS: Final = "too_many_tool_rounds"


@define
class _Group:
    """The calls of one response."""

    open: set[Hashable] = field(factory=set)
    outputs: set[str] = field(factory=set)
    """What the model is told of those that are closed, by the server's ids of the calls."""
    response_done: bool = False


@define(kw_only=True)
class Rounds:
    """The responses whose calls are not all answered, and the rounds since the user spoke."""

    outbox: Outbox
    configuration: Configuration
    responses: ResponseMachine
    limit: int | None = None
    """How many rounds the model may make before the user has a say again. None: any number."""
    frees_choice: bool = True
    """After calls the model may speak, whatever `tool_choice` the session has."""
    _groups: dict[str | None, _Group] = field(factory=dict)
    _count: int = 0

    @property
    def are_over(self) -> bool:
        """No call may run any more before the user has said something."""
        return self.limit is not None and self._count >= self.limit

    @property
    def refusal(self) -> str:
        """What the model is told of a call that may not run any more."""
        return (
            "Error: no more tools may be called before the user says something: answer the user"
            " with what you know"
        )

    def start_anew(self) -> None:
        """Count anew: the user has said something, or the program asks for a response."""
        self._count = 0

    def called(self, response_id: str | None, call: Hashable, *, late: bool = False) -> None:
        """Add a call to those of its response. `late`: that is done already."""
        group = self._groups.setdefault(response_id, _Group(response_done=late))
        group.open.add(call)

    def answered(
        self,
        response_id: str | None,
        call: Hashable,
        output: str | None = None,
        *,
        is_there: bool = False,
    ) -> None:
        """Note the outcome of a call. The model has to speak of that `output`; None: of nothing.

        `is_there`: the server had it first.
        """
        group = self._groups.get(response_id)
        if group is None:
            return
        group.open.discard(call)
        if output is not None:
            group.outputs.add(output)
            if not is_there:
                self.responses.claims.told(output)

    def told_again(self, response_id: str | None, output: str) -> None:
        """Note an output that had to be replaced: what was said since does not know of it."""
        self.responses.claims.told(output)
        if response_id not in self._groups:
            self.responses.claims.made({output}, self._next_choice())

    def response_done(self, response_id: str | None) -> None:
        """Note that a response is done: no more calls of it will come."""
        group = self._groups.get(response_id)
        if group is not None:
            group.response_done = True

    def go_on(self) -> None:
        """Ask the model to go on, if all calls of some response are answered now."""
        over = [
            key for key, group in self._groups.items() if group.response_done and not group.open
        ]
        if not over:
            return
        outputs = {each for key in over for each in self._groups.pop(key).outputs}
        if not outputs:
            return  # they were not run, because their response was interrupted
        was_over = self.are_over
        self._count += 1
        if was_over or self.responses.is_closed:
            return  # it called although it was asked not to, or nothing more is asked for
        self.responses.claims.made(outputs, self._next_choice())
        if self.are_over:
            self._tell_of_too_many()

    def abandoned(self) -> None:
        """Forget all: the connection is gone, and nothing is asked for any more."""
        self._groups.clear()

    def _next_choice(self) -> str | None:
        """Return the `tool_choice` after calls, if it differs from the session's."""
        if self.are_over:
            return "none"
        forced = self.configuration.settings.tool_choice not in (None, "auto", "none")
        return "auto" if forced and self.frees_choice else None

    def _tell_of_too_many(self) -> None:
        self.outbox.publish_error(
            TOO_MANY_ROUNDS,
            f"the model has called tools in {self._count} responses since the user last"
            " spoke: it is asked to answer without them now. If your agent needs more, set"
            " RunConfig(max_tool_rounds_per_turn=...)",
            source="tool",
        )
