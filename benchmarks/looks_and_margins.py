"""How well films that look the same are told from others, and text in margins from none: on phantoms.

Prints the two tables of docs/data-report.md (on stderr). The reference for looks is the usual perceptual hash of 64
bits, with the same share of bits that may differ. `python benchmarks/looks_and_margins.py [--films 80]`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from mammo.datasets.looks import look_of
from mammo.dicom.margins import breast_mask, margin_texts
from mammo.phantom import PhantomSettings, make_film
from mammo.phantom.film import film_spec
from mammo.trainset.leakage import NEAR_BITS

TEXTS = ("KIM MINJI", "HONG GIL DONG 61Y", "2018.01.30", "ID 00123456")
FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
HEIGHTS = (10, 16, 24)  # of letters with ascenders, pixels of films of 1024×832


def say(text: str) -> None:
    print(text, file=sys.stderr)


def films(count: int) -> list[np.ndarray]:
    settings = PhantomSettings.tiny(7, film={"height": 1024, "width": 832})
    views = [(side, view) for view in ("CC", "MLO") for side in "LR"]
    drawn = []
    for number in range(count):
        spec = film_spec(settings, str(number), str(number // 4), views[number % 4], ("mass",) * (number % 3))
        drawn.append(np.round(np.clip(make_film(spec).pixels, 0, 1) * 255).astype(np.uint8))
    return drawn


def after_jpeg(film: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def changed(film: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "JPEG quality 50", after_jpeg(film, 50)
    yield "half the size", cv2.resize(film, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    yield "gamma 0.7", (255 * (film / 255) ** 0.7).astype(np.uint8)
    yield "gamma 1.5", (255 * (film / 255) ** 1.5).astype(np.uint8)
    yield "narrower window", np.clip((film.astype(int) - 20) * 1.5, 0, 255).astype(np.uint8)
    yield "2 % cut off below", film[: int(0.98 * len(film))]
    yield "mirrored", film[:, ::-1]


def usual_look(film: np.ndarray) -> str:
    waves = cv2.dct(cv2.resize(film, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[
        :8, :8
    ].ravel()
    return np.packbits(waves > np.median(waves[1:])).tobytes().hex()


def right_share(drawn: list[np.ndarray], hashed: Callable[[np.ndarray], str], most_bits: int) -> float:
    """Mean of the share of changed films that are found and of other films that are not."""
    known = [hashed(film) for film in drawn]
    other = [distance(*pair) > most_bits for pair in combinations(known, 2)]
    same = [
        distance(look, hashed(twin)) <= most_bits
        for film, look in zip(drawn, known, strict=True)
        for name, twin in changed(film)
        if name != "mirrored"
    ]
    return float(np.mean(other) + np.mean(same)) / 2


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def looks(drawn: list[np.ndarray]) -> None:
    say(
        f"| looks: what differs | pairs | bits: median | least | most | within {NEAR_BITS} |\n|---|---|---|---|---|---|"
    )
    known = [look_of(film) for film in drawn]
    bits: dict[str, list[int]] = {"another film": [distance(*pair) for pair in combinations(known, 2)]}
    for film, look in zip(drawn, known, strict=True):
        for name, other in changed(film):
            bits.setdefault(name, []).append(distance(look, look_of(other)))
    for name, found in bits.items():
        near = np.mean(np.array(found) <= NEAR_BITS)
        say(f"| {name} | {len(found)} | {np.median(found):.0f} | {min(found)} | {max(found)} | {near:.2%} |")


def strip(text: str, font: str, height: int, label: bool) -> np.ndarray:
    face = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf" / font), height)
    _, _, right, below = face.getbbox(text)
    picture = Image.new("L", (int(right) + 8, int(below) + 6))
    ImageDraw.Draw(picture).text((4, 3), text, 230, font=face)
    return 250 - np.asarray(picture) if label else np.asarray(picture)


def margins(drawn: list[np.ndarray]) -> None:
    say(
        "| margins: what is written | films | taken for text | for a marker | for nothing |\n|---|---|---|---|---|"
    )
    kinds = [("a side marker only", None, 0, False)]
    kinds += [
        (f"text of {height} pixels on {'a label' if label else 'black'}", text, height, label)
        for label in (False, True) for height in HEIGHTS for text in TEXTS
    ]  # fmt: skip
    counts: dict[str, list[int]] = {}
    for place, film in enumerate(drawn):
        for turn, (name, text, height, label) in enumerate(kinds):
            wanted = film.copy()
            if text:
                tile = strip(text, FONTS[(place + turn) % len(FONTS)], height, label)
                top, left_air = 870, film[:, :200].mean() < film[:, -200:].mean()
                left = 6 if left_air else film.shape[1] - tile.shape[1] - 6
                area = (slice(top, top + tile.shape[0]), slice(left, left + tile.shape[1]))
                if breast_mask(film)[area].any():
                    continue
                wanted[area] = np.maximum(wanted[area], tile)
            found = [
                block for block in margin_texts(after_jpeg(wanted, 90)) if not text or block.box[1] > 800
            ]
            verdict = 0 if any(not block.is_marker for block in found) else 1 if found else 2
            counts.setdefault(name, [0, 0, 0])[verdict] += 1
    for name, (texts, markers, none) in counts.items():
        say(f"| {name} | {texts + markers + none} | {texts} | {markers} | {none} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=80, help="number of phantoms")
    made = films(parser.parse_args().films)
    looks(made)
    margins(made[::2])
    ours = right_share(made, look_of, NEAR_BITS)
    reference = right_share(made, usual_look, NEAR_BITS * 64 // 256)
    how = f"{len(made)} phantoms in six changes each, and all pairs of them; reference: perceptual hash of 64 bits"
    record = {
        "ours": ours,
        "reference": reference,
        "ratio": ours / reference,
        "unit": "share told right",
        "how": how,
    }
    print(json.dumps({"look_alikes": record}))
