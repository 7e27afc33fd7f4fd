"""The shape of the house, as far as import-linter (`make floors`) cannot see it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "realtime_actors"
FEATURES = ("server", "recording", "cli")

# What `pip install realtime-actors` brings, and what it only uses when it is there.
CORE = {"attr", "attrs", "audioop", "pykka", "websocket"}
SPEED = {"cython_runtime", "orjson", "pybase64", "websockets"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_importing_the_package_loads_nothing_optional() -> None:
    code = (
        "import json, sys; before = set(sys.modules); import realtime_actors;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    loaded = set(json.loads(result.stdout)) - set(sys.stdlib_module_names) - {"realtime_actors"}

    assert {name for name in loaded if not name.startswith("_")} <= CORE | SPEED


def test_importing_the_package_starts_no_thread() -> None:
    code = "import realtime_actors, threading; print(threading.active_count())"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert result.stdout.strip() == "1"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_names_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }

    assert ast.get_docstring(tree), "a module says what lives in it"
    offers_nothing = all(isinstance(node, ast.Expr | ast.ImportFrom) for node in tree.body)
    assert "__all__" in names or (offers_nothing and len(tree.body) <= 2)


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in modules()
        if path.parent != PACKAGE and path.relative_to(PACKAGE).parts[0] not in FEATURES
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_features_import_the_package_as_a_whole(path: Path) -> None:
    """`import realtime_actors` is the roof: from below, it would be a circle."""
    imported = {
        alias.name for node in ast.walk(ast.parse(path.read_text())) for alias in names_of(node)
    }

    assert "realtime_actors" not in imported


def names_of(node: ast.AST) -> list[ast.alias]:
    if isinstance(node, ast.Import):
        return node.names
    if isinstance(node, ast.ImportFrom) and node.module == "realtime_actors" and not node.level:
        # `from realtime_actors import config` reaches for a module, and is fine.
        submodules = {path.stem for path in PACKAGE.iterdir()}
        return [
            ast.alias(name="realtime_actors")
            for alias in node.names
            if alias.name not in submodules
        ]
    return []
