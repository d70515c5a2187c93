"""No two modules import each other, also for annotations only, and no chain of imports comes back to where it began."""

from __future__ import annotations

import grimp
import pytest


def cycles(modules: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other (the strongly connected components; Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(modules[module]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in sorted(modules):
        if module not in order:
            visit(module)
    return groups


def test_cycles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"d"}}
    assert cycles(graph) == [["a", "b", "c"]]


@pytest.mark.parametrize("annotations", [False, True], ids=["at run time", "annotations too"])
def test_no_modules_import_each_other(annotations: bool) -> None:
    graph = grimp.build_graph("nbforecast", exclude_type_checking_imports=not annotations, cache_dir=None)
    # the package names what is public for type checkers, and imports it when it is first used
    inside = {m: graph.find_modules_directly_imported_by(m) - {"nbforecast"} for m in graph.modules - {"nbforecast"}}
    assert cycles(inside) == []
