"""The rows of an ensemble's table: each member's, then the ensemble's, so that the gain is visible."""

from __future__ import annotations

from collections.abc import Mapping

from mammo.metrics.films import join_films
from mammo.metrics.row import result_row
from mammo.settings import EvaluationSettings
from mammo.tables.detections import DetectionColumns
from mammo.tables.records import Image, Lesion, Row


def ensemble_rows(
    images: list[Image],
    lesions: list[Lesion],
    members: Mapping[str, DetectionColumns],
    fused: tuple[str, DetectionColumns],
    settings: EvaluationSettings,
    *,
    test_set: str,
    run_ids: Mapping[str, str],
    operating_thresholds: Mapping[str, float | None] | None = None,
) -> list[Row]:
    """Rows of the members by name, the ensemble's last.

    `fused`: the ensemble's name and its detections. `run_ids`, `operating_thresholds` (each model's own, from
    validation): by model. Raises `UserError` as `join_films` does.
    """
    name, detections = fused
    models = [(member, "member", [member], found) for member, found in sorted(members.items())]
    models.append((name, "ensemble", sorted(members), detections))
    return [
        result_row(
            join_films(images, lesions, found),
            settings,
            test_set=test_set,
            model=model,
            kind=kind,
            members=behind,
            run_id=run_ids[model],
            operating_threshold=(operating_thresholds or {}).get(model),
        )
        for model, kind, behind, found in models
    ]
