"""Numbers, dates and times in a sentence, in figures or in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

__all__ = ["Span", "find_codes", "find_dates", "find_numbers", "find_times"]


@frozen(kw_only=True)
class Span:
    """Something found in a text, and where."""

    start: int
    end: int
    text: str
    value: float = 0.0

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = (
    {word: float(value) for value, word in enumerate(_ONES)}
    | {word: 20.0 + 10 * place for place, word in enumerate(_TENS)}
    | {"oh": 0.0, "dozen": 12.0, "couple": 2.0, "hundred": 100.0, "thousand": 1e3, "million": 1e6}
)
_MULTIPLIERS = {"hundred", "thousand", "million", "dozen", "couple"}

_NUMBER_WORD = "|".join(sorted(_VALUES.keys() - {"oh"}, key=len, reverse=True))
_UNITS = "|".join(sorted(_ONES, key=len, reverse=True))
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-]+(?:{'|'.join(_ONES[1:10])}))?|{_UNITS})"
_TIMES = rf"(?:{'|'.join(sorted(_MULTIPLIERS))})"
_NUMBER = re.compile(
    r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)"
    r"|(?<![\w.])\d+(?:\.\d+)?(?!\w)"
    rf"|\b(?:an?\s+(?={_TIMES}))?(?:{_SMALL}|{_TIMES})"
    rf"(?:\s+{_TIMES}|(?<=hundred|housand|million)\s+(?:and\s+)?{_SMALL})*\b",
    re.IGNORECASE,
)


def find_numbers(text: str) -> list[Span]:
    """Find all numbers, in order. "4 5 2" are three of them, "twenty five" is one."""
    return [
        Span(start=match.start(), end=match.end(), text=match[0], value=_value(match[0]))
        for match in _NUMBER.finditer(text)
    ]


def _value(text: str) -> float:
    if text[0].isdigit():
        return float(text.replace(",", ""))
    total, group = 0.0, 0.0
    for word in re.split(r"[\s-]+", text.lower()):
        if word not in _VALUES:
            continue  # "a hundred and five"
        if word in _MULTIPLIERS:
            group = (group or 1.0) * _VALUES[word]
            if word in ("thousand", "million"):
                total, group = total + group, 0.0
        else:
            group += _VALUES[word]
    return total + group


_CODE = re.compile(
    r"\b(?=[A-Za-z-]*\d)[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*(?:[ -](?=[\d ]*\d)\d+)*\b"
    rf"|\b(?:{'|'.join([*_ONES[:10], 'oh'])})(?:[\s,-]+(?:{'|'.join([*_ONES[:10], 'oh'])}))+\b",
    re.IGNORECASE,
)


def find_codes(text: str) -> Iterator[Span]:
    """Find numbers that are names: "A1234", "4 5 2 1", "four five two one"."""
    for match in _CODE.finditer(text):
        words = re.split(r"[\s,]+", match[0])
        digits = [
            str(int(_VALUES[word.lower()])) if word.lower() in _VALUES else word for word in words
        ]
        yield Span(start=match.start(), end=match.end(), text="".join(digits))


_WEEKDAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_ORDINAL = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
    r"|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth"
    r"|nineteenth|twentieth|thirtieth|(?:twenty|thirty)[ -](?:first|second|third|fourth|fifth"
    r"|sixth|seventh|eighth|ninth))"
)
_DATE = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
    r"|the day after tomorrow|today|tonight|tomorrow"
    rf"|(?:(?:this|next|coming)\s+)?{_WEEKDAY}(?:\s+(?:week|next week))?"
    r"|(?:this|next|the)\s+weekend|next\s+(?:week|month|year)"
    rf"|(?:the\s+)?{_ORDINAL}\s+of\s+{_MONTH}|{_MONTH}\s+(?:the\s+)?{_ORDINAL}(?!\s*:)"
    rf"|\d{{1,2}}\s+{_MONTH}|the\s+{_ORDINAL}(?=\s*(?:[,.?!]|at|for|$))"
    rf"|in\s+(?:an?|\d+|{_NUMBER_WORD})\s+(?:day|week|month|year)s?)\b",
    re.IGNORECASE,
)


def find_dates(text: str) -> list[Span]:
    """Find all days, as they were said: "tomorrow", "next Monday", "the third of June"."""
    return _spans(_DATE, text)


_HOUR = rf"(?:\d{{1,2}}(?!\d)|{'|'.join(sorted(_ONES[1:13], key=len, reverse=True))})"
_MINUTES = (
    r"(?::\d{2}|\s+(?:oh\s+\w+|ten|fifteen|twenty|thirty|forty|fifty)(?:[ -]"
    r"(?:one|two|three|four|five|six|seven|eight|nine))?(?=\s|[.,?!]|$))"
)
_HALF_DAY = (
    r"(?:\s*(?:[ap]\.\s?m\.?|[ap]m\b)|\s+o'?clock|\s+(?:in the (?:morning|afternoon|evening)"
    r"|at night))"
)
_TIME = re.compile(
    r"(?:half past|(?:a )?quarter (?:past|to)"
    rf"|{_HOUR} (?:minutes )?(?:past|to)) {_HOUR}{_HALF_DAY}?"
    rf"|\b\d{{1,2}}:\d{{2}}(?:{_HALF_DAY})?"
    rf"|\b{_HOUR}{_MINUTES}?{_HALF_DAY}(?:{_HALF_DAY})?"
    rf"|(?<=\bat )(?:about |around )?{_HOUR}{_MINUTES}?\b(?!(?-i: [A-Z]))"
    rf"|(?<=\bby ){_HOUR}{_MINUTES}?\b(?!(?-i: [A-Z]))"
    rf"|(?<=\baround ){_HOUR}{_MINUTES}?\b(?! [A-Za-z])"
    r"|\b(?:noon|midday|midnight)\b",
    re.IGNORECASE,
)


def find_times(text: str) -> list[Span]:
    """Find all times of day, as they were said: "7 p.m.", "half past eight", "at seven"."""
    return _spans(_TIME, text)


def _spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [
        Span(start=match.start(), end=match.end(), text=_within(match[0]))
        for match in pattern.finditer(text)
    ]


def _within(text: str) -> str:
    """Write a text as it stands within a sentence: "tomorrow" for "Tomorrow", but "Monday"."""
    if re.match(rf"{_WEEKDAY}|{_MONTH}", text, re.IGNORECASE):
        return text
    return text[0].lower() + text[1:]
