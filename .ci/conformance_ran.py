"""Fail when tests that prove something did not run: skipped tests pass, and prove nothing.

python .ci/conformance_ran.py RESULTS.xml      (what pytest --junitxml wrote)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from xml.etree import ElementTree

MUST_RUN: dict[str, Callable[[str], bool]] = {
    "conformance": lambda name: name.startswith("tests.conformance"),
    "journals in PostgreSQL": lambda name: name.startswith("tests.journal") and "Postgres" in name,
    "journals in Redis": lambda name: name.startswith("tests.journal") and "Redis" in name,
}
"""What has to have run, by the names of the tests' classes."""


def main(path: str) -> str | None:
    """Why the run does not count, or None."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    for what, is_one in MUST_RUN.items():
        these = [case for case in cases if is_one(case.get("classname", ""))]
        skipped = [case for case in these if case.find("skipped") is not None]
        if not these:
            return f"no test of {what} ran"
        if skipped:
            names = ", ".join(case.get("name", "?") for case in skipped[:5])
            return f"{len(skipped)} of {len(these)} tests of {what} were skipped: {names}"
        print(f"{what}: {len(these)} tests ran")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
