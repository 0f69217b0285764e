"""A synthetic film: shows what its truth says, looks like a mammogram where that can be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mammo.phantom import FilmSpec, PhantomSettings, make_film
from mammo.phantom.shapes import LESIONS

SETTINGS = PhantomSettings()


def spec(key: str = "film", lesions: tuple[str, ...] = (), **changes: object) -> FilmSpec:
    plain = FilmSpec(key, "patient", 256, 208, "L", "CC", lesions, SETTINGS.difficulty, 0.01)
    return replace(plain, **changes)


@pytest.mark.parametrize("kind", sorted(LESIONS))
@pytest.mark.parametrize("laterality", ["L", "R"])
def test_the_box_holds_the_lesions_contrast(kind: str, laterality: str) -> None:
    for number in range(4):
        film_spec = spec(
            f"{kind}{number}", (kind,), laterality=laterality, view="MLO" if number % 2 else "CC"
        )
        with_lesion, without = make_film(film_spec), make_film(film_spec, with_lesions=False)
        difference = np.abs(with_lesion.pixels - without.pixels)
        x1, y1, x2, y2 = with_lesion.lesions[0].box
        assert difference[y1:y2, x1:x2].sum() > 0.9 * difference.sum()
        assert difference[y1:y2, x1:x2].max() > 0.08
        # The box is no larger than the lesion: all four edges are near something that the lesion changed.
        rows, columns = np.nonzero(difference > 0.01)
        assert max(rows.min() - y1, columns.min() - x1, y2 - 1 - rows.max(), x2 - 1 - columns.max()) <= 6


@pytest.mark.parametrize("laterality", ["L", "R"])
def test_boxes_lie_inside_the_film_and_are_the_extent_of_their_masks(laterality: str) -> None:
    for number in range(6):
        film = make_film(spec(f"in{number}", ("mass", "cluster", "spiculated"), laterality=laterality))
        height, width = film.pixels.shape
        for lesion in film.lesions:
            x1, y1, x2, y2 = lesion.box
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            rows, columns = np.nonzero(lesion.mask(height, width))
            assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)


def test_lesions_of_one_film_do_not_overlap() -> None:
    for number in range(6):
        film = make_film(spec(f"apart{number}", ("mass", "spiculated")))
        a, b = (lesion.mask(*film.pixels.shape) for lesion in film.lesions)
        assert not (a & b).any()


def test_a_film_is_the_same_each_time_and_another_key_is_another_film() -> None:
    first, again, other = (
        make_film(spec("a", ("mass",))),
        make_film(spec("a", ("mass",))),
        make_film(spec("b", ("mass",))),
    )
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_seven_lesions_find_room() -> None:
    assert len(make_film(spec("many", ("cluster",) * 7, height=160, width=128)).lesions) == 7


@pytest.mark.parametrize(("laterality", "chest"), [("L", 0), ("R", -1)])
def test_the_chest_wall_lies_at_the_side_of_the_breasts_laterality(laterality: str, chest: int) -> None:
    film = make_film(spec(laterality=laterality))
    assert (~film.air[:, chest]).mean() > 0.5
    # At the other edge there is nothing but air (and the marker's letters, which stand clear of it).
    assert film.air[:, -1 - chest].all()


def test_air_is_black_and_the_marker_is_burned_in_bright() -> None:
    film = make_film(spec())
    assert film.pixels[film.air].max() < 0.05
    assert film.pixels.max() > 0.85
    marker = np.argwhere(film.pixels > 0.85)
    assert marker[:, 1].min() > 104, "the marker stands in the half away from the chest wall"


def test_only_oblique_films_show_the_pectoral_muscle() -> None:
    corner = {
        view: np.mean([make_film(spec(f"{n}", view=view)).pixels[:24, :24].mean() for n in range(6)])
        for view in ("CC", "MLO")
    }
    assert corner["MLO"] > 0.25
    assert corner["CC"] < 0.15


def test_tissue_is_noise_with_a_power_law_of_about_three() -> None:
    slopes = []
    for number in range(8):
        film = make_film(spec(f"tissue{number}", height=512, width=416))
        patch = film.pixels[192:320, 40:168]
        window = np.hanning(128)[:, None] * np.hanning(128)[None, :]
        power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2
        radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None, :]) * 128
        rings = np.arange(3, 24)
        mean = [power[(radius >= ring) & (radius < ring + 1)].mean() for ring in rings]
        slopes.append(-np.polyfit(np.log(rings), np.log(mean), 1)[0])
    assert 2.3 < np.mean(slopes) < 3.7


def test_demo_lesions_are_of_the_size_a_detector_with_anchors_from_16_pixels_finds() -> None:
    sides = []
    for number in range(30):
        kind = sorted(LESIONS)[number % len(LESIONS)]
        film = make_film(spec(f"size{number}", (kind,), height=512, width=416))
        x1, y1, x2, y2 = film.lesions[0].box
        sides += [x2 - x1, y2 - y1]
    # 14 to 40 pixels of a film 160 high.
    assert np.mean([45 <= side <= 130 for side in sides]) > 0.9
