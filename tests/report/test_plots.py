"""Plots of an ensemble and its members: what they draw, for every kind of set, in the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo.metrics.films import Film, join_films
from mammo.report.figures import PLOTS, write_figures
from mammo.report.plot_style import LINE_STYLES, MEMBER_COLOURS, MOST_NAMED, Models, member_style
from mammo.report.score_plot import NOTHING, false_positive_scores, lesion_scores, normal_scores
from mammo.settings import EvaluationSettings
from mammo.tables.records import Detection, Image, Lesion

SETTINGS = EvaluationSettings(resamples=100)
NO_DIGEST = "0" * 64


def image(number: int, pixel_mm: float | None = 0.1) -> Image:
    return Image(
        image_id=f"film-{number:02d}", path="x.png", dataset="d", delivery="", patient=f"p{number // 2}", study="",
        laterality="LR"[number % 2], view="CC", width=300, height=400, pixel_mm=pixel_mm, group="abn",
        lesion_types="", source="s", source_sha256=NO_DIGEST, sha256=NO_DIGEST,
    )  # fmt: skip


def films(
    count: int = 12, lesions: bool = True, found: bool = True, pixel_mm: float | None = 0.1, seed: int = 0
):
    """Films of which every third is normal; lesions of 3 to 30 mm; detections anywhere, every second near a lesion."""
    rng = np.random.default_rng(seed)
    images = [image(number, pixel_mm) for number in range(count)]
    truth, detections = [], []
    for number, row in enumerate(images):
        x, y, side = rng.uniform(0, 60), rng.uniform(0, 60), rng.uniform(30, 300)
        if lesions and number % 3:
            rest = {"lesion_type": "mass", "pathology": "", "annotation_form": "mask"}
            box = {"x1": x, "y1": y, "x2": x + side * 0.7, "y2": y + side}
            truth.append(Lesion(image_id=row.image_id, lesion_id="1", **box, **rest))
        for near in (True, False) if found else ():
            left, top = (x + 5, y + 5) if near and number % 2 else rng.uniform(100, 200, 2)
            box = {"x1": left, "y1": top, "x2": left + side * 0.7, "y2": top + side}
            detections.append(
                Detection(image_id=row.image_id, score=round(rng.uniform(), 2), label="m", **box)
            )
    return join_films(images, truth, detections)


SETS = {
    "mixed": films(),
    "no-lesions": films(lesions=False),
    "nothing-found": films(found=False),
    "neither": films(lesions=False, found=False),
    "one-film": films(count=1),
    "one-film-with-a-lesion": films(count=2)[1:],
    "unknown-pixel-size": films(pixel_mm=None),
}
# Of each plot the kinds of set that it draws in ways of their own; single films are drawn in tests below.
KINDS = {
    "pr": ("mixed", "no-lesions", "nothing-found"),
    "roc": ("mixed", "no-lesions", "nothing-found"),
    "scores": ("mixed", "neither"),
    "sizes": ("mixed", "no-lesions", "unknown-pixel-size"),
}


def written(
    folder: Path, name: str, ensemble: list[Film], members: dict[str, list[Film]]
) -> dict[str, bytes]:
    """The files of one plot by suffix."""
    folder.mkdir()
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    PLOTS[name](png, svg, Models.of(("best", ensemble), members, SETTINGS))
    return {"png": png.read_bytes(), "svg": svg.read_bytes()}


def members_of(ensemble: list[Film]) -> dict[str, list[Film]]:
    """A member that found nothing and one that found the same."""
    nothing = [replace(film, detections=film.detections[:0], scores=film.scores[:0]) for film in ensemble]
    return {"b_01": nothing, "a_01": ensemble}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The files of a plot of a kind of set, drawn once."""
    known: dict[tuple[str, str], dict[str, bytes]] = {}

    def of(name, kind):
        if (name, kind) not in known:
            folder = tmp_path_factory.mktemp("plots") / kind
            known[name, kind] = written(folder, name, SETS[kind], members_of(SETS[kind]))
        return known[name, kind]

    return of


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in PLOTS for kind in KINDS[name]])
def test_every_kind_of_set_has_all_plots(drawn, name, kind):
    files = drawn(name, kind)
    picture = cv2.imdecode(np.frombuffer(files["png"], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert (picture < 128).any() and (picture == 255).any(), "dark on white"
    assert "12 images" in text_of(files["svg"])


@pytest.mark.parametrize("name", PLOTS)
def test_plots_are_the_same_bytes_in_every_run_and_for_any_order_of_members(tmp_path, drawn, name):
    ensemble = SETS["mixed"]
    turned = dict(reversed(members_of(ensemble).items()))
    again = written(tmp_path / "again", name, ensemble, turned)
    assert again == drawn(name, "mixed")
    assert not any(b"<dc:date>" in data for data in again.values())


def test_the_folder_of_figures_has_all_plots_in_both_forms(tmp_path):
    ensemble = SETS["one-film"]
    write_figures(tmp_path, Models.of(("best", ensemble), {}, SETTINGS))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{name}.{suffix}" for name in PLOTS for suffix in ("png", "svg"))


def test_an_ensemble_without_members_is_drawn_by_itself(tmp_path):
    texts = text_of(written(tmp_path / "alone", "pr", SETS["one-film-with-a-lesion"], {})["svg"])
    assert "best: AP" in texts


def text_of(svg: bytes) -> str:
    """The texts that matplotlib writes as comments beside the glyphs."""
    return " ".join(part.partition(b"-->")[0].decode().strip() for part in svg.split(b"<!--")[1:])


def test_what_a_set_lacks_is_said_in_place_of_a_curve(drawn):
    assert "The set has no lesions" in text_of(drawn("pr", "no-lesions")["svg"])
    assert "No case with a lesion" in text_of(drawn("roc", "no-lesions")["svg"])
    assert "the set has no lesions" in text_of(drawn("sizes", "no-lesions")["svg"])
    assert "The set has no lesions." in text_of(drawn("scores", "neither")["svg"])
    assert "of no lesion the size in mm is known" in text_of(drawn("sizes", "unknown-pixel-size")["svg"])


def test_every_plot_names_its_hit_rule_its_denominator_and_the_set(drawn):
    texts = {name: text_of(drawn(name, "mixed")["svg"]) for name in PLOTS}
    assert all("12 images" in text and "8 lesions" in text for text in texts.values())
    assert "IoU ≥ 0.5" in texts["pr"] and "n = 8" in texts["pr"]
    assert "images: 8 with, 4 without a lesion" in texts["roc"]
    assert (
        "detection's centre inside the lesion" in texts["scores"] and "share of 8 lesions" in texts["scores"]
    )
    assert "lesion's centre inside the detection" in texts["sizes"] and "mm" in texts["sizes"]


def test_members_differ_in_colour_or_in_dashes_from_all_others():
    named = len(MEMBER_COLOURS) * len(LINE_STYLES)
    styles = [(style["color"], style["linestyle"]) for style in map(member_style, range(named))]
    assert len(set(styles)) == named
    # In a grey print those that the legend names first are told apart by their dashes alone.
    assert len({dashes for _, dashes in styles[: len(LINE_STYLES)]}) == len(LINE_STYLES)
    labels = [member_style(index).get("label", "own") for index in range(MOST_NAMED + 3)]
    assert labels == ["own"] * MOST_NAMED + [f"members from the {MOST_NAMED + 1}th on", None, None]


def test_scores_are_those_of_lesions_false_positives_and_normals():
    images = [image(0), image(1), image(2)]
    rest = {"lesion_type": "", "pathology": "", "annotation_form": "mask"}
    lesions = [
        Lesion(image_id="film-00", lesion_id="1", x1=0, y1=0, x2=20, y2=20, **rest),
        Lesion(image_id="film-00", lesion_id="2", x1=200, y1=200, x2=220, y2=220, **rest),
    ]
    boxes = [("film-00", 2, 0.4), ("film-00", 3, 0.7), ("film-00", 100, 0.6), ("film-01", 50, 0.3)]
    found = [
        Detection(image_id=name, x1=left, y1=left, x2=left + 15, y2=left + 15, score=score, label="m")
        for name, left, score in boxes
    ]
    joined = join_films(images, lesions, found)
    rule = "detection_centre_in_lesion"
    assert lesion_scores(joined, rule).tolist() == [0.7, NOTHING]
    assert sorted(false_positive_scores(joined, rule)) == [0.3, 0.6]
    assert normal_scores(joined).tolist() == [0.3, NOTHING]
