"""Overlay planes: wherever their bits lie, and what is drawn in them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydicom import dcmread

from mammo.annotations import overlay
from mammo.annotations.finding import Evidence
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable
from mammo.phantom.annotation_objects import (
    add_plane,
    add_plane_in_pixels,
    drawn_raster,
    ellipse_outline,
    encode_big_endian,
    pixel_box_of,
)
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels
from mammo.settings import AnnotationSettings

SHAPE = (320, 240)
EGG = ellipse_outline((120.5, 150.5), 40, 22, 30)
ROUND = ellipse_outline((60.5, 60.5), 20, 20, 0)
CLOSE = pytest.approx(pixel_box_of(EGG), abs=1)


@pytest.fixture
def boxes_in(tmp_path, settings):
    """Boxes found in a film that `plan` put planes into."""

    def found(plan, write=encode, shape=SHAPE, frame=0, **options):
        dataset = elements(Modality="MG")
        set_pixels(dataset, np.full(shape, 100, np.uint16), 12, "MONOCHROME2")
        plan(dataset)
        path = tmp_path / "film.dcm"
        path.write_bytes(write(dataset, MAMMO_FOR_PRESENTATION, "film", **options))
        return [
            one.box for one in overlay.find(Evidence(path, (shape[1], shape[0]), frame), settings)
        ]  # fmt: skip

    return found


def drawn(*outlines, **style):
    return drawn_raster(SHAPE, outlines, **style)


@pytest.fixture
def boxes_of(boxes_in):
    """Boxes found in a film with one plane of a raster."""
    return lambda raster: boxes_in(lambda dataset: add_plane(dataset, 0x6000, raster))


# --- where the bits lie


def test_a_plane_as_data_of_its_own(boxes_of):
    assert boxes_of(drawn(EGG)) == [CLOSE]


def test_a_plane_of_another_group(boxes_in):
    assert boxes_in(lambda dataset: add_plane(dataset, 0x601E, drawn(EGG))) == [CLOSE]


def test_planes_in_unused_bits_of_the_pixels(boxes_in):
    def plan(dataset):
        add_plane_in_pixels(dataset, 0x6000, drawn(EGG), 15)
        add_plane_in_pixels(dataset, 0x6002, drawn(ROUND), 12)

    assert boxes_in(plan) == [CLOSE, pytest.approx(pixel_box_of(ROUND), abs=1)]


def test_planes_in_bits_of_compressed_pixels(boxes_in):
    assert boxes_in(lambda dataset: add_plane_in_pixels(dataset, 0x6000, drawn(EGG), 15), rle=True) == [CLOSE]


def test_planes_of_a_big_endian_file(boxes_in):
    def plan(dataset):
        add_plane(dataset, 0x6000, drawn(EGG), swapped=True)
        add_plane_in_pixels(dataset, 0x6002, drawn(ROUND), 14)

    assert boxes_in(plan, encode_big_endian) == [CLOSE, pytest.approx(pixel_box_of(ROUND), abs=1)]


@pytest.mark.parametrize("at", [(100, 60), (0, 0), (-30, -20), (200, 300)])
def test_the_origin_is_one_based_and_may_be_negative(boxes_in, at):
    patch = drawn_raster((61, 51), [ellipse_outline((25.5, 30.5), 20, 20, 0)])
    found = boxes_in(lambda dataset: add_plane(dataset, 0x6000, patch, at))
    assert found == [(at[0] + 5, at[1] + 10, at[0] + 46, at[1] + 51)]


@pytest.mark.parametrize("at", [(-51, 0), (240, 10), (30000, 30000), (-30000, -30000)])
def test_a_plane_beside_the_film_holds_nothing(boxes_in, at):
    patch = drawn_raster((61, 51), [ellipse_outline((25.5, 30.5), 20, 20, 0)])
    assert boxes_in(lambda dataset: add_plane(dataset, 0x6000, patch, at)) == []


def test_a_plane_without_an_origin_lies_on_the_first_pixel(boxes_in):
    def plan(dataset):
        add_plane(dataset, 0x6000, drawn(EGG))
        del dataset[0x6000, 0x0050]

    assert boxes_in(plan) == [CLOSE]


def test_data_two_bytes_short_are_made_up_for(boxes_in):
    assert boxes_in(lambda dataset: add_plane(dataset, 0x6000, drawn(EGG), missing=2)) == [CLOSE]


def test_data_cut_off_are_unusable(boxes_in):
    with pytest.raises(Unusable, match="cut off: 9588 of 9600"):
        boxes_in(lambda dataset: add_plane(dataset, 0x6000, drawn(EGG), missing=12))


def test_a_plane_whose_data_an_anonymiser_took_is_no_plane(boxes_in):
    def plan(dataset):
        add_plane(dataset, 0x6000, drawn(EGG))
        del dataset[0x6000, 0x3000]

    assert boxes_in(plan) == []


@pytest.mark.parametrize("size", [65535, 14000])
def test_a_plane_that_claims_more_than_there_is_costs_no_memory(boxes_in, size):
    def plan(dataset):
        add_plane(dataset, 0x6000, drawn(EGG))
        dataset[0x6000, 0x0010].value = dataset[0x6000, 0x0011].value = size

    with pytest.raises(Unusable, match=r"more than any film|cut off"):
        boxes_in(plan)


def test_a_plane_in_bits_that_are_the_pixels_own_is_unusable(boxes_in):
    with pytest.raises(Unusable, match="belong to the pixels"):
        boxes_in(lambda dataset: add_plane_in_pixels(dataset, 0x6000, drawn(EGG), 3))


def test_frames_of_a_plane_lie_on_frames_of_the_film(boxes_in):
    stack = np.stack([drawn(EGG), drawn(ROUND), drawn()])
    # An odd number of pixels: the second frame begins inside a byte.
    stack = stack[:, :319, :239]

    def plan(dataset):
        dataset.NumberOfFrames = 4
        dataset.PixelData = dataset.PixelData * 4
        add_plane(dataset, 0x6000, stack, first_frame=2)

    found = [boxes_in(plan, frame=frame) for frame in range(5)]
    assert found == [[], [CLOSE], [pytest.approx(pixel_box_of(ROUND), abs=1)], [], []]


def test_a_plane_that_counts_no_frames_lies_on_every_frame(boxes_in):
    def plan(dataset):
        dataset.NumberOfFrames = 2
        dataset.PixelData = dataset.PixelData * 2
        add_plane(dataset, 0x6000, drawn(EGG))

    assert boxes_in(plan, frame=0) == boxes_in(plan, frame=1) == [CLOSE]


# --- what is drawn


@pytest.mark.parametrize("line", range(1, 9))
def test_the_box_runs_along_the_middle_of_the_line(boxes_of, line):
    assert boxes_of(drawn(EGG, line=line)) == [pytest.approx(pixel_box_of(EGG), abs=1.1)]


def test_a_filled_region_counts_with_its_whole_extent(boxes_of):
    assert boxes_of(drawn(EGG, filled=True)) == [CLOSE]


@pytest.mark.parametrize("gap", [1, 3, 5])
def test_gaps_are_closed(boxes_of, gap):
    assert boxes_of(drawn(EGG, line=2, gap=gap)) == [pytest.approx(pixel_box_of(EGG), abs=1.1)]


def test_outlines_beside_each_other_and_nested_ones_are_lesions_each(boxes_of):
    inner = ellipse_outline((120.5, 150.5), 10, 9, 0)
    found = boxes_of(drawn(EGG, ROUND, inner))
    assert sorted(found) == [
        pytest.approx(pixel_box_of(one), abs=1) for one in (ROUND, EGG, inner)
    ]  # fmt: skip


def test_outlines_that_touch_are_two_lesions(boxes_of):
    left, right = ellipse_outline((60.5, 100.5), 30, 30, 0), ellipse_outline((114.5, 100.5), 24, 24, 0)
    found = boxes_of(drawn(left, right, line=2))
    assert sorted(found) == [pytest.approx(pixel_box_of(one), abs=2) for one in (left, right)]


def test_a_ruler_across_an_outline_does_not_divide_it(boxes_of):
    raster = drawn(EGG)
    cv2.line(raster, (90, 135), (150, 166), 1, 1)
    assert boxes_of(raster) == [CLOSE]


def test_a_line_that_leads_away_is_no_part_of_the_lesion(boxes_of):
    raster = drawn(EGG)
    cv2.line(raster, (155, 165), (185, 180), 1, 1)
    assert boxes_of(raster) == [CLOSE]


@pytest.mark.parametrize(
    "centre", [(4.5, 150.5), (120.5, 3.5), (236.5, 150.5), (120.5, 317.5), (5.5, 6.5), (236.5, 317.5)]
)
def test_an_outline_that_leaves_the_film_is_closed_by_its_edge(boxes_of, centre):
    outline = ellipse_outline(centre, 30, 24, 20)
    x1, y1, x2, y2 = pixel_box_of(outline)
    truth = (max(x1, 0), max(y1, 0), min(x2, SHAPE[1]), min(y2, SHAPE[0]))
    assert boxes_of(drawn(outline, line=2)) == [pytest.approx(truth, abs=1.6)]


def crosshair(raster):
    cv2.line(raster, (100, 50), (100, 150), 1, 1)
    cv2.line(raster, (50, 100), (150, 100), 1, 1)


def rulers_to_the_edges(raster):
    cv2.line(raster, (100, 0), (100, 319), 1, 1)
    cv2.line(raster, (0, 100), (239, 100), 1, 1)


def arrow(raster):
    cv2.arrowedLine(raster, (200, 200), (120, 120), 1, 2)


def frame_around_everything(raster):
    cv2.rectangle(raster, (2, 2), (237, 317), 1, 1)


def side_marker(raster):
    cv2.putText(raster, "RMLO", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 1, 2)


def small_print(raster):
    for line in range(12):
        cv2.putText(raster, "D0B 2018 06 09 80kV", (10, 20 + 24 * line), cv2.FONT_HERSHEY_PLAIN, 1.1, 1, 1)


def grains(raster):
    rng = np.random.default_rng(1)
    raster[rng.integers(0, 320, 900), rng.integers(0, 240, 900)] = 1


@pytest.mark.parametrize(
    "draw",
    [crosshair, rulers_to_the_edges, arrow, frame_around_everything, side_marker, small_print, grains],
    ids=lambda draw: draw.__name__,
)
def test_what_is_no_lesion(boxes_of, draw):
    raster = drawn()
    draw(raster)
    assert boxes_of(raster) == []


@pytest.mark.parametrize("draw", [arrow, side_marker, small_print], ids=lambda draw: draw.__name__)
def test_a_lesion_beside_what_is_none(boxes_of, draw):
    raster = drawn(ellipse_outline((170.5, 240.5), 30, 20, 0)) if draw is not small_print else drawn(EGG)
    if draw is small_print:
        cv2.putText(raster, "B0D 12 mm", (100, 200), cv2.FONT_HERSHEY_PLAIN, 1.1, 1, 1)
    else:
        draw(raster)
    assert len(boxes_of(raster)) == 1


@pytest.mark.parametrize(
    ("file", "found"),
    [
        # Two biopsy targets: crosshairs of 101×101 pixels, one reaching beyond the film.
        ("mammography/fodicom_OutOfBoundsOverlay_MG.dcm", []),
        # Text in bits 15 and 14 of the pixels, and as data.
        ("overlay/dcm4che_ovly_p01.dcm", []),
        # An empty plane, a line shorter than the film and its data shorter still.
        ("overlay/fodicom_GH1728_SC_overlay.dcm", []),
        # A region drawn by hand, text, and a box of four lines cut by the edge.
        ("overlay/pydicom_examples_overlay.dcm", [(46, 139, 81, 174)]),
        ("mammography/fodicom_GH133_GE_MG.dcm", []),
    ],
)
def test_real_files(shared_data, file, found):
    path = shared_data / "dicom" / file
    header = read_header(path)
    evidence = Evidence(path, (header.Columns, header.Rows))
    assert [one.box for one in overlay.find(evidence, AnnotationSettings())] == found


def test_real_planes_have_all_their_pixels(shared_data):
    counts = {
        "overlay/dcm4che_ovly_p01.dcm": [532, 537, 603, 606],
        "mammography/fodicom_OutOfBoundsOverlay_MG.dcm": [201, 201],
    }
    for file, marked in counts.items():
        planes = overlay.planes_of(dcmread(shared_data / "dicom" / file))
        assert [int(plane.raster.sum()) for plane in planes] == marked
    assert [plane.at for plane in planes] == [(408, 703), (-26, -26)]


def noise(raster):
    raster[:] = np.random.default_rng(1).random(raster.shape) < 0.4


def hatching(raster):
    for start in range(-320, 240, 8):
        cv2.line(raster, (start, 0), (start + 320, 319), 1, 1)


def grid(raster):
    raster[::5], raster[:, ::5] = 1, 1


@pytest.mark.parametrize("draw", [noise, hatching, grid], ids=lambda draw: draw.__name__)
def test_what_is_no_drawing_is_unusable_at_once(boxes_of, draw):
    raster = drawn()
    draw(raster)
    with pytest.raises(Unusable, match="no drawing"):
        boxes_of(raster)
