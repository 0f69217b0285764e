"""A dataset's tables from those of its shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mammo.datasets.base import DUPLICATE, kind_of_reason, reject_order
from mammo.datasets.boxes import clipped
from mammo.errors import UserError
from mammo.tables.csvio import read_table
from mammo.tables.records import Image, Lesion, Reject


def tabulate(
    dataset: str,
    images: Sequence[Path],
    lesions: Sequence[Path],
    rejects: Sequence[Path],
    max_reject_share: float,
) -> tuple[list[Image], list[Lesion], list[Reject]]:
    """Join the shards' tables: images that no stage turned down, their lesions cut to them, one reject a source.

    Raises `UserError` where nothing is left or more than `max_reject_share` of the files were turned down;
    duplicates of films that are used do not count.
    """
    all_images = [row for path in images for row in read_table(path, Image)]
    all_lesions = [row for path in lesions for row in read_table(path, Lesion)]
    all_rejects = [row for path in rejects for row in read_table(path, Reject)]
    _check_unique(dataset, all_images)
    cut, outside = _cut(all_images, all_lesions)
    turned_down = _first_reasons([*all_rejects, *outside])
    refused = {row.source for row in turned_down}
    with_lesions = {row.image_id for row in cut}
    kept = sorted(
        (_grouped(row, with_lesions) for row in all_images if row.source not in refused),
        key=lambda row: row.image_id,
    )
    names = {row.image_id for row in kept}
    found = sorted(
        (row for row in cut if row.image_id in names), key=lambda row: (row.image_id, row.lesion_id)
    )
    _check_share(dataset, len(kept), turned_down, rejects, max_reject_share)
    return kept, found, turned_down


def _check_unique(dataset: str, images: Iterable[Image]) -> None:
    twice = [name for name, count in Counter(row.image_id for row in images).items() if count > 1]
    if twice:
        raise UserError(f"{dataset}: {sorted(twice)[0]} comes from two shards; make the index again")


def _grouped(image: Image, with_lesions: set[str]) -> Image:
    """Films of a mixed delivery are abnormal if a lesion was found on them."""
    if image.group != "mixed":
        return image
    return image.model_copy(update={"group": "abn" if image.image_id in with_lesions else "normal"})


def _cut(images: Sequence[Image], lesions: Sequence[Lesion]) -> tuple[list[Lesion], list[Reject]]:
    """Lesions of decoded images cut to them; a reject for each image that a lesion lies outside of."""
    by_name = {row.image_id: row for row in images}
    cut, outside = [], []
    for row in lesions:
        image = by_name.get(row.image_id)
        if image is None:
            continue
        x1, y1, x2, y2 = clipped((row.x1, row.y1, row.x2, row.y2), (image.width, image.height))
        if x1 < x2 and y1 < y2:
            cut.append(row.model_copy(update={"x1": x1, "y1": y1, "x2": x2, "y2": y2}))
        else:
            reason = f"lesion {row.lesion_id} lies outside of the image"
            outside.append(Reject(source=image.source, stage="tabulate", reason=reason))
    return cut, outside


def _first_reasons(rejects: Iterable[Reject]) -> list[Reject]:
    """One row a source, of the first stage that turned it down; sorted by source."""
    first: dict[str, Reject] = {}
    for row in sorted(rejects, key=reject_order):
        first.setdefault(row.source, row)
    return list(first.values())


def _check_share(
    dataset: str, kept: int, rejects: Sequence[Reject], tables: Sequence[Path], most: float
) -> None:
    lost = [row for row in rejects if not row.reason.startswith(DUPLICATE)]
    share = len(lost) / max(1, kept + len(lost))
    where = f"all rows: {', '.join(map(str, tables))}"
    if not kept:
        raise UserError(f"{dataset}: no usable film is left of {len(lost)}; {_offenders(lost)}; {where}")
    if share > most:
        raise UserError(
            f"{dataset}: {len(lost)} of {kept + len(lost)} files were turned down ({share:.1%}, at most {most:.1%} "
            f"by max_reject_share); {_offenders(lost)}; {where}. Mend the files, or raise max_reject_share if this "
            "is how the delivery is"
        )


def _offenders(rejects: Sequence[Reject]) -> str:
    """The most frequent reasons, each with its first file. Reasons that differ in names and numbers count as one."""
    groups: dict[tuple[str, str], list[Reject]] = {}
    for row in rejects:
        groups.setdefault((row.stage, kind_of_reason(row.reason)), []).append(row)
    ordered = sorted(groups.values(), key=lambda rows: (-len(rows), rows[0].source))
    return "; ".join(
        f"{len(rows)} × {rows[0].stage}: {rows[0].reason} (first: {rows[0].source})" for rows in ordered[:5]
    )
