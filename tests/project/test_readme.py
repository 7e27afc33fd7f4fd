"""What the README says is true."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def example() -> str:
    match = re.search(r"<!-- example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.local
def test_the_example_runs_as_it_is_printed() -> None:
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(compile(example(), "README.md", "exec"), {"__name__": "__main__"})

    told = printed.getvalue().splitlines()
    assert told[0] == "[weather says: It is sunny in Lisbon, and pleasantly warm.]"
    assert "sunny in Lisbon" in told[1]
    seconds = re.fullmatch(r"([\d.]+) s of speech", told[-1])
    assert seconds is not None
    assert float(seconds[1]) > 1.0


def test_every_command_it_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    for name in re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE):
        assert name in targets


def test_every_file_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file()
