"""No two modules of the package import each other, not even for their types alone."""

import grimp


def test_no_two_modules_import_each_other() -> None:
    graph = grimp.build_graph("nbforecast", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    pairs = {(a, b) for a, imported in imports.items() for b in imported if a < b and a in imports[b]}
    assert pairs == set()
