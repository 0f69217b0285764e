"""Text in the air beside the breast is found, told from a side marker, and not invented."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mammo.dicom.margins import breast_mask, margin_texts
from mammo.phantom import PhantomSettings, make_film
from mammo.phantom.film import film_spec

SETTINGS = PhantomSettings.tiny(1, film={"height": 512, "width": 416})


def phantom(key: str, view: str = "MLO", side: str = "L") -> np.ndarray:
    """An 8-bit film with its burned-in marker."""
    film = make_film(film_spec(SETTINGS, key, key, (side, view), ("mass",)))
    return np.round(np.clip(film.pixels, 0, 1) * 255).astype(np.uint8)


def written(text: str, size: float = 0.5, ground: int = 0, ink: int = 230) -> np.ndarray:
    """A strip with text on it, as OpenCV draws it."""
    thick = max(1, round(1.6 * size))
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    strip = np.full((height + below + 8, width + 8), ground, np.uint8)
    cv2.putText(strip, text, (4, height + 4), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thick, cv2.LINE_AA)
    return strip


def put(film: np.ndarray, strip: np.ndarray, x: int, y: int) -> tuple[int, int, int, int]:
    """Lay a strip into a film's air; gives its box."""
    place = (slice(y, y + strip.shape[0]), slice(x, x + strip.shape[1]))
    assert not breast_mask(film)[place].any(), "the strip would lie on the breast"
    film[place] = np.maximum(film[place], strip)
    return x, y, x + strip.shape[1], y + strip.shape[0]


def jpeg(film: np.ndarray, quality: int = 90) -> np.ndarray:
    return cv2.imdecode(
        cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )


def inside(inner, outer) -> bool:
    return all(inner[i] >= outer[i] - 3 for i in (0, 1)) and all(inner[i] <= outer[i] + 3 for i in (2, 3))


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("side", ["L", "R"])
def test_the_side_marker_of_every_film_is_one_block_and_no_more_than_a_marker(side, view):
    for number in range(4):
        (found,) = margin_texts(jpeg(phantom(f"marker {number}", view, side)))
        assert found.is_marker and found.lines == 1 and found.box[1] < 60


@pytest.mark.parametrize("text", ["KIM MINJI", "2018.01.30", "ID 00123456", "born 61-03-04"])
@pytest.mark.parametrize("label", [False, True], ids=["on black", "on a label"])
def test_a_name_a_date_or_a_number_is_more_than_a_marker(text, label):
    film = np.zeros((512, 416), np.uint8)
    cv2.ellipse(film, (0, 256), (220, 230), 0, 0, 360, 120, cv2.FILLED)
    box = put(film, written(text, ground=210, ink=20) if label else written(text), 260, 470)
    found = [block for block in margin_texts(jpeg(film)) if not block.is_marker]
    assert len(found) == 1 and inside(found[0].box, box)


def test_text_is_found_beside_a_marker_on_a_large_film():
    film = cv2.resize(phantom("large", "CC"), None, fx=6, fy=6, interpolation=cv2.INTER_LINEAR)
    box = put(film, written("HONG GIL DONG 61Y", 1.4), 1900, 2950)
    found = {block.is_marker: block.box for block in margin_texts(jpeg(film))}
    assert set(found) == {True, False} and inside(found[False], box)


def test_several_short_lines_are_more_than_a_marker():
    film = np.zeros((512, 416), np.uint8)
    cv2.ellipse(film, (0, 256), (200, 230), 0, 0, 360, 120, cv2.FILLED)
    for line, text in enumerate(("NCC", "61Y", "AB12")):
        put(film, written(text), 300, 20 + 26 * line)
    (found,) = margin_texts(jpeg(film))
    assert (found.lines, found.is_marker) == (3, False)


@pytest.mark.parametrize("kind", ["air", "breast only", "noise", "dust", "filled"])
def test_a_film_without_text_has_none(kind):
    rng = np.random.default_rng(5)
    film = np.zeros((512, 416), np.uint8)
    if kind != "air":
        cv2.ellipse(film, (0, 256), (230, 240), 0, 0, 360, 120, cv2.FILLED)
    if kind == "noise":
        film = np.clip(film + rng.normal(12, 9, film.shape), 0, 255).astype(np.uint8)
    if kind == "dust":
        for x, y in rng.integers(20, 400, (25, 2)):
            cv2.circle(film, (int(x), int(y)), int(rng.integers(1, 3)), 255, cv2.FILLED)
    if kind == "filled":
        film = rng.integers(90, 160, film.shape).astype(np.uint8)
    assert margin_texts(film) == []


def test_the_real_film_of_a_vendor_has_no_text_in_its_margins(shared_data):
    from mammo.dicom.display import display_film
    from mammo.settings import DisplaySettings

    folder = shared_data / "dicom/mammography"
    film = display_film(folder / "fodicom_GH133_GE_MG.dcm", DisplaySettings()).pixels
    assert 0.2 < breast_mask(film).mean() < 0.5
    assert margin_texts(film) == []
    pattern = display_film(folder / "MG_Explicit_Little.dcm", DisplaySettings()).pixels
    assert sum(block.letters for block in margin_texts(pattern)) > 100  # a test pattern full of text
