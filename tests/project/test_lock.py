"""What `make install` installs: what pyproject.toml asks for, and nothing that wants a compiler."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = [
    Requirement(line)
    for line in re.findall(
        r"^([a-z0-9][^\s=]*==[^\\\n]*)", (ROOT / "lock/requirements.txt").read_text(), re.MULTILINE
    )
]
WHEELS: Mapping[str, list[str]] = json.loads((ROOT / "lock/wheels.json").read_text())

PYTHONS = (11, 12, 13, 14)
GLIBC = 36  # Debian 12; what is out there now is newer
MACOS = (15, 0)


def linux(arch: str) -> list[str]:
    """Platforms whose wheels such a machine takes."""
    old = ("2014", "2010", "1") if arch == "x86_64" else ("2014",)
    return [
        *(f"manylinux_2_{minor}_{arch}" for minor in range(GLIBC, 4, -1)),
        *(f"manylinux{each}_{arch}" for each in old),
        f"linux_{arch}",
    ]


# macOS on Intel is not among them: onnxruntime makes no wheels for it any more.
MACHINES: Mapping[str, tuple[str, str, list[str]]] = {
    "Linux on x86-64": ("linux", "x86_64", linux("x86_64")),
    "Linux on ARM": ("linux", "aarch64", linux("aarch64")),
    "macOS on ARM": ("darwin", "arm64", list(mac_platforms(MACOS, "arm64"))),
}


def environment(machine: str, minor: int) -> dict[str, str]:
    system, arch, _ = MACHINES[machine]
    return {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.6",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "platform_machine": arch,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def locked(machine: str, minor: int) -> dict[str, Requirement]:
    """What is installed there, by name."""
    here = environment(machine, minor)
    return {
        canonicalize_name(each.name): each
        for each in LOCKED
        if each.marker is None or each.marker.evaluate(here)
    }


def asked_for() -> Iterator[Requirement]:
    """What pyproject.toml asks for, in the core and in any extra but the package's own."""
    groups = (
        PYPROJECT["project"]["dependencies"],
        *PYPROJECT["project"]["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
    )
    for group in groups:
        for line in group:
            requirement = Requirement(line)
            if requirement.name != PYPROJECT["project"]["name"]:
                yield requirement


everywhere = pytest.mark.parametrize(
    ("machine", "minor"),
    [
        pytest.param(machine, minor, id=f"{machine}, 3.{minor}")
        for machine in MACHINES
        for minor in PYTHONS
    ],
)


@everywhere
def test_all_that_pyproject_asks_for_is_in_the_lock_at_a_version_that_it_allows(machine, minor):
    here, there = environment(machine, minor), locked(machine, minor)

    missing = [
        str(each)
        for each in asked_for()
        if each.marker is None or each.marker.evaluate(here)
        if not _allows(each, there.get(canonicalize_name(each.name)))
    ]

    assert missing == [], "make lock"


@everywhere
def test_everything_that_is_installed_has_a_wheel(machine, minor):
    platforms = MACHINES[machine][2]
    tags = {
        *cpython_tags((3, minor), platforms=platforms),
        *compatible_tags((3, minor), f"cp3{minor}", platforms),
    }

    built = [
        str(each)
        for each in locked(machine, minor).values()
        if not any(_tags(wheel) & tags for wheel in WHEELS[f"{each.name}{each.specifier}"])
    ]

    assert built == [], "these would need a compiler"


def test_both_files_of_the_lock_name_the_same_releases():
    assert {f"{each.name}{each.specifier}" for each in LOCKED} == set(WHEELS)


def test_every_release_in_the_lock_has_hashes():
    text = (ROOT / "lock/requirements.txt").read_text()

    assert re.findall(r"^\S+==\S+[^\\]*$", text, re.MULTILINE) == []


def test_the_lock_names_no_address():
    text = (ROOT / "lock/requirements.txt").read_text() + (ROOT / "lock/wheels.json").read_text()

    assert "://" not in text


def _allows(asked: Requirement, found: Requirement | None) -> bool:
    return found is not None and asked.specifier.contains(str(found.specifier).removeprefix("=="))


def _tags(wheel: str) -> frozenset[Tag]:
    return parse_wheel_filename(wheel)[3]
