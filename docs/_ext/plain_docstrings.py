"""Lets docstrings be plain text, as they are read in an editor.

`code` in single backticks, examples that are fenced or just indented. Sphinx reads
reStructuredText, so this turns the one into the other.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

__all__ = ["setup", "to_rst"]

SINGLE_BACKTICKS = re.compile(r"(?<![`:\w])`([^`\n]+)`(?!`)")
LIST_ITEM = re.compile(r"\s*([-*+]|\d+\.)\s|\s*:\w")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}


def _process(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    lines[:] = to_rst(lines)


def to_rst(lines: list[str]) -> list[str]:
    """A docstring, already dedented, as reStructuredText."""
    return [line for block in _blocks(lines) for line in block]


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    index, after_list = 0, False
    while index < len(lines):
        line = lines[index]
        previous_is_blank = index == 0 or not lines[index - 1].strip()
        if line.strip().startswith("```"):
            end = next(
                (
                    later
                    for later in range(index + 1, len(lines))
                    if lines[later].strip().startswith("```")
                ),
                len(lines),
            )
            language = line.strip().removeprefix("```") or "text"
            yield _code(lines[index + 1 : end], language)
            index = end + 1
        elif line.startswith("    ") and previous_is_blank and not after_list:
            end = index
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield _code(lines[index:end], None)
            index = end
        else:
            if line.strip():
                after_list = bool(LIST_ITEM.match(line)) or (after_list and line.startswith(" "))
            yield [SINGLE_BACKTICKS.sub(r"``\1``", line)]
            index += 1


def _code(lines: list[str], language: str | None) -> list[str]:
    source = textwrap.dedent("\n".join(lines)).strip("\n")
    if language is None:
        language = "python" if _is_python(source) else "text"
    return ["", f".. code-block:: {language}", "", *textwrap.indent(source, "   ").split("\n"), ""]


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
