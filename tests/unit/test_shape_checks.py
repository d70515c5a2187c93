"""The tests check shapes and types of arrays as they are annotated: these show that the checks are on, and complain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float32, Int64

from nbforecast.data import prepare
from nbforecast.forecasters.windows import cut_windows
from tests.support.shape_checks import ShapeError, check_calls, check_fields, install_shape_checks

if TYPE_CHECKING:
    from decimal import Decimal

    import polars as pl


@check_calls
def scaled(values: Float32[np.ndarray, " N"], by: Decimal | None = None) -> Float32[np.ndarray, " N"]:
    return values[:2] if by else values


@check_calls
def joined(
    a: Float32[Array, "N H"], *, b: Float32[Array, " H"] | None = None, of: pl.Series | None = None
) -> tuple[Float32[Array, "N H"], int]:
    return (a if b is None else a + b), len(a)


@check_fields
@dataclass(frozen=True)
class Pair:
    one: Int64[np.ndarray, " N"]
    two: Int64[np.ndarray, " N"]


FIVE = np.zeros(5, np.float32)


@pytest.mark.parametrize("wrong", [np.zeros((3, 3), int), np.zeros(3), np.zeros((), np.float32), [1.0], None])
def test_an_argument_of_another_shape_or_type_raises(wrong: object) -> None:
    assert scaled(FIVE) is FIVE
    with pytest.raises(ShapeError, match="scaled: values is"):
        scaled(wrong)  # type: ignore[arg-type]


def test_a_dimension_has_one_size_in_arguments_and_result() -> None:
    with pytest.raises(ShapeError, match="scaled: return is"):
        scaled(FIVE, 1)  # type: ignore[arg-type]
    many, few = jnp.zeros((4, 3)), jnp.zeros(2)
    assert joined(many, b=many[0])[1] == 4
    with pytest.raises(ShapeError, match="joined: b is"):
        joined(many, b=few)
    with pytest.raises(ShapeError, match="Pair: two is"):
        Pair(np.arange(3), np.arange(4))


def test_shapes_are_checked_while_a_function_is_traced() -> None:
    jax.jit(lambda a: joined(a)[0])(jnp.zeros((4, 3)))
    with pytest.raises(ShapeError, match="joined: a is"):
        jax.jit(lambda a: joined(a)[0])(jnp.zeros(4))


def test_nbforecast_is_checked() -> None:
    data = prepare(np.arange(50.0))
    cut_windows(data, np.array([40, 45]), 24, 0)
    with pytest.raises(ShapeError, match=r"nbforecast\.forecasters\.windows\.cut_windows: rows is"):
        cut_windows(data, np.zeros((3, 3), int), 24, 0)
    with pytest.raises(RuntimeError, match="nbforecast is imported already"):
        install_shape_checks()
