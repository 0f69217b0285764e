"""The row of a results table: one model on one test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, create_model

from mammo.metrics.average_precision import average_precision
from mammo.metrics.films import Film
from mammo.metrics.froc import FPPI, froc_curve, froc_mean
from mammo.metrics.protocol import clean_cases, clean_images, lesions_hit, sensitivity
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


def sensitivity_column(fppi: float) -> str:
    """Name of the column with the sensitivity at a rate of false positives per image."""
    return f"sens_at_{fppi:g}"


# The team's names hold a point, which Python's own syntax for fields does not allow.
ResultRow = create_model(
    "ResultRow",
    __base__=_Protocol,
    __doc__="One model on one test set: a row of results/*.csv.",
    **{
        sensitivity_column(rate): (
            float | None,
            Field(description=f"Sensitivity at {rate:g} false positives an image."),
        )
        for rate in FPPI
    },
    froc_mean=(float | None, Field(description="Mean of the sens_at columns.")),
    run_id=(
        str,
        Field(pattern=r"^[0-9a-f]{12}$", description="Identity of settings, code and tables behind the row."),
    ),
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
) -> Row:
    """Compute all figures of one model on one test set; shares and sensitivities rounded to six decimals."""
    threshold, rule = settings.score_threshold, settings.hit_rule
    curve = froc_curve(films, settings.froc_hit_rule)
    figures = {
        "sensitivity": sensitivity(films, rule, threshold),
        "clean_images": clean_images(films, threshold),
        "clean_cases": clean_cases(films, threshold),
        "ap50": average_precision(films),
        **{sensitivity_column(rate): curve.at(rate) if curve else None for rate in FPPI},
        "froc_mean": froc_mean(curve) if curve else None,
    }
    return ResultRow(
        test_set=test_set,
        model=model,
        kind=kind,
        members=";".join(members),
        images=len(films),
        cases=len({film.case for film in films}),
        lesions=sum(len(film.lesions) for film in films),
        score_threshold=threshold,
        hit_rule=rule,
        lesions_hit=lesions_hit(films, rule, threshold),
        run_id=run_id,
        **{name: None if value is None else round(value, DECIMALS) for name, value in figures.items()},
    )
