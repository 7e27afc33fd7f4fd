"""Make `docs/performance.md` out of the results in `docs/benchmarks/`.

    python -m benchmarks --output docs/benchmarks     # twenty minutes
    python -m benchmarks.page

What people say about the figures is in `page.md`; this fills in the figures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.targets import TARGETS

__all__: list[str] = []

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "performance.md"
TEMPLATE = Path(__file__).with_name("page.md")

ORDER = (
    *("recv_flood", "recv_paced", "scale", "scale_tls", "barge_in", "send", "gil_noise"),
    *("memory", "long_call", "import_time", "decode", "otp"),
)

Result: TypeAlias = dict[str, Any]


def main() -> None:
    PAGE.write_text(render(), "utf-8")
    print(f"written to {PAGE.relative_to(ROOT)}")


def render() -> str:
    """The page, as the results make it."""
    results = {
        name: json.loads(path.read_text("utf-8"))
        for name in ORDER
        if (path := RESULTS / f"{name}.json").exists()
    }
    page = TEMPLATE.read_text("utf-8")
    page = page.replace("{{targets}}", targets(results))
    page = page.replace("{{circumstances}}", circumstances(results))
    return page.replace("{{results}}", "\n\n".join(map(section, results.values())))


def targets(results: dict[str, Result]) -> str:
    rows = []
    for key, target in TARGETS.items():
        result = results.get(target.benchmark, {})
        value, floor = (result.get(kind, {}).get(key) for kind in ("targets", "floors"))
        rows.append(
            [
                target.what,
                target.wanted(),
                "-" if value is None else target.show(value),
                "not measured" if value is None else target.distance(value),
                "" if floor is None else target.show(floor),
            ]
        )
    return table(["", "target", "measured", "", "the floor itself"], rows)


def circumstances(results: dict[str, Result]) -> str:
    any_result = next(iter(results.values()))
    machine = any_result["machine"]
    commits = sorted({each["commit"] for each in results.values()})
    versions = ", ".join(f"{name} {number}" for name, number in any_result["versions"].items())
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['system']},"
        f" Python {any_result['python']}; {versions}."
        f" Measured {any_result['at'][:10]} at commit {', '.join(commits)}."
    )


def section(result: Result) -> str:
    title, _, about = result["about"].partition("\n\n")
    tables = [
        f"**{each['title']}**\n\n{table(each['columns'], each['rows'])}"
        for each in result["tables"]
    ]
    notes = [f"- {note}" for note in result.get("notes", [])]
    heading = title.rstrip(".").replace("\n", " ")
    parts = [f"### {heading}", about, f"`{result['command']}`", *tables, "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---", *["--:" for _ in columns[1:]]], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
