"""Words, and which of them mean something."""

from __future__ import annotations

import re

__all__ = ["content_stems", "humanized", "listed", "stem", "word_set"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text: a way to write a set of words that can be read."""
    return frozenset(text.split())


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001

_EMPTY = word_set(
    """
    a about after again all also am an and any anybody anyone anything are as ask at be been before
    being but by call can can't could did do does doesn't doing don't down each for from get gets
    give go going good got had has have haven't having he hello help her here hi him his how i i'd
    i'll i'm i've if in into is isn't it it's its just know later let let's like made make many may
    me more much my need never new no not now of off oh okay on one only or other our out over
    please put right say see she should so some somebody someone something sorry still such take
    talk tell than thank thanks that that's the their them then there there's these they thing
    things this those through time to today too under until up us use used user very want was we
    we'd we'll we're well were what what's when where which while who why will with won't would yes
    yet you you'd you'll you're your
    """
)
# What descriptions of tools are full of, whatever the tool does.
_BOILERPLATE = word_set(
    "agent caller current customer data function handle handoff information provide request "
    "result return tool value"
)


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order."""
    words = (word.lower().replace("’", "'") for word in _WORD.findall(text))  # noqa: RUF001
    return [
        stem(word.removesuffix("'s"))
        for word in words
        if word not in _EMPTY and word not in _BOILERPLATE and len(word) > 1
    ]


def stem(word: str) -> str:
    """Return a word without its ending, so that "bookings" and "booked" are both "book"."""
    word = word.lower()
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + replacement
            break
    for ending in ("ing", "ed", "er", "ation", "ment"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


def humanized(name: str) -> str:
    """Turn an identifier into words: "orderNumber" and "order_number" are "order number"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[\W_]+", spaced)).strip().lower()


def listed(words: list[str], conjunction: str) -> str:
    """Join words to a list: "a, b or c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
