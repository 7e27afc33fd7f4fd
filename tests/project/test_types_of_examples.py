"""What the documentation shows is what type checkers accept, as strict as they are.

Each page is one module. A line has the number there that it has on the page.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"(?:^<!-- file: (\S+) -->\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(
    r"^```\{include\} (\S+)\n:start-after: (.*)\n:end-before: (.*)\n```$", re.MULTILINE
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples of all pages, and the files that they tell to write."""
    folder = tmp_path_factory.mktemp("examples")
    for page in PAGES:
        text = INCLUDE.sub(included, page.read_text("utf-8"))
        code = ""
        for block in BLOCK.finditer(text):
            file, lines = block[1], block[2]
            if file:
                (folder / file).write_text(lines)
            else:
                line = text.count("\n", 0, block.start(2))
                code += "\n" * (line - code.count("\n")) + lines
        if code:
            name = page.relative_to(ROOT).with_suffix("").as_posix()
            (folder / (re.sub(r"\W", "_", name) + ".py")).write_text(code)
    return folder


def included(directive: re.Match[str]) -> str:
    """The part of another page that a page shows as its own."""
    path, start, end = directive.groups()
    text = (ROOT / "docs" / path).resolve().read_text("utf-8")
    return text.partition(start)[2].partition(end)[0]


def run(modules: Path, *command: str) -> str:
    """What a checker prints about the examples."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=modules, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_mypy_finds_nothing_in_them(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(ROOT))  # whichever copy of the package is installed

    said = run(modules, "mypy", "--strict", "--cache-dir", str(modules / "cache"), ".")

    assert "no issues found" in said, said


@pytest.mark.skipif(
    importlib.util.find_spec("basedpyright") is None,
    reason="installed before basedpyright was in the extra [dev]: make install",
)
def test_pyright_finds_nothing_in_them(modules: Path) -> None:
    # As pyright itself is set up: basedpyright only brings it along, without a download.
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}
    (modules / "pyrightconfig.json").write_text(json.dumps(settings))

    said = run(modules, "basedpyright", "--pythonpath", sys.executable, ".")

    assert "0 errors" in said, said
