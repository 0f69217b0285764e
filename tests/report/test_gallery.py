"""The gallery: what went wrong, worst first, at the image's own pixels."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from mammo.errors import UserError
from mammo.metrics.films import join_films
from mammo.metrics.protocol import lesions_hit
from mammo.report.gallery.crops import LESION, Line, area_around, draw_boxes, overview, plain_crop
from mammo.report.gallery.page import Gallery, write_gallery
from mammo.report.gallery.places import false_positives, found_at, missed_lesions
from mammo.settings import EvaluationSettings, ReportSettings
from mammo.tables.records import Detection, Image, Lesion

EVALUATION = EvaluationSettings()
NO_DIGEST = "0" * 64


def image(name: str, pixel_mm: float | None = 0.1, **fields) -> Image:
    return Image(
        image_id=name, path=f"{name}.png", dataset="d", delivery="", patient=f"p-{name}", study="", laterality="L",
        view="CC", width=300, height=400, pixel_mm=pixel_mm, group="abn", lesion_types="", source="s",
        source_sha256=NO_DIGEST, sha256=NO_DIGEST, **fields,
    )  # fmt: skip


def lesion(name: str, x1: float, y1: float, side: float, number: str = "1") -> Lesion:
    rest = {"lesion_type": "mass", "pathology": "", "annotation_form": "mask"}
    return Lesion(image_id=name, lesion_id=number, x1=x1, y1=y1, x2=x1 + side, y2=y1 + side / 2, **rest)


def found(name: str, x1: float, y1: float, side: float, score: float) -> Detection:
    box = {"x1": x1, "y1": y1, "x2": x1 + side, "y2": y1 + side / 2}
    return Detection(image_id=name, score=score, label="malignant", **box)


IMAGES = [image("a"), image("b", 0.2, density="c"), image("blind", None), image("normal")]
LESIONS = [
    lesion("a", 20, 20, 40),  # hit
    lesion("a", 200, 300, 60, "2"),  # missed, 6 mm
    lesion("b", 100, 100, 50),  # missed, 10 mm: fewer pixels than the one of a, but larger
    lesion("blind", 10, 10, 200),  # missed, of unknown size
]
DETECTIONS = [
    found("a", 22, 21, 40, 0.9),
    found("a", 200, 300, 60, 0.05),  # hits, below the threshold
    found("b", 10, 300, 30, 0.4),
    found("normal", 100, 100, 40, 0.8),
    found("normal", 200, 100, 40, 0.09),
]


@pytest.fixture
def write(tmp_path):
    """Writes a gallery of films on disk, and gives its files."""
    pixels = np.random.default_rng(0).integers(0, 200, (400, 300)).astype(np.uint8)
    for row in IMAGES:
        cv2.imwrite(str(tmp_path / row.path), pixels)

    def written(images=IMAGES, lesions=LESIONS, detections=DETECTIONS, members=None, out="out", **report):
        films = join_films(images, lesions, detections)
        joined = {name: join_films(images, lesions, rows) for name, rows in (members or {}).items()}
        settings = ReportSettings(gallery_crop=128, **report)
        gallery = Gallery("best", "abn", films, joined, tmp_path, EVALUATION, settings)
        write_gallery(tmp_path / out, gallery)
        return {path.name: path.read_bytes() for path in sorted((tmp_path / out).iterdir())}, pixels

    return written


def films():
    return join_films(IMAGES, LESIONS, DETECTIONS)


def titles(files) -> list[str]:
    return re.findall(r"<h3[^>]*>\d+\. ([^<]*)</h3>", files["index.html"].decode())


def test_missed_lesions_come_by_size_in_mm_and_those_of_unknown_size_last():
    missed = missed_lesions(films(), EVALUATION)
    assert [(place.film.image_id, place.side_mm) for place in missed] == [
        ("b", 10),
        ("a", 6),
        ("blind", None),
    ]
    hit = lesions_hit(films(), EVALUATION.hit_rule, EVALUATION.score_threshold)
    assert len(missed) == len(LESIONS) - hit


def test_false_positives_come_by_score_and_only_from_the_protocol_s_threshold_on():
    wrong = false_positives(films(), EVALUATION)
    assert [(place.film.image_id, place.score) for place in wrong] == [("normal", 0.8), ("b", 0.4)]


def test_a_second_hit_of_a_lesion_is_no_false_positive():
    twice = [found("a", 22, 21, 40, 0.9), found("a", 20, 20, 40, 0.8)]
    assert not false_positives(join_films(IMAGES, LESIONS, twice), EVALUATION)


def test_order_and_bytes_do_not_depend_on_the_order_of_rows(write):
    members = {"m_01": DETECTIONS, "m_02": []}
    shuffled = {"m_02": [], "m_01": DETECTIONS[::-1]}
    first, _ = write(members=members)
    second, _ = write(IMAGES[::-1], LESIONS[::-1], DETECTIONS[::-1], shuffled, "again")
    assert first == second
    assert titles(first) == [
        "10.0 mm, b",
        "6.0 mm, a",
        "200 pixels, blind",
        "score 0.800, normal",
        "score 0.400, b",
    ]


def test_the_page_names_every_model_s_best_score_at_a_place_and_what_the_tables_say(write):
    page = write(members={"m_01": [found("b", 98, 99, 50, 0.03)], "m_02": []})[0]["index.html"].decode()
    place = page[page.index('id="missed-001"') : page.index('id="missed-002"')]
    assert re.findall(r'class="number">([^<]+)<', place) == ["nothing", "0.030", "nothing"]
    assert "<td>c</td>" in place and "mass" in place
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', page)) <= set(write()[0]), "only files beside the page"


def test_the_number_of_places_is_bounded_and_the_page_says_of_how_many(write):
    files, _ = write(gallery=1)
    assert (
        titles(files) == ["10.0 mm, b", "score 0.800, normal"] and b"1 of 3 are shown" in files["index.html"]
    )
    assert titles(write(gallery=0)[0]) == []


@pytest.mark.parametrize(
    ("images", "lesions", "detections"),
    [
        (IMAGES, LESIONS, []),
        (IMAGES, [], []),
        (IMAGES[:1], LESIONS[:1], DETECTIONS[:1]),
        (IMAGES, [], DETECTIONS),
    ],
    ids=["nothing-found", "no-lesions-nothing-found", "all-right", "no-lesions"],
)
def test_sets_that_lack_things_have_a_page(write, images, lesions, detections):
    files, _ = write(images, lesions, detections, {"m_01": []})
    page = files["index.html"].decode()
    films = join_films(images, lesions, detections)
    assert ("No lesion was missed." in page) == (not missed_lesions(films, EVALUATION))
    assert ("There is no false positive." in page) == (not false_positives(films, EVALUATION))


def test_texts_of_tables_are_escaped(write):
    files, _ = write(members={"<b>m</b>_01": []})
    assert b"<b>m" not in files["index.html"] and b"&lt;b&gt;m" in files["index.html"]


def test_a_plain_crop_is_the_image_s_own_pixels(write):
    files, pixels = write()
    crop = cv2.imdecode(np.frombuffer(files["missed-001-plain.png"], np.uint8), cv2.IMREAD_GRAYSCALE)
    area = area_around(np.array([100, 100, 150, 125.0]), (300, 400), 128)
    assert crop.shape == (128, 128)
    assert (crop == pixels[area.y1 : area.y2, area.x1 : area.x2]).all()


@pytest.mark.parametrize(
    ("box", "expected"),
    [((100, 100, 120, 120), (78, 78, 142, 142)), ((0, 0, 10, 10), (0, 0, 64, 64)),
     ((290, 390, 300, 400), (236, 336, 300, 400)), ((50, 50, 150, 100), (0, 0, 200, 175)),
     ((0, 0, 300, 400), (0, 0, 300, 400))],
    ids=["middle", "first-corner", "last-corner", "larger-than-the-side", "whole-film"],
)  # fmt: skip
def test_a_crop_holds_its_place_with_air_around_it_and_stays_on_the_film(box, expected):
    area = area_around(np.array(box, float), (300, 400), 64)
    if box != (50, 50, 150, 100):
        assert (area.x1, area.y1, area.x2, area.y2) == expected
    else:
        assert (area.x2 - area.x1, area.y2 - area.y1) == (200, 200) and area.x1 == 0
    assert area.x1 <= box[0] and box[2] <= area.x2 and area.y1 <= box[1] and box[3] <= area.y2


def test_a_line_runs_around_its_box_and_leaves_the_inside_as_it_is():
    pixels = np.full((400, 300), 90, np.uint8)
    box = np.array([[100.0, 120.0, 140.0, 160.0]])
    area = area_around(box[0], (300, 400), 128)
    picture = plain_crop(pixels, area)
    draw_boxes(picture, area, box, Line((0, 255, 0), 1))
    changed = (picture != 90).any(axis=2)
    x, y = 100 - area.x1, 120 - area.y1
    assert not changed[y : y + 40, x : x + 40][2:-2, 2:-2].any()
    assert tuple(picture[y - 1, x + 20]) == tuple(picture[y + 40, x + 20]) == (0, 255, 0)
    assert tuple(picture[y + 20, x - 1]) == tuple(picture[y + 20, x + 40]) == (0, 255, 0)


def test_dashes_leave_gaps():
    picture = np.zeros((60, 260, 3), np.uint8)
    area = area_around(np.array([0, 0, 60, 60.0]), (260, 60), 260)
    draw_boxes(picture, area, np.array([[10.0, 10.0, 250.0, 50.0]]), Line((0, 0, 255), 1, (14, 10)))
    row = (picture[9] == (0, 0, 255)).all(axis=1)
    assert 5 < np.diff(row.astype(int)).clip(0).sum() < 15


def test_the_overview_marks_the_place_where_it_is_on_the_film():
    box = np.array([200.0, 300.0, 260.0, 330.0])
    area = area_around(box, (300, 400), 128)
    picture = overview(np.full((400, 300), 60, np.uint8), area, box, LESION, 200)
    assert picture.shape == (200, 150, 3)
    rows, columns = np.nonzero((picture == LESION.colour).all(axis=2))
    assert abs(columns.min() - 100) <= 3 and abs(columns.max() - 130) <= 3
    assert abs(rows.min() - 150) <= 3 and abs(rows.max() - 165) <= 3


def test_a_place_is_found_by_the_hit_rule_however_low_the_score():
    place = missed_lesions(films(), EVALUATION)[1]
    own = films()[0]
    assert own.scores[found_at(place, own, EVALUATION.hit_rule)].tolist() == [0.05]


def test_a_film_of_another_size_leaves_what_was_there_before(write, tmp_path):
    before, _ = write()
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((20, 20), np.uint8))
    with pytest.raises(UserError, match=r"b\.png: expected a film of 300×400 pixels, found 20×20"):
        write()
    assert {path.name: path.read_bytes() for path in sorted((tmp_path / "out").iterdir())} == before
