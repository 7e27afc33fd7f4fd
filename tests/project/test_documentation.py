"""Everything public is documented."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "realtime_actors"
INTERNAL = {"cli", "core", "schema", "seconds", "surrogates", "verbs"}


def public_modules() -> list[str]:
    """The modules and packages right below the top that are for users."""
    names = (path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir())
    return sorted(name for name in names if not name.startswith("_") and name not in INTERNAL)


@pytest.mark.parametrize("name", public_modules())
def test_a_public_module_is_in_the_reference(name: str) -> None:
    page = (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")

    assert f"automodule:: realtime_actors.{name}" in page
    assert re.search(rf"^reference/{name}$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", public_modules())
def test_what_a_module_offers_says_what_it_does(name: str) -> None:
    module = importlib.import_module(f"realtime_actors.{name}")
    offered = [(each, getattr(module, each)) for each in module.__all__]

    silent = [
        each
        for each, value in offered
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith("realtime_actors")
        and not value.__doc__
    ]

    assert silent == []


def test_every_verb_at_the_top_is_in_the_reference() -> None:
    package = importlib.import_module("realtime_actors")
    page = (ROOT / "docs" / "reference" / "realtime_actors.md").read_text("utf-8")
    listed = re.findall(r"^.. autofunction:: realtime_actors\.(\w+)$", page, re.MULTILINE)

    own = {
        name
        for name in package.__all__
        if inspect.isfunction(getattr(package, name))
        and getattr(package, name).__module__ == "realtime_actors.verbs"
    }

    assert set(listed) == own


def test_the_drawing_of_the_rooms_is_that_of_the_contracts() -> None:
    spec = importlib.util.spec_from_file_location("drawings", ROOT / "docs" / "drawings.py")
    assert spec is not None
    assert spec.loader is not None
    drawings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawings)

    drawn = (ROOT / "docs" / "images" / "rooms.svg").read_text("utf-8")

    assert drawn == drawings.rooms(), "python docs/drawings.py draws it anew"
