"""What a benchmark of annotations measures: films of known truth, the findings held against it, one table of all.

A form's cases are a list of jobs, each a picklable callable without arguments that makes one film, runs the recogniser
and gives its `Score`s. A module that has such cases offers `jobs(seed) -> list[Job]`; `annotations.py` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]
# A lesion counts as recovered from this IoU on; so many of all are asked for.
RECOVERED, REQUIRED = 0.9, 0.99
# The notebooks' way of finding outlines, for comparison.
EXACT_COLOUR = "exact colour"


@dataclass(frozen=True)
class Score:
    """One film, its findings held against its truth.

    `form` as in the settings; `conditions` the words under which the film is counted in the table ("line 1-2 px",
    "4:2:0", …), each a row of the form; `ious` of every lesion of the truth with its own finding (0 without one);
    `invented` findings that belong to no lesion. A film without lesions is a clean film; one that is refused (`fault`
    says why) counts as a film with a finding.
    """

    form: str
    conditions: tuple[str, ...]
    ious: tuple[float, ...]
    invented: int
    fault: str = ""

    @property
    def clean(self) -> bool:
        """Whether there was nothing to find."""
        return not self.ious


Job = Callable[[], list[Score]]


def score(
    form: str, conditions: Iterable[str], truth: Sequence[Box], found: Sequence[Box], fault: str = ""
) -> Score:
    """Findings against the truth, one to one, best pairs first; `fault` names what the recogniser refused."""
    overlaps = np.array([[iou(lesion, box) for box in found] for lesion in truth]).reshape(
        len(truth), len(found)
    )
    best, free = [0.0] * len(truth), len(found)
    while overlaps.size and overlaps.max() > 0.1:
        lesion, finding = (int(place) for place in np.unravel_index(overlaps.argmax(), overlaps.shape))
        best[lesion] = float(overlaps[lesion, finding])
        overlaps[lesion, :], overlaps[:, finding] = 0, 0
        free -= 1
    return Score(form, tuple(conditions), tuple(best), free, fault)


def iou(first: Box, second: Box) -> float:
    """Intersection over union of half-open boxes."""
    across = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / (sum(areas) - across * down) if across * down else 0.0


@dataclass(frozen=True)
class Row:
    """One row of the table: a form under a condition. `share` recovered and `median` IoU are nan without lesions."""

    form: str
    condition: str
    films: int
    lesions: int
    share: float
    median: float
    invented: int
    clean: int
    invented_clean: int


def rows(scores: Sequence[Score]) -> list[Row]:
    """All films of a form first, then each condition, sorted by name and number."""
    made = []
    for form in dict.fromkeys(one.form for one in scores):
        of_form = [one for one in scores if one.form == form]
        conditions = sorted({word for one in of_form for word in one.conditions}, key=_natural)
        made.append(_row(form, "all", of_form))
        made += [_row(form, word, [one for one in of_form if word in one.conditions]) for word in conditions]
    return made


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts numbers within a text by their size."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _row(form: str, condition: str, scores: Sequence[Score]) -> Row:
    ious = [value for one in scores for value in one.ious]
    marked, clean = [one for one in scores if not one.clean], [one for one in scores if one.clean]
    return Row(
        form=form,
        condition=condition,
        films=len(marked),
        lesions=len(ious),
        share=sum(value >= RECOVERED for value in ious) / len(ious) if ious else float("nan"),
        median=float(np.median(ious)) if ious else float("nan"),
        invented=sum(one.invented for one in marked),
        clean=len(clean),
        invented_clean=sum(one.invented + bool(one.fault) for one in clean),
    )


def markdown(table: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = [
        "| form | condition | films | lesions | recovered | median IoU | invented | clean films | invented there |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        share = f"{row.share:.1%} | {row.median:.3f}" if row.lesions else "– | –"
        clean = f"{row.clean} | {row.invented_clean}" if row.clean else "– | –"
        invented = str(row.invented) if row.films else "–"
        films = f"{row.films} | {row.lesions}" if row.films else "– | –"
        lines.append(f"| {row.form} | {row.condition} | {films} | {share} | {invented} | {clean} |")
    return "\n".join(lines) + "\n"


def records(table: Sequence[Row]) -> dict[str, dict[str, float | str]]:
    """One record a form, as `run.py` wants them."""
    how = (
        "share of lesions recovered with a box IoU of at least 0.9, over {lesions} lesions on {films} phantom films, "
        "{invented} findings beside them; {clean} clean films, {invented_clean} findings on them; "
        "reference: the share that is asked for"
    )
    totals = {row.form: row for row in table if row.condition == "all" and row.lesions}
    made: dict[str, dict[str, float | str]] = {
        f"annotation_{form}": {
            "ours": round(row.share, 5),
            "reference": REQUIRED,
            "ratio": round(row.share / REQUIRED, 5),
            "unit": "share",
            "how": how.format(**row.__dict__),
        }
        for form, row in totals.items()
        if form != EXACT_COLOUR
    }
    if {"outline", EXACT_COLOUR} <= totals.keys():
        ours, exact = totals["outline"].share, totals[EXACT_COLOUR].share
        made["annotation_outline_exact_colour"] = {
            "ours": round(ours, 5),
            "reference": round(exact, 5),
            # Where the exact test finds nothing at all, one lesion of a thousand stands for it.
            "ratio": round(ours / max(exact, 0.001), 5),
            "unit": "share",
            "how": "share of lesions recovered with a box IoU of at least 0.9; reference: pixels of the pen's exact "
            f"colour (± 10) and their external contours, on {totals[EXACT_COLOUR].films} of the same pictures",
        }
    return made
