"""Films that come as plain pictures: PNG, JPEG, PGM, TIFF."""

from __future__ import annotations

import io
import resource
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest

from mammo.dicom.display_picture import display_picture
from mammo.dicom.picture import checked_bytes, is_picture, picture_size
from mammo.dicom.read import MAX_PIXELS
from mammo.dicom.unusable import Unusable
from mammo.phantom.pictures import jpeg, pgm, picture_films, png, tiff
from mammo.settings import DisplaySettings

EIGHT = picture_films(seed=5, count=2)[1].pixels
# Twelve bits, as a detector gives them.
SIXTEEN = EIGHT.astype(np.uint16) * 16 + 3
HEIGHT, WIDTH = EIGHT.shape
KINDS = {
    "png": png(EIGHT),
    "png16": png(SIXTEEN),
    "jpeg": jpeg(EIGHT),
    "pgm": pgm(EIGHT),
    "pgm16": pgm(SIXTEEN, white=4095),
    "tiff": tiff(EIGHT),
    "tiff16": tiff(SIXTEEN),
    "tiff16-big": tiff(SIXTEEN, order=">"),
    "tiff-white-is-zero": tiff(255 - EIGHT, white_is_zero=True),
    "tiff16-white-is-zero": tiff(65535 - SIXTEEN, order=">", white_is_zero=True),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def written(tmp_path):
    def write(data):
        path = tmp_path / "film"
        path.write_bytes(data)
        return path

    return write


def shown(path, **settings):
    return display_picture(path, DisplaySettings(**settings)).pixels


@each_kind
def test_a_picture_is_known_by_its_first_bytes_and_its_size_by_its_header(written, kind):
    path = written(KINDS[kind])
    assert is_picture(path)
    assert picture_size(path) == (WIDTH, HEIGHT)


@each_kind
def test_a_dicom_file_is_no_picture_whatever_its_preamble_holds(written, kind):
    assert not is_picture(written(KINDS[kind][:128].ljust(128, b"\0") + b"DICM"))


@pytest.mark.parametrize("data", [b"", b"P5", b"P51 2", b"BM", bytes(200), b"%PDF-1.7 something long enough"])
def test_other_files_are_no_pictures(written, data):
    assert not is_picture(written(data))


# --- pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "pgm", "tiff", "tiff-white-is-zero"])
def test_eight_bits_stay_as_they_are(written, kind):
    assert (shown(written(KINDS[kind])) == EIGHT).all()


def test_a_jpeg_is_shown_within_its_own_loss(written):
    assert np.abs(shown(written(KINDS["jpeg"])).astype(int) - EIGHT).max() <= 12


@pytest.mark.parametrize("kind", ["png16", "pgm16", "tiff16", "tiff16-big", "tiff16-white-is-zero"])
def test_sixteen_bits_get_the_window_of_a_film_without_one(written, kind):
    pixels = shown(written(KINDS[kind]), window="minmax")
    low, high = int(SIXTEEN.min()), int(SIXTEEN.max())
    assert (np.abs(pixels - (SIXTEEN - low) * 255.0 / (high - low)) <= 0.51).all()
    by_percentile = shown(written(KINDS[kind]))
    assert by_percentile.dtype == np.uint8 and by_percentile.max() == 255
    assert (by_percentile == shown(written(KINDS[kind]), window="percentile")).all()


def test_sixteen_bits_can_be_written_as_such(written):
    pixels = shown(written(KINDS["png16"]), window="minmax", image_format="png16")
    assert pixels.dtype == np.uint16 and len(np.unique(pixels)) == len(np.unique(SIXTEEN))
    eight = shown(written(KINDS["png"]), image_format="png16")
    assert (eight == EIGHT.astype(np.uint16) * 257).all()


def test_colour_becomes_grey_by_luma_and_grey_stored_as_colour_stays(written):
    assert (shown(written(png(np.repeat(EIGHT[:, :, None], 3, axis=2)))) == EIGHT).all()
    red = np.zeros((4, 4, 3), np.uint8)
    red[:2, :, 0] = 255
    assert shown(written(png(red)))[0, 0] == 76


def test_a_palette_and_an_alpha_channel_are_read(written):
    image = pytest.importorskip("PIL.Image")
    for mode in ("P", "LA", "RGBA", "1"):
        buffer = io.BytesIO()
        source = image.fromarray(EIGHT if mode != "1" else (EIGHT > 90).astype(np.uint8) * 255)
        source.convert(mode).save(buffer, "PNG")
        expected = np.asarray(source.convert(mode).convert("L"))
        assert (shown(written(buffer.getvalue())) == expected).all(), mode


def test_a_pgm_of_another_white_is_spread_to_eight_bits(written):
    pixels = shown(written(pgm((EIGHT // 3).astype(np.uint8), white=85)))
    assert (pixels == EIGHT // 3 * 3).all()


def test_what_a_camera_notes_about_the_picture_s_orientation_turns_no_film(written):
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[274] = 6
    buffer = io.BytesIO()
    image.fromarray(EIGHT).save(buffer, "JPEG", exif=exif)
    path = written(buffer.getvalue())
    assert shown(path).shape == (HEIGHT, WIDTH) and picture_size(path) == (WIDTH, HEIGHT)
    with pytest.raises(Unusable, match="turned or mirrored"):
        shown(written(tiff(EIGHT, orientation=3)))


# --- what cannot be shown ---------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_picture_that_is_cut_off_is_turned_down(written, kind, share):
    data = KINDS[kind]
    with pytest.raises(Unusable):
        shown(written(data[: int(len(data) * share)]))


def test_a_jpeg_that_goes_on_in_zeros_is_turned_down(written):
    data = jpeg(EIGHT)
    with pytest.raises(Unusable, match="cut off: the JPEG has no end"):
        shown(written(data[: len(data) // 2].ljust(len(data), b"\0")))


@each_kind
def test_bits_that_fell_over_never_crash(written, kind):
    random = np.random.default_rng(4)
    for _ in range(40):
        data = bytearray(KINDS[kind])
        for at in random.integers(0, min(len(data), 400), 4):
            data[at] = random.integers(0, 256)
        path = written(bytes(data))
        try:
            display_picture(path, DisplaySettings())
            picture_size(path)
        except Unusable as reason:
            assert str(reason)


def test_a_picture_that_shows_nothing_is_turned_down(written):
    with pytest.raises(Unusable, match="one brightness"):
        shown(written(png(np.full((9, 9), 7, np.uint8))))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_that_are_neither_eight_nor_sixteen_bits_are_turned_down(written, dtype):
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.fromarray(EIGHT.astype(dtype)).save(buffer, "TIFF")
    with pytest.raises(Unusable, match="neither 8 nor 16 bits"):
        shown(written(buffer.getvalue()))


def bomb(width, height):
    """A PNG of a few hundred kilobytes that is huge once inflated."""
    body = zlib.compress(bytes(100_000_000), 9)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", body),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


HUGE = {
    "png": bomb(60_000, 60_000),
    "pgm": b"P5\n4000000000 4000000000\n255\n" + bytes(100),
    "tiff": tiff(EIGHT).replace(
        struct.pack("<HHII", 256, 4, 1, WIDTH), struct.pack("<HHII", 256, 4, 1, 4_000_000_000)
    ),
    "jpeg": jpeg(EIGHT).replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", 65_000, 65_000)),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_picture_larger_than_any_film_is_turned_down_before_it_is_decoded(written, kind):
    path = written(HUGE[kind])
    tracemalloc.start()
    try:
        with pytest.raises(Unusable, match="more than any mammogram has"):
            shown(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_chunk_that_claims_more_than_the_file_holds_reserves_nothing(written):
    data = KINDS["png"]
    at = data.index(b"IDAT") - 4
    broken = data[:at] + struct.pack(">I", 4_000_000_000) + data[at + 4 :]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unusable, match="the PNG has no end"):
        shown(written(broken))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


@each_kind
def test_bytes_for_another_decoder_are_given_whole_or_not_at_all(written, kind):
    assert checked_bytes(written(KINDS[kind])) == KINDS[kind]
    if not kind.startswith("tiff"):
        with pytest.raises(Unusable, match="cut off"):
            checked_bytes(written(KINDS[kind][:-40]))


def test_an_animated_png_is_no_film(written):
    chunk = struct.pack(">I4sII", 8, b"acTL", 2, 0)
    data = KINDS["png"]
    moving = data[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[33:]
    with pytest.raises(Unusable, match="animated"):
        shown(written(moving))


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_few_bytes_that_claim_millions_of_pixels_are_turned_down(written, kind):
    sizes = {"png": struct.pack(">II", WIDTH, HEIGHT), "jpeg": struct.pack(">HH", HEIGHT, WIDTH)}
    claims = {"png": struct.pack(">II", 9000, 9000), "jpeg": struct.pack(">HH", 9000, 9000)}
    with pytest.raises(Unusable, match="bytes for 9000x9000 pixels"):
        shown(written(KINDS[kind].replace(sizes[kind], claims[kind])))


def test_a_jpeg_with_long_notes_before_its_frame_is_measured(written):
    data = jpeg(EIGHT)
    notes = (b"\xff\xfe" + struct.pack(">H", 65535) + bytes(65533)) * 20
    path = written(data[:2] + notes + b"\xff\xff" + data[2:][1:])
    assert picture_size(path) == (WIDTH, HEIGHT)
    assert shown(path).shape == (HEIGHT, WIDTH)


def test_the_largest_film_is_no_bomb(written):
    assert MAX_PIXELS >= 50_000_000
    white = np.zeros((5000, 4000), np.uint8)
    white[2000:3000, 1000:2000] = 200
    assert shown(written(cv2.imencode(".png", white)[1].tobytes())).shape == white.shape
