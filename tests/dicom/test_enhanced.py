"""Files of several frames: what is said for all frames, and what for each."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_writer import Form, film_bytes, ramp
from pydicom.dataset import Dataset

from mammo.dicom.display import display_film
from mammo.dicom.facts import film_facts
from mammo.dicom.read import frames, read_film, read_header
from mammo.settings import DisplaySettings

FORM = Form(12, frames=2)
STORED = np.stack([ramp(FORM)] * 2)


def group(**macros):
    """A functional group: macro → the elements of its one item."""
    item = Dataset()
    for keyword, elements in macros.items():
        inner = Dataset()
        for name, value in elements.items():
            setattr(inner, name, value)
        setattr(item, keyword, [inner])
    return item


@pytest.fixture
def tomosynthesis(tmp_path):
    """Two frames alike, with a rescale and spacing for both and a window for each."""
    path = tmp_path / "film.dcm"
    shared = group(
        PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -1000},
        PixelMeasuresSequence={"PixelSpacing": [0.1, 0.1]},
        FrameAnatomySequence={"FrameLaterality": "R"},
    )
    each = [
        group(FrameVOILUTSequence={"WindowCenter": 500, "WindowWidth": 1001}),
        group(FrameVOILUTSequence={"WindowCenter": 3000, "WindowWidth": 2001}),
    ]
    path.write_bytes(
        film_bytes(
            FORM,
            STORED,
            # Of no account: the groups know better.
            WindowCenter=1,
            WindowWidth=2,
            SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=each,
        )
    )
    return path


@pytest.mark.parametrize(("frame", "centre", "width"), [(0, 500, 1001), (1, 3000, 2001)])
def test_each_frame_is_shown_by_its_own_window_and_the_shared_rescale(tomosynthesis, frame, centre, width):
    shown = display_film(tomosynthesis, DisplaySettings(), frame).pixels
    values = STORED[frame] * 2.0 - 1000
    expected = np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 0.5


def test_facts_of_the_groups_are_the_frames(tomosynthesis):
    header = read_header(tomosynthesis)
    facts = film_facts(header, 1)
    assert frames(header) == 2
    assert (facts.laterality, facts.pixel_mm, facts.width) == ("R", 0.1, 64)


@pytest.mark.parametrize(
    ("said", "broken"),
    [(b"CS\x02\x00R ", b"FD\x02\x00R "), (b"DS\x06\x003000.0", b"FD\x06\x003000.0")],
    ids=["side", "window"],
)
def test_an_element_of_a_group_that_makes_no_sense_is_left_out(tomosynthesis, said, broken):
    data = tomosynthesis.read_bytes()
    assert data.count(said) == 1
    tomosynthesis.write_bytes(data.replace(said, broken))
    shown = display_film(tomosynthesis, DisplaySettings(), 1)
    assert shown.facts.pixel_mm == 0.1
    assert len(np.unique(shown.pixels)) > 2


def test_frames_without_groups_share_the_header(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(film_bytes(FORM, STORED, WindowCenter=2048, WindowWidth=4096))
    first, second = (display_film(path, DisplaySettings(), frame).pixels for frame in (0, 1))
    assert (first == second).all() and (first[0, 0], first[-1, -1]) == (0, 255)


@pytest.mark.parametrize("count", [0, -3, "nonsense"])
def test_a_number_of_frames_that_makes_no_sense_is_one(tmp_path, count):
    path = tmp_path / "film.dcm"
    written = b"IS\x02\x00" + str(count)[:2].ljust(2).encode()
    path.write_bytes(film_bytes(Form(12), NumberOfFrames="1").replace(b"IS\x02\x001 ", written))
    assert frames(read_film(path)) == 1
