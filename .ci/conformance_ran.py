"""Fail when tests/conformance did not run: skipped tests pass, and prove nothing.

python .ci/conformance_ran.py RESULTS.xml      (what pytest --junitxml wrote)
"""

from __future__ import annotations

import sys
from xml.etree import ElementTree


def main(path: str) -> str | None:
    """Why the run does not count, or None."""
    cases = [
        case
        for case in ElementTree.parse(path).iter("testcase")
        if case.get("classname", "").startswith("tests.conformance")
    ]
    skipped = [case for case in cases if case.find("skipped") is not None]
    if not cases:
        return "no test of tests/conformance ran"
    if skipped:
        names = ", ".join(case.get("name", "?") for case in skipped[:5])
        return f"{len(skipped)} of {len(cases)} conformance tests were skipped: {names}"
    print(f"conformance: {len(cases)} tests ran")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
