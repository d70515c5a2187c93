"""E2: what is compiled, and how long it took, is known before anything is compiled."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from nbforecast import cli
from nbforecast.compile_times import SUFFIX, record_compilation, seconds_to_compile
from nbforecast.device import devices, has_compiled, quick_compile_options, remove_compiled
from nbforecast.engine.compile_ahead import compile_ahead
from nbforecast.forecasters import window_forecaster
from nbforecast.forecasters.registry import is_bundled, resolve
from nbforecast.jupyter.display import show
from tests.unit.test_device import fresh


@pytest.mark.slow
def test_E2_the_first_time_of_a_compilation_is_kept_for_later_processes(tmp_path):
    code = (
        "import nbforecast.device as d, nbforecast.compile_times as c; d.devices()\n"
        "print(c.seconds_to_compile('f')); c.record_compilation('f', 2.5); c.record_compilation('f', 0.1)\n"
        "print(c.seconds_to_compile('f'))"
    )
    assert fresh(code, NBFORECAST_CACHE_DIR=str(tmp_path)).split() == ["None", "2.5"]
    assert fresh(code, NBFORECAST_CACHE_DIR=str(tmp_path)).split() == ["2.5", "2.5"]
    assert [p.read_text() for p in (tmp_path / "compiled").glob(f"*{SUFFIX}")] == ["2.50"]


def test_E2_a_model_is_compiled_while_the_data_are_read(monkeypatch):
    shapes: list[int] = []

    def compiled(*arguments: object) -> object:
        def run(windows: object) -> np.ndarray:
            shapes.append(len(windows.values))
            return np.zeros((len(windows.values), 7, 10), np.float32)

        return run

    monkeypatch.setattr(window_forecaster, "_compiled", compiled)
    monkeypatch.setattr(window_forecaster, "_compile_once", window_forecaster.CompileOnce())
    monkeypatch.setattr(window_forecaster, "record_compilation", lambda *_: None)
    monkeypatch.setattr(window_forecaster, "seconds_to_compile", lambda _: None)
    naive = resolve("naive")
    for horizon in (7, "7d"):
        thread = compile_ahead(lambda: naive, horizon)
        if thread is not None:
            thread.join()
    assert shapes == [naive.batch_sizes[0]], "and not for a span, whose steps the data decide"
    monkeypatch.setattr(window_forecaster, "seconds_to_compile", lambda _: 2.0)
    compile_ahead(lambda: naive, 7).join()
    assert len(shapes) == 1, "what an earlier process has compiled is read when it is needed"


def test_E2_only_models_of_the_package_are_compiled_ahead():
    assert is_bundled(None)
    assert is_bundled("theta")
    assert not any(map(is_bundled, ("chronos-bolt-tiny", "pretrained:my.safetensors", "unknown", max)))


@pytest.mark.skipif(devices()[0].platform != "cpu", reason="options of XLA on CPUs")
def test_E2_this_xla_has_the_options_of_quick_compilation(monkeypatch):
    assert not quick_compile_options(), "the tests' own flags count"
    monkeypatch.delenv("XLA_FLAGS")
    assert quick_compile_options.__wrapped__()


def test_C11_compiled_functions_are_counted_without_their_times(tmp_path, monkeypatch):
    monkeypatch.setattr("nbforecast.device.settings", lambda: type("S", (), {"directory": tmp_path})())
    monkeypatch.setattr("nbforecast.device.user_directory", lambda: None)
    monkeypatch.setattr("nbforecast.compile_times.compiled_path", lambda *_: None)
    folder = tmp_path / "compiled"
    folder.mkdir()
    for name in ("jit_f-1-cache", "jit_f-1-atime", f"0a{SUFFIX}", "0a-program"):
        (folder / name).write_text("1.5")
    record_compilation("g", 1.0)
    assert remove_compiled()[0] == 1
    assert not list(folder.iterdir())
    assert seconds_to_compile("g") is None


def test_E5_what_jax_keeps_elsewhere_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    assert not has_compiled()
    (tmp_path / f"0a{SUFFIX}").touch()
    assert has_compiled()


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("compiles", [False, True])
def test_E5_what_is_prepared_is_said_at_once(monkeypatch, is_compiled, compiles):
    shown: list[str] = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle["text/plain"])

    def display(bundle, raw, display_id):
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr(show, "display", display)
    monkeypatch.setattr(show, "is_interactive", lambda _: True)
    monkeypatch.setattr(show, "has_compiled", lambda: is_compiled)
    with show.announce_preparation(SimpleNamespace(kernel=object())):
        assert len(shown) == (0 if is_compiled else 1)
        monkeypatch.setattr(show, "has_compiled", lambda: is_compiled or compiles)
    if not is_compiled:
        assert shown[0].startswith("Preparing the model")
        assert shown[1] == ("The model is prepared, once on this machine: 0.0 s." if compiles else "")
    monkeypatch.setattr("nbforecast.cli.has_compiled", lambda: is_compiled)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    cli._announce_preparation()
    assert terminal.getvalue().startswith("Preparing the model") is not is_compiled
