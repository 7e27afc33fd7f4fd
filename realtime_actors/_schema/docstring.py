"""What a docstring says about a function and each of its parameters.

Reads the three ways in which people write them (Google's, Sphinx's, numpy's) and the
way in which a one-line docstring can have them as well::

    \"\"\"Current weather. Args: city: name of the city.\"\"\"

Only known parameters are looked for, which is what makes the last one possible.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Final

__all__ = ["parse_docstring"]

_PARAMETERS = r"(?:Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Attributes)"
_OTHERS = r"(?:Returns?|Yields?|Raises?|Warns?|Examples?|Notes?|References|See Also|Todo|Warnings?)"

_GOOGLE: Final = re.compile(rf"{_PARAMETERS}:\s*$")
_INLINE: Final = re.compile(r"(?:^|\s)(?:Args|Arguments|Parameters|Params):\s+(?=\S)")
_SPHINX: Final = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$"
)
_SPHINX_OTHER: Final = re.compile(r":(?:type|rtype|returns?|raises?|yields?|var|meta)\b[^:]*:")
_OTHER_SECTION: Final = re.compile(rf"{_OTHERS}:(?:\s|$)")
_UNDERLINE: Final = re.compile(r"-{3,}\s*$")


def parse_docstring(text: str | None, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Split a docstring into its description and the descriptions of `names`.

    The description is all that stands before the first section. Line breaks within a
    paragraph become spaces.
    """
    lines = inspect.cleandoc(text or "").splitlines()
    known = set(names)
    found: dict[str, str] = {}
    description: list[str] | None = None

    for index in range(len(lines)):
        section = _section(lines, index, known)
        if section is None:
            continue
        head, entries = section
        if description is None:
            description = [*lines[:index], head]
        for name, words in entries:
            found.setdefault(name, _joined(words))

    return _paragraphs(lines if description is None else description), {
        name: words for name, words in found.items() if words
    }


_Entries = Iterable[tuple[str, list[str]]]


def _section(lines: list[str], index: int, known: set[str]) -> tuple[str, _Entries] | None:
    """What stands before the section that begins at this line, and what it says; or None."""
    line = lines[index]
    after = lines[index + 1 :]
    if after and _UNDERLINE.match(after[0]):
        if re.match(rf"(?:Other )?{_PARAMETERS}\s*$", line):
            return "", _entries(_until_underlined(after[1:]), known, separator=r"\s*(?::.*)?$")
        return ("", ()) if re.match(rf"{_OTHERS}\s*$", line) else None
    if _GOOGLE.match(line):
        return "", _entries(_indented(after), known, separator=r"\s*(?:\(.*?\))?\s*:\s*")
    if match := _SPHINX.match(line):
        words = [match[2], *_indented(after)]
        return "", [(match[1], words)] if match[1] in known else ()
    if _SPHINX_OTHER.match(line) or _OTHER_SECTION.match(line):
        return "", ()
    if match := _INLINE.search(line):
        rest = " ".join([line[match.end() :], *_indented(after)])
        return line[: match.start()], _inline(rest, known)
    return None


def _indented(lines: list[str]) -> list[str]:
    """The lines up to the first one that begins at the margin."""
    taken = []
    for line in lines:
        if line and not line[0].isspace():
            break
        taken.append(line)
    return taken


def _until_underlined(lines: list[str]) -> list[str]:
    for index in range(1, len(lines)):
        if _UNDERLINE.match(lines[index]):
            return lines[: index - 1]
    return lines


def _entries(
    lines: list[str], known: set[str], *, separator: str
) -> Iterator[tuple[str, list[str]]]:
    """The entries of a section, each beginning on a line of its own with its name."""
    entry = re.compile(rf"\s*\*{{0,2}}(\w+){separator}(.*)$")
    # Entries share the indentation of the first: what is deeper belongs to the one above.
    margin = min((_margin(line) for line in lines if line.strip()), default=0)
    name, words = "", list[str]()
    for line in lines:
        match = entry.match(line) if _margin(line) == margin else None
        if match:
            if name in known:
                yield name, words
            name, words = match[1], [match[2]]
        else:
            words.append(line)
    if name in known:
        yield name, words


def _inline(text: str, known: set[str]) -> Iterator[tuple[str, list[str]]]:
    if not known:
        return
    names = "|".join(map(re.escape, known))
    marks = list(re.finditer(rf"(?<!\w)({names})\s*(?:\([^)]*\))?\s*:\s", text + " "))
    ends = [mark.start() for mark in marks[1:]]
    for mark, end in zip_longest(marks, ends):
        yield mark[1], [text[mark.end() : end].rstrip(" ,;" if end else None)]


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(words: Iterable[str]) -> str:
    return " ".join(" ".join(words).split())


def _paragraphs(lines: list[str]) -> str:
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n\n".join(_joined([each]) for each in paragraphs)
