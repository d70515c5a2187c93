"""Jobs that people come with, done as a new user would do them (Q4, X3)."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.benchmarks.latest import write_shops
from tests.support.kernel import Kernel
from tests.support.requirements import Requirement, skip_without


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("demand") / "shops.csv"
    write_shops(source, series=500, days=120)
    return source


def read_workbook(path: Path) -> dict[str, pl.DataFrame]:
    for library in ("xlsxwriter", "fastexcel"):
        try:
            __import__(library)
        except ImportError:
            skip_without(Requirement.LIBRARY, library)
    return pl.read_excel(path, sheet_id=0)


@pytest.mark.slow
def test_demand_the_next_28_days_of_500_shops_in_a_spreadsheet(shops: Path) -> None:
    out = shops.with_name("next.xlsx" if has_xlsxwriter() else "next.csv")
    command = ["forecast", str(shops), "-m", "naive", "-H", "28d", "--latest", "-o", str(out)]
    main = "import sys; from nbforecast.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", main, *command], capture_output=True, text=True, check=True)
    assert "14,000 rows" in done.stdout
    assert "500 origins of 500 series, done (500 inferred, 0 reused)" in done.stdout
    assert not done.stderr
    if out.suffix == ".csv":
        assert pl.read_csv(out).height == 14_000
        return
    sheets = read_workbook(out)
    assert {name: sheet.height for name, sheet in sheets.items()} == {"Forecast": 14_000, "By series": 500, "About": 8}
    assert sheets["By series"].columns[:4] == ["unique_id", "As of", "Last value", "2023-05-01"]


def has_xlsxwriter() -> bool:
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.slow
def test_energy_in_a_notebook_last_winter_at_2345_by_magics(shared_kernel: Kernel, shops: Path) -> None:
    kernel = shared_kernel
    setup = (
        f"%cd -q {shops.parent}\n%reload_ext nbforecast\nimport numpy as np, polars as pl, datetime as dt\n"
        "zone, first, last = 'Europe/Berlin', dt.datetime(2024, 11, 1), dt.datetime(2025, 3, 20)\n"
        "ds = pl.datetime_range(first, last, '15m', time_zone='UTC', eager=True)\n"
        "load = pl.DataFrame({'ds': ds.dt.convert_time_zone(zone), 'load [MW]': np.sin(np.arange(len(ds)) / 15) + 3})"
    )
    assert kernel.run(setup)[1] == ""
    line = "winter = %forecast load -m naive -H 1d --origins 2024-12-01..2025-02-28 --at 23:45 --wait -o winter.csv"
    assert kernel.run(line)[1] == ""
    assert kernel.value("(winter.frame.height, winter.horizon, winter.inferred)") == [90, 96, 90]
    table = pl.read_csv(shops.with_name("winter.csv"), try_parse_dates=True)
    assert table["cutoff"].dt.convert_time_zone("Europe/Berlin").dt.strftime("%H:%M").unique().to_list() == ["23:45"]
    (drawn,), error = kernel.run("%quickdraw load -m naive -i '2025-01-05 18:00' --origins latest")
    assert not error
    assert "2025-01-05 18:00" in drawn["text/plain"]
    assert "valid times run from" in kernel.run("%quickdraw load -m naive -i 2026-01-01")[1]
