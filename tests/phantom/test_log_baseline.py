"""Lesions are not found by brightness and size alone, so that a detector that finds them has learned a shape."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mammo.phantom import FilmSpec, PhantomSettings, load_settings, make_film
from mammo.phantom.ncc import plan_films

sys.path.insert(0, str(Path(__file__).parent))
from log_baseline import Choice, Responses, detect, respond, sensitivity_at, tune

FPPI = 1.0


def films(settings: PhantomSettings, deliveries: tuple[str, ...], count: int) -> list[Responses]:
    """The first `count` films of each delivery as the demo draws them, at half the size to save time."""
    made = []
    for delivery in deliveries:
        for plan in plan_films(settings, delivery)[:count]:
            key, patient = (
                f"{settings.seed} {delivery} {plan.index}",
                f"{settings.seed} {delivery} {plan.case}",
            )
            spec = FilmSpec(
                key, patient, 256, 208, plan.laterality, plan.view, plan.kinds, settings.difficulty, 0.01
            )
            made.append(respond(make_film(spec)))
    return made


def test_a_tuned_blob_detector_stays_under_half_at_one_false_positive_a_film(root: Path) -> None:
    settings = load_settings(root / "profiles" / "demo" / "phantoms.yaml")
    choice, tuned = tune(films(settings, ("abn_180116_1", "abn_180517_2"), 25), FPPI)
    unseen = films(settings, ("abn_1", "abn_2"), 40)
    detections = [detect(film, choice) for film in unseen]
    sensitivity = sensitivity_at(detections, [film.boxes for film in unseen], FPPI)
    assert sensitivity < 0.5, f"{choice} finds {sensitivity:.2f} (tuned: {tuned:.2f})"
    # And it is a detector, not a broken one: far above what chance would hit.
    assert sensitivity > 0.1


def test_the_blob_detector_finds_a_bright_disc_on_dark_ground() -> None:
    y, x = np.mgrid[0:512, 0:416]
    disc = 0.3 + 0.3 * (np.hypot(x - 200, y - 250) < 25)
    film = make_film(FilmSpec("k", "p", 512, 416, "L", "CC", (), PhantomSettings().difficulty, 0.0))
    blank = type(film)(disc.astype(np.float32), np.zeros_like(film.air), (), film.grains)
    best = detect(respond(blank), Choice((6,), 1, False, 6.0, 12.0))[0]
    assert np.hypot(best[0] - 200, best[1] - 250) < 3


def test_sensitivity_counts_a_second_hit_on_one_lesion_neither_way() -> None:
    boxes = [np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10]])]
    found = [np.array([[5.0, 5, 0.9], [6, 6, 0.8], [50, 50, 0.5]]), np.array([[50.0, 50, 0.7], [5, 5, 0.6]])]
    assert sensitivity_at(found, boxes, 0.0) == 0.5
    assert sensitivity_at(found, boxes, 0.5) == 1.0
