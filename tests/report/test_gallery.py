"""The gallery: what went wrong, worst first, at the image's own pixels."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape

import cv2
import numpy as np
import pytest

from mammo.errors import UserError
from mammo.metrics.films import join_films
from mammo.metrics.protocol import lesions_hit
from mammo.report.gallery.crops import (
    ENSEMBLE,
    FALSE_POSITIVE,
    LESION,
    MEMBER_COLOURS,
    MEMBER_DASHES,
    Line,
    area_around,
    draw_boxes,
    member_line,
    overview,
    plain_crop,
)
from mammo.report.gallery.page import Gallery, write_gallery
from mammo.report.gallery.places import (
    false_positives,
    films_by_id,
    found_at,
    missed_lesions,
    said_at,
)
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


def entry(page: str, anchor: str) -> str:
    """The part of a page that is about one place."""
    start = page.index(f'<article id="{anchor}"')
    return page[start : page.index("</article>", start)]


def words(place: str) -> list[tuple[str, str]]:
    """What the models say of a place, in the order of the table."""
    return re.findall(r'class="word">([^<]*)</td><td class="number">([^<]*)<', place)


def test_the_page_says_of_every_model_whether_it_finds_a_missed_lesion(write):
    members = {
        "m_01": [found("b", 98, 99, 50, 0.9)],
        "m_02": [found("b", 98, 99, 50, 0.03)],
        "m_03": [found("b", 70, 95, 50, 0.7), found("b", 200, 200, 50, 0.9)],
        "m_04": [found("a", 22, 21, 40, 0.9)],
        "m_05": [found("b", 98, 99, 50, 0.03), found("b", 70, 95, 50, 0.7)],
    }
    page = write(members=members)[0]["index.html"].decode()
    assert words(entry(page, "missed-001")) == [
        ("nothing", ""),
        ("hit", "0.900"),
        ("below the threshold", "0.030"),
        ("beside it", "0.700"),
        ("nothing", ""),
        ("below the threshold", "0.030"),
    ]
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', page)) <= set(write()[0]), "only files beside the page"


def test_the_page_says_of_every_model_whether_it_marks_a_false_positive_too(write):
    members = {
        "m_01": [found("normal", 98, 99, 40, 0.3)],
        "m_02": [found("normal", 100, 100, 40, 0.09)],
        "m_03": [found("normal", 10, 300, 40, 0.9)],
    }
    page = write(members=members)[0]["index.html"].decode()
    assert words(entry(page, "false-001")) == [
        ("marks it", "0.800"),
        ("marks it", "0.300"),
        ("below the threshold", "0.090"),
        ("nothing", ""),
    ]


@pytest.mark.parametrize(("score", "word"), [(0.1, "hit"), (0.0999, "below the threshold")])
def test_a_model_hits_from_the_protocol_s_threshold_on(score, word):
    place = missed_lesions(films(), EVALUATION)[0]
    (film,) = join_films([IMAGES[1]], [LESIONS[2]], [found("b", 98, 99, 50, score)])
    assert said_at(place, film, EVALUATION).word == word


def test_the_ensemble_hits_no_missed_lesion_and_marks_all_its_false_positives():
    models = films_by_id({"best": films()})["best"]
    missed = [
        said_at(place, models[place.film.image_id], EVALUATION).word
        for place in missed_lesions(films(), EVALUATION)
    ]
    false = [
        said_at(place, models[place.film.image_id], EVALUATION).word
        for place in false_positives(films(), EVALUATION)
    ]
    assert "hit" not in missed and "below the threshold" in missed
    assert set(false) == {"marks it"}


def test_an_entry_tells_size_type_and_what_the_tables_say(write):
    unknown = LESIONS[3].model_copy(update={"lesion_type": ""})
    page = write(lesions=[*LESIONS[:3], unknown])[0]["index.html"].decode()
    first, last = entry(page, "missed-001"), entry(page, "missed-003")
    assert "<td>10.0 × 5.0 mm, 50 × 25 pixels</td>" in first
    assert "<td>mass</td>" in first and "<td>c</td>" in first
    assert "<td>200 × 100 pixels</td>" in last and "<td>type unknown</td>" in last


def test_pictures_are_told_in_words_with_side_view_and_type(write):
    images = [*IMAGES[:3], IMAGES[3].model_copy(update={"laterality": "", "view": ""})]
    page = write(images=images)[0]["index.html"].decode()
    assert entry(page, "missed-001").count("missed lesion, mass, left breast, CC: ") == 3
    assert entry(page, "false-001").count("false positive, side unknown, view unknown: ") == 3


def test_the_page_says_whose_threshold_it_goes_by(write):
    page = unescape(write()[0]["index.html"].decode())
    assert page.count("at least 0.1, the protocol's threshold (evaluation.score_threshold)") == 2


KEYS = """<script>
const said = [];
for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft"]) {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  said.push(document.activeElement.id);
}
for (let many = 0; many < 9; many++) {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
}
said.push(document.activeElement.id);
document.title = said.join(" ");
</script>"""


def test_arrow_keys_go_from_entry_to_entry_and_stop_at_the_ends(write, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium to press keys in")
    page = write()[0]["index.html"].decode()
    (tmp_path / "keys.html").write_text(page.replace("</body>", f"{KEYS}</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
    done = subprocess.run(
        [*command, "--dump-dom", (tmp_path / "keys.html").as_uri()],
        capture_output=True,
        timeout=60,
        check=True,
    )
    title = re.search(r"<title>([^<]*)</title>", done.stdout.decode())
    assert title is not None
    expected = "missed-001 missed-002 missed-001 missed-001 missed-001 false-002"
    assert title.group(1) == expected


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


def grey(side: int = 128):
    """A crop of 90 everywhere, and its area."""
    pixels = np.full((400, 300), 90, np.uint8)
    area = area_around(np.array([100, 120, 140, 160.0]), (300, 400), side)
    return plain_crop(pixels, area), area


BOX = np.array([[100.0, 120.0, 140.0, 160.0]])


def test_a_line_runs_around_its_box_and_leaves_the_inside_as_it_is():
    picture, area = grey()
    draw_boxes(picture, area, [(BOX, Line((0, 255, 0), 2))])
    x, y = 100 - area.x1, 120 - area.y1
    assert (picture[y : y + 40, x : x + 40] == 90).all()
    across = [(0, 0, 0), (0, 255, 0), (0, 255, 0), (0, 0, 0), (90, 90, 90)]
    middle = (
        [picture[y + 20, x - 1 - step] for step in range(5)],
        [picture[y + 20, x + 40 + step] for step in range(5)],
    )
    upright = (
        [picture[y - 1 - step, x + 20] for step in range(5)],
        [picture[y + 40 + step, x + 20] for step in range(5)],
    )
    for line in (*middle, *upright):
        assert [tuple(pixel) for pixel in line] == across


def test_no_line_is_covered_by_another_one_s_seam():
    """The upper box's seam falls on the lower one's colour."""
    picture, area = grey()
    draw_boxes(
        picture, area, [(BOX, Line((0, 255, 0), 2)), (BOX + [[2, 0, -20, 0]], Line((0, 0, 255), 2, (4, 4)))]
    )
    x, y = 100 - area.x1, 120 - area.y1
    assert (picture[y : y + 40, x - 3 : x - 1] == (0, 255, 0)).all()


def test_lines_around_the_same_place_run_around_each_other_and_the_last_is_innermost():
    picture, area = grey()
    near = BOX + [[1, 0, 0, -1]]
    draw_boxes(picture, area, [(BOX, Line((0, 255, 0), 3)), (near, Line((0, 0, 255), 2))])
    x, y = 100 - area.x1, 120 - area.y1
    colours = [tuple(picture[y + 20, column].tolist()) for column in range(x + 10, 0, -1)]
    seen = [colour for colour in dict.fromkeys(colours) if colour != (90, 90, 90)]
    assert seen == [(0, 0, 0), (0, 0, 255), (0, 255, 0)]
    assert colours.count((0, 0, 255)) == 2 and colours.count((0, 255, 0)) == 3


def test_boxes_of_six_members_on_one_spot_are_all_to_be_seen(write):
    box = found("normal", 100, 100, 40, 0.3)
    files, _ = write(members={f"m_{number:02d}": [box] for number in range(6)})
    picture = cv2.imdecode(np.frombuffer(files["false-001-marked.png"], np.uint8), cv2.IMREAD_COLOR)
    for index in range(6):
        assert (picture == member_line(index).colour).all(axis=2).sum() > 10
    assert (picture == FALSE_POSITIVE.colour).all(axis=2).sum() > 300


def test_the_box_that_a_word_is_about_is_drawn_beside_stronger_ones(write):
    """The ensemble's hit of b's lesion scores below the threshold; a box beside it far above."""
    low, high = found("b", 90, 95, 60, 0.05), found("b", 70, 95, 50, 0.7)
    files, _ = write(detections=[low, high])
    only_high, _ = write(detections=[high], out="other")
    assert words(entry(files["index.html"].decode(), "missed-001"))[0] == ("below the threshold", "0.050")
    numbers = [
        (cv2.imdecode(np.frombuffer(some["missed-001-marked.png"], np.uint8), cv2.IMREAD_COLOR) == ENSEMBLE.colour)
        .all(axis=2).sum()
        for some in (files, only_high)
    ]  # fmt: skip
    assert numbers[0] > 1.5 * numbers[1]


def test_members_differ_in_colour_or_in_dashes_from_all_others():
    lines = [member_line(index) for index in range(len(MEMBER_COLOURS) * len(MEMBER_DASHES))]
    assert len({(line.colour, line.dashes) for line in lines}) == len(lines)
    # In a grey print those of the first round are told apart by their dashes alone.
    assert len({line.dashes for line in lines[: len(MEMBER_DASHES)]}) == len(MEMBER_DASHES)
    assert ENSEMBLE.dashes not in MEMBER_DASHES


def test_dashes_leave_gaps():
    picture = np.zeros((60, 260, 3), np.uint8)
    area = area_around(np.array([0, 0, 60, 60.0]), (260, 60), 260)
    draw_boxes(picture, area, [(np.array([[10.0, 10.0, 250.0, 50.0]]), Line((0, 0, 255), 1, (14, 10)))])
    row = (picture[8] == (0, 0, 255)).all(axis=1)
    assert np.diff(row.astype(int)).clip(0).sum() == 11  # 244 pixels, a dash each 24


def test_boxes_beyond_the_crop_are_cut_off():
    picture, area = grey()
    beyond = np.array([[-50.0, -50, 5, 5], [90, 100, 900, 900], [295, 395, 300, 400], [0, 0, 300, 400]])
    draw_boxes(picture, area, [(beyond, Line((0, 255, 0), 2, (8, 8)))])
    colour = (picture == (0, 255, 0)).all(axis=2)
    assert colour.any() and not colour[130 - area.y1 :, 100 - area.x1 :].any()


def test_the_overview_marks_the_place_where_it_is_on_the_film():
    box = np.array([200.0, 300.0, 260.0, 330.0])
    area = area_around(box, (300, 400), 128)
    picture = overview(np.full((400, 300), 60, np.uint8), area, box, LESION, 200)
    assert picture.shape == (200, 150, 3)
    rows, columns = np.nonzero((picture == LESION.colour).all(axis=2))
    assert 100 - 7 <= columns.min() < 100 - 3 and 130 + 3 <= columns.max() < 130 + 7
    assert 150 - 7 <= rows.min() < 150 - 3 and 165 + 3 <= rows.max() < 165 + 7
    assert (picture[147:168, 97:133] == 60).all(), "the finding and a little around it stay as they are"


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
