"""`nbforecast.forecast_dataset`: forecasts of a panel of any size, from files to files."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack

from nbforecast.checks import check_horizon
from nbforecast.data.calendar_text import read_calendar
from nbforecast.data.frequency import Frequency, parse_frequency
from nbforecast.data.grid import check_fill
from nbforecast.data.prepare import check_reading
from nbforecast.data.span import horizon_steps, parse_span
from nbforecast.data.units import find_conversion, stated_unit
from nbforecast.distributed.destination import STAGING_PREFIX, shard_folder, shards_in
from nbforecast.distributed.run import DatasetRun
from nbforecast.distributed.source import open_panel, source_includes
from nbforecast.distributed.worker import Job, forecast_locally
from nbforecast.errors import OptionError, StorageError
from nbforecast.forecasters.base import uses_seed
from nbforecast.forecasters.registry import resolve, to_portable
from nbforecast.option_keywords import PanelKeywords, takes_options
from nbforecast.options import ForecastOptions
from nbforecast.result_cache import parquet
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.safe_text import brief_repr
from nbforecast.text import option
from nbforecast.user_path import path_exists, user_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike
    from pathlib import Path

    from nbforecast.distributed.worker import PartitionReport
    from nbforecast.forecasters.base import Forecaster

ENGINES = ("local", "ray")


@takes_options(PanelKeywords)
def forecast_dataset(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    *,
    model: str | Forecaster | Callable[..., Any] | None = None,
    horizon: int | str | dt.timedelta = 12,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    workers: int | None = None,
    series_per_shard: int | None = None,
    wait: bool = False,
    **options: Unpack[PanelKeywords],
) -> DatasetRun:
    """Forecast from every origin of a panel of any size, in shards that are files.

    Each shard is a file `model=NAME/horizon=H/shard=BBBB-of-NNNN-HANDLE.parquet` in the destination: whole series in
    the format of the result cache. A shard of equal data stays as it is; one of other data gives the origins whose
    context is equal. Series that cannot be forecast are listed in `_failures.parquet` and tried again the next time.

    With `learn=True` a second pass corrects the forecasts by what the errors of the whole panel teach, in shards of
    their own below `model=NAME-learned`.

    Args:
        source: A Parquet file, a folder or glob of them, or a URL that fsspec knows; one row per series and time.
        destination: A folder that every worker can write to.
        model: The model, as for `nbforecast.forecast`.
        horizon: Number of steps to forecast, H, or a span such as "28d" together with `freq`.
        engine: "local" for this process, or "ray" for a Ray cluster: the one that this process is connected to, else
            the one at `address`, else the one at `RAY_ADDRESS`, else one started on this machine.
        address: Address of the Ray cluster.
        workers: Number of Ray actors, each with the model; by default one per GPU, or one per two cores.
        series_per_shard: Number of series in a shard, for a new destination; by default as many as have about 100,000
            points.
        wait: Whether to return only when the run is done; an interrupt (Ctrl-C) then cancels the run.
        **options: Other options of `nbforecast.forecast`: time, target, id, freq, calendar, fill, minimum, maximum,
            max_duration, date_order, decimal, unit, convert_to, seed, force, exact, learn.

    Returns:
        A run, which fills in while it is read. Errors of the work are raised by its `wait()`.

    Raises:
        OptionError: An option has a value that makes no sense.
        InputError: The source cannot be read as series.
        StorageError: The destination cannot be written.

    Example:
        >>> run = nbf.forecast_dataset(source, folder / "by shop", model="naive", wait=True)
        >>> run.scores(by="horizon").select("horizon", "mae")
        >>> run.open("mill").at(-24).median.shape
        (12,)
        >>> run.wait(timeout=60).failures.is_empty(), run.wait_for_end(timeout=1)
        (True, True)
        >>> run.cancel()  # what is complete stays
    """
    steps = _steps(horizon, options.get("freq"), options.get("calendar"))
    request = ForecastOptions(model=model, horizon=steps, **options)
    forecaster = resolve(model, request.minimum, request.maximum)
    if engine not in ENGINES:
        raise OptionError(f"{option('engine')} takes 'local' or 'ray', not {brief_repr(engine)}.")
    for name, value in (("workers", workers), ("series_per_shard", series_per_shard)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(f"{option(name)} takes a positive number, not {brief_repr(value)}.")
    if request.freq is not None:
        parse_frequency(request.freq)
    if request.calendar is not None:
        read_calendar(request.calendar)
    check_fill(request.fill)
    if request.max_duration is not None:
        parse_span(request.max_duration, "max_duration")
    folder = shard_folder(_check_destination(destination), forecaster.name, steps)
    learned_folder = shard_folder(folder.parent.parent, f"{forecaster.name}-learned", steps)
    _check_earlier_shards(folder, forecaster, request.seed)
    check_reading(request.date_order, request.decimal)
    panel = open_panel(source, request.time, request.target, request.id, request.date_order, request.decimal)
    unit = request.unit or stated_unit(panel.target)
    if request.convert_to is not None:
        find_conversion(unit, request.convert_to)
    if source_includes(source, folder / "shard.parquet"):
        raise OptionError("The destination is inside the source, where its shards would be read as data the next time.")
    job = Job(
        staging=folder / f"{STAGING_PREFIX}{secrets.token_hex(8)}",
        folder=folder,
        learned_folder=learned_folder if request.learn else None,
        partition_count=1,
        options=replace(  # staged rows have these columns, and no text that can be read in several ways
            request,
            model=to_portable(model),
            time="ds",
            target="y",
            id="unique_id",
            unit=unit,
            date_order=None,
            decimal=None,
            name=panel.name,
        ),
    )
    run_engine: Callable[[Job, list[int]], Iterator[PartitionReport]] = forecast_locally
    if engine == "ray":
        from nbforecast.distributed.ray import forecast_on_ray, require_ray

        require_ray()
        run_engine = partial(forecast_on_ray, address=address, workers=workers)
    elif address is not None or workers not in (None, 1):
        raise OptionError(
            f"{option('address')} and {option('workers')} are for {option('engine', 'ray')}; the local engine has one "
            "worker, this process."
        )
    run = DatasetRun(panel, job, run_engine, series_per_shard).start()
    return wait_or_cancel(run) if wait else run


def wait_or_cancel(run: DatasetRun) -> DatasetRun:
    """Wait for a run that no one else holds: an interrupt cancels it. Finished shards stay."""
    try:
        return run.wait()
    except KeyboardInterrupt:
        run.cancel()
        run.wait_for_end()
        raise


def _steps(horizon: int | str | dt.timedelta, freq: Any, calendar: Any) -> int:
    """The steps of a horizon; those of a span follow from the step of the grid, which must be given."""
    if isinstance(horizon, str | dt.timedelta):
        if freq is None:
            raise OptionError(
                f"{option('horizon', horizon)} is a span: give the step of the data, too, with {option('freq')}."
            )
        frequency = Frequency.from_spec(parse_frequency(freq))
        if calendar is not None:
            frequency = replace(frequency, kind="calendar", calendar=read_calendar(calendar).text)
        return horizon_steps(horizon, frequency)
    return check_horizon(horizon)


def _check_destination(destination: str | PathLike[str]) -> Path:
    text = str(destination)
    if "://" in text:
        raise OptionError(f"The destination is a folder that every worker can write to, not {text!r}.")
    path = user_path(text, OptionError).resolve()
    if path_exists(path) and not path.is_dir():
        raise StorageError(f"{text!r} is a file; give a folder for the shards.")
    return path


def _check_earlier_shards(folder: Path, forecaster: Forecaster, seed: int) -> None:
    """Raise `OptionError` where a folder has forecasts of another model of the same name."""
    seed = seed if uses_seed(forecaster) else 0
    for shard in shards_in(folder)[-1:]:
        try:
            model = parquet.read_metadata(shard.path).spec.model
        except Unreadable:
            continue
        if (model.key, model.seed) != (forecaster.key, seed):
            difference = "another seed" if model.key == forecaster.key else "other settings or weights"
            raise OptionError(
                f"{str(folder)!r} has forecasts of a model of that name with {difference}. Choose another "
                "destination, or rename the model."
            )
