"""`nbforecast.forecast_dataset`: from a source of any size to a destination."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbforecast.data.aliases import parse_frequency, parse_span
from nbforecast.distributed import local
from nbforecast.distributed.layout import STAGING, folder_of, shards_in
from nbforecast.distributed.run import DatasetRun
from nbforecast.distributed.source import open_panel, takes
from nbforecast.distributed.worker import Job
from nbforecast.errors import OptionError, StorageError
from nbforecast.forecasters.base import portable, resolve
from nbforecast.result_cache import parquet
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.session import check_horizon, check_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from nbforecast.distributed.worker import Report
    from nbforecast.forecasters.base import Forecaster

ENGINES = ("local", "ray")


def forecast_dataset(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    *,
    model: str | Forecaster | Callable[..., Any] | None = None,
    horizon: int = 12,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    workers: int | None = None,
    time: str | None = None,
    target: str | None = None,
    id: str | None = None,
    freq: Any = None,
    max_duration: Any = None,
    seed: int = 0,
    force: bool = False,
    series_per_shard: int | None = None,
    wait: bool = False,
) -> DatasetRun:
    """Forecast from every origin of a panel of any size, in shards that are files; returns at once unless `wait`.

    source: a Parquet file, a folder or glob of them, or a URL that fsspec knows; a row a series and time.
    destination: a folder that every worker can write to. Each shard is
        `model=NAME/horizon=H/shard=BBBB-of-NNNN-HANDLE.parquet` below it, whole series in the format of the result
        cache; a shard that is there for equal data is kept, one for other data gives the origins whose context is
        equal. Series that cannot be forecast are told in `_failures.parquet`, and tried again the next time.
    engine: "local", in this process, or "ray", on a Ray cluster: the one that this process is connected to, else the
        one at `address`, else the one at `RAY_ADDRESS`, else one begun on this machine. workers: how many actors, each
        with the model (default: one a GPU, or two cores).
    series_per_shard: by default as many as have about 100,000 points; counts for a new destination only.

    The other parameters are those of `forecast`. Raises `NbForecastError` for options or a source that make no sense;
    what comes up later is raised by `wait()`.
    """
    forecaster, steps, seed = resolve(model), check_horizon(horizon), check_seed(seed)
    if engine not in ENGINES:
        raise OptionError(f"engine= takes 'local' or 'ray', not {engine!r}.")
    for option, value in (("workers", workers), ("series_per_shard", series_per_shard)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(f"{option}= takes a positive number, not {value!r}.")
    if freq is not None:
        parse_frequency(freq)
    if max_duration is not None:
        parse_span(max_duration, "max_duration")
    folder = folder_of(_place(destination), forecaster.name, steps)
    _refuse_others(folder, forecaster, seed)
    panel = open_panel(source, time, target, id)
    if takes(source, folder / "shard.parquet"):
        raise OptionError("destination= lies inside source=, where its shards would be taken for data the next time.")
    job = Job(
        staged=folder / f"{STAGING}{secrets.token_hex(8)}",
        folder=folder,
        of=1,
        model=portable(model),
        horizon=steps,
        seed=seed,
        freq=freq,
        max_duration=max_duration,
        force=force,
        name=panel.name,
    )
    work: Callable[[Job, list[int]], Iterator[Report]] = local.work
    if engine == "ray":
        from nbforecast.distributed import ray

        ray.require()
        work = partial(ray.work, address=address, workers=workers)
    elif address is not None or workers not in (None, 1):
        raise OptionError("address= and workers= are for engine='ray'; the local engine has one worker, this process.")
    run = DatasetRun(panel, job, work, series_per_shard).start()
    return attend(run) if wait else run


def attend(run: DatasetRun) -> DatasetRun:
    """Wait for a run that nobody else holds; interrupting the wait cancels it, and what is finished stays."""
    try:
        return run.wait()
    except KeyboardInterrupt:
        run.cancel()
        run.wait_for_end()
        raise


def _place(destination: str | PathLike[str]) -> Path:
    text = str(destination)
    if "://" in text:
        raise OptionError(f"destination= takes a folder that every worker can write to, not {text!r}.")
    place = Path(text).expanduser().resolve()
    if place.exists() and not place.is_dir():
        raise StorageError(f"{text!r} is a file; give a folder for the shards.")
    return place


def _refuse_others(folder: Path, forecaster: Forecaster, seed: int) -> None:
    """Raise `OptionError` where a folder holds forecasts of the same name that were made in another way."""
    for shard in shards_in(folder)[-1:]:
        try:
            there = parquet.read_header(shard.path).recipe.maker
        except Unreadable:
            continue
        if there is None or (there.key, there.seed) != (forecaster.key, seed):
            found = "another seed" if there is not None and there.key == forecaster.key else "other settings or weights"
            raise OptionError(
                f"{str(folder)!r} holds forecasts of a model of that name with {found}. Give another destination, or "
                "the model another name."
            )
