"""Presentation states: every graphic, unit, turn and flip; only what is about this film; nothing that is no lesion."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from mammo.annotations import gsps
from mammo.dicom.unusable import Unusable
from mammo.phantom.annotation_objects import (
    Graphic,
    Shown,
    add_plane,
    box_of,
    circle,
    closed_curve,
    closed_line,
    compound,
    drawn_raster,
    ellipse,
    ellipse_outline,
    film_name,
    presentation_state,
)

EGG = ellipse_outline((120, 150), 40, 22, 30)
OTHER = film_name(240, 320, "another film")


def boxes(film, settings, *states, frame=0):
    return [one.box for one in gsps.find(film.evidence("gsps", *states, frame=frame), settings)]


def edited(state, edit):
    """A written state, changed as an untidy writer would have."""
    dataset = dcmread(io.BytesIO(state))
    edit(dataset)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("graphic", "truth", "within"),
    [
        (closed_line(EGG), box_of(EGG), 0.01),
        (closed_curve(EGG, 60), box_of(EGG), 1.0),
        (circle((100.5, 90), 31, 77), (69.5, 59, 131.5, 121), 0.01),
        (ellipse((120, 150), 40, 22, 30), box_of(EGG), 0.01),
        (Graphic("POLYLINE", EGG, filled=True), box_of(EGG), 0.01),
        # A hand that does not quite come back to where it began.
        (Graphic("POLYLINE", EGG[:-20]), box_of(EGG), 0.5),
    ],
)
@pytest.mark.parametrize(
    "shown",
    [
        Shown(),
        Shown(rotation=90),
        Shown(rotation=180),
        Shown(rotation=270),
        Shown(flip=True),
        Shown((30, 20, 200, 300), 90, True),
        Shown((-20, 10, 230, 400), 270, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("units", ["PIXEL", "DISPLAY"])
def test_every_graphic_in_both_units_however_the_film_is_shown(
    film, settings, graphic, truth, within, shown, units
):
    state = presentation_state([film.name], [(film.name, [graphic])], "state", units=units, shown=shown)
    found = boxes(film, settings, state)
    assert len(found) == 1
    assert found[0] == pytest.approx(truth, abs=within)


def test_a_curve_reaches_beyond_its_points(film, settings):
    """Four points of a circle: their own extent is right here, the middle of two turned by 45 degrees is not."""
    turned = ellipse_outline((120, 150), 40, 40, 45)[::180]
    found = boxes(
        film, settings, presentation_state([film.name], [(None, [closed_curve(turned, 1)])], "state")
    )
    assert found[0] == pytest.approx((80, 110, 160, 190), abs=6)


@pytest.mark.parametrize(
    "graphic",
    [
        Graphic("POINT", np.array([[50.0, 60.0]])),
        Graphic("POLYLINE", np.array([[50.0, 60.0]])),
        Graphic("POLYLINE", np.array([[50.0, 60.0], [120.0, 160.0]])),
        Graphic("POLYLINE", np.array([[50.0, 60.0], [120.0, 160.0], [50.0, 60.0]])),
        Graphic("POLYLINE", np.array([[50.0, 60.0], [120.0, 60.0], [120.0, 160.0]])),
        Graphic("POLYLINE", np.array([[50.0, 60.0], [120.0, 160.0], [56.0, 66.0]])),
        closed_line(ellipse_outline((100, 100), 4, 4, 0)),
        closed_line(ellipse_outline((400, 100), 30, 30, 0)),
        circle((100, 100), 0.0),
    ],
    ids=[
        "point",
        "one-point line",
        "line",
        "to and fro",
        "open angle",
        "sharp angle",
        "arrow's head",
        "off the film",
        "empty",
    ],
)
def test_what_encloses_nothing_on_the_film_is_no_lesion(film, settings, graphic):
    assert boxes(film, settings, presentation_state([film.name], [(film.name, [graphic])], "state")) == []


def test_text_and_its_box_are_no_lesion(film, settings):
    state = presentation_state([film.name], [(film.name, [])], "state", texts=[(10, 10, 90, 60)])
    assert boxes(film, settings, state) == []


def test_graphics_of_other_films_are_theirs(film, settings):
    state = presentation_state([film.name, OTHER], [(OTHER, [circle((60, 60), 20)])], "state")
    assert boxes(film, settings, state) == []


def test_graphics_that_name_no_film_are_for_all_films_of_the_state(film, settings):
    both = [circle((60, 60), 20)]
    assert boxes(film, settings, presentation_state([film.name, OTHER], [(None, both)], "state")) == [
        (40, 40, 80, 80)
    ]
    assert boxes(film, settings, presentation_state([OTHER], [(None, both)], "state")) == []


def test_graphics_of_another_frame_are_its_own(film, settings):
    second = replace(film.name, frames=(2,))
    state = presentation_state([film.name], [(second, [circle((60, 60), 20)])], "state")
    assert boxes(film, settings, state) == []
    assert boxes(film, settings, state, frame=1) == [(40, 40, 80, 80)]


def test_a_lesion_in_two_states_is_one_lesion(film, settings):
    first, second = (
        presentation_state([film.name], [(film.name, [circle((60 + move, 60), 20)])], "state", move)
        for move in (0, 1)
    )
    assert boxes(film, settings, first, second) == [(40, 40, 80, 80)]


def test_nested_outlines_are_two_lesions(film, settings):
    nested = [circle((100, 100), 60), circle((110, 90), 15)]
    state = presentation_state([film.name], [(film.name, nested)], "state")
    assert boxes(film, settings, state) == [(40, 40, 160, 160), (95, 75, 125, 105)]


@pytest.mark.parametrize("kind", ["RECTANGLE", "ELLIPSE"])
def test_a_compound_region_counts_once_with_the_graphic_that_stands_for_it(film, settings, kind):
    item = compound(kind, 7, [50, 60, 130, 100], angle=90)
    state = presentation_state(
        [film.name], [(film.name, [circle((90, 80), 60)])], "state", compounds=[item]
    )  # fmt: skip

    def link(dataset):
        dataset.GraphicAnnotationSequence[0].GraphicObjectSequence[0].CompoundGraphicInstanceID = 7

    assert boxes(film, settings, edited(state, link)) == [pytest.approx((70, 40, 110, 120))]


def test_a_compound_turns_counterclockwise(film, settings):
    item = compound("RECTANGLE", 7, [50, 60, 130, 100], angle=30)
    item.RotationPoint = [50, 100]
    found = boxes(film, settings, presentation_state([film.name], [(film.name, [])], "s", compounds=[item]))
    sine, cosine = math.sin(math.radians(30)), math.cos(math.radians(30))
    # The bottom edge, 80 long, rises to the right; the left one, 40 high, leans to the left.
    truth = (50 - 40 * sine, 100 - 80 * sine - 40 * cosine, 50 + 80 * cosine, 100)
    assert found == [pytest.approx(truth)]


def test_the_graphics_of_a_ruler_are_no_lesion(film, settings):
    state = presentation_state(
        [film.name], [(film.name, [circle((90, 80), 40)])], "s", compounds=[compound("RULER", 7, [5, 5, 90, 90])]
    )  # fmt: skip

    def link(dataset):
        dataset.GraphicAnnotationSequence[0].GraphicObjectSequence[0].CompoundGraphicInstanceID = 7

    assert boxes(film, settings, edited(state, link)) == []


def test_a_plane_in_the_state_lies_on_the_film(film, settings):
    state = presentation_state([film.name], [(film.name, [])], "state")
    raster = drawn_raster((320, 240), [EGG])
    found = boxes(film, settings, edited(state, lambda dataset: add_plane(dataset, 0x6000, raster)))
    assert found == [pytest.approx(box_of(EGG), abs=1)]


def test_the_whole_film_is_displayed_where_the_state_does_not_say(film, settings):
    state = presentation_state([film.name], [(film.name, [closed_line(EGG)])], "state", units="DISPLAY")

    def strip(dataset):
        del dataset.DisplayedAreaSelectionSequence

    assert boxes(film, settings, edited(state, strip)) == [pytest.approx(box_of(EGG), abs=0.01)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"GraphicData": [float("nan"), 2.0, 3.0, 4.0]}, "without points"),
        ({"GraphicData": [1.0, 2.0, 3.0]}, "without points"),
        ({"GraphicData": [1e30, 2.0, 3.0, 4.0]}, "without points"),
        ({"GraphicData": None}, "without points"),
        ({"GraphicType": "BLOB"}, "no known type"),
        ({"GraphicAnnotationUnits": "MATRIX"}, "units"),
    ],
)
def test_a_broken_graphic_makes_the_state_unusable(film, settings, change, reason):
    state = presentation_state([film.name], [(film.name, [circle((60, 60), 20)])], "state")

    def spoil(dataset):
        for keyword, value in change.items():
            setattr(dataset.GraphicAnnotationSequence[0].GraphicObjectSequence[0], keyword, value)

    with pytest.raises(Unusable, match=reason):
        boxes(film, settings, edited(state, spoil))


def test_a_skew_turn_makes_the_state_unusable(film, settings):
    state = presentation_state([film.name], [(film.name, [])], "state")
    with pytest.raises(Unusable, match="right angle"):
        boxes(film, settings, edited(state, lambda dataset: setattr(dataset, "ImageRotation", 45)))


def test_empty_sequences_hold_no_lesion(film, settings):
    state = presentation_state([film.name], [], "state")
    assert boxes(film, settings, state) == []
    assert boxes(film, settings) == []


def test_thousands_of_graphics_take_no_time(film, settings):
    many = [circle((20 + 0.02 * n, 20 + 0.025 * n), 10 + n % 7) for n in range(3000)]
    state = presentation_state([film.name], [(film.name, many)], "state")
    assert 0 < len(boxes(film, settings, state)) < 3000


# --- written by others


@pytest.mark.parametrize(
    ("graphic", "truth"),
    [
        (closed_line(EGG), box_of(EGG)),
        (circle((100, 90), 31), (69, 59, 131, 121)),
        (ellipse((120, 150), 40, 22, 30), box_of(EGG)),
        (closed_curve(EGG, 40), box_of(EGG)),
    ],
    ids=["POLYLINE", "CIRCLE", "ELLIPSE", "INTERPOLATED"],
)
@pytest.mark.parametrize("units", ["PIXEL", "DISPLAY"])
def test_highdicom_s_graphics(film, settings, graphic, truth, units):
    hd = pytest.importorskip("highdicom")
    source = dcmread(film.path)
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "AccessionNumber",
    ):
        setattr(source, keyword, "")
    source.StudyDate, source.StudyTime, source.ReferringPhysicianName = "", "", ""
    source.StudyInstanceUID, source.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    points = graphic.points / ((240, 320) if units == "DISPLAY" else 1)
    layer = hd.pr.GraphicLayer("LESIONS", 1)
    drawn = hd.pr.GraphicObject(graphic.kind, points, units=units)
    text = hd.pr.TextObject("mass", anchor_point=(0.5, 0.5), units="DISPLAY")
    annotation = hd.pr.GraphicAnnotation([source], layer, graphic_objects=[drawn], text_objects=[text])
    made = hd.pr.GrayscaleSoftcopyPresentationState(
        [source], "1.2.3.5", 1, "1.2.3.6", 1, "maker", "model", "1", "serial", "LESIONS",
        graphic_layers=[layer], graphic_annotations=[annotation],
    )  # fmt: skip
    out = io.BytesIO()
    made.save_as(out)
    assert boxes(film, settings, out.getvalue()) == [pytest.approx(truth, abs=0.5)]
