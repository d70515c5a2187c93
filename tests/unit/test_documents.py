"""D1, D2: every example in the documents and in docstrings runs, and every public function has one."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jinja2
import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell

import nbforecast as nbf
from nbforecast.data import samples
from nbforecast.data.samples import SALES, sample
from nbforecast.forecasters import registry
from nbforecast.forecasters.base import Forecaster
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.forecasters.statistical.naive import SeasonalNaive
from nbforecast.forecasters.window_forecaster import WindowForecaster
from tests.support.documents import ROOT, pages, run_docstring, run_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

sys.path.append(str(ROOT / "docs" / "_extensions"))
import generated_reference

STAND_INS = ("pretrained", "auto", "ridge")  # are as quick as `naive` here
DAYS, ROWS = 80, 400


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """A shell with small files of the names that the pages use, in which names of models mean `naive`."""
    mpl.use("agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "DEFAULT", "naive")
        for name in STAND_INS:
            patch.setitem(registry._forecasters, name, SeasonalNaive(name=name))
        patch.chdir(tmp_path_factory.mktemp("documents"))
        write_files()
        shell = InteractiveShell()
        shell.run_line_magic("load_ext", "nbforecast")
        yield shell
        shell.run_line_magic("unload_ext", "nbforecast")


def sales() -> pl.DataFrame:
    """The newest part of the table of the guides: two shops, and the plan."""
    frame = pl.read_csv(SALES, try_parse_dates=True).filter(pl.col("shop").is_in(["harbour", "mill"]))
    return frame.group_by("shop", maintain_order=True).tail(DAYS + 28)


def forget_variables(shell: InteractiveShell) -> None:
    """`shell.reset` would look for garbage everywhere, which takes longer than most pages."""
    for name in set(shell.user_ns) - shell.user_ns_hidden.keys():
        del shell.user_ns[name]


def write_files() -> None:
    nbf.sample("glucose").tail(300).select("ds", "y").write_csv("glucose.csv")
    sales().write_csv("sales.csv")
    nbf.sample("taxi").tail(ROWS).drop("unique_id").write_parquet("taxi.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_D1_the_examples_of_a_page_run(page: Path, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "sample", lambda name: sample(name).tail(ROWS))
    forget_variables(shell)
    write_files()
    run_page(page, shell)


def documented(names: list[str]) -> dict[str, Any]:
    """Some functions and classes of the reference, and the public methods and properties of the classes."""
    result = {}
    for name in names:
        owner = generated_reference.find(name)
        result[name] = owner
        if inspect.isclass(owner) and not issubclass(owner, Exception):
            for member in generated_reference.public_members(owner):
                result[f"{name}.{member}"] = getattr(owner, member)
    return result


def test_D2_every_public_function_has_an_example() -> None:
    """An example of its own, or a call in one of the page's."""
    missing = []
    for page in generated_reference.python_names().values():
        found = documented(page)
        texts = {name: inspect.getdoc(each) or "" for name, each in found.items()}
        lines = (line for text in texts.values() for line in text.split("\n"))
        examples = "\n".join(line for line in lines if ">>> " in line or "... " in line)
        for name, each in found.items():
            is_error = inspect.isclass(each) and issubclass(each, Exception)
            is_called = f"{name.rpartition('.')[2]}(" in examples or name in ("DatasetRun", "Event")
            if callable(each) and not is_error and ">>> " not in texts[name] and not is_called:
                missing.append(name)
    assert not missing


def test_D2_the_examples_of_docstrings_run(shell: InteractiveShell, tmp_path: Path) -> None:
    names = examples_take_for_granted(tmp_path)
    forget_variables(shell)
    shell.push({**names, "df": nbf.sample("taxi").tail(120)})
    count, failures = 0, []
    live = names["live"] = nbf.watch("glucose.csv", horizon="1h")
    for page in generated_reference.python_names().values():
        for name, found in documented(page).items():
            text = inspect.getdoc(found.fget if isinstance(found, property) else found) or ""
            try:
                count += run_docstring(name, text, names, shell)
            except AssertionError as error:
                failures.append(str(error))
    live.stop()
    assert not failures
    assert count > 60


def examples_take_for_granted(folder: Path) -> dict[str, Any]:
    """What the examples in docstrings call `run`, `forecast` and so on."""
    taxi = nbf.sample("taxi").tail(300)
    run = nbf.forecast(taxi, "naive", 12, calibrate=True, wait=True)
    shops = sales()
    panel = nbf.forecast(shops, "naive", 12, id="shop", target="sold", static="region", wait=True)
    source = folder / "sales.parquet"
    shops.drop_nulls("sold").select(unique_id="shop", ds="day", y="sold").write_parquet(source)
    return {
        "dt": dt, "np": np, "pl": pl, "nbf": nbf, "report": nbf.report, "folder": folder, "source": source,
        "df": taxi, "sales": shops, "run": run, "forecast": run.at(-24), "total": run.at(-24).total(),
        "baseline": nbf.forecast(taxi, "ridge", 12, wait=True), "panel": panel,
        "groups": panel.aggregate("region"), "explorer": nbf.explore(run),
        "handle": nbf.forecast(np.arange(60.0) % 7, "naive", 12, wait=True).handle,
        "model": registry.resolve("naive"), "Forecaster": Forecaster, "WindowForecaster": WindowForecaster,
        "CovariateUse": CovariateUse,
    }  # fmt: skip


def test_D1_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in (page for page in pages if not {"generated", "notebooks"} & set(page.parts)):
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                path = page.parent / target
                is_page_of_build = {"generated", "notebooks", "project"} & set(path.parts)
                assert path.exists() or is_page_of_build, f"{page.relative_to(ROOT)}: {target}"


def test_D1_code_of_pages_is_no_wider_than_a_page() -> None:
    """88 columns fit beside both sidebars of the site."""
    wide = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if not {"generated", "notebooks"} & set(page.parts):
            for block in re.findall(
                r"^ *```\w+\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
            ):
                wide += [f"{page.relative_to(ROOT)}: {line}" for line in block.splitlines() if len(line) > 88]
    assert not wide


def test_D1_every_page_and_tutorial_is_in_a_table_of_contents() -> None:
    for index in (ROOT / "docs").rglob("index.md"):
        text = index.read_text(encoding="utf-8")
        pages = {page.stem for page in index.parent.glob("*.md")} - {"index"}
        if index.parent.name == "tutorials":
            pages = {page.stem for page in (ROOT / "notebooks").glob("*.ipynb")} - {"backtest_report"}
            assert all(f"(notebooks/{page}.ipynb)" in text for page in pages)
        assert pages <= set(re.findall(r"^(?:\w+/)?(\w+)$", text, re.MULTILINE)), index


def test_D1_external_links_have_the_form_of_links() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "nbforecast").rglob("*.md")]:
        for url in re.findall(r"(?:\]\(|\s|<)(\w+://[^\s)>`]+)", page.read_text(encoding="utf-8")):
            parts = urlsplit(url.rstrip(".,"))
            assert parts.scheme == "https", f"{page.relative_to(ROOT)}: {url}"
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), f"{page.relative_to(ROOT)}: {url}"


def test_D1_conda_has_the_dependencies_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    recipe = jinja2.Template((ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")).render(PYTHON="python")
    run = yaml.safe_load(recipe)["requirements"]["run"]
    wanted = [text for text in project["dependencies"] if ";" not in text]
    assert {text.replace(" ", "").replace("python-flatbuffers", "flatbuffers") for text in run} == {
        f"python{project['requires-python']}", *wanted
    }  # fmt: skip


def test_D1_versions_agree() -> None:
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f'set version = "{version}"' in (ROOT / "conda" / "meta.yaml").read_text()
    assert re.search(
        rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
