"""What a docstring says about a function and each of its parameters.

Reads the ways in which people write them (Google's, numpy's, Sphinx's and epydoc's) and the
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

from attrs import define, field

__all__ = ["parse_docstring"]

_PARAMETERS = r"(?:(?:Keyword )?(?:Args|Arguments)|(?:Other )?(?:Parameters|Params)|Attributes)"
_REST = (
    r"(?:Returns?|Yields?|Receives|Raises?|Exceptions?|Warns?|Examples?|References|See Also|Todo"
    r"|Methods)"
)
_WARNINGS = r"(?:Warnings?|Caution|Danger|Attention|Important)"
_NOTES = r"(?:Notes?|Hints?|Tips?)"

_GOOGLE: Final = re.compile(rf"{_PARAMETERS}:\s*$")
_INLINE: Final = re.compile(rf"(?:^|\s){_PARAMETERS}:\s+(?=\S)")
_INLINE_END: Final = re.compile(rf"(?:^|\s)(?:{_REST}|{_NOTES}|{_WARNINGS}):\s")
_OF_ONE = r"(?:param|parameter|arg|argument|key|keyword|kwarg|ivar|var)"
_OF_OTHERS = (
    r"(?:type|rtype|vartype|returns?|yields?|raises?|except|exception|meta|note|see|todo|author"
    r"|since|version|deprecated)"
)
_FIELD: Final = re.compile(rf"[:@]{_OF_ONE}\s+(?:[^:]*\s)?\*{{0,2}}(\w+)\s*:\s*(.*)$")
_ANY_FIELD: Final = re.compile(rf"[:@](?:{_OF_ONE}|{_OF_OTHERS})\b[^:]*:(?:\s|$)")
_OTHER: Final = re.compile(rf"{_REST}:(?:\s|$)")
_ASIDE: Final = re.compile(rf"(?:{_WARNINGS}|{_NOTES}):(?:\s|$)")
_WARNING: Final = re.compile(_WARNINGS)
_UNDERLINE: Final = re.compile(r"[-=]{3,}\s*$")

_NAME = r"[*`\\]{0,4}\w+[*`]{0,4}"
_NAMES = rf"\s*(?:[-+]\s+)?({_NAME}(?:\s*,\s*{_NAME})*)"
_GOOGLE_ENTRY: Final = re.compile(rf"{_NAMES}\s*(?:\(.*?\))?\s*(?::|\s--?\s)\s*(.*)$")
_NUMPY_ENTRY: Final = re.compile(rf"{_NAMES}\s*(?::.*)?()$")


def parse_docstring(text: str | None, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Split a docstring into its description and the descriptions of `names`.

    The description is all that stands before the first section that describes parameters,
    results or errors, and every warning. If that is nothing, those sections are better than
    nothing. Line breaks within a paragraph become spaces.
    """
    lines = inspect.cleandoc(text or "").splitlines()
    found = _Found(set(names))
    while lines:
        lines = lines[found.take(lines) :]
    description = _paragraphs([*found.summary, *found.warnings]) or _paragraphs(found.rest)
    return description, {name: words for name, words in found.words.items() if words}


@define
class _Found:
    """What has been read so far."""

    known: set[str]
    summary: list[str] = field(factory=list)
    in_sections: bool = False  # the first has begun: the summary is over
    words: dict[str, str] = field(factory=dict)
    warnings: list[str] = field(factory=list)  # that came after the summary
    rest: list[str] = field(factory=list)

    def take(self, lines: list[str]) -> int:
        """Read what begins with the first line; give how many lines that was."""
        line, after = lines[0], lines[1:]
        if after and _UNDERLINE.match(after[0]) and line.strip():
            return self._underlined(line.strip(), after[1:])
        if _ANY_FIELD.match(line):
            more = _continued(after)
            match = _FIELD.match(line)
            self._describe([([match[1]], [match[2], *more])] if match else [])
            return 1 + len(more)
        if _GOOGLE.match(line):
            body = _body(after)
            self._describe(_entries(body, _GOOGLE_ENTRY))
            return 1 + len(body)
        body = _indented(after)
        if _OTHER.match(line):
            self._other([line, *body])
        elif _ASIDE.match(line):
            self._aside([line, *body])
        else:
            body = _paragraph(after)
            if not self._inline(line, body):
                self._prose([line])
                return 1
        return 1 + len(body)

    def _underlined(self, title: str, after: list[str]) -> int:
        """Read a section as numpy's documentation has it."""
        body = _until_underlined(after)
        if re.fullmatch(_PARAMETERS, title):
            self._describe(_entries(body, _NUMPY_ENTRY))
        elif re.fullmatch(_REST, title):
            self._other([f"{title}:", *body])
        elif re.fullmatch(rf"{_WARNINGS}|{_NOTES}", title):
            self._aside([f"{title}:", *body])
        else:
            self._prose([title, ""])
            return 2
        return 2 + len(body)

    def _inline(self, line: str, body: list[str]) -> bool:
        """Read a section that stands in the middle of a line, if there is one."""
        match = _INLINE.search(line)
        if match is None:
            return False
        rest = " ".join([line[match.end() :], *body])
        end = _INLINE_END.search(rest)
        entries = list(_inline_entries(rest[: end.start()] if end else rest, self.known))
        if entries:
            self._prose([line[: match.start()]])
            self._describe(entries)
            if end:
                self._aside([rest[end.start() :].strip()])
        return bool(entries)

    def _describe(self, entries: Iterable[tuple[list[str], list[str]]]) -> None:
        self.in_sections = True
        for names, words in entries:
            for name in self.known.intersection(names):
                self.words.setdefault(name, _joined(words))

    def _prose(self, lines: list[str]) -> None:
        if not self.in_sections:
            self.summary += lines

    def _other(self, lines: list[str]) -> None:
        self.in_sections = True
        self.rest += ["", *(line.strip() for line in lines)]

    def _aside(self, lines: list[str]) -> None:
        """Keep a note that stands in the summary, and a warning wherever it stands."""
        told = ["", *(line.strip() for line in lines), ""]
        if not self.in_sections:
            self.summary += told
        elif _WARNING.match(lines[0]):
            self.warnings += told


def _body(lines: list[str]) -> list[str]:
    """The lines of a section: those that are indented; if none is, up to an empty one."""
    body = _indented(lines)
    if any(line.strip() for line in body):
        return body
    return _paragraph(lines)


def _paragraph(lines: list[str]) -> list[str]:
    """The lines up to the first empty one."""
    return lines[: next((at for at, line in enumerate(lines) if not line.strip()), None)]


def _indented(lines: list[str]) -> list[str]:
    """The lines up to the first one that begins at the margin."""
    return lines[: next((at for at, line in enumerate(lines) if line and _margin(line) == 0), None)]


def _continued(lines: list[str]) -> list[str]:
    """What goes on a field: up to the next one, or to a paragraph that begins at the margin."""
    for at, line in enumerate(lines):
        ends = not line.strip() and not any(map(_margin, lines[at + 1 : at + 2]))
        if ends or _ANY_FIELD.match(line):
            return lines[:at]
    return lines


def _until_underlined(lines: list[str]) -> list[str]:
    for at in range(1, len(lines)):
        if _UNDERLINE.match(lines[at]):
            return lines[: at - 1]
    return lines


def _entries(lines: list[str], entry: re.Pattern[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The entries of a section: names, and what is said of them."""
    # Entries share the indentation of the first: what is deeper belongs to the one above.
    margin = min((_margin(line) for line in lines if line.strip()), default=0)
    names, words = list[str](), list[str]()
    for line in lines:
        match = entry.match(line) if _margin(line) == margin else None
        if match:
            yield names, words
            names, words = re.findall(r"\w+", match[1]), [match[2]]
        else:
            words.append(line)
    yield names, words


def _inline_entries(text: str, known: set[str]) -> Iterator[tuple[list[str], list[str]]]:
    if not known:
        return
    names = "|".join(map(re.escape, known))
    marks = list(re.finditer(rf"(?<!\w)({names})\s*(?:\([^)]*\))?\s*:\s", text + " "))
    ends = [mark.start() for mark in marks[1:]]
    for mark, end in zip_longest(marks, ends):
        yield [mark[1]], [text[mark.end() : end].rstrip(" ,;" if end else None)]


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(words: Iterable[str]) -> str:
    return " ".join(" ".join(words).split())


def _paragraphs(lines: list[str]) -> str:
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n\n".join(_joined([each]) for each in paragraphs if each.strip())
