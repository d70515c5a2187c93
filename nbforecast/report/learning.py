"""What past errors, covariates and calibration teach, and what each gains."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nbforecast import charts
from nbforecast.postprocessing.effect_features import PAST_GROUP
from nbforecast.report.labels import in_unit, model_name
from nbforecast.report.section import Bullets, Picture, Section, Table
from nbforecast.report.stats import SIGNIFICANCE
from nbforecast.scoring.diebold_mariano import holm
from nbforecast.text import listing, minus, number, p_value, percent, relative_change, without_signed_zero

if TYPE_CHECKING:
    from nbforecast.run import Run

HEADING = "What the forecasts learned"
_MOST_EFFECTS = 14  # drawn
_MOST_DECIMALS = 6  # of an effect
_MOST_NAMED = 3  # of a group, in a sentence
_METHOD = (
    "An effect is that of one feature while the others stay as they are, beyond what the model itself makes of it. ± "
    "is half a 95 % interval, which allows for overlapping forecasts. Clear effects differ from none by more than "
    "chance after a correction for all that are estimated (Holm).",
    "The error without a group is that of a correction computed again without it, as of each origin.",
    "All rows of the table rest on the same origins and steps: those at which all four forecasts are known. The first "
    "origins, which have too few past errors, are not among them, so other sections have other errors.",
    "Differences are tested as those of models are, and p-values are corrected for three comparisons (Holm).",
)


@dataclass(frozen=True)
class Learning:
    """What a run has learned.

    Attributes:
        finding: What learning and calibration gain together, in a sentence.
        details: What each gains alone.
        effects: Those of `LearnedRun.effects`.
        variants: Those of `Run.compare`.
    """

    finding: str
    details: tuple[str, ...]
    effects: pl.DataFrame
    variants: pl.DataFrame


def find_learning(run: Run) -> Learning | None:
    """Estimate effects and gains of a run that learns; None for one that does not."""
    if run.base is run:
        return None
    variants = run.compare()
    base = model_name(run.base.model)
    calibrated, learned, both = (variants.row(k, named=True) for k in (1, 2, 3))
    if learned["wis_change"] is None:
        nothing = f"Nothing is known of what learning gains: {base} makes no error, or none is known."
        return Learning(nothing, (), run.effects(), variants)
    if both["wis_change"] is None:
        finding = f"Learned, the WIS is {_beside(learned)} that of {base} ({p_value(_value(learned, 'p_value'))})."
        return Learning(finding, ("There are too few past errors to calibrate.",), run.effects(), variants)
    finding = f"Learned and calibrated, the WIS is {_beside(both)} that of {base} ({p_value(_value(both, 'p_value'))})."
    details = f"Learning alone makes it {_describe_change(learned)}, calibration alone {_describe_change(calibrated)}."
    return Learning(finding, (details,), run.effects(), variants)


def describe_learning(run: Run) -> str:
    """Say what learning gains, and which covariate gains most; nothing for a run that does not learn."""
    findings = find_learning(run)
    if findings is None:
        return ""
    named = with_clarity(findings.effects).filter((pl.col("group") != PAST_GROUP) & pl.col("is_clear"))
    best = findings.effects.filter(pl.col("group").is_in(named["group"].head(1).to_list()))
    return " ".join((findings.finding, *describe_groups(best)))


def learning(run: Run) -> Section:
    """Show what covariates, holidays and past errors do to what is forecast, and what learning and calibration gain.

    Args:
        run: A completed run; nothing is shown of one that does not learn.

    Example:
        >>> report.learning(run)
    """
    findings = find_learning(run)
    if findings is None:
        return Section()
    drawn, groups = _draw_effects(findings.effects), Bullets(tuple(describe_groups(findings.effects)))
    gains = (_draw_gains(run, findings), _tabulate(run, findings), Bullets(_METHOD, secondary=True))
    parts = (groups, *gains) if drawn is None else (groups, drawn, *gains)
    return Section(findings.finding, findings.details, parts, HEADING, 2)


def describe_groups(effects: pl.DataFrame) -> list[str]:
    """Say what each group of features adds, and what the error would be without it.

    Args:
        effects: Those of `LearnedRun.effects`.
    """
    sentences = []
    for rows in with_clarity(effects).partition_by("group", maintain_order=True):
        group, clear = rows["group"][0], rows.filter("is_clear").head(_MOST_NAMED)
        without = _describe_gain(rows.row(0, named=True))
        if group == PAST_GROUP:
            sentences.append(f"without {group}, which teach with or without covariates, {without}.")
        elif len(clear):
            effects_of_group = listing([_describe_effect(row) for row in clear.iter_rows(named=True)])
            sentences.append(f"{effects_of_group}; without {'it' if len(rows) == 1 else group} {without}.")
        else:
            sentences.append(f"{group}: no clear effect; without {'it' if len(rows) == 1 else group} {without}.")
    return [sentence[0].upper() + sentence[1:] for sentence in sentences]


def with_clarity(effects: pl.DataFrame) -> pl.DataFrame:
    """Effects with a column `is_clear`: whether one differs from none by more than chance (Holm).

    Past values and errors, which nobody chose, are corrected for among themselves.
    """
    p_values, is_past = effects["p_value"].fill_null(np.nan).to_numpy(), (effects["group"] == PAST_GROUP).to_numpy()
    is_clear = np.zeros(len(effects), bool)
    for rows in (is_past, ~is_past):
        is_clear[rows] = np.array(holm(p_values[rows].tolist())) < SIGNIFICANCE
    return effects.with_columns(is_clear=pl.Series(is_clear))


def _describe_effect(row: dict[str, Any]) -> str:
    """`promotion adds 31 % ± 4`."""
    verb = "adds" if row["effect"] > 0 else "takes"
    return f"{_label(row, 'of {1} instead of {0}')} {verb} {_with_margin(abs(row['effect']), row, row['unit'])}"


def _describe_gain(row: dict[str, Any]) -> str:
    """`the error would be 12 % higher (± 3)`."""
    change, error = _value(row, "error_without"), _value(row, "error_without_std_error")
    if not isfinite(change):
        return "the error is not known"
    margin = f" (± {number(2 * error, 2)})" if isfinite(error) else ""
    return f"the error would be {relative_change(change / 100)}{margin}"


def _with_margin(effect: float, row: dict[str, Any], unit: str = "") -> str:
    margin = (_value(row, "upper") - _value(row, "lower")) / 2
    if not (isfinite(margin) and margin > 0):
        return f"{number(effect)} {unit}".strip()
    decimals = max(0, 1 - floor(log10(margin)))  # of a margin of two digits
    few = decimals <= _MOST_DECIMALS
    rounded = minus(without_signed_zero(f"{effect:,.{decimals}f}")) if few else number(effect)
    return f"{rounded} {unit}".strip() + f" ± {number(margin, 2)}"


def _label(row: dict[str, Any], change: str) -> str:
    """The feature, and how much it changes unless that is from 0 to 1."""
    feature, reference, value = str(row["feature"]), row["reference"], row["value"]
    if row["count"] is not None and (reference, value) == (0, 1):
        return feature
    if feature != row["group"] and reference == 0:  # a difference
        return f"{feature} ({'+' if value > 0 else ''}{number(value)})"
    return f"{feature} {change.format(number(reference, 2), number(value, 2))}"


def _value(row: dict[str, Any], name: str) -> float:
    return float("nan") if row[name] is None else float(row[name])


def _beside(row: dict[str, Any]) -> str:
    change = relative_change(row["wis_change"] / 100)
    return f"{change} to" if change == "equal" else f"{change} than"


def _describe_change(row: dict[str, Any]) -> str:
    p = _value(row, "p_value")
    chance = "which may be chance, " if isfinite(p) and p >= SIGNIFICANCE else ""
    return f"{relative_change(row['wis_change'] / 100)} ({chance}{p_value(p)})"


def _draw_effects(effects: pl.DataFrame) -> Picture | None:
    """The effects of covariates with their intervals; of past values and errors where there is nothing else."""
    known = with_clarity(effects).filter(pl.col("effect").is_not_null())
    others = known.filter(pl.col("group") != PAST_GROUP)
    drawn = (others if len(others) else known).head(_MOST_EFFECTS)
    if drawn.is_empty():
        return None
    rows = [
        charts.DotRow(
            _label(row, "{0} \N{RIGHTWARDS ARROW} {1}"), row["effect"], _with_margin(row["effect"], row),
            _value(row, "lower"), _value(row, "upper"), strong=row["is_clear"],
        )
        for row in drawn.iter_rows(named=True)
    ]  # fmt: skip
    unit = drawn["unit"][0]
    alt = f"Effects in {unit}: {'; '.join(f'{row.label} {row.text}' for row in rows)}."
    subtitle = f"{unit}, with 95 % intervals; bold: clear"
    return Picture.of(charts.DotChart("Effects", tuple(rows), alt, subtitle, (0.0, "none")))


def _draw_gains(run: Run, findings: Learning) -> Picture:
    base, rows = model_name(run.base.model), []
    for row in findings.variants[1:].iter_rows(named=True):
        change = _value(row, "wis_change")
        text = relative_change(change / 100)
        rows.append(charts.DotRow(_variant(run, row), change, text, _value(row, "lower"), _value(row, "upper")))
    alt = f"WIS beside {base}: {'; '.join(f'{row.label} {row.text}' for row in rows)}."
    unit = f"WIS, % beside that of {base}, with 95 % intervals"
    return Picture.of(charts.DotChart("Gains", tuple(rows), alt, unit, (0.0, "as forecast")))


def _variant(run: Run, row: dict[str, Any]) -> str:
    """`as forecast`, `calibrated`, `learned`, `learned and calibrated`."""
    parts = [*(["learned"] if row["model"] == run.model else []), *(["calibrated"] if row["calibrated"] else [])]
    return listing(parts) if parts else "as forecast"


def _tabulate(run: Run, findings: Learning) -> Table:
    unit, rows = in_unit(run.data), []
    for k, row in enumerate(findings.variants.iter_rows(named=True)):
        coverage = percent(_value(row, "coverage_80"))
        numbers = [number(_value(row, name)) for name in ("mae", "wis", "width_80")]
        tested = [relative_change(_value(row, "wis_change") / 100), p_value(_value(row, "p_value"))] if k else ["", ""]
        rows.append((_variant(run, row), *numbers[:2], coverage, numbers[2], *tested))
    head = (f"MAE{unit}", f"WIS{unit}", "in its 80 % band", f"whose width{unit}", "WIS beside as forecast", "chance")
    return Table((model_name(run.base.model), *head), tuple(rows))
