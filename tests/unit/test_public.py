"""M1, M6: the public face: its names, that they are lazy, and that no module hides behind one of them."""

import subprocess
import sys
from types import ModuleType

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
