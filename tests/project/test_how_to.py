"""What the how-to pages show is what happens, and the tests that they show pass."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))
BLOCK = re.compile(
    r"(?:^<!-- file: (\S+) -->\n)?^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_print_what_it_says(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, (file, language, text) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
        if file:
            (tmp_path / file).write_text(text)
        elif language == "python":
            assert capsys.readouterr().out == "", "an example prints what the page does not show"
            exec(compile(text, f"{page.name}, block {number}", "exec"), namespace)
            for test in re.findall(r"^def (test_\w+)\(\)", text, re.MULTILINE):
                namespace[test]()
        else:
            assert capsys.readouterr().out == text
    assert capsys.readouterr().out == ""
