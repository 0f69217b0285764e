"""Boxes are half-open: areas, overlaps and their ratio by hand-made numbers."""

from __future__ import annotations

import numpy as np

from mammo.tables.boxes import areas, as_boxes, intersections, iou_matrix, iou_of_pairs

SQUARE = as_boxes([[0, 0, 10, 10]])


def test_areas_are_those_of_half_open_boxes():
    assert areas(as_boxes([[0, 0, 1, 1], [2, 3, 5, 7]])).tolist() == [1, 12]


def test_iou_of_known_boxes():
    others = as_boxes([[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 5, 5], [10, 0, 20, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(iou_matrix(SQUARE, others), [[1, 1 / 3, 0.25, 0, 0]])


def test_touching_boxes_share_nothing():
    assert intersections(SQUARE, as_boxes([[10, 0, 20, 10]])).tolist() == [[0]]


def test_boxes_without_area_overlap_with_nothing():
    empty = as_boxes([[5, 5, 5, 5]])
    assert iou_matrix(empty, empty).tolist() == [[0]]


def test_no_boxes_give_an_empty_matrix():
    assert iou_matrix(as_boxes([]), SQUARE).shape == (0, 1)
    assert iou_matrix(SQUARE, as_boxes([])).shape == (1, 0)


def test_iou_is_symmetric():
    boxes = as_boxes(np.random.default_rng(1).uniform(0, 50, (20, 4)).cumsum(axis=1)[:, [0, 1, 2, 3]])
    np.testing.assert_array_equal(iou_matrix(boxes, boxes), iou_matrix(boxes, boxes).T)


def test_overlap_of_pairs_is_the_diagonal_of_that_of_all():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 20, (40, 2)).astype(float)
    boxes = np.hstack([corners, corners + rng.integers(0, 15, (40, 2))])
    assert (
        iou_of_pairs(boxes[:20], boxes[20:]).tolist() == np.diag(iou_matrix(boxes[:20], boxes[20:])).tolist()
    )
