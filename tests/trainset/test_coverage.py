"""What anchors cover, held against keras-retinanet's own anchors and overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.settings import AnchorSettings, SideSettings
from mammo.trainset.coverage import (
    anchors_per_film,
    best_overlaps,
    coverage,
    network_boxes,
    network_shapes,
    suggest,
)

SETTINGS = {
    "default": AnchorSettings(),
    "demo": AnchorSettings(pyramid_levels=(3, 4, 5), sizes=(16.0, 24.0, 36.0), strides=(8, 16, 32)),
    "fine": AnchorSettings(
        pyramid_levels=(2, 3, 4, 5),
        sizes=(9.5, 20.0, 40.0, 77.0),
        strides=(4, 8, 16, 32),
        ratios=(0.33, 1.0, 3.0),
        scales=(1.0, 1.4),
    ),
}


def random_boxes(count: int, shape: tuple[int, int], seed: int) -> np.ndarray:
    """Boxes of every size inside a film, many at its edges."""
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.uniform(np.log(3), np.log(min(shape)), (count, 2)))
    low = rng.uniform(-0.3, 1.0, (count, 2)) * (np.array(shape[::-1]) - sides)
    low = np.clip(low, 0, np.array(shape[::-1]) - 1)
    return np.hstack([low, np.minimum(low + sides, shape[::-1])])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("shape", [(160, 128), (133, 97), (320, 250)])
def test_the_highest_overlap_is_that_of_keras_retinanet_over_all_its_anchors(name, shape):
    from keras_retinanet.utils.anchors import AnchorParameters, anchors_for_shape
    from keras_retinanet.utils.compute_overlap import compute_overlap

    settings = SETTINGS[name]
    padded = tuple(-(-side // 32) * 32 for side in shape)
    anchors = anchors_for_shape(
        (*padded, 3),
        pyramid_levels=list(settings.pyramid_levels),
        anchor_params=AnchorParameters(
            list(settings.sizes),
            list(settings.strides),
            np.array(settings.ratios, "float32"),
            np.array(settings.scales, "float32"),
        ),
    )
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    inside = (centres[:, 0] < shape[1]) & (centres[:, 1] < shape[0])  # those beyond the film are ignored
    boxes = random_boxes(400, shape, 7)
    expected = compute_overlap(anchors[inside].astype(np.float64), boxes).max(axis=0)
    found = best_overlaps(boxes, np.tile(shape, (len(boxes), 1)), settings)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert 0.05 < (expected < settings.positive_overlap).mean() < 0.95


def test_films_are_scaled_as_the_detector_scales_them():
    from mammo.detector.network_films import scale_film

    sides = SideSettings(min=100, max=150)
    for shape in [(448, 360), (4084, 3328), (1000, 120), (50, 60)]:
        expected = scale_film(np.zeros(shape, np.uint8), sides).shape
        assert tuple(network_shapes(np.array([shape]), sides)[0]) == expected


def test_boxes_are_scaled_with_their_film():
    boxes = network_boxes(
        np.array([[10.0, 20.0, 110.0, 420.0]]), np.array([[1000, 500]]), SideSettings(min=100, max=150)
    )
    assert boxes.tolist() == [[10 * 0.15, 20 * 0.15, 110 * 0.15, 420 * 0.15]]


def test_a_box_like_an_anchor_is_covered_and_a_sliver_is_taught_as_background():
    settings = SETTINGS["demo"]
    boxes = np.array([[4.0, 4.0, 20.0, 20.0], [30.0, 30.0, 32.0, 90.0]])
    found = coverage(boxes, np.tile((160, 128), (2, 1)), settings)
    assert found.overlaps[0] == 1.0
    assert (found.uncovered, found.background, found.uncovered_share) == (1, 1, 0.5)


def test_an_overlap_of_exactly_the_threshold_is_covered():
    settings = SETTINGS["demo"].model_copy(update={"positive_overlap": 1.0, "negative_overlap": 0.4})
    assert coverage(np.array([[4.0, 4.0, 20.0, 20.0]]), np.array([[160, 128]]), settings).uncovered == 0


def squares(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """300 square boxes with sides between the two, on films of 1000×800."""
    rng = np.random.default_rng(3)
    centres, side = rng.uniform(100, 600, (300, 2)), rng.uniform(low, high, (300, 1))
    return np.hstack([centres - side / 2, centres + side / 2]), np.tile((1000, 800), (300, 1))


def test_the_suggestion_covers_lesions_that_the_default_anchors_miss_at_no_more_cost():
    boxes, shapes = squares(400, 1000)
    boxes = np.clip(boxes, 0, (800, 1000, 800, 1000))
    small = AnchorSettings(pyramid_levels=(3, 4, 5), sizes=(16.0, 32.0, 64.0), strides=(8, 16, 32))
    (better,) = suggest(boxes, shapes, small)
    assert coverage(boxes, shapes, small).uncovered_share == 1.0
    assert better.coverage.uncovered_share <= 0.01
    assert better.coverage.uncovered == coverage(boxes, shapes, better.settings).uncovered
    assert better.anchors_per_film == anchors_per_film(shapes, better.settings)
    assert better.anchors_per_film <= 1.05 * better.anchors_per_film_before


def test_lesions_too_small_for_a_stride_of_8_bring_a_second_suggestion_with_level_2_and_its_price():
    boxes, shapes = squares(11, 30)
    now = coverage(boxes, shapes, AnchorSettings())
    cheap, fine = suggest(boxes, shapes, AnchorSettings())
    assert now.uncovered_share > cheap.coverage.uncovered_share > 0.05
    assert 2 not in cheap.settings.pyramid_levels
    assert 2 in fine.settings.pyramid_levels and fine.coverage.uncovered_share <= 0.01
    assert fine.anchors_per_film > 3 * fine.anchors_per_film_before


def test_there_is_nothing_to_suggest_where_everything_is_covered_or_nothing_covers_more():
    covered = np.array([[4.0, 4.0, 20.0, 20.0]])
    assert suggest(covered, np.array([[160, 128]]), SETTINGS["demo"]) == []
    sliver = np.array([[30.0, 30.0, 30.5, 150.0]])
    assert suggest(sliver, np.array([[160, 128]]), SETTINGS["demo"]) == []


def test_no_lesions_have_no_uncovered_share():
    none = coverage(np.zeros((0, 4)), np.zeros((0, 2), int), AnchorSettings())
    assert (none.lesions, none.uncovered, none.uncovered_share) == (0, 0, 0.0)
    assert suggest(np.zeros((0, 4)), np.zeros((0, 2), int), AnchorSettings()) == []
