"""Days and times of day as they are said, turned into what ISO 8601 writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Final

from realtime_actors.server.engines.brain.quantities import find_numbers

__all__ = ["iso_date", "iso_time"]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_ORDINALS: Final = {
    "first": "one",
    "second": "two",
    "third": "three",
    "fifth": "five",
    "eighth": "eight",
    "ninth": "nine",
    "twelfth": "twelve",
    "twentieth": "twenty",
    "thirtieth": "thirty",
}
_RELATIVE: Final = {"today": 0, "tonight": 0, "tomorrow": 1, "the day after tomorrow": 2}
_UNIT_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}


def iso_date(text: str, today: date) -> str | None:
    """Return the day that is meant, the next one of its kind: "Friday" is never today's."""
    said = text.lower()
    for parse in (_relative, _weekday, _in_some_time, _in_figures, _of_a_month):
        found = parse(said, today)
        if found is not None:
            return found.isoformat()
    return None


def _relative(said: str, today: date) -> date | None:
    if said in _RELATIVE:
        return today + timedelta(days=_RELATIVE[said])
    if said.endswith("weekend"):
        return _next(_WEEKDAYS.index("saturday"), today)
    return None


def _weekday(said: str, today: date) -> date | None:
    for place, name in enumerate(_WEEKDAYS):
        if name in said:
            return _next(place, today) + timedelta(days=7 if said.endswith("week") else 0)
    return None


def _next(weekday: int, today: date) -> date:
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _in_some_time(said: str, today: date) -> date | None:
    match = re.fullmatch(r"(?:next|in (.+)) (day|week|month|year)s?", said)
    if match is None:
        return None
    count = int(_number(match[1])) if match[1] else 1
    return today + timedelta(days=count * _UNIT_DAYS[match[2]])


def _in_figures(said: str, today: date) -> date | None:
    """Read 2026-01-31, 31.1.2026 and 1/31/2026."""
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", said):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d+)([./])(\d+)[./](\d+)", said):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        month, day = (second, first) if match[2] == "." else (first, second)
        return _date(year + 2000 if year < 100 else year, month, day)
    return None


def _of_a_month(said: str, today: date) -> date | None:
    """Read "June 5th", "the third of March" and "the 21st"."""
    month = next((place for place, name in enumerate(_MONTHS, 1) if name in said), None)
    rest = said.replace(_MONTHS[month - 1], "") if month else said
    day = int(_number(re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", rest)))
    if not day:
        return None
    for ahead in range(366):
        each = today + timedelta(days=ahead)
        if each.day == day and month in (None, each.month):
            return each
    return None


def _number(text: str) -> float:
    """Return the number in a text, an ordinal included; "a week" is one."""
    for ordinal, cardinal in _ORDINALS.items():
        text = re.sub(rf"\b{ordinal}\b", cardinal, text)
    text = re.sub(r"(?<=[a-z])th\b", "", text)
    numbers = find_numbers(text)
    return numbers[0].value if numbers else float(text.strip() in ("a", "an"))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_HALF_DAYS: Final[tuple[tuple[str, Callable[[int], int]], ...]] = (
    (r"\ba\.?\s?m\b|morning", lambda hour: hour % 12),
    (r"\bp\.?\s?m\b|afternoon|evening|night", lambda hour: hour % 12 + 12),
)


def iso_time(text: str) -> str | None:
    """Return the time of day that is meant. From one to seven without more is the afternoon."""
    said = text.lower()
    if re.search(r"\bnoon\b|\bmidday\b", said):
        return time(12).isoformat()
    if "midnight" in said:
        return time(0).isoformat()
    numbers = [int(span.value) for span in find_numbers(said.replace(":", " "))]
    if not numbers:
        return None
    hour, minute = numbers[0], sum(numbers[1:3])
    if "half past" in said:
        minute = 30
    elif match := re.search(r"(quarter|\b\w+)(?: minutes)? (past|to) ", said):
        apart = 15 if match[1] == "quarter" else numbers[0]
        hour = numbers[-1]
        hour, minute = (hour, apart) if match[2] == "past" else (hour - 1, 60 - apart)
    for pattern, adjust in _HALF_DAYS:
        if re.search(pattern, said):
            hour = adjust(hour)
            break
    else:
        if 1 <= hour <= 7 and not re.match(r"0\d", said):
            hour += 12
    return time(hour, minute).isoformat() if 0 <= hour < 24 and minute < 60 else None
