"""What can be said without a tool: small talk, and what the instructions know."""

from __future__ import annotations

import re
from typing import Final

from realtime_actors.server.engines.brain.plain_words import content_stems
from realtime_actors.server.engines.brain.similarity import Embedder
from realtime_actors.server.engines.sentences import split_sentences

__all__ = ["answer_from", "greeting", "line_to_say", "refuses", "small_talk"]

# Relative likeness, as of `Embedder`. Found with questions about made-up businesses.
_LIKE_ENOUGH: Final = 0.055
_SHARED_WORD: Final = 0.02
_SHARED_WORDS: Final = 3

_RIGHT_KIND: Final = 0.03

# What the answer to a question looks like, where the words of the two have nothing in common.
_QUESTIONS: Final = tuple(
    (re.compile(question, re.IGNORECASE), re.compile(answer, re.IGNORECASE))
    for question, answer in (
        (
            r"\bwhere\b|\bhow do (?:i|we) get\b|\baddress\b",
            r"\baddress\b|\bstreet\b|\broad\b|\bsquare\b|\blocated\b|\bnext to\b|\bopposite\b",
        ),
        (r"\bwhen\b|\bhours\b|\bhow (?:late|early)\b", r"\bopen|\bclose|\bhours\b|\bdays?\b"),
        (r"\bwho (?:are|is)\b|\byour name\b|\ba (?:robot|real)\b", r"^you are\b|^your name\b"),
        (
            r"\bhow much\b|\bprice|\bcosts?\b|\bexpensive\b",
            r"[$€£]|\beuros?\b|\bdollars?\b|\bcosts?\b|\bprices?\b|\bfree\b",
        ),
    )
)

_DEFAULT_GREETING: Final = "Hello! How can I help you?"

# What tells the agent how to behave is nothing to tell a caller.
_FOR_THE_AGENT = re.compile(
    r"^(?:you (?!are\b|can\b)|always\b|never\b|do not\b|don't\b|be |use |call |ask |transfer|hand "
    r"|keep |speak|answer|help |greet|say |tell |respond|reply|offer|make sure|please|only |confirm"
    r"|check |remember|avoid|try |follow|start|begin|end |introduce|stay|act |given|note that"
    r"|(?:if|when|once|before|after|for)\b.*\b(?:caller|user|customer|guest|they|transfer|tool)\b)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•#>]+|\d+[.)])\s*", re.MULTILINE)
_QUOTED_GREETING = re.compile(
    r"\b(?:greet|answer|start|open|begin|welcome|say)[^.\n\"“]*[\"“]([^\"”]+)[\"”]", re.IGNORECASE
)
_WORDS_IN_A_NOTE = re.compile(r"\bsay:?\s*[\"“](.+?)[\"”]", re.IGNORECASE)
_LINE_TO_SAY = re.compile(
    r"^\s*(?:please )?say(?: exactly| this)?\s*(?::\s*|(?=[\"“]))[\"“]?(.+?)[\"”]?\s*$",
    re.IGNORECASE,
)


def line_to_say(instructions: str) -> str | None:
    """Return the words that instructions want spoken, if they want nothing else: "Say: hello"."""
    match = _LINE_TO_SAY.match(instructions)
    return match[1] if match else None


def words_in_a_note(note: str) -> str | None:
    """Return the words that a note to the model gives it to say: 'Say "I may not tell."'"""
    match = _WORDS_IN_A_NOTE.search(note)
    return match[1] if match else None


def greeting(instructions: str) -> str:
    """Return how to begin: as the instructions say in quotation marks, else politely."""
    match = _QUOTED_GREETING.search(instructions)
    return match[1].strip() if match else _DEFAULT_GREETING


def answer_from(instructions: str, text: str, embedder: Embedder) -> str | None:
    """Return the sentence of the instructions that answers a question best, if one does."""
    facts = [fact for fact in _facts(instructions) if not _FOR_THE_AGENT.match(fact)]
    if not facts:
        return None
    asked = set(content_stems(text))
    kinds = [answers for question, answers in _QUESTIONS if question.search(text)]
    scores = [
        likeness
        + _SHARED_WORD * min(len(asked & set(content_stems(fact))), _SHARED_WORDS)
        + (_RIGHT_KIND if any(answers.search(fact) for answers in kinds) else 0.0)
        for fact, likeness in zip(facts, embedder.likeness(text, facts), strict=True)
    ]
    best = max(scores)
    needed = _LIKE_ENOUGH if embedder.available else _SHARED_WORD
    return _in_first_person(facts[scores.index(best)]) if best >= needed else None


def _facts(instructions: str) -> list[str]:
    lines = _BULLET.sub("", instructions).splitlines()
    return [
        sentence.strip() for line in lines for sentence in split_sentences(line) if sentence.strip()
    ]


def _in_first_person(fact: str) -> str:
    """Turn what the instructions tell the agent about itself into what the agent says."""
    fact = re.sub(r"^You are\b", "I am", fact)
    return re.sub(r"^Your\b", "My", fact)


_HELLO = r"(?:hello|hi|hey|good (?:morning|afternoon|evening|day))(?: there| everybody)?"
_THANKS = r"(?:many )?thanks?(?: you)?(?: (?:a lot|so much|very much|again|for \w+(?: \w+)?))?"
_FINE = r"(?:okay|ok|great|perfect|good|alright|all right|that's all|yes|no)"
_BYE = r"(?:(?:good ?)?bye(?:[- ]bye)?|see you|have a nice \w+|good night)"
_WAIT = r"(?:just )?(?:hold on|wait|one moment|a moment|one second|just a)"
_NO = (
    r"(?:(?:no|nope)(?:\W+(?:that's (?:all|it|fine)|thanks?(?: you)?|never ?mind))*"
    r"|that's (?:all|it)(?: for (?:now|today))?|never ?mind|nothing(?: else)?)"
)
_YES = r"(?:yes|yeah|yep|okay|ok|sure|all right|alright|i see|good|great)(?:,? please)?"
_FEELING = r"(?:how are you(?: doing)?(?: today)?|how do you do|how(?: i|')s it going)"

_SMALL_TALK: Final = tuple(
    (re.compile(rf"\W*(?:{pattern})\W*", re.IGNORECASE), reply)
    for pattern, reply in (
        (rf"(?:{_HELLO}\W+)?{_FEELING}", "I'm fine, thank you. How can I help you?"),
        (
            rf"(?:{_FINE}\W+)?(?:{_THANKS}\W*){{1,3}}(?:that's all|that was \w+ ?\w*)?",
            "You're welcome. Is there anything else?",
        ),
        (rf"(?:(?:{_FINE}|{_THANKS})\W+){{0,3}}{_BYE}(?: .{{0,20}})?", "Goodbye!"),
        (rf"{_WAIT}(?: .{{0,20}})?", "Of course, take your time."),
        (_NO, "All right."),
        (_YES, "What else can I do for you?"),
    )
)
_GREETING = re.compile(rf"\W*(?:{_HELLO}\W*)+(?:can you hear me)?\W*", re.IGNORECASE)
_REPEAT = re.compile(
    r"\b(?:say (?:that|it) again|repeat|pardon|come again|didn't (?:catch|hear|understand))\b", re.I
)
_REFUSAL = re.compile(
    r"^\W*(?:no\W+)?(?:never ?mind|forget (?:it|that|about it)|stop|cancel(?: (?:it|that))?"
    r"|no,? thanks?(?: you)?|nothing|leave it|i changed my mind)\b",
    re.IGNORECASE,
)


def small_talk(text: str, *, instructions: str, said_before: str) -> str | None:
    """Return the reply to a greeting and the like; None for everything that asks for more.

    `said_before` is what the agent said last, for who didn't hear it.
    """
    if _REPEAT.search(text) and len(text) < 80:
        return said_before or "I haven't said anything yet."
    if _GREETING.fullmatch(text):
        return greeting(instructions)
    return next((reply for pattern, reply in _SMALL_TALK if pattern.fullmatch(text)), None)


def refuses(text: str) -> bool:
    """Return whether a speaker who was asked for something doesn't want to go on."""
    return bool(_REFUSAL.match(text))
