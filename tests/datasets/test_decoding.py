"""The images that a shard writes."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest

from mammo.datasets.base import Item
from mammo.datasets.decoding import decode_shard
from mammo.dicom.display import display_film
from mammo.files import canonical_json, sha256_bytes
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels
from mammo.settings import DisplaySettings

RAMP = np.linspace(0, 4095, 60 * 80).reshape(60, 80).astype(np.uint16)


@pytest.fixture
def delivery(tmp_path):
    """A data folder with a film of one frame and one of two; gives the folder and a shard of three items."""
    film = elements(Modality="MG", WindowCenter=2048, WindowWidth=4096)
    set_pixels(film, RAMP, 12, "MONOCHROME2")
    (tmp_path / "one.dcm").write_bytes(encode(film, MAMMO_FOR_PRESENTATION, "one"))
    film.NumberOfFrames = 2
    film.PixelData = RAMP.tobytes() + RAMP[::-1].tobytes()
    (tmp_path / "two.dcm").write_bytes(encode(film, MAMMO_FOR_PRESENTATION, "two"))
    shard = tmp_path / "shard_00.jsonl"
    places = [("one", 0), ("two", 1), ("two", 2)]
    items = [
        Item(
            dataset="set", film_id=f"{name}-{frame}", film=f"{name}.dcm", frame=frame, sha256="0" * 64,
            patient="p", group="abn",
        )
        for name, frame in places
    ]  # fmt: skip
    shard.write_text("".join(canonical_json(item.model_dump(mode="json")) + "\n" for item in items))
    return tmp_path, shard


def decoded(delivery, **settings):
    folder, shard = delivery
    rows, rejects = decode_shard(shard, folder, folder, folder / "img" / "00", DisplaySettings(**settings))
    return {row.image_id: row for row in rows}, rejects


@pytest.mark.parametrize(
    ("image_format", "suffix", "dtype"),
    [("jpeg", ".jpg", np.uint8), ("png", ".png", np.uint8), ("png16", ".png", np.uint16)],
)
def test_images_are_written_in_the_format_of_the_settings(delivery, image_format, suffix, dtype):
    row = decoded(delivery, image_format=image_format)[0]["set.one-0"]
    path = delivery[0] / row.path
    assert path.suffix == suffix and row.sha256 == sha256_bytes(path.read_bytes())
    written = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    shown = display_film(delivery[0] / "one.dcm", DisplaySettings(image_format=image_format)).pixels
    assert written.dtype == shown.dtype == dtype and written.shape == shown.shape == (row.height, row.width)
    assert np.abs(written.astype(int) - shown).max() <= (4 if suffix == ".jpg" else 0)


def test_sixteen_bits_are_more_than_eight_times_257(delivery):
    path = delivery[0] / "one.dcm"
    fine = display_film(path, DisplaySettings(image_format="png16")).pixels
    assert len(np.unique(fine)) > 4000
    assert np.abs(fine / 257 - display_film(path, DisplaySettings()).pixels).max() <= 0.51
    assert np.abs(fine - RAMP / 4095 * 65535).max() <= 0.5 + 1e-6


def test_a_jpeg_has_one_component_and_the_quality_asked_for(delivery):
    sizes = {}
    for quality in (50, 95):
        path = delivery[0] / decoded(delivery, jpeg_quality=quality)[0]["set.one-0"].path
        data = path.read_bytes()
        assert imagecodecs.jpeg8_decode(data).ndim == 2
        frame = data.index(b"\xff\xc0")
        assert data[frame + 9] == 1
        sizes[quality] = len(data)
    assert sizes[50] < sizes[95]


@pytest.mark.parametrize("image_format", ["jpeg", "png", "png16"])
def test_two_runs_write_the_same_bytes(delivery, image_format):
    first, second = (decoded(delivery, image_format=image_format)[0] for _ in range(2))
    assert first == second and len(first) == 2


def test_each_item_is_the_frame_that_it_names(delivery):
    rows, rejects = decoded(delivery, image_format="png")
    one, second = (cv2.imread(str(delivery[0] / rows[f"set.{name}"].path), -1) for name in ("one-0", "two-1"))
    assert (second == one[::-1]).all()
    assert [(row.source, row.reason) for row in rejects] == [("two.dcm", "no frame 3: the file has 2")]
