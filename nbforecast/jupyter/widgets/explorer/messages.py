"""The explorer's messages, both ways: the one schema, of which the front end's types are generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import structs

from nbforecast.jupyter.validation import InvalidMessage, Label, Message, Position, Request, parse
from nbforecast.jupyter.widgets.explorer.buffer_types import Bytes, Doubles, Floats  # noqa: TC001 - msgspec resolves them
from nbforecast.jupyter.widgets.explorer.live_messages import ExtendMessage, LiveMessage
from nbforecast.jupyter.widgets.explorer.overview_messages import (
    LongHistoryMessage,
    LongStatusMessage,
    ScatteredStatusMessage,
    SketchMessage,
    WindowMessage,
    WindowRequest,
)
from nbforecast.jupyter.widgets.explorer.panel_messages import PanelMessage, PanelRequest
from nbforecast.jupyter.widgets.explorer.surprise_messages import SurprisesMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 4
MAX_ROWS = 4096  # of one request
MAX_JOINT_ROWS = 64  # of one request for paths
SHOWN_PATHS = 25  # of an origin, of the many that its sums and extremes are taken from


class Connect(Request, frozen=True):
    """A view has been opened, which holds nothing yet.

    Attributes:
        v: The version of this schema.
    """

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]


class RowsRequest(Request, frozen=True):
    """Asks for the forecasts from some origins.

    Attributes:
        first: The first row.
        count: How many rows from there on.
        request: Comes back with the answer.
    """

    series: Position
    model: Position
    first: Position
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)]
    request: Label | None = None


class JointRequest(Request, frozen=True):
    """Asks for the joint forecasts from some origins: paths, sums and extremes.

    Attributes:
        first: The first row.
        count: How many rows from there on.
        request: Comes back with the answer.
    """

    series: Position
    model: Position
    first: Position
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_JOINT_ROWS)]
    request: Label | None = None


class OpenSeries(Request, frozen=True):
    """Asks for history, status and scores of a series by a model."""

    series: Position
    model: Position


class CancelRun(Request, frozen=True):
    """Ends the run of a model."""

    model: Position


class InferOrigin(Request, frozen=True):
    """Asks for the forecast from one origin, before those that the run comes to by itself."""

    series: Position
    model: Position
    row: Position


Requests = Connect | RowsRequest | JointRequest | WindowRequest | OpenSeries | PanelRequest | CancelRun | InferOrigin


class SeriesInfo(msgspec.Struct, frozen=True):
    """One series of the data."""

    id: str
    rows: int


class ModelInfo(msgspec.Struct, frozen=True):
    """One of the models that are explored together.

    Attributes:
        draws: Q, the number of draws or quantiles of one step.
        levels: The probabilities of the draws, ascending.
        code: What the run is called in the notebook, as Python.
    """

    name: str
    draws: int
    levels: list[float]
    code: str


class CovariateInfo(msgspec.Struct, frozen=True):
    """One covariate, which is shown as a strip.

    Attributes:
        labels: The categories; empty for numbers.
        ahead: Whether it is known ahead; otherwise it is known up to the origin.
        low: The smallest number of all series; null for categories.
        high: The largest one.
    """

    name: str
    labels: list[str]
    ahead: bool
    low: float | None
    high: float | None


class MetaMessage(Message, frozen=True):
    """What there is to explore.

    Attributes:
        live: Whether a kernel answers.
        zone: The time zone of a "utc" clock.
        clock: How times read: "utc" in `zone`, "wall" as they are, "number" for plain numbers.
        step: Seconds between rows, or the plain difference; null where steps are calendar ones.
        precision: Seconds of the finest part of times that is written; null for months.
        slots: Whether rows are the slots of a calendar: the axis counts them, and closed times take no room.
        seasons: In steps.
        levels: The probabilities of the bands' ends, ascending.
        reasons: Why origins have no forecast, by the codes of `reason` in a `StatusMessage`.
        v: The version of this schema.
    """

    live: bool
    title: str
    target: str
    zone: str | None
    clock: Literal["utc", "wall", "number"]
    step: float | None
    precision: float | None
    slots: bool
    frequency: str
    seasons: list[int]
    horizon: int
    levels: list[float]
    coverages: list[int]
    calibrated: bool
    series: list[SeriesInfo]
    models: list[ModelInfo]
    covariates: list[CovariateInfo]
    notes: list[str]
    reasons: dict[str, str]
    v: int = VERSION


class HistoryMessage(Message, frozen=True):
    """The observations of a series.

    Attributes:
        time: Milliseconds since the epoch, or plain numbers, of rows and of the horizon after the last; shape (N + H,).
        value: NaN where nothing was observed; shape (N,).
        covariates: Numbers, or numbers of labels, −1 where none applies; NaN where it is not known. Shape (C, N + H).
    """

    series: int
    time: Doubles
    value: Doubles
    covariates: Doubles


class StatusMessage(Message, frozen=True):
    """How far the origins from row `first` on have come.

    Attributes:
        ranked_from: The first row of the series whose context is long enough for it to rank among the worst.
        status: Codes of `Status`, shape (count,).
        reason: Codes of `UnavailableReason`, shape (count,).
        score: The mean CRPS over the steps, NaN where it is not known; shape (count,).
    """

    series: int
    model: int
    first: int
    count: int
    ranked_from: int
    status: Bytes
    reason: Bytes
    score: Floats


class RowsMessage(Message, frozen=True):
    """The forecasts from some origins.

    Attributes:
        request: The label of the request that this answers.
        draws: Shape (count, H, Q).
        ends: Quantiles at the `levels` of the meta message, shape (count, H, 7).
    """

    series: int
    model: int
    first: int
    count: int
    request: int | str | None
    draws: Floats
    ends: Floats


class JointMessage(Message, frozen=True):
    """The joint forecasts from some origins; NaN where there is none.

    Attributes:
        request: The label of the request that this answers.
        limits: The least and the largest value of the shown paths at each step, shape (count, H, 2).
        codes: Those paths, as 63rds of the way from the one to the other, shape (count, SHOWN_PATHS, H).
        sums: Quantiles of the sum of the first 1 to H steps at the `levels` of the meta message, shape (count, H, 7).
        peaks: Quantiles of the largest value over the steps, shape (count, 7).
    """

    series: int
    model: int
    first: int
    count: int
    request: int | str | None
    limits: Floats
    codes: Bytes
    sums: Floats
    peaks: Floats


class OverallScores(msgspec.Struct, frozen=True):
    """Mean scores over `n` origins of a series; null where they are not known."""

    mae: float | None
    crps: float | None
    mase: float | None
    coverage_50: float | None
    coverage_80: float | None
    coverage_95: float | None
    n: int | None


class HorizonScores(msgspec.Struct, frozen=True):
    """Mean scores of a series for each step ahead."""

    mae: list[float | None]
    crps: list[float | None]
    coverage_80: list[float | None]


class ScoresMessage(Message, frozen=True):
    """The scores of a series by a model."""

    series: int
    model: int
    overall: OverallScores
    horizon: HorizonScores


class ProgressMessage(Message, frozen=True):
    """How far a run has come, and how it ended.

    Attributes:
        rate: Origins a second.
        eta_seconds: Null where it is not known.
        note: Stands beside a run that is done.
    """

    model: int
    available: int
    inferred: int
    calculated: int
    reused: int
    rate: float | None
    eta_seconds: float | None
    done: bool
    cancelled: bool
    error: str | None
    note: str = ""


class FaultMessage(Message, frozen=True):
    """Something that a page asked for failed."""

    text: str


Messages = (
    MetaMessage
    | HistoryMessage
    | StatusMessage
    | LongHistoryMessage
    | LongStatusMessage
    | ScatteredStatusMessage
    | WindowMessage
    | SketchMessage
    | RowsMessage
    | JointMessage
    | ScoresMessage
    | SurprisesMessage
    | PanelMessage
    | ProgressMessage
    | ExtendMessage
    | LiveMessage
    | FaultMessage
)


def read_request(content: Any, lengths: Sequence[int], models: int) -> Requests:
    """Reads a request to an explorer.

    Args:
        content: What its page has sent.
        lengths: The number of rows of each series.
        models: The number of models.

    Returns:
        The request; the rows that it asks for end with the series.

    Raises:
        InvalidMessage: If it is not a request, or is about something that is not there.
    """
    request: Requests = parse(content, Requests)
    if isinstance(request, Connect):
        return request
    if request.model >= models:
        raise InvalidMessage(f"there are {models} models")
    if isinstance(request, (CancelRun, PanelRequest)):
        return request
    if request.series >= len(lengths):
        raise InvalidMessage(f"there are {len(lengths)} series")
    rows = lengths[request.series]
    match request:
        case InferOrigin(row=row) | RowsRequest(first=row) | JointRequest(first=row) | WindowRequest(first=row) if (
            row >= rows
        ):
            raise InvalidMessage(f"the series has {rows} rows")
        case RowsRequest(first=first, count=count) | JointRequest(first=first, count=count):
            return structs.replace(request, count=min(count, rows - first))
    return request
