"""Whether a sentence asks for something to be done.

    "Cancel order 17."  "Could you cancel order 17?"  "I'd like order 17 cancelled."     asked for
    "Don't cancel it."  "I haven't cancelled it."      "Keep it, rather than cancel it."  negated
    "Should I cancel?"  "How do I cancel it?"          "Did you cancel it?"               a question
    "If it is late, cancel it."  "I might cancel it."  "Remind me to cancel it."          not now

What is done can't be undone, so the doubt is the speaker's: only what is asked for is done.
Questions to tools that look something up are asked for, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from attrs import frozen

from realtime_actors.server.engines.brain import plain_words as dictionary
from realtime_actors.server.engines.brain.plain_words import word_set

__all__ = ["Act", "Wish", "act_of", "asked_for", "is_command", "wish_for"]


class Wish(Enum):
    """What a text wants of an act."""

    NAMED = auto()
    """It is asked for, by its own word."""
    POSSIBLE = auto()
    """Nothing is said of it. "It's too dark in here." may ask for it all the same."""
    SPOKEN_OF = auto()
    """It is named, and not asked for."""
    PARAPHRASED = auto()
    """The same, in other words for it."""
    NONE = auto()
    """The text asks for no act at all."""


@frozen(kw_only=True)
class Act:
    """What a tool does."""

    own_verbs: frozenset[str]
    """The stems of the words that the tool has for it."""
    verbs: frozenset[str]
    """Those, and of other words for the same."""
    looks_up: bool
    """It only tells something: a question asks for it, too."""
    must_be_named: bool
    """It takes something away. It is meant only where it is said."""


_LOOKS_UP: Final = word_set(
    "calculate check compare convert count current describe explain fetch find get how list look "
    "lookup query read search see show tell track translate what when where which who"
)
"""First words of tools that only tell something."""

_TAKES_AWAY: Final = word_set(
    "block call cancel close deactivate delete disable drop end erase freeze pay refund remove "
    "return "
    "stop submit transfer unlock void wire"
)


def stem(word: str) -> str:
    """Return the stem of a verb: "cancelled" is "cancel"."""
    found = dictionary.stem(word)
    return found[:-1] if found.endswith("ll") and len(found) > 4 else found


# Words for the same act. What names one of a group may be asked for by the others.
_SAME: Final = tuple(
    frozenset(map(stem, words.split()))
    for words in (
        "turn switch set put make dim brighten shut leave",
        "book reserve make arrange get schedule have",
        "schedule make arrange book plan move get",
        "cancel delete remove drop erase scrap void undo take call",
        "order buy purchase get bring have want",
        "send text write message tell",
        "play start put hear",
        "stop end finish halt quit",
        "start begin launch run set",
        "lock secure",
        "unlock open",
        "open raise",
        "close shut lower",
        "transfer send move pay wire",
        "pay settle transfer",
        "transfer connect talk speak hand forward put",
        "add create put insert enter",
        "update change modify edit move",
        "report file submit",
        "block freeze lock disable deactivate",
        "remind",
        "refund return",
        "call dial phone ring",
    )
)

_SENTENCE = re.compile(r"[^.?!;]+[.?!;]*")
_CLAUSE = re.compile(r"\s*(?:,|;|:|—|–|\bbut\b|\bthough\b|\binstead\b(?! of))\s*", re.IGNORECASE)  # noqa: RUF001
_AND_NOT = re.compile(r"\band\b(?=\s+(?:please\s+)?(?:don'?t|do not|never|not)\b)", re.IGNORECASE)

_FILLER = re.compile(
    r"^\W*(?:(?:please|hello|hi|hey|okay|ok|so|well|and|or|then|now|just|sorry|thanks|thank you"
    r"|yes|yeah"
    r"|actually|also|oh|um|uh|alright|all right|sure|great|kindly|quickly|look|listen|excuse me"
    r"|good (?:morning|evening|afternoon)|rather|first|next|finally|in that case)\b\W*)*",
    re.IGNORECASE,
)

_POLITE_IF = re.compile(
    r"\bif (?:it(?:'s| is) |that(?:'s| is) |at all )?(?:possible|ok(?:ay)?|all ?right|fine"
    r"|you (?:can|could"
    r"|please|would|don'?t mind|like|have time|wouldn'?t mind)|I may|not too much trouble"
    r"|convenient)\b",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"\b(?:check|see|know|tell|ask|find out|look|wonder(?:ing|ed)?|sure|say|verify|confirm"
    r"|appreciate(?: it)?|grateful|glad|happy|nice|great|good|kind|lovely|wonderful|love it"
    r"|like it)"
    r"(?: \w+)? (?:if|whether)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|in case|provided|providing|assuming|suppose|supposing|otherwise|whenever"
    r"|as (?:long|soon) as|by the time|in the event)\b"
    r"|^\W*(?:when|once|after|before|until|till)\b(?!\W+(?:is|are|was|were|do|does|did|will|can"
    r"|should"
    r"|would|could|again)\b)(?=.*,)"
    r"|\b(?:when|once|after|before|until|till)\s+(?:I|you|he|she|it|we|they|someone|everyone"
    r"|everybody|(?:the|my|our|his|her|their|all)\s+\w+\s+(?:is|are|has|have|gets?|comes?|arrives?"
    r"|leaves?|ends?|starts?|opens?|closes?|goes|finish\w*))\b",
    re.IGNORECASE,
)
_TELLS_WHEN = re.compile(r"\b(?:remind|tell|notify|alert|inform|let) (?:me|us)\b", re.IGNORECASE)

_ASKS = re.compile(
    r"^(?:(?:can|could|would|will|won'?t|can'?t|couldn'?t|wouldn'?t) (?:you|somebody|someone"
    r"|anybody"
    r"|anyone)|(?:can|could|may|might) (?:I|we)|would it be possible|is it possible"
    r"|(?:would|do) you mind|why don'?t (?:you|we)|(?:how|what) about|let'?s|let (?:me|us)"
    r"|(?:I|we)(?:'d| would|'ll| will)?(?: really| also| just| now)?"
    r" (?:like|love|prefer|want|need|wish|take|have(?! (?:been|had|already|just))|must)"
    r"|(?:I|we)(?:'m|'re| am| are) (?:calling|here|trying|looking|ready) (?:to|for)"
    r"|(?:do you have|have you got|is there|are there|any)\b.*\b(?:free|available|left|open|slot"
    r"|table"
    r"|room|spot|seats?|appointment|anything|something|planes?|flights?))\b",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"\b(?:tell|explain|show|say|describe|know|teach|advise|recommend|suggest|understand|imagine"
    r"|clarify)\b.*?\b(?:how|what|whether|if|why|when|where)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"^(?:should|shall|must|ought|do(?! not)|does|did|doesn'?t|didn'?t|is|are|was|were|am|isn'?t"
    r"|aren'?t|wasn'?t|weren'?t|has|have|had|hasn'?t|haven'?t|what|what'?s|why|how|who|when|where"
    r"|which|whose|can|could|would|will|may|might|shouldn'?t|wouldn'?t|any idea|is it)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"^(?:no\b(?! (?:water|power|internet|heating|electricity|signal))|not\b|never\b|do not\b"
    r"|don'?t\b"
    r"(?! forget| hesitate)|leave\b|keep\b|by no means|under no circumstances"
    r"|(?:I|we|you)(?:'d| would| had)? (?:don'?t|do not|didn'?t|did not|never|no longer|wouldn'?t"
    r"|would not"
    r"|needn'?t|rather not|really don'?t|'d rather not)(?: really| actually| even| yet)*"
    r"(?: (?:want|need|wish|like|think|mean|plan|intend|ask|asked|care|say|said|have to|feel"
    r"|require|order))?"
    r"(?<! not)(?<!don't)(?<!didn't)(?<!never)(?<!longer)(?<!do not)(?<!did not)\b"
    r"|(?:there(?:'s| is)|you(?:'ve| have)?(?: got)?|it(?:'s| is)|that(?:'s| is)) (?:really )?"
    r"(?:no need|not necessary|no reason|no hurry|needn'?t|don'?t (?:have|need) to|mustn'?t"
    r"|must not"
    r"|shouldn'?t|should not|not to))",
    re.IGNORECASE,
)
_UNDECIDED = re.compile(
    r"\b(?:maybe|perhaps|possibly|might|thinking (?:of|about)|think(?:ing)? (?:I|we) (?:should"
    r"|might|could|may)"
    r"|thought (?:of|about)|consider(?:ing|ed)?|wonder(?:ing|ed)? (?:if|whether) (?!you)|not sure"
    r"|haven'?t decided|decid(?:e|ing) (?:whether|if)|wish (?:I|we) had|what if|tempted"
    r"|plan(?:ning)? to"
    r"|hypothetically|in theory|imagine|pretend|used to|one day|some ?day)\b",
    re.IGNORECASE,
)
_NEGATION: Final = word_set(
    "not never no without don't dont doesn't didn't won't wouldn't can't cannot couldn't shouldn't "
    "mustn't needn't haven't hasn't hadn't isn't aren't wasn't weren't nobody neither nor avoid "
    "than"
)
_NO_NEGATION = re.compile(
    r"\b(?:don'?t|do not|never) (?:forget|hesitate|be afraid|be shy)\b|\bnot only\b|\bno longer\b"
    r"|\bwhy don'?t (?:you|we)\b|\b(?:can|could|wo|would)n'?t you\b|\bno problem\b",
    re.IGNORECASE,
)
_OF_OTHERS: Final = word_set(
    "remind tell ask warn advise told asked said says how whether if what when why forgot forget "
    "remember remembered afraid decide decided decision allowed way chance idea right fee fees "
    "cost "
    "costs charge policy deadline easy hard difficult wrong better best worth late means learn "
    "instead rather after before until while by for from about of than that who"
)
"""What stands before an act that is spoken of, and not asked for."""
_NEVER: Final = word_set("about of than stop avoid quit from")
"""The same, in whatever words it is wrapped."""
_SUBJECTS: Final = word_set("i we you he she they it somebody someone nobody everybody")
_LATER: Final = word_set(
    "might may should could must will 'll would shall gonna i'll we'll i'd we'd you'll he'll "
    "she'll "
    "they'll usually always often sometimes almost nearly"
)
_PAST: Final = word_set(
    "bought sent made paid took put got set told called wrote shut began rang had left"
)
_HELPERS: Final = word_set("have get want need like be prefer")
_BEEN: Final = word_set("was were been is are has had i've we've")


def asked_for(text: str) -> str:
    """Return what is left of a text when all that is denied, conditional or undecided is gone."""
    return " ".join(part for sentence in _sentences(text) for part in _kept(sentence)).strip()


def wish_for(act: Act, text: str) -> Wish:
    """Return what a text wants of an act. `text` is what `asked_for` left of it."""
    wishes = {
        _wish(clause, act, is_question="?" in sentence)
        for sentence in _sentences(text)
        for clause in _clauses(sentence)
    }
    for wish in (Wish.NAMED, Wish.SPOKEN_OF, Wish.PARAPHRASED, Wish.POSSIBLE):
        if wish in wishes:
            return wish
    return Wish.NONE


def act_of(name: str, description: str) -> Act:
    """Return what a tool does, by the first words of its name and of its description."""
    if name.startswith("transfer_to_"):
        return Act(
            own_verbs=frozenset({stem("transfer"), stem("connect")}),
            verbs=_synonyms("connect"),
            looks_up=False,
            must_be_named=False,
        )
    words = [
        *re.findall(r"[a-z]+", name.lower())[:1],
        *re.findall(r"[a-z]+", description.lower())[:1],
    ]
    known = [word for word in words if any(stem(word) in group for group in _SAME)]
    # "opening_hours" is named after what it tells.
    looks_up = (
        not known
        or words[0] in _LOOKS_UP
        or words[0].endswith("ing")
        or (words[0] not in known and words[-1] in _LOOKS_UP)  # "weather": tells the weather
    )
    verbs = frozenset().union(*map(_synonyms, known))
    return Act(
        own_verbs=frozenset(map(stem, known)),
        verbs=verbs,
        looks_up=looks_up,
        must_be_named=bool(_TAKES_AWAY & set(words)),
    )


def is_command(text: str) -> bool:
    """Return whether a text is an order or a question, and so no answer to one."""
    rest = _FILLER.sub("", text)
    first = re.match(r"[A-Za-z']+", rest)
    return (
        text.rstrip().endswith("?")
        or bool(_ASKS.match(rest) or _QUESTION.match(rest))
        or (first is not None and first[0].lower() in _ORDERS and len(rest.split()) > 1)
    )


_ORDERS: Final = word_set(
    "tell give show explain sing play stop cancel book order call turn switch set open close make "
    "put send find check connect transfer help speak talk remind start read repeat say"
)


def _synonyms(word: str) -> frozenset[str]:
    return frozenset().union(*(group for group in _SAME if stem(word) in group))


def _sentences(text: str) -> list[str]:
    return [match[0].strip() for match in _SENTENCE.finditer(text.replace("’", "'"))]  # noqa: RUF001


def _clauses(sentence: str) -> list[str]:
    parts = [part for half in _AND_NOT.split(sentence) for part in _CLAUSE.split(half)]
    return [part for part in parts if part.strip()]


def _kept(sentence: str) -> Iterator[str]:
    """Return the clauses of a sentence that may ask for something."""
    plain = _WHETHER.sub(" ", _POLITE_IF.sub(" ", sentence))
    if _CONDITION.search(plain) and not (_TELLS_WHEN.search(plain) and " if " not in plain):
        return
    denied = False
    for clause in _clauses(_POLITE_IF.sub("", sentence)):
        rest = _FILLER.sub("", clause)
        if _DENIAL.match(rest) or (_UNDECIDED.search(rest) and not _ASKS.match(rest)):
            denied = True
        elif denied and not _begins_anew(rest):
            continue  # more of what was denied: ", tomorrow at seven"
        elif rest:
            denied = False
            end = sentence.rstrip()[-1:]
            yield clause.strip() + ("" if clause.rstrip()[-1:] in ".?!" or end not in "?" else end)


def _begins_anew(clause: str) -> bool:
    """Return whether a clause has a verb or a subject of its own."""
    first = re.match(r"[A-Za-z']+", clause)
    if first is None:
        return False
    word = first[0].lower()
    return (
        word.partition("'")[0] in _SUBJECTS
        or word in ("can", "could", "would", "will", "let", "let's", "my", "the", "there")
        or any(stem(word) in group for group in _SAME)
        or word in _ORDERS
        or word in _LOOKS_UP
    )


def _wish(clause: str, act: Act, *, is_question: bool) -> Wish:
    rest = _NO_NEGATION.sub(" ", _FILLER.sub("", clause)).strip()
    words = [word.lower() for word in re.findall(r"[\w']+", rest)]
    places = [place for place, word in enumerate(words) if stem(word) in act.verbs]
    if act.looks_up:
        return Wish.POSSIBLE
    asks = bool(_ASKS.match(_FILLER.sub("", clause))) and not _ASKS_HOW.search(rest)
    asks_how = _ASKS_HOW.search(rest) or (not asks and _QUESTION.match(rest))
    if not places:
        return Wish.NONE if asks_how or act.must_be_named else Wish.POSSIBLE
    if not asks_how and any(_is_free(words, place, asks=asks) for place in places):
        return Wish.NAMED
    is_named = any(stem(words[place]) in act.own_verbs for place in places)
    return Wish.SPOKEN_OF if is_named else Wish.PARAPHRASED


def _is_free(words: list[str], place: int, *, asks: bool) -> bool:
    """Return whether a verb is asked for, and not denied, told of, or left to others."""
    word, before = words[place], words[:place]
    near = before[-6:]
    if _NEGATION & set(near) or (place and word.endswith("s") and not word.endswith("ss")):
        return False  # denied, or what others do: "she locks"
    subject = next((each for each in before if each.partition("'")[0] in _SUBJECTS), None)
    is_past = not asks and before[-1:] != ["to"] and (word in _PAST or word.endswith("ed"))
    helped = bool(_HELPERS & {each.partition("'")[0] for each in before})  # "I want it cancelled"
    told = subject is not None or not _BEEN.isdisjoint(before)
    if is_past and ((told and not helped) or _BEEN & set(near[-3:])):
        return False
    if before[-1:] == ["to"] and _OF_OTHERS & set(near[:-1]):
        return False
    if near and near[-1] in (_NEVER if asks else _OF_OTHERS | _NEVER):
        return False
    return not (not asks and subject is not None and _LATER & set(near))
