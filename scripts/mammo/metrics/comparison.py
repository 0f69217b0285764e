"""The rows of an ensemble's table, each member's and then its own, so that the gain is visible; and its long table."""

from __future__ import annotations

from collections.abc import Mapping

from mammo.metrics.figure_rows import FigureRow, figure_rows
from mammo.metrics.figures import figures_of
from mammo.metrics.films import join_films
from mammo.metrics.measured import measure
from mammo.metrics.row import result_row
from mammo.settings import EvaluationSettings
from mammo.tables.detections import DetectionColumns
from mammo.tables.records import Image, Lesion, Row


def ensemble_tables(
    images: list[Image],
    lesions: list[Lesion],
    members: Mapping[str, DetectionColumns],
    fused: tuple[str, DetectionColumns],
    settings: EvaluationSettings,
    *,
    test_set: str,
    run_ids: Mapping[str, str],
    operating_thresholds: Mapping[str, float | None],
) -> tuple[list[Row], list[FigureRow]]:
    """Rows of the members by name, the ensemble's last; and a row for every figure of the ensemble.

    `fused`: the ensemble's name and its detections. `run_ids`, `operating_thresholds` (each model's own, from
    validation; it may lack some): by model. Raises `UserError` as `join_films` does.
    """
    rows = [
        result_row(
            join_films(images, lesions, found),
            settings,
            test_set=test_set,
            model=member,
            kind="member",
            members=[member],
            run_id=run_ids[member],
            operating_threshold=operating_thresholds.get(member),
        )
        for member, found in sorted(members.items())
    ]
    name, detections = fused
    films, threshold = join_films(images, lesions, detections), operating_thresholds.get(name)
    told = {
        "test_set": test_set,
        "model": name,
        "kind": "ensemble",
        "operating_threshold": threshold,
        "measured": measure(films, figures_of(films, settings, threshold), settings),
    }
    rows.append(result_row(films, settings, members=sorted(members), run_id=run_ids[name], **told))
    return rows, figure_rows(films, settings, **told)
