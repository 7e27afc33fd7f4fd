"""How much of a transcript was heard, where the user cut in.

Nothing says which word falls on which millisecond, so a transcript is cut in proportion to
its sound: at the edge of a word where one is near, else between two characters as people
see them (grapheme clusters: a letter with its accents, a syllable, an emoji of several parts).

What a cluster is follows Unicode's Annex 29 as far as the standard library knows the
properties of characters. Where it does not, two clusters count as one: a cut never splits one.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

__all__ = ["clusters", "heard_words"]

LONGEST_WORD: Final = 20
"""In clusters. What has more of them without a space is cut inside. Ours: longer than nearly
every word of languages that put spaces between words, and about a second of speech."""


def heard_words(words: str, heard_ms: int, received_ms: int) -> str:
    """Return the beginning of `words` that was heard in `heard_ms` of `received_ms`.

    More is never given for less of the sound. Spaces at its end are left out.
    """
    if heard_ms <= 0:
        return ""
    if heard_ms >= received_ms:
        return words
    whole = tuple(clusters(words))
    ends = tuple(accumulate(map(len, whole)))
    cut = bisect_right(ends, len(words) * heard_ms // received_ms)
    start, end = _word_around(whole, cut)
    if end - start <= LONGEST_WORD:
        cut = start
    while cut and whole[cut - 1].isspace():
        cut -= 1
    return "".join(whole[:cut])


def _word_around(whole: tuple[str, ...], cut: int) -> tuple[int, int]:
    """Return where the word begins and ends that a cut would split. The same place twice: none."""
    start = end = cut
    while 0 < start < len(whole) and not _is_edge(whole[start - 1], whole[start]):
        start -= 1
    while 0 < end < len(whole) and not _is_edge(whole[end - 1], whole[end]):
        end += 1
    return start, end


def _is_edge(before: str, after: str) -> bool:
    """Return whether a word may end between two clusters."""
    return _stands_alone(before) or _stands_alone(after)


def _stands_alone(cluster: str) -> bool:
    """Return whether a sign is no part of a word with spaces around it: a space, a sign, a symbol.

    Scripts that are written without spaces between words are among them.
    """
    first = cluster[0]
    if first.isspace() or unicodedata.category(first) == "So" or first >= "\U0001f000":
        return True
    return bool(bisect_right(_WITHOUT_SPACES, ord(first)) % 2)


_WITHOUT_SPACES: Final = (
    *(0x0E00, 0x10A0),  # Thai, Lao, Tibetan (a dot between syllables), Myanmar
    *(0x1780, 0x1800),  # Khmer
    *(0x1950, 0x1AB0),  # Tai Le, New Tai Lue, Khmer symbols, Buginese, Tai Tham
    *(0x1B00, 0x1B80),  # Balinese
    *(0x2E80, 0x3130),  # radicals of Han, its punctuation, Hiragana, Katakana, Bopomofo
    *(0x3190, 0xA4D0),  # more of them, Han, Yi
    *(0xA980, 0xAA00),  # Javanese, Myanmar
    *(0xAA60, 0xAAE0),  # Myanmar, Tai Viet
    *(0xF900, 0xFB00),  # more of Han
    *(0xFE30, 0xFE50),  # punctuation of vertical text
    *(0xFF00, 0xFFF0),  # wide and narrow forms
    *(0x16FE0, 0x1B300),  # Tangut, Khitan, old Kana
)
"""The blocks of scripts without spaces between words: where each begins, and where the next
one begins that is none of them. Rare Han needs no row: it is beyond U+1F000."""


# --- clusters -----------------------------------------------------------------------------------


def clusters(text: str) -> Iterator[str]:
    """Return the characters of a text as people see them."""
    if text.isascii() and "\r" not in text:
        yield from text
        return
    start, flags = 0, 0
    for index in range(1, len(text)):
        before, after = text[index - 1], text[index]
        flags = flags + 1 if _is_flag_half(before) else 0
        if not _belong_together(before, after, flags):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _belong_together(before: str, after: str, flags: int) -> bool:
    if before < "\u0300" and after < "\u0300":  # nearly always
        return before == "\r" and after == "\n"
    if before in "\r\n" or after in "\r\n":
        return False
    if _continues(after) or before == _JOINER or before in _PREPENDED:
        return True
    if _is_flag_half(after):
        return flags % 2 == 1  # two letters make a flag
    # A consonant that the one before it is joined to, in the scripts of India.
    if unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo":
        return True
    return _is_one_syllable(before, after)


_JOINER: Final = "\u200d"
_VIRAMA: Final = 9  # its combining class
_PREPENDED: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e"
    "\U000110bd\U000110cd\U000111c2\U000111c3\U0001193f\U00011941\U00011a3a\U00011d46"
)
"""Signs that belong to the letter behind them."""
_CONTINUING: Final = frozenset("\u0e33\u0eb3\u200c\u200d\uff9e\uff9f")
"""Those that belong to what is before them, though they are no marks: the vowels am of Thai
and Lao, joiners, the narrow voicing marks of Japanese."""


def _continues(character: str) -> bool:
    """Return whether a sign belongs to what is before it, whatever that is."""
    return (
        unicodedata.category(character)[0] == "M"  # accents, vowel signs, variants
        or character in _CONTINUING
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # the colour of a skin
        or "\U000e0020" <= character <= "\U000e007f"  # the name of a region's flag
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_one_syllable(before: str, after: str) -> bool:
    """Return whether two pieces of Hangul are written as one: leading, vowel, trailing."""
    first, second = _hangul(before), _hangul(after)
    match first:
        case "L":
            return second in ("L", "V", "LV", "LVT")
        case "V" | "LV":
            return second in ("V", "T")
        case "T" | "LVT":
            return second == "T"
        case _:
            return False


def _hangul(character: str) -> str:
    if "\uac00" <= character <= "\ud7a3":
        return "LVT" if (ord(character) - 0xAC00) % 28 else "LV"
    for first, last, kind in _JAMO:
        if first <= character <= last:
            return kind
    return ""


_JAMO: Final = (
    ("\u1100", "\u115f", "L"),
    ("\ua960", "\ua97c", "L"),
    ("\u1160", "\u11a7", "V"),
    ("\ud7b0", "\ud7c6", "V"),
    ("\u11a8", "\u11ff", "T"),
    ("\ud7cb", "\ud7fb", "T"),
)
