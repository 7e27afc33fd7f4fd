"""Text falls into sentences, and nothing of it gets lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_actors.server.engines.sentences import (
    SentenceSplitter,
    is_complete,
    split_sentences,
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. How are you? Fine!", ["Hello there. ", "How are you? ", "Fine!"]),
        ("I'm Dr. Smith from St. Louis. Hi.", ["I'm Dr. Smith from St. Louis. ", "Hi."]),
        ("It is 3.5 kg at 9 a.m. on Monday.", ["It is 3.5 kg at 9 a.m. on Monday."]),
        ("We open at 9 a.m. Come in.", ["We open at 9 a.m. ", "Come in."]),
        ("By J. R. R. Tolkien. Read it.", ["By J. R. R. Tolkien. ", "Read it."]),
        ("1. Bread\n2. Milk", ["1. Bread\n", "2. Milk"]),
        ('He said "Stop!" and left.', ['He said "Stop!" ', "and left."]),
        ("Wait... what?", ["Wait... ", "what?"]),
        ("好的。谢谢。", ["好的。", "谢谢。"]),
        ("", []),
        ("...", ["..."]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_sentence_that_never_ends_is_cut_at_a_comma_or_between_words() -> None:
    with_commas = "and then they went on, " * 40
    without = "word " * 200
    unbroken = "x" * 1000

    for text in (with_commas, without, unbroken):
        pieces = split_sentences(text)
        assert "".join(pieces) == text
        assert all(len(piece) <= 222 for piece in pieces)
    assert all(piece.endswith(", ") for piece in split_sentences(with_commas))
    assert all(piece.endswith("word ") for piece in split_sentences(without))


def test_a_sentence_is_there_as_soon_as_it_is_over() -> None:
    splitter = SentenceSplitter()

    assert splitter.feed("Good mor") == []
    assert splitter.feed("ning. How") == ["Good morning. "]
    assert splitter.feed(" are you?") == []
    assert splitter.flush() == ["How are you?"]
    assert splitter.flush() == []


TEXTS = st.text(st.sampled_from("ab Z1.?!,;:…\"')(\n。 "), max_size=400) | st.lists(
    st.sampled_from(
        ["Hello", "Dr.", "a.m.", "3.5", "yes!", "what?", "\n", "and,", "-", "U.S.", "…"]
    ),
    max_size=120,
).map(" ".join)


@given(TEXTS, st.lists(st.integers(1, 40), max_size=60))
@example("\n Dr. \n Hello", [1, 6])
def test_pieces_make_up_the_text_and_are_the_same_however_it_arrives(
    text: str, cuts: list[int]
) -> None:
    whole = split_sentences(text)
    assert "".join(whole) == text

    splitter = SentenceSplitter()
    pieces: list[str] = []
    place = 0
    for cut in [*cuts, len(text)]:
        pieces += splitter.feed(text[place : place + cut])
        place += cut
    pieces += splitter.flush()

    assert pieces == whole


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("I'd like a table for four.", True),
        ("Is that so?", True),
        ('She said "no".', True),
        ("I'd like a table for.", False),
        ("I'd like to", False),
        ("So, um...", False),
        ("My name is,", False),
        ("", False),
    ],
)
def test_a_speaker_is_done_at_the_end_of_a_sentence_that_can_end_there(
    text: str, complete: bool
) -> None:
    assert is_complete(text) is complete
