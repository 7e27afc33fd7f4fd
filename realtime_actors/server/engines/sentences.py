"""Where sentences end: for speaking text while it still grows, and for judging pauses.

Nothing is lost or changed: the pieces of a text, put together, are the text.
"""

from __future__ import annotations

import re

__all__ = ["SentenceSplitter", "is_complete", "split_sentences"]

_MAX_CHARS = 220
"""About 15 s of speech: longer sentences are cut where they can be."""

# A terminator with what closes after it, then a space; the ideographic ones need none.
_END = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？\n]""")  # noqa: RUF001
_NOTHING = " \t\r\n.!?…。！？"  # noqa: RUF001
_SOFT_END = re.compile(r"[,;:)\]—–]+(?=\s)")  # noqa: RUF001


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after these never ends a sentence: something has to follow.
_TITLES = _words(
    "mr mrs ms dr prof st sr jr rev hon gen col sgt capt lt vs no nos fig approx e.g i.e cf al "
    "mt ft"
)
# After these it does when the next word begins with a capital letter.
_ABBREVIATIONS = _words(
    "a.m p.m am pm etc inc ltd co corp u.s u.k e.u jan feb mar apr jun jul aug sep sept oct nov "
    "dec mon tue wed thu fri sat sun min max tel ext dept est rd ave blvd ph.d m.d b.a d.c"
)
# A speaker who stops at one of these goes on, whatever punctuation the recogniser put there.
_HANGING = _words(
    "a an and are as at because but by can could er erm for from hmm i if in into is like my of "
    "on or our so than that the their then to uh um umm very was we well when where which who "
    "will with would you're your"
)


def split_sentences(text: str) -> list[str]:
    """Split a whole text. A sentence keeps the blank after it."""
    splitter = SentenceSplitter()
    return [*splitter.feed(text), *splitter.flush()]


def is_complete(text: str) -> bool:
    """Return whether a speaker who has said this may well be done."""
    text = text.rstrip().rstrip("\"'”’)")  # noqa: RUF001
    if text.endswith("?"):
        return True
    if not text.endswith((".", "!")) or text.endswith(("..", "-.")):
        return False
    words = re.findall(r"[\w']+", text.lower())
    return bool(words) and words[-1] not in _HANGING


class SentenceSplitter:
    """Split a text that comes in pieces, as soon as a sentence is known to be over."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, text: str) -> list[str]:
        """Take the next piece. Return the sentences that it ended."""
        self._text += text
        sentences = []
        while end := _find_end(self._text):
            sentences.append(self._text[:end])
            self._text = self._text[end:]
        return sentences

    def flush(self) -> list[str]:
        """Return what is left at the end of the text."""
        rest, self._text = self._text, ""
        return [rest] if rest else []


def _find_end(text: str) -> int:
    """Return where the first sentence ends, with the blank after it. 0 while that is open.

    Never looks further than two characters past the longest sentence, so that a text
    falls into the same pieces however it arrives.
    """
    for match in _END.finditer(text):
        if match.end() > _MAX_CHARS:
            break
        if not text[: match.start()].strip(_NOTHING):
            continue  # nothing has been said yet: this belongs to what follows
        if match.group() in "。！？\n":  # noqa: RUF001
            return match.end()
        if not match.group().startswith("."):
            return match.end() + 1
        upcoming = text[match.end() + 1 : match.end() + 2]
        if _stops(text[: match.start()], upcoming):
            return match.end() + 1
    return _cut(text[:_MAX_CHARS]) if len(text) > _MAX_CHARS + 2 else 0


def _stops(before: str, upcoming: str) -> bool:
    """Return whether a full stop between these ends a sentence. '' upcoming: nothing yet."""
    words = before.split()
    word = words[-1].lstrip("(\"'“‘").lower()  # noqa: RUF001
    if word in _TITLES or (len(word) == 1 and word.isalpha() and word != "i"):
        return False
    if word.isdigit() and len(words) == 1:
        return False  # the number of a list's entry
    if word in _ABBREVIATIONS:
        return upcoming.isupper()
    return True


def _cut(head: str) -> int:
    """Find where to cut a sentence that is too long: after a comma, a word, or anywhere."""
    ends = [match.end() for match in _SOFT_END.finditer(head)]
    end = max([*ends, 0])
    if end <= len(head) // 4:
        end = head.rfind(" ")
    return end + 1 if end > 0 else len(head)
