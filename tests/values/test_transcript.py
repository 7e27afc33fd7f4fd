"""A conversation as people read it."""

from __future__ import annotations

import pytest

from realtime_actors.items import InputAudio, MessageItem, OutputAudio
from realtime_actors.transcript import render_transcript


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (InputAudio(transcript="Hello."), "User: Hello."),
        (InputAudio(), "User: (inaudible)"),
        (InputAudio(transcribed=False), "User: (not transcribed)"),
        # Words that came all the same count for more.
        (InputAudio(transcript="Hello.", transcribed=False), "User: Hello."),
    ],
)
def test_speech_without_words_says_why(part, line) -> None:
    assert render_transcript([MessageItem(role="user", content=(part,))]) == line


def test_what_was_cut_ends_with_a_dash() -> None:
    said = MessageItem(
        role="assistant", content=(OutputAudio(transcript="Once upon", truncated_at_ms=400),)
    )

    assert render_transcript([said]) == "Assistant: Once upon —"
