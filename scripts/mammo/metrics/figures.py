"""All figures of a model on a set: what each is called, what it means, where it comes from, and how to compute it.

A family is a function that gives the figures of one kind; another kind of figure is another line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import get_args

import numpy as np

from mammo.metrics.average_precision import average_precision_statistic
from mammo.metrics.calibration import Of, brier, calibration_error
from mammo.metrics.coco import coco_statistics
from mammo.metrics.films import Film
from mammo.metrics.froc import (
    COUNTED,
    FPPI,
    FalsePositives,
    froc_curve,
    froc_statistics,
    operating_statistics,
)
from mammo.metrics.matching import Chosen
from mammo.metrics.protocol import (
    clean_cases_statistic,
    clean_images_statistic,
    sensitivity_statistic,
    single_lesion_films,
)
from mammo.metrics.roc import SPECIFICITIES, Level, auc, partial_auc, sensitivity_at_specificity, units_of
from mammo.metrics.statistic import Statistic, Values, Weights
from mammo.settings import EvaluationSettings, HitRule

AP_IOUS = (0.1, 0.2, 0.5)
PARTIAL_AUC_FROM = 0.8
COCO_IOUS = {"coco_ap50": "iou_0.5", "coco_ap75": "iou_0.75"}
ONE: dict[Level, str] = {"image": "an image", "breast": "a breast", "case": "a case"}
BUNCH = "Bunch et al. 1977"

FALSE_POSITIVES = {
    "all": "on all images / all images",
    "normal": "on images without lesions / images without lesions",
}
SECOND_HITS = {"ignored": "neither a true nor a false positive", "false": "a false positive"}


@dataclass(frozen=True)
class Figure:
    """One figure of one model on one set.

    `n`: how many things it rests on (lesions, normal images, …; of a ROC figure the rarer of positives and negatives).
    `hit_rule`, `false_positives`, `second_hit`: empty where the figure knows no such thing. `score_threshold`: from
    which score on detections count in it; of a FROC point where it lies, on the set itself.
    """

    name: str
    statistic: Statistic
    definition: str
    source: str
    n: int
    hit_rule: str = ""
    false_positives: str = ""
    second_hit: str = ""
    score_threshold: float | None = None


Family = Callable[[Sequence[Film], EvaluationSettings, float | None], Iterator[Figure]]


def sensitivity_column(fppi: float) -> str:
    """Name of the sensitivity at a rate of false positives per image."""
    return f"sens_at_{fppi:g}"


def figures_of(
    films: Sequence[Film], settings: EvaluationSettings, operating_threshold: float | None = None
) -> list[Figure]:
    """Every figure of the set. `operating_threshold`: from validation; None where there is none."""
    return [figure for family in FAMILIES for figure in family(films, settings, operating_threshold)]


def protocol_figures(
    films: Sequence[Film],
    settings: EvaluationSettings,
    _operating: float | None = None,
    chosen: Chosen | None = None,
) -> Iterator[Figure]:
    """The team's own protocol; of chosen lesions only the sensitivity."""
    rule, threshold = settings.hit_rule, settings.score_threshold
    source = "the team's protocol"
    second = "nothing; one detection hits every lesion that it can"
    yield Figure(
        "sensitivity", sensitivity_statistic(films, rule, threshold, chosen),
        "lesions that at least one detection from the score threshold on hits / all lesions", source,
        _count(films, chosen), rule, "", second, threshold,
    )  # fmt: skip
    if chosen is not None:
        return
    singles = single_lesion_films(films)
    yield Figure(
        "sensitivity_single", sensitivity_statistic(films, rule, threshold, singles),
        "the same of films with exactly one lesion only / lesions of these films", source,
        _count(films, singles), rule, "", second, threshold,
    )  # fmt: skip
    yield from clean_figures(films, settings)


def clean_figures(
    films: Sequence[Film], settings: EvaluationSettings, _operating: float | None = None
) -> Iterator[Figure]:
    """The protocol on normals."""
    threshold, source = settings.score_threshold, "the team's protocol"
    with_lesions = {film.case for film in films if len(film.lesions)}
    yield Figure(
        "clean_images", clean_images_statistic(films, threshold),
        "images without lesions that have no detection from the score threshold on / images without lesions", source,
        sum(not len(film.lesions) for film in films), score_threshold=threshold,
    )  # fmt: skip
    yield Figure(
        "clean_cases", clean_cases_statistic(films, threshold),
        "cases without a lesion on any image none of whose images has a detection from the score threshold on / cases "
        "without a lesion on any image", source,
        len({film.case for film in films} - with_lesions), score_threshold=threshold,
    )  # fmt: skip


def froc_figures(
    films: Sequence[Film],
    settings: EvaluationSettings,
    _operating: float | None = None,
    chosen: Chosen | None = None,
) -> Iterator[Figure]:
    """FROC by the configured hit rule, as the wide table has it."""
    yield from _froc(films, settings.froc_hit_rule, COUNTED, chosen)


def froc_variants(
    films: Sequence[Film], settings: EvaluationSettings, _operating: float | None = None
) -> Iterator[Figure]:
    """FROC by all hit rules, both denominators and both ways of second hits, but the one of `froc_figures`."""
    ways = [FalsePositives(images, second) for images in ("all", "normal") for second in ("ignored", "false")]
    for rule, counted in product(get_args(HitRule), ways):
        if (rule, counted) != (settings.froc_hit_rule, COUNTED):
            yield from _froc(films, rule, counted)


def _froc(
    films: Sequence[Film], rule: HitRule, counted: FalsePositives, chosen: Chosen | None = None
) -> Iterator[Figure]:
    statistics = froc_statistics(films, rule, counted, chosen)
    curve = froc_curve(films, rule, counted, chosen)
    n = _count(films, chosen)
    told = (rule, FALSE_POSITIVES[counted.images], SECOND_HITS[counted.second_hits])
    for rate, statistic in zip(FPPI, statistics[:-1], strict=True):
        definition = f"lesions hit / lesions, the most with at most {rate:g} false positives per image"
        threshold = curve.threshold_at(rate) if curve else None
        yield Figure(sensitivity_column(rate), statistic, definition, BUNCH, n, *told, threshold)
    yield Figure(
        "froc_mean", statistics[-1], "mean of the seven sensitivities at 1/8 to 8 false positives per image",
        "LUNA16, Setio et al. 2017", n, *told,
    )  # fmt: skip


def operating_figures(
    films: Sequence[Film], settings: EvaluationSettings, operating: float | None
) -> Iterator[Figure]:
    """The operating point; without a threshold from validation its figures are empty."""
    rule, rate = settings.froc_hit_rule, settings.operating_fppi
    sensitivity, false = (
        (_not_known, _not_known) if operating is None else operating_statistics(films, rule, operating)
    )
    where = f"from the lowest score on that gives at most {rate:g} false positives per image on validation"
    told = (rule, FALSE_POSITIVES["all"], SECOND_HITS["ignored"], operating)
    yield Figure(
        "operating_sensitivity", sensitivity, f"lesions hit (as in FROC) / lesions, {where}",
        BUNCH, _count(films), *told,
    )  # fmt: skip
    yield Figure("operating_fppi", false, f"false positives per image, {where}", BUNCH, len(films), *told)


def _not_known(weights: Weights) -> Values:
    return np.full(len(weights), np.nan)


def ap_figures(
    films: Sequence[Film],
    _settings: EvaluationSettings,
    _operating: float | None = None,
    chosen: Chosen | None = None,
    ious: Sequence[float] = AP_IOUS,
) -> Iterator[Figure]:
    """All-point average precision."""
    for iou in ious:
        yield Figure(
            f"ap{iou * 100:.0f}", average_precision_statistic(films, iou, chosen),
            "area under the precision envelope at every recall; scores above 0.05, at most 100 detections an image",
            "keras-retinanet 1.0.0, utils/eval.py", _count(films, chosen), f"iou_{iou:g}",
            FALSE_POSITIVES["all"].partition(" /")[0], SECOND_HITS["false"],
        )  # fmt: skip


def coco_figures(
    films: Sequence[Film], _settings: EvaluationSettings, _operating: float | None = None
) -> Iterator[Figure]:
    """COCO's twelve."""
    for name, statistic in coco_statistics(films).items():
        kind = "average recall" if "_ar_" in name else "average precision at 101 recalls"
        yield Figure(
            name, statistic, f"COCO's {kind}; its sizes (32, 96 pixels) are photographs'",
            "pycocotools 2.0, cocoeval.py", _count(films), COCO_IOUS.get(name, "iou_0.5 to iou_0.95"),
            FALSE_POSITIVES["all"].partition(" /")[0], SECOND_HITS["false"],
        )  # fmt: skip


def auc_figures(
    films: Sequence[Film],
    _settings: EvaluationSettings,
    _operating: float | None = None,
    levels: Sequence[Level] = get_args(Level),
) -> Iterator[Figure]:
    """Areas under the ROC curve."""
    for level in levels:
        definition = (
            f"chance that {ONE[level]} with a lesion scores higher than one without, equal scores half; "
            "its score is that of its strongest detection, 0 without any"
        )
        yield Figure(
            f"auc_{level}", auc(films, level), definition, "Hanley and McNeil 1982", _rarer(films, level)
        )


def roc_figures(
    films: Sequence[Film], _settings: EvaluationSettings, _operating: float | None = None
) -> Iterator[Figure]:
    """Partial areas, and sensitivities at fixed specificities."""
    for level in get_args(Level):
        rarer = _rarer(films, level)
        yield Figure(
            f"pauc_{level}", partial_auc(films, level, PARTIAL_AUC_FROM),
            f"area under the ROC curve of {level}s at specificities from {PARTIAL_AUC_FROM:g} on, standardised: 0.5 is "
            "chance, 1 is perfect",
            "McClish 1989", rarer,
        )  # fmt: skip
        for specificity in SPECIFICITIES:
            yield Figure(
                f"sens_at_spec_{specificity:g}_{level}",
                sensitivity_at_specificity(films, level, specificity),
                f"highest share of {level}s with a lesion that reach a score which {specificity:.0%} of those without "
                "do not", "Hanley and McNeil 1982", rarer,
            )  # fmt: skip


def calibration_figures(
    films: Sequence[Film], settings: EvaluationSettings, _operating: float | None = None
) -> Iterator[Figure]:
    """Whether scores are chances: of images to have a lesion, of stored detections to hit one."""
    yield from _calibration(
        films, "image", "an image's highest score and its having a lesion (0 or 1)", len(films)
    )
    detections = sum(len(film.scores) for film in films)
    yield from _calibration(
        films,
        settings.froc_hit_rule,
        "a stored detection's score and its hitting a lesion (0 or 1)",
        detections,
    )


def _calibration(films: Sequence[Film], of: Of, told: str, n: int) -> Iterator[Figure]:
    name, rule = ("image", "") if of == "image" else ("detection", of)
    yield Figure(
        f"brier_{name}", brier(films, of), f"mean squared difference of {told}; smaller is better",
        "Brier 1950", n, rule,
    )  # fmt: skip
    yield Figure(
        f"ece_{name}", calibration_error(films, of),
        f"difference of the means of {told}, in 15 bins of equal width of the score, mean over what is in them; "
        "smaller is better", "Naeini et al. 2015, Guo et al. 2017", n, rule,
    )  # fmt: skip


# Of a name that stands several times, the first figure is by the configured rules.
FAMILIES: tuple[Family, ...] = (
    protocol_figures,
    ap_figures,
    froc_figures,
    operating_figures,
    auc_figures,
    roc_figures,
    coco_figures,
    calibration_figures,
    froc_variants,
)


def _count(films: Sequence[Film], chosen: Chosen | None = None) -> int:
    """Lesions that count."""
    if chosen is None:
        return sum(len(film.lesions) for film in films)
    return sum(int(counts.sum()) for counts in chosen)


def _rarer(films: Sequence[Film], level: Level) -> int:
    positive = units_of(films, level).positive
    return int(min(positive.sum(), (~positive).sum()))
