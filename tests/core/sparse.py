"""What a server may leave out, repeat or say late: all of it, in pairs, and as known servers do.

`SparseWorld` is such a server, `STORIES` what is tried with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any, Final

from realtime_actors.config import OFF, SessionModelSettings, TurnDetectionConfig
from tests.core.sparse_world import Change, SparseWorld, Switch, merge
from tests.core.stories import STORIES, Story, nothing_to_commit

__all__ = [
    "LIKE_OTHERS",
    "pairs",
    "paths",
    "switches",
    "tell_story",
    "vocabulary",
]


def new_world(story: Story, *chosen: Switch, beta: bool = False) -> SparseWorld:
    detects = OFF if story is nothing_to_commit else TurnDetectionConfig()
    return SparseWorld(
        settings=SessionModelSettings(
            turn_detection=detects, input_audio_transcription={"model": "whisper-1"}
        ),
        beta=beta,
        options={"stall_timeout": 30.0, "approval_timeout": 20.0},
        switches=chosen,
    )


def tell_story(story: Story, *chosen: Switch, beta: bool = False) -> SparseWorld:
    """Tell a story of a server with these switches, to its end."""
    world = new_world(story, *chosen, beta=beta)
    story(world)
    world.settle()
    return world


def paths(event: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All members of an event, those inside of others too."""
    for name, value in event.items():
        if (*before, name) == ("type",):
            continue
        yield (*before, name)
        if isinstance(value, dict):
            yield from paths(value, (*before, name))


@cache
def vocabulary(*, beta: bool = False) -> Mapping[Story, Mapping[str, Mapping[str, Any]]]:
    """The events of each story, by type, with all their members."""
    return {story: tell_story(story, beta=beta).seen for story in STORIES}


def switches(*, beta: bool = False, null: bool = False) -> list[Switch]:
    """Every switch that changes something in one of the stories.

    Null says as much as nothing (see the tests), so it is left out unless it is asked for; but
    in a session it turns something off.
    """
    said: dict[str, dict[str, Any]] = {}
    for events_of in vocabulary(beta=beta).values():
        for kind, event in events_of.items():
            merge(said.setdefault(kind, {}), event)
    whole: tuple[Change, ...] = ("dropped", "twice", "late")
    parts: tuple[Change, ...] = ("missing", "null")
    return [
        *[Switch(change, kind) for kind in said for change in whole],
        *[
            Switch(change, kind, path)
            for kind, event in said.items()
            for path in paths(event)
            for change in parts
            if change == "missing" or null or path[0] == "session"
        ],
    ]


def pairs(*, beta: bool = False) -> list[tuple[Story, Switch, Switch]]:
    """All pairs of switches, each with a story in which both change something.

    Without the members that are only handed on.
    """
    chosen = [each for each in switches(beta=beta) if not each.is_handed_on]
    told_in = vocabulary(beta=beta)
    found: list[tuple[Story, Switch, Switch]] = []
    for number, (first, second) in enumerate(combinations(chosen, 2)):
        kinds = {first.kind, second.kind}
        fitting = [story for story in STORIES if kinds <= set(told_in[story])]
        if fitting:
            found.append((fitting[number % len(fitting)], first, second))
    return found


# --- servers ---------------------------------------------------------------------------------


def missing(*names: str) -> list[Switch]:
    return [Switch("missing", kind, tuple(path.split("."))) for kind, _, path in map(_cut, names)]


def null(*names: str) -> list[Switch]:
    return [Switch("null", kind, tuple(path.split("."))) for kind, _, path in map(_cut, names)]


def dropped(*kinds: str) -> list[Switch]:
    return [Switch("dropped", kind) for kind in kinds]


def _cut(name: str) -> tuple[str, str, str]:
    return name.partition(": ")


LIKE_OTHERS: Final[Mapping[str, Sequence[Switch]]] = {
    # As recorded, and as their sources say.
    "aimock": [
        *missing(
            "response.created: response.conversation_id", "response.created: response.metadata"
        ),
        *missing("response.done: response.conversation_id", "response.done: response.metadata"),
        *missing("error: error.event_id", "error: error.param"),
        *missing("input_audio_buffer.committed: item_id"),
        *dropped("rate_limits.updated", "conversation.item.truncated", "conversation.item.deleted"),
    ],
    "speech-to-speech": [
        *null("error: error.code", "error: error.event_id", "error: error.param"),
        *null("session.updated: session.audio.output.format", "response.done: response.metadata"),
        *dropped("conversation.item.added", "conversation.item.deleted", "rate_limits.updated"),
        *dropped("response.function_call_arguments.delta", "response.content_part.added"),
    ],
    "LocalAI": [
        *missing("error: error.event_id", "error: error.param", "response.done: response.usage"),
        *missing("response.created: response.conversation_id"),
        *missing("response.done: response.conversation_id"),
        *dropped("rate_limits.updated"),
    ],
    "one that says little": [
        *missing("error: error.event_id", "error: error.code", "error: error.param"),
        *missing("response.done: response.status_details", "response.done: response.usage"),
        *dropped("response.created", "conversation.item.added", "response.output_item.added"),
        *dropped("response.content_part.added", "response.content_part.done"),
        *dropped("response.output_audio_transcript.delta", "rate_limits.updated"),
    ],
}
