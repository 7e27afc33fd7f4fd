"""The page of performance says what was measured, and nothing else."""

from __future__ import annotations

from benchmarks import page


def test_the_page_is_what_comes_of_the_results() -> None:
    written = page.PAGE.read_text("utf-8")

    assert written == page.render(), "run: python -m benchmarks.page"


def test_every_target_was_measured() -> None:
    assert "not measured" not in page.render()
