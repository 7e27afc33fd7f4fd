"""When the output guardrails judge what the model is saying.

They see the growing transcript: each time `debounce` more characters have come, and
once more at its end. One judgement of a response runs at a time; what comes meanwhile
is judged after it. A response trips once.
"""

from __future__ import annotations

from attrs import define, field, frozen

__all__ = ["Guarding", "Judge"]


@frozen(kw_only=True)
class Judge:
    """This text is to be judged now."""

    response_id: str
    item_id: str
    text: str = field(repr=False)


@define
class _Watch:
    item_id: str
    text: str = ""
    judged: int = 0  # length of the text that was, or is being, judged
    running: bool = False
    ended: bool = False
    tripped: bool = False


@define
class Guarding:
    """The transcripts under guard, by response."""

    debounce: int = 100
    """Characters between two judgements."""
    _watches: dict[str, _Watch] = field(factory=dict)

    def grow(self, response_id: str, item_id: str, delta: str) -> Judge | None:
        """More of the transcript came."""
        watch = self._watches.setdefault(response_id, _Watch(item_id))
        if watch.item_id != item_id:
            watch.item_id = item_id
            delta = "\n" + delta
        watch.text += delta
        return self._next(response_id, watch)

    def end(self, response_id: str) -> Judge | None:
        """The response has ended: judge what is left."""
        watch = self._watches.get(response_id)
        if watch is None:
            return None
        watch.ended = True
        return self._next(response_id, watch)

    def judged(self, response_id: str, *, tripped: bool) -> Judge | None:
        """A judgement is there. Gives the next one, if more has come meanwhile."""
        watch = self._watches.get(response_id)
        if watch is None:
            return None
        watch.running = False
        watch.tripped = watch.tripped or tripped
        return self._next(response_id, watch)

    def has_tripped(self, response_id: str) -> bool:
        watch = self._watches.get(response_id)
        return watch is not None and watch.tripped

    def clear(self) -> None:
        """Forget everything. Verdicts that come late are of no response then."""
        self._watches.clear()

    def _next(self, response_id: str, watch: _Watch) -> Judge | None:
        due = len(watch.text) - watch.judged
        if watch.ended and not watch.running and (due == 0 or watch.tripped):
            if not watch.tripped:
                del self._watches[response_id]
            return None
        if watch.running or watch.tripped or due == 0:
            return None
        if due < self.debounce and not watch.ended:
            return None
        watch.judged, watch.running = len(watch.text), True
        return Judge(response_id=response_id, item_id=watch.item_id, text=watch.text)
