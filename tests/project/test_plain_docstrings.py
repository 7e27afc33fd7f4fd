"""Docstrings are plain text: what the documentation makes of them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))

from plain_docstrings import to_rst  # type: ignore[import-not-found]  # it is part of docs/


def rst(text: str) -> list[str]:
    return [line for line in to_rst(text.split("\n")) if line]


def test_backticks_are_code_and_what_is_rst_already_stays() -> None:
    assert rst("Call `run`, ``stop`` or :class:`Session`.") == [
        "Call ``run``, ``stop`` or :class:`Session`."
    ]


def test_an_indented_block_is_an_example() -> None:
    assert rst("Like this:\n\n    x = 1\n    y = `2`\n\nThat is all.") == [
        "Like this:",
        ".. code-block:: text",
        "   x = 1",
        "   y = `2`",
        "That is all.",
    ]
    assert rst("So:\n\n    x = 1") == ["So:", ".. code-block:: python", "   x = 1"]


def test_a_fenced_block_is_an_example_in_its_language() -> None:
    assert rst("```sh\nmake `demo`\n```") == [".. code-block:: sh", "   make `demo`"]
    assert rst("```\nnever closed") == [".. code-block:: text", "   never closed"]


def test_what_is_indented_below_a_list_belongs_to_it() -> None:
    text = "- one\n\n    more of it"

    assert rst(text) == ["- one", "    more of it"]
