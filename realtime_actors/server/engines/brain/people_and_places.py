"""Names of people and places in a sentence.

A recogniser writes names with capital letters, and so do most people. In texts without
any, only what follows "my name is" and the like is a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from realtime_actors.server.engines.brain.plain_words import word_set
from realtime_actors.server.engines.brain.quantities import Span

__all__ = ["find_people", "find_places"]

_NO_NAME = word_set(
    """
    i i'm i'll i'd i've monday tuesday wednesday thursday friday saturday sunday january february
    march april may june july august september october november december please yes no hello hi hey
    okay ok thanks thank sorry can could would will do does is are what where when who why how which
    the a an my our your this that these it it's and but or so well if there we you he she they
    today tomorrow tonight good now here home me us
    """
)
_NO_PLACE = word_set("order delivery dinner lunch")

_CAPITALIZED = r"[A-ZÀ-Ö][\w'’-]*"  # noqa: RUF001
_TITLE = r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Doctor|Professor)\.? )?"
_NAME = rf"{_TITLE}{_CAPITALIZED}(?: (?:van |von |de |der |la )?{_CAPITALIZED}){{0,2}}"
_OWN_NAME = re.compile(
    r"(?i:my name is|my name's|(?:the )?name is|name's|under the name(?: of)?|under|i am|i'm"
    rf"|this is|it's|for)\s+({_NAME})"
)
_OTHER_NAME = re.compile(
    r"(?i:to|tell|text|call|message|ask|with|contact|let|invite|write|email|ring|phone|for)\s+"
    rf"(?i:my (?:\w+ )?)?({_NAME})"
)
_SMALL_NAME = re.compile(
    r"(?:my name is|(?:the )?name is|under the name(?: of)?)\s+([^\W\d]+(?: [^\W\d]+)?)",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?i:in|at|to|from|near|for|of|around|into|on|via)\s+(?:the )?"
    rf"((?:\d+\w? )?{_CAPITALIZED}(?:[ -]{_CAPITALIZED})*)"
)
_SMALL_PLACE = re.compile(
    r"\b(?i:in|at|near)\s+([^\W\d]+(?: [^\W\d]+)?)"
    r"(?=\s+(?:today|tomorrow|now|right|this|next)|[.?!,]|$)"
)


def find_people(text: str, *, others: bool) -> Iterator[Span]:
    """Find people's names, the likeliest first: the speaker's own, or that of `others`."""
    patterns = (_OTHER_NAME, _OWN_NAME) if others else (_OWN_NAME, _SMALL_NAME)
    for pattern in patterns:
        for match in pattern.finditer(text):
            if name := _without_other_words(text, match.start(1), match.end(1)):
                yield name


def find_places(text: str) -> Iterator[list[Span]]:
    """Find names of places, house numbers included: first the written ones, then all others."""
    for pattern in (_PLACE, _SMALL_PLACE):
        spans = []
        for match in pattern.finditer(text):
            name = _without_other_words(text, match.start(1), match.end(1))
            if name and name.text.lower() not in _NO_PLACE:
                spans.append(name)
        yield spans


def _without_other_words(text: str, start: int, end: int) -> Span | None:
    """Cut a span to what can be a name: in capitals if it begins so, up to "Please"."""
    capitalized = any(letter.isupper() for letter in text[start:end])
    stop = start
    for word in re.finditer(r"[^\s,]+", text[start:end]):
        plain = word[0].strip(".,!?'")
        if plain.lower() in _NO_NAME or (capitalized and plain.islower() and len(plain) > 3):
            break
        stop = start + word.end()
    name = text[start:stop].rstrip(".,'")
    return Span(start=start, end=start + len(name), text=name) if name else None
