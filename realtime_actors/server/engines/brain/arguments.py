"""What a sentence says about a tool's parameters.

Every kind of parameter has a finder. Finders share the sentence: what one has taken (the
"seven" of "at seven"), the next one doesn't get.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from realtime_actors.server.engines.brain.intent import is_command
from realtime_actors.server.engines.brain.iso import iso_date, iso_time
from realtime_actors.server.engines.brain.people_and_places import find_people, find_places
from realtime_actors.server.engines.brain.plain_words import humanized, stem, word_set
from realtime_actors.server.engines.brain.quantities import (
    Span,
    find_codes,
    find_dates,
    find_numbers,
    find_times,
)
from realtime_actors.server.engines.brain.tool_parameters import Kind, Parameter

__all__ = ["answer_to", "find_arguments"]

_LONGEST_ANSWER = 40
"""Words of an answer that may be any text."""
_LONGEST_MOMENT = 5

# The surest finders first: what they take can't be mistaken for something else any more.
_ORDER = (
    Kind.CHOICE,
    Kind.EMAIL,
    Kind.MOMENT,
    Kind.DATE,
    Kind.TIME,
    Kind.CODE,
    Kind.NUMBER,
    Kind.PERSON,
    Kind.PLACE,
    Kind.BOOLEAN,
    Kind.LIST,
    Kind.TEXT,
    Kind.OBJECT,
)


def find_arguments(
    text: str, parameters: Iterable[Parameter], *, today: date, action: str = ""
) -> dict[str, Any]:
    """Return the arguments that a sentence gives, by name, in the order of the parameters.

    `today` is for parameters that want a calendar's day: others get "tomorrow" as it was
    said. `action` is the tool's name in words: what follows its verb may be its object.
    """
    parameters = tuple(parameters)
    sentence = _Sentence(text, action, today)
    found: dict[str, Any] = {}
    for kind in _ORDER:
        same = [each for each in parameters if each.kind is kind]
        for parameter in sorted(same, key=lambda each: not _cues(each)):
            value = _FINDERS[kind](sentence, parameter)
            if value is not None:
                found[parameter.name] = value
    return {each.name: found[each.name] for each in parameters if each.name in found}


def answer_to(text: str, parameter: Parameter, *, today: date) -> Any:
    """Return the value in the answer to a question for this parameter, None without one."""
    found = find_arguments(text, [parameter], today=today).get(parameter.name)
    if found is not None:
        return found
    plain = _plain(text)
    match parameter.kind:
        case Kind.BOOLEAN:
            return _yes_or_no(text)
        case Kind.CHOICE | Kind.NUMBER | Kind.OBJECT:
            return None
        case _ if parameter.iso:
            return None
        case Kind.LIST:
            return _split(plain) if parameter.item and parameter.item.kind is Kind.TEXT else None
        case _ if is_command(text) or not plain or _yes_or_no(text) is not None:
            return None  # something else was said, and not in answer
        case Kind.PERSON | Kind.PLACE if len(plain.split()) <= 5 and not find_numbers(plain):
            return plain[:1].upper() + plain[1:] or None
        case Kind.TEXT if len(plain.split()) <= _LONGEST_ANSWER:
            return plain
        case Kind.DATE | Kind.TIME | Kind.MOMENT if len(plain.split()) <= _LONGEST_MOMENT:
            return plain  # "as soon as possible"
        case Kind.CODE if re.search(r"\d", plain) and len(plain.split()) <= 4:
            return plain
        case _:
            return None


class _Sentence:
    """A sentence, and what of it has been taken."""

    def __init__(self, text: str, action: str, today: date) -> None:
        self.text = text
        self.today = today
        self.verbs = {stem(word) for word in action.split()}
        self._taken: list[Span] = []

    def take(self, spans: Iterable[Span]) -> Span | None:
        """Return the first of the spans that is not taken, and take it."""
        for span in spans:
            if self.is_free(span):
                self._taken.append(span)
                return span
        return None

    def is_free(self, span: Span) -> bool:
        return not any(span.overlaps(taken) for taken in self._taken)

    def before(self, span: Span) -> str:
        """Return the word before a span, in small letters, articles left out."""
        words = re.findall(r"[\w']+", self.text[: span.start].lower())
        while words and words[-1] in ("the", "a", "an", "my", "our", "about"):
            words.pop()
        return words[-1] if words else ""

    def around(self, span: Span) -> list[str]:
        """Return the stems of three words after a span, and of two before it."""
        after = re.findall(r"[\w']+", self.text[span.end :])[:3]
        before = re.findall(r"[\w']+", self.text[: span.start])[-2:]
        return [stem(word) for word in [*after, *before]]

    def rest(self, start: int, end: int | None = None) -> str:
        """Return what is not taken of a part of the text."""
        end = len(self.text) if end is None else end
        letters = list(self.text[start:end])
        for taken in self._taken:
            for place in range(max(taken.start, start), min(taken.end, end)):
                letters[place - start] = "\0"
        return re.sub(r"\s*\0+\s*", " ", "".join(letters)).strip()


# --- which of several --------------------------------------------------------------------

_ROLES = (
    (word_set("source from origin departure start sender"), ("from",)),
    (
        word_set("target to destination arrival end recipient goal"),
        ("to", "into", "in", "for", "until"),
    ),
)


def _cues(parameter: Parameter) -> tuple[str, ...]:
    """Return the words that stand before a value of this parameter, if its name tells."""
    words = set(parameter.words.split())
    return next((cues for names, cues in _ROLES if words & names), ())


def _by_cue(sentence: _Sentence, parameter: Parameter, spans: Sequence[Span]) -> list[Span]:
    """Return the spans, those with the right word before them first."""
    cues = _cues(parameter)
    opposite = {
        cue for _, others in _ROLES if cues and others != cues for cue in others if cue not in cues
    }
    allowed = [each for each in spans if sentence.before(each) not in opposite]
    return sorted(allowed, key=lambda each: sentence.before(each) not in cues)


# --- finders -----------------------------------------------------------------------------


def _choice(sentence: _Sentence, parameter: Parameter) -> Any:
    matches = _choices(sentence, parameter)
    span = sentence.take(_by_cue(sentence, parameter, list(matches)))
    return matches[span] if span else None


def _choices(sentence: _Sentence, parameter: Parameter) -> dict[Span, Any]:
    """Find where the text names which choice. "EUR" is in "euros", "on" isn't in "one"."""
    found: dict[Span, Any] = {}
    for value in parameter.choices:
        words = humanized(str(value)).split() or [str(value).lower()]
        pattern = r"\b" + r"[\W_]+".join(map(_any_form, words)) + r"\b"
        if re.fullmatch(r"[A-Z]{3,}", str(value)):
            pattern = rf"\b{value}\w*"  # a code: "EUR" is in "euros"
        for match in re.finditer(pattern, sentence.text, re.IGNORECASE):
            found[Span(start=match.start(), end=match.end(), text=match[0])] = value
    longest_first = sorted(found, key=lambda each: each.start - each.end)
    chosen: list[Span] = []
    for span in longest_first:
        if not any(span.overlaps(other) for other in chosen):
            chosen.append(span)
    return {span: found[span] for span in sorted(chosen, key=lambda each: each.start)}


def _any_form(word: str) -> str:
    """Return a pattern for a word and its plural, whichever of the two it is."""
    if len(word) < 4:
        return re.escape(word)
    return re.escape(word if word.endswith("ss") else word.removesuffix("s")) + "(?:e?s)?"


_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL = re.compile(r"([\w.+-]+(?: dot [\w-]+)*) at ([\w-]+(?:(?: dot |\.)[\w-]+)+)", re.I)


def _email(sentence: _Sentence, parameter: Parameter) -> Any:
    for pattern in (_EMAIL, _SPOKEN_EMAIL):
        if match := pattern.search(sentence.text):
            sentence.take([Span(start=match.start(), end=match.end(), text=match[0])])
            return re.sub(r" dot ", ".", re.sub(r" at ", "@", match[0])).rstrip(".").lower()
    return None


def _date(sentence: _Sentence, parameter: Parameter) -> Any:
    span = sentence.take(_by_cue(sentence, parameter, find_dates(sentence.text)))
    return iso_date(span.text, sentence.today) if span and parameter.iso else _text_of(span)


def _time(sentence: _Sentence, parameter: Parameter) -> Any:
    span = sentence.take(_by_cue(sentence, parameter, find_times(sentence.text)))
    return iso_time(span.text) if span and parameter.iso else _text_of(span)


def _moment(sentence: _Sentence, parameter: Parameter) -> Any:
    day = _date(sentence, parameter)
    time = _time(sentence, parameter)
    if parameter.iso:
        return f"{day}T{time}" if day and time else None
    return f"{day} at {time}" if day and time else day or time


def _code(sentence: _Sentence, parameter: Parameter) -> Any:
    busy = [*find_dates(sentence.text), *find_times(sentence.text)]
    spans = [
        span
        for span in find_codes(sentence.text)
        if not any(span.overlaps(other) for other in busy)
        and not re.fullmatch(r"\d+(?:st|nd|rd|th)", span.text, re.I)
    ]
    hinted = [each for each in spans if parameter.stems & set(sentence.around(each))]
    return _text_of(sentence.take(sorted(hinted or spans, key=lambda each: -len(each.text))))


_PEOPLE = frozenset(
    map(stem, word_set("people guests persons party seats adults passengers size us"))
)


def _number(sentence: _Sentence, parameter: Parameter) -> Any:
    spans = _numbers(sentence, parameter)
    stems = parameter.stems | (_PEOPLE if parameter.stems & _PEOPLE else set())
    hinted = [each for each in spans if stems & set(sentence.around(each))]
    span = sentence.take([*hinted, *_by_cue(sentence, parameter, spans)])
    return _numeric(span, parameter) if span else None


def _numbers(sentence: _Sentence, parameter: Parameter) -> list[Span]:
    busy = [*find_dates(sentence.text), *find_times(sentence.text)]
    return [
        span
        for span in find_numbers(sentence.text)
        if not any(span.overlaps(other) for other in busy)
        and (span.value.is_integer() or not parameter.whole)
        # "one of the lamps", "which one": no number is meant.
        and not (
            span.text.lower() == "one"
            and re.search(r"\b(?:this|that|which|no|any|another) $", sentence.text[: span.start])
        )
    ]


def _numeric(span: Span, parameter: Parameter) -> int | float:
    return int(span.value) if parameter.whole or span.value.is_integer() else span.value


_OTHERS = word_set("recipient contact to person attendee who")


def _person(sentence: _Sentence, parameter: Parameter) -> Any:
    others = not _OTHERS.isdisjoint(parameter.words.split())
    return _text_of(sentence.take(find_people(sentence.text, others=others)))


def _place(sentence: _Sentence, parameter: Parameter) -> Any:
    for spans in find_places(sentence.text):
        if span := sentence.take(_by_cue(sentence, parameter, spans)):
            return span.text
    return None


_YES = re.compile(r"^\W*(?:yes|yeah|yep|sure|of course|please do|right|correct|okay|ok)\b", re.I)
_NO = re.compile(r"^\W*(?:no|nope|not|don't|never)\b|\bwithout\b", re.I)


def _boolean(sentence: _Sentence, parameter: Parameter) -> Any:
    for match in re.finditer(r"[\w']+", sentence.text):
        if stem(match[0]) in {stem(word) for word in parameter.words.split()}:
            before = sentence.text[: match.start()].lower()
            return not re.search(r"\b(?:no|not|without|don't)\W+(?:\w+\W+)?$", before)
    return None


def _yes_or_no(text: str) -> bool | None:
    if _YES.search(text):
        return True
    return False if _NO.search(text) else None


def _list(sentence: _Sentence, parameter: Parameter) -> Any:
    item = parameter.item
    if item is None:
        return None
    if item.kind is Kind.CHOICE:
        matches = _choices(sentence, item)
        return [value for span, value in matches.items() if sentence.take([span])] or None
    if item.kind is Kind.NUMBER:
        numbers = _numbers(sentence, item)
        return [_numeric(span, item) for span in numbers if sentence.take([span])] or None
    found = _FINDERS[item.kind](sentence, item)
    if isinstance(found, str):
        return _split(found)
    return None if found is None else [found]


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",\s*(?:and\s+)?|\s+and\s+", text) if part.strip()]


# Parameters that are what the user says, as a whole.
_UTTERANCES = word_set(
    "query question request search problem issue symptoms complaint feedback input prompt"
)
_QUOTE = re.compile(r"[\"“](.+?)[\"”]")
_CLAUSE = re.compile(
    r"\b(?:saying(?: that)?|says?(?: that)?|know(?: that)?|(?<!know )that(?!'s)|because(?: of)?"
    r"|about|regarding|due to)"
    r"\s+(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_END_OF_OBJECT = re.compile(
    r"\s+(?:to|for|on|in|at|from|with|into|by|please|and|because|that|as)\b|[.,;!?]", re.IGNORECASE
)


def _text(sentence: _Sentence, parameter: Parameter) -> Any:
    if quote := _QUOTE.search(sentence.text):
        return quote[1].strip()
    if set(parameter.words.split()) & _UTTERANCES:
        return sentence.text.strip() or None
    if (clause := _CLAUSE.search(sentence.text)) and _wants_clause(parameter):
        return sentence.rest(clause.start(1)).strip(" .,!") or None
    return _after_own_name(sentence, parameter) or _object(sentence, parameter)


def _wants_clause(parameter: Parameter) -> bool:
    wanted = {"text", "message", "reason", "note", "content", "topic", "subject", "body", "comment"}
    return bool(wanted & set(parameter.words.split())) or parameter.stems.isdisjoint(
        {"name", "title", "item", "product"}
    )


def _after_own_name(sentence: _Sentence, parameter: Parameter) -> str | None:
    """Return the "blue" of "the colour is blue"."""
    pattern = rf"\b{re.escape(parameter.words)}\s*(?:is|:|should be|as)\s+(.+)$"
    if match := re.search(pattern, sentence.text, re.IGNORECASE):
        return _plain(sentence.rest(match.start(1))) or None
    return None


def _object(sentence: _Sentence, parameter: Parameter) -> str | None:
    """Return what follows the tool's own verb: the "coffee" of "order a coffee for me"."""
    if not parameter.required or _wants_clause(parameter):
        return None
    for word in re.finditer(r"[\w']+", sentence.text):
        if stem(word[0]) in sentence.verbs:
            end = _END_OF_OBJECT.search(sentence.text, word.end())
            rest = sentence.rest(word.end(), end.start() if end else None)
            return _plain(rest) or None
    return None


def _object_of_members(sentence: _Sentence, parameter: Parameter) -> Any:
    found = {}
    for member in parameter.members:
        value = _FINDERS[member.kind](sentence, member)
        if value is not None:
            found[member.name] = value
    return found or None


_FINDERS: Mapping[Kind, Callable[[_Sentence, Parameter], Any]] = {
    Kind.CHOICE: _choice,
    Kind.BOOLEAN: _boolean,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.MOMENT: _moment,
    Kind.EMAIL: _email,
    Kind.CODE: _code,
    Kind.PERSON: _person,
    Kind.PLACE: _place,
    Kind.TEXT: _text,
    Kind.LIST: _list,
    Kind.OBJECT: _object_of_members,
}

_LEAD_IN = re.compile(
    r"^\W*(?:(?:um+|uh+|er+m?|well|so|yes|yeah|sure|okay|ok|oh|please|maybe|perhaps|just|i think"
    r"|let's say|make (?:it|that)|it's|it is|it was|that's|that is|that would be|it would be"
    r"|(?:my|the) (?:name|number|address|city|day|time|order|order number|reason) is|i'm|i am"
    r"|this is|you can use|i'd like|i would like|i want|i'll take|because(?: of)?|for|on|at|in|to"
    r"|from|the|an?|some)\b[\s,]*)+",
    re.IGNORECASE,
)
_LEAD_OUT = re.compile(r"(?:[\s,]+(?:please|thanks|thank you))*[\s.,!?]*$", re.IGNORECASE)


def _plain(text: str) -> str:
    """Return an answer without the politeness around it."""
    stripped = _LEAD_OUT.sub("", text.strip())
    return _LEAD_IN.sub("", stripped).strip() or stripped


def _text_of(span: Span | None) -> str | None:
    return span.text if span else None
