"""No two modules need each other, not even for an annotation or within a function."""

from __future__ import annotations

import graphlib

import grimp


def test_imports_go_in_no_circle() -> None:
    graph = grimp.build_graph("realtime_actors", exclude_type_checking_imports=False)
    needs = {
        module: graph.find_modules_directly_imported_by(module)
        for module in graph.modules
        # Its face imports what is below; what is below imports no face.
        if module != "realtime_actors"
    }

    assert list(graphlib.TopologicalSorter(needs).static_order())
