"""M1, M6: the public face: its names, that they are lazy, and that no module hides behind one of them."""

import argparse
import inspect
import pkgutil
import subprocess
import sys
import warnings
from dataclasses import fields
from types import ModuleType

import numpy as np
import pytest

import nbforecast as nbf
from nbforecast.arguments import add_forecast_options, forecast_keywords
from nbforecast.option_keywords import ForecastKeywords, PanelKeywords
from nbforecast.options import ForecastOptions
from nbforecast.settings import check_environment
from nbforecast.text import OPTION_STYLE


def test_M6_every_public_name_is_there_and_none_is_a_module() -> None:
    for name in nbf.__all__:
        assert not isinstance(getattr(nbf, name), ModuleType), name
    nbf.models()
    for name in nbf.__all__:
        assert not isinstance(getattr(nbf, name), ModuleType), name
    modules = {module.name for module in pkgutil.iter_modules(nbf.__path__)}
    assert not modules & set(nbf.__all__), "a module would hide the name once it is imported"
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


def test_M6_every_request_takes_the_options_that_are_declared_once() -> None:
    options = {f.name: f for f in fields(ForecastOptions)}
    functions = (nbf.forecast, nbf.quickdraw, nbf.explore, nbf.forecast_dataset)
    of = {f: dict(inspect.signature(f).parameters) for f in functions}
    assert of[nbf.forecast].keys() - {"frame", "wait"} == options.keys() == of[nbf.quickdraw].keys() & options.keys()
    keywords = {"model", "horizon", *ForecastKeywords.__annotations__}
    assert keywords == options.keys()
    assert of[nbf.forecast_dataset].keys() & options.keys() == options.keys() - {
        "calibrate",
        "future_covariates",
        "past_covariates",
        "holidays",
        "issued_covariates",
        "static",
        "groups",
        "name",
        "origins",
        "every",
        "at",
    }
    for parameters in of.values():
        assert parameters.keys() >= {"model", "horizon", *PanelKeywords.__annotations__}
        for name in parameters.keys() & options.keys():
            assert parameters[name].default == options[name].default, name
    parser = argparse.ArgumentParser()
    add_forecast_options(parser)
    assert forecast_keywords(parser.parse_args(["frame"])).keys() == options.keys() - {"name"}


def test_M6_a_list_of_models_gives_a_run_of_each() -> None:
    values = np.sin(np.arange(60.0))
    runs = nbf.forecast(values, ["naive", "theta"], 3, wait=True)
    assert list(runs) == ["naive", "theta"]
    assert all(run.done and run.model == name for name, run in runs.items())
    assert repr(nbf.explore(runs)).startswith("Explorer(naive, theta,")
    with pytest.raises(nbf.OptionError, match="different names"):
        nbf.forecast(values, ["naive", "naive"], 3)


def test_S4_repairs_are_logged_once_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    frame = {"ds": ["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-04"] * 1, "y": [1.0, 2.0, 4.0, 3.5]}
    for _ in range(2):
        nbf.forecast(frame, "naive", 2, name="sales", wait=True)
    messages = [r.getMessage() for r in caplog.records if r.name == "nbforecast.data"]
    assert len(messages) == len(set(messages))
    assert any("sales: " in message and "share" in message for message in messages)
    code = (
        "import logging, nbforecast\n"
        "logging.getLogger('nbforecast.data').warning('a repair')\n"
        "logging.getLogger('nbforecast.result_cache').warning('a damaged file')\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stderr
    assert shown.splitlines() == ["a damaged file"]


def test_M6_a_mistyped_environment_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFORECAST_DEVISE", "cpu")
    with pytest.warns(UserWarning, match="DEVISE is no setting of nbforecast. Did you mean 'NBFORECAST_DEVICE'"):
        check_environment()


def test_M6_the_kernels_of_reports_have_no_variable_to_warn_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION_STYLE, "parameter")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment()


def test_M6_a_mistyped_option_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"quickdraw\(\) got an unexpected keyword argument 'horizn'. Did you mean"):
        nbf.quickdraw(np.arange(60.0), horizn=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"forecast_dataset\(\) got an unexpected keyword argument 'calibrate'"):
        nbf.forecast_dataset("here", "there", calibrate=True)  # type: ignore[call-arg]


def test_M6_every_error_a_user_can_cause_is_an_NbForecastError() -> None:
    from nbforecast import errors

    assert nbf.report.__name__ == "nbforecast.report"
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]
    assert len(classes) > 5
    assert all(issubclass(c, nbf.NbForecastError) for c in classes)
    assert all(getattr(nbf, c.__name__) is c for c in classes)


def test_old_names_work_for_one_release_and_name_the_new_ones() -> None:
    from nbforecast import report
    from nbforecast.deprecation import RenamedAttribute
    from nbforecast.distributed.run import DatasetRun
    from nbforecast.engine.background_run import BackgroundRun

    run = nbf.forecast(np.arange(60.0), "naive", wait=True)
    forecast = run.at(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run.levels == forecast.levels == run.quantile_levels
        assert (run.left, run.begun, run.level) == (run.eta_seconds, run.started, run.progress_state)
        assert (run.known(-3), run.settle(1)) == (run.has_result(-3), True)
    with pytest.warns(DeprecationWarning, match=r"Run.left is now called Run.eta_seconds; the old name works until"):
        _ = run.left
    with pytest.warns(DeprecationWarning, match=r"report.places is now called report.breakdown; the old name works"):
        assert report.places is report.breakdown
    for owner in (nbf.Run, BackgroundRun, nbf.Forecast, DatasetRun):
        renamed = {old: name.new for old, name in vars(owner).items() if isinstance(name, RenamedAttribute)}
        assert renamed
        assert all(
            hasattr(owner, new) or new in inspect.unwrap(owner.__init__).__code__.co_names for new in renamed.values()
        )
