"""What the chapters on actors show is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from realtime_actors import otp

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["otp.md", "otp-for-beginners.md"])
def test_the_examples_of_a_page_say_what_they_print(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = BLOCK.findall((DOCS / page).read_text("utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, (language, text) in enumerate(blocks):
        if language == "python":
            assert capsys.readouterr().out == "", "an example prints what the page does not show"
            exec(compile(text, f"{page}, block {number}", "exec"), namespace)
        else:
            assert capsys.readouterr().out == text
    assert capsys.readouterr().out == ""
    assert otp.observe().roots == ()


def test_the_first_program_for_beginners_is_short() -> None:
    blocks = BLOCK.findall((DOCS / "otp-for-beginners.md").read_text("utf-8"))
    counter_crash_supervisor = [text for language, text in blocks if language == "python"][:4]

    assert sum(text.count("\n") for text in counter_crash_supervisor) <= 60
