"""The claims of calls to a response: the model has to speak of their outputs.

    open --a response is asked for--> asked --it begins--> honoured
     ^ |                                |
     | |                                +-- refused, or stopped before it was heard --> open
     | +--the server begins one by itself, and the outputs were there--> honoured
     | +--it does, and the server has not shown them----> doubtful --shown after all--+
     +--------------------------------------------------------------------------------+

Any response that begins after the outputs are there honours a claim, for whatever reason it was
made; only when none does is one asked for. The server has an output when it has shown its item.
Many servers never do: so one that was sent counts as there, until it is shown to have come later
than the response.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from realtime_actors.core.recent import RecentSet

__all__ = ["Claim", "Claims"]

IN_DOUBT: Final = 8
"""How many of the last claims may still turn out not to be honoured."""


@define(eq=False)
class Claim:
    """The calls of one response are answered."""

    tool_choice: str | None
    """What the response that honours it may call, if that is not the session's."""
    unshown: set[str]
    """The outputs that the server has not shown, by the ids that it knows the calls by."""
    is_honoured: bool = False


@define
class Claims:
    """Those that are not honoured, and those of which that is not sure."""

    open: list[Claim] = field(factory=list)
    _unshown: RecentSet[str] = field(factory=RecentSet)
    _asked: deque[Claim] = field(factory=lambda: deque(maxlen=IN_DOUBT))
    _doubtful: deque[Claim] = field(factory=lambda: deque(maxlen=IN_DOUBT))

    @property
    def tool_choice(self) -> str | None:
        """What the response that honours all of them may call: as much as any of them lets it."""
        choices = [claim.tool_choice for claim in self.open]
        return min(choices, key=(None, "none", "auto").index, default=None)

    def told(self, output: str) -> None:
        """Note that an output was sent to the server."""
        self._unshown.add(output)

    def not_told(self, output: str) -> None:
        """Note that an output was not sent after all: the model can't speak of it."""
        self._unshown.discard(output)
        for claim in (*self.open, *self._asked):
            claim.is_honoured = claim.is_honoured or output in claim.unshown
        self.open = [claim for claim in self.open if not claim.is_honoured]

    def shown(self, output: str) -> None:
        """Note that the server has shown that it has an output."""
        self._unshown.discard(output)
        for claim in tuple(self._doubtful):
            if output in claim.unshown:
                self._doubtful.remove(claim)
                self.open.append(claim)
        for claim in (*self.open, *self._asked):
            claim.unshown.discard(output)

    def made(self, outputs: Iterable[str], tool_choice: str | None) -> None:
        """Make a claim: all calls of a response are answered, by these outputs."""
        self.open.append(Claim(tool_choice, {each for each in outputs if each in self._unshown}))

    def taken(self) -> tuple[Claim, ...]:
        """Take all that are open for a response that is asked for. Return them."""
        taken = tuple(self.open)
        self._asked.extend(taken)
        self.open.clear()
        return taken

    def began(self, asked: Iterable[Claim] | None) -> None:
        """Honour claims by a response that began. `asked` are those that it was asked for with."""
        for claim in asked or ():
            claim.is_honoured = not claim.unshown
        for claim in tuple(self.open):
            if claim.unshown and asked is not None:
                continue  # it was made after the response was asked for
            self.open.remove(claim)
            if claim.unshown:
                self._doubtful.append(claim)

    def refused(self, asked: Iterable[Claim]) -> None:
        """Open claims again whose response was refused, or stopped unheard."""
        self.open += [claim for claim in asked if not claim.is_honoured]

    def moved(self) -> None:
        """Keep what is open for another connection, which is told the outputs first."""
        self._unshown.clear()
        self._asked.clear()
        self._doubtful.clear()
        for claim in self.open:
            claim.unshown.clear()

    def lost(self) -> None:
        """The connection is gone."""
        for claims in (self.open, self._unshown, self._asked, self._doubtful):
            claims.clear()
