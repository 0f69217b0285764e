"""The row of a results table: one model on one test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, create_model

from mammo.metrics.figures import (
    Family,
    ap_figures,
    auc_figures,
    coco_figures,
    froc_figures,
    operating_figures,
    protocol_figures,
    sensitivity_column,
)
from mammo.metrics.films import Film
from mammo.metrics.froc import FPPI
from mammo.metrics.measured import Measured, measure
from mammo.metrics.protocol import lesions_hit
from mammo.metrics.statistic import patients_of
from mammo.settings import EvaluationSettings, HitRule
from mammo.tables.records import Row, Text

Kind = Literal["snapshot", "member", "ensemble"]
DECIMALS = 6


class _Protocol(Row):
    """The columns before the FROC figures."""

    test_set: Text
    model: Text = Field(description="<experiment>_<NN>, or the ensemble's name.")
    kind: Kind
    members: Text = Field(description="Snapshots behind the row, separated by ;.")
    images: int = Field(ge=1)
    cases: int = Field(ge=1)
    lesions: int = Field(ge=0)
    score_threshold: float = Field(ge=0, le=1, description="Of the team's protocol.")
    hit_rule: HitRule = Field(description="Of the team's protocol.")
    lesions_hit: int = Field(ge=0)
    sensitivity: float | None = Field(description="lesions_hit by lesions; empty without lesions.")
    clean_images: float | None = Field(
        description="Share of the images without lesions that have no detection."
    )
    clean_cases: float | None = Field(
        description="Share of the cases without lesions that have no detection."
    )
    ap50: float | None = Field(description="All-point average precision at IoU 0.5, as keras-retinanet's.")


# Figures with an interval in the wide table, in the order of its columns; all figures have one in the long table.
HEADLINES = (
    "sensitivity", "clean_images", "clean_cases", "ap50", *map(sensitivity_column, FPPI), "froc_mean",
    "operating_sensitivity", "auc_image", "auc_breast", "auc_case",
)  # fmt: skip
FAMILIES: tuple[Family, ...] = (
    protocol_figures, ap_figures, froc_figures, operating_figures, auc_figures, coco_figures,
)  # fmt: skip
Figure = float | None


def _column(definition: str) -> tuple[type, object]:
    return (Figure, Field(description=definition))


# The team's names hold a point, which Python's own syntax for fields does not allow.
ResultRow = create_model(
    "ResultRow",
    __base__=_Protocol,
    __doc__="One model on one test set: a row of results/*.csv.",
    **{
        sensitivity_column(rate): _column(f"Sensitivity at {rate:g} false positives an image.")
        for rate in FPPI
    },
    froc_mean=_column("Mean of the sens_at columns."),
    run_id=(
        str,
        Field(pattern=r"^[0-9a-f]{12}$", description="Identity of settings, code and tables behind the row."),
    ),
    patients=(int, Field(ge=1, description="Patients of the set: what the bootstrap draws.")),
    sensitivity_single=_column("The protocol's sensitivity of films with exactly one lesion only."),
    ap10=_column("All-point average precision at IoU 0.1."),
    ap20=_column("All-point average precision at IoU 0.2."),
    coco_ap=_column("COCO's average precision, mean over IoU 0.5 to 0.95."),
    auc_image=_column("Area under the ROC curve of images; empty without both kinds."),
    auc_breast=_column("Area under the ROC curve of breasts."),
    auc_case=_column("Area under the ROC curve of cases."),
    operating_threshold=_column("Score threshold from validation; empty without a validation set."),
    operating_sensitivity=_column("Sensitivity from operating_threshold on."),
    operating_fppi=_column("False positives per image of the set from operating_threshold on."),
    **{
        f"{name}_{end}": _column(f"{words} end of the 95 % interval of {name}.")
        for name in HEADLINES
        for end, words in (("low", "Lower"), ("high", "Upper"))
    },
    resamples=(int, Field(ge=1, description="Of the patients, behind the intervals.")),
)


def result_row(
    films: Sequence[Film],
    settings: EvaluationSettings,
    *,
    test_set: str,
    model: str,
    kind: Kind,
    members: Sequence[str],
    run_id: str,
    operating_threshold: float | None = None,
    measured: Sequence[Measured] | None = None,
) -> Row:
    """Compute all figures of one model on one test set; shares and sensitivities rounded to six decimals.

    `operating_threshold`: of this model, from validation (`operating_threshold` in froc.py); None where there is none.
    `measured`: all figures of the set (`figures_of`), where they are known already.
    """
    if measured is None:
        wanted = (each for family in FAMILIES for each in family(films, settings, operating_threshold))
        measured = measure(films, (each for each in wanted if each.name in ResultRow.model_fields), settings)
    found = {each.figure.name: each.found for each in reversed(measured)}  # of several the first
    figures = {name: each.value for name, each in found.items() if name in ResultRow.model_fields}
    for name in HEADLINES:
        figures |= {f"{name}_low": found[name].low, f"{name}_high": found[name].high}
    return ResultRow(
        test_set=test_set,
        model=model,
        kind=kind,
        members=";".join(members),
        images=len(films),
        cases=len({film.case for film in films}),
        lesions=sum(len(film.lesions) for film in films),
        score_threshold=settings.score_threshold,
        hit_rule=settings.hit_rule,
        lesions_hit=lesions_hit(films, settings.hit_rule, settings.score_threshold),
        run_id=run_id,
        patients=len(patients_of(films)[0]),
        operating_threshold=operating_threshold,
        resamples=settings.resamples,
        **{name: rounded(value) for name, value in figures.items()},
    )


def rounded(value: float | None) -> float | None:
    """As tables hold it."""
    return None if value is None else round(value, DECIMALS)
