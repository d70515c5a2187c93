"""M1, M6: the public face: its names, that they are lazy, and that no module hides behind one of them."""

import subprocess
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest

import nbforecast as nbf


def test_M6_every_public_name_is_there_and_none_is_a_module() -> None:
    for name in nbf.__all__:
        assert not isinstance(getattr(nbf, name), ModuleType), name
    nbf.models()
    for name in nbf.__all__:
        assert not isinstance(getattr(nbf, name), ModuleType), name
    with pytest.raises(AttributeError, match="no attribute 'oracle'"):
        _ = nbf.oracle


def test_M1_import_is_lazy() -> None:
    code = (
        "import sys, nbforecast; nbforecast.__version__\n"
        "heavy = {'jax', 'polars', 'numpy', 'pandas', 'pyarrow', 'IPython', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "nbforecast.sample('retail'); nbforecast.forecast\n"
        "assert not {'jax', 'matplotlib', 'scipy', 'IPython', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_M6_every_error_a_user_can_cause_is_an_NbForecastError() -> None:
    from nbforecast import errors

    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]
    assert len(classes) > 5
    assert all(issubclass(c, nbf.NbForecastError) for c in classes)


def test_old_names_work_for_one_release_and_name_the_new_ones() -> None:
    from nbforecast.deprecation import RenamedAttribute
    from nbforecast.distributed.run import DatasetRun

    run = nbf.forecast(np.arange(60.0), "naive", wait=True)
    forecast = run.at(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run.levels == forecast.levels == run.quantile_levels
        assert (run.left, run.begun, run.level) == (run.eta_seconds, run.started, run.progress_state)
        assert (run.known(-3), run.settle(1)) == (run.has_result(-3), True)
    with pytest.warns(DeprecationWarning, match=r"Run.left is now called Run.eta_seconds; the old name works until"):
        _ = run.left
    for owner in (nbf.Run, nbf.Forecast, DatasetRun):
        renamed = {old: name.new for old, name in vars(owner).items() if isinstance(name, RenamedAttribute)}
        assert renamed
        assert all(hasattr(owner, new) or new in owner.__init__.__code__.co_names for new in renamed.values())
