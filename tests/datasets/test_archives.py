"""Archives come from outside: nothing leaves the folder, nothing but files comes in."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammo.datasets.archives import unpack
from mammo.datasets.tarstream import BrokenArchive, TarStream
from mammo.errors import UserError
from mammo.files import sha256_bytes
from mammo.settings import UnpackSettings


def member(name, data=b"x", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
    return info, data


@pytest.fixture
def pack(tmp_path):
    def packed(*members, name="abn_1.tar", mode="w"):
        with tarfile.open(tmp_path / name, mode) as archive:
            for info, data in members:
                archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
        return tmp_path / name

    return packed


@pytest.fixture
def run(tmp_path):
    def unpacked(*tars, **limits):
        out, manifest = tmp_path / "out/abn_1", tmp_path / "out/abn_1.files.csv"
        unpack(tars, "abn_1", out, manifest, UnpackSettings(**limits))
        with open(manifest, newline="") as file:
            return out, list(csv.DictReader(file))

    return unpacked


def test_files_come_out_and_are_listed_by_path(pack, run):
    out, rows = run(pack(member("b/2.dcm", b"two"), member("a/1.dcm", b"one")))
    assert (out / "a/1.dcm").read_bytes() == b"one"
    assert rows[0] == {"path": "a/1.dcm", "size": "3", "sha256": sha256_bytes(b"one")}
    assert [row["path"] for row in rows] == ["a/1.dcm", "b/2.dcm"]


@pytest.mark.parametrize("prefix", ["abn_1/", "./abn_1/", "./", ""])
def test_a_folder_named_as_the_delivery_is_left_out_of_the_paths(pack, run, prefix):
    _, rows = run(pack(member(f"{prefix}X/1/1.dcm")))
    assert rows[0]["path"] == "X/1/1.dcm"


def test_a_delivery_may_come_in_several_archives_compressed_or_not(pack, run):
    first = pack(member("abn_1/1.dcm"))
    second = pack(member("abn_1/2.dcm"), name="more.tar.gz", mode="w:gz")
    assert [row["path"] for row in run(first, second)[1]] == ["1.dcm", "2.dcm"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("../evil"), "outside"),
        (member("abn_1/../../evil"), "outside"),
        (member("/etc/evil"), "outside"),
        (member("a\\..\\evil"), "outside"),
        (member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"), "a link"),
        (member("hard", kind=tarfile.LNKTYPE, link="good.dcm"), "a link"),
        (member("pipe", kind=tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("device", kind=tarfile.CHRTYPE), "neither a file nor a folder"),
        (member("good.dcm"), "twice"),
        (member("good.dcm/inside"), "is a file where another member is a folder"),
        (member("bell\a.dcm"), "control characters"),
    ],
)
def test_a_member_that_must_not_be_is_named_and_nothing_remains(pack, run, tmp_path, bad, reason):
    with pytest.raises(UserError, match=reason) as caught:
        run(pack(member("good.dcm"), bad))
    assert "abn_1.tar" in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("limits", "reason"), [({"max_gb": 1e-9}, "max_gb"), ({"max_members": 1}, "max_members")]
)
def test_limits_hold(pack, run, limits, reason):
    with pytest.raises(UserError, match=reason):
        run(pack(member("1.dcm", b"12345"), member("2.dcm")), **limits)


@pytest.mark.parametrize("name", ["cut.tar", "cut.tar.gz", "cut.tar.bz2", "cut.tar.xz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_an_archive_cut_anywhere_is_named_and_what_was_there_before_stays(pack, run, name, share):
    out, _ = run(pack(member("1.dcm", b"old")))
    mode = "w:" + name.removeprefix("cut.tar").removeprefix(".")
    tar = pack(*(member(f"{n}.dcm", bytes(range(256)) * n) for n in range(40)), name=name, mode=mode)
    # The last record of an archive is zeros: only a cut before them loses anything.
    whole = tar.read_bytes().rstrip(b"\0")
    tar.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=f"{name}: (cannot be unpacked|member)"):
        run(tar)
    assert (out / "1.dcm").read_bytes() == b"old"


def test_an_archive_cut_between_two_members_is_noticed(pack, run):
    tar = pack(member("1.dcm", b"n" * 512), member("2.dcm"))
    tar.write_bytes(tar.read_bytes()[:1024])
    with pytest.raises(UserError, match="cannot be unpacked"):
        run(tar)


def test_a_flipped_byte_in_a_compressed_archive_is_noticed(pack, run):
    tar = pack(member("1.dcm", bytes(range(256)) * 9), name="abn_1.tar.gz", mode="w:gz")
    data = bytearray(tar.read_bytes())
    data[-8] ^= 1
    tar.write_bytes(bytes(data))
    with pytest.raises(UserError, match="cannot be unpacked"):
        run(tar)


def test_what_is_no_archive_is_named(run, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(UserError, match=r"x\.tar: cannot be unpacked"):
        run(tmp_path / "x.tar")


def test_an_archive_without_files_is_refused(pack, run):
    with pytest.raises(UserError, match="no file inside"):
        run(pack(member("abn_1", kind=tarfile.DIRTYPE)))


def test_unpacking_again_replaces_the_folder_whole(pack, run):
    run(pack(member("1.dcm")))
    out, _ = run(pack(member("2.dcm")))
    assert [path.name for path in out.iterdir()] == ["2.dcm"]


# --- names --------------------------------------------------------------------------------------------------------


def header(name: bytes, size=0, kind=b"0", **fields):
    """A header block with its checksum; `fields` are bytes by offset (`at_345=b"..."`)."""
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    block[:100] = name[:100].ljust(100, b"\0")
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[156:157] = kind
    for place, content in fields.items():
        at = int(place.removeprefix("at_"))
        block[at : at + len(content)] = content
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: tuple[bytes, bytes], kind=b"x"):
    data = b""
    for key, value in records:
        body = b" " + key + b"=" + value + b"\n"
        length = len(body) + 1
        while len(b"%d" % length) + len(body) != length:
            length += 1
        data += b"%d" % length + body
    return header(b"pax", len(data), kind) + padded(data)


END = bytes(1024)
GOOD = header(b"good.dcm", 1) + padded(b"x")


@pytest.fixture
def raw(tmp_path):
    def written(*parts: bytes):
        (tmp_path / "abn_1.tar").write_bytes(b"".join(parts) + END)
        return tmp_path / "abn_1.tar"

    return written


KOREAN = "유방_사진.dcm"


@pytest.mark.parametrize(
    "name",
    [KOREAN.encode(), KOREAN.encode("cp949"), unicodedata.normalize("NFD", KOREAN).encode()],
    ids=["utf-8", "cp949", "nfd"],
)
def test_korean_names_come_out_the_same_however_the_archive_wrote_them(raw, run, name):
    out, rows = run(raw(header(name, 1), padded(b"x")))
    assert rows[0]["path"] == KOREAN
    assert os.listdir(os.fsencode(out)) == [KOREAN.encode()]


def test_one_name_written_in_two_ways_comes_twice(raw, run):
    composed, apart = KOREAN.encode(), unicodedata.normalize("NFD", KOREAN).encode()
    with pytest.raises(UserError, match="comes twice"):
        run(raw(header(composed, 1), padded(b"x"), header(apart, 1), padded(b"y")))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"a/\xff\xfe.dcm", r"'a/\\xff\\xfe\.dcm' has a name that is neither UTF-8 nor CP949"),
        (b"C:/films/1.dcm", "outside"),
        (b"C:1.dcm", "outside"),
        (b"\\\\server\\1.dcm", "outside"),
        (b"a\x7f.dcm", "control characters"),
        ("a\u2028.dcm".encode(), "control characters"),
        ("gpj\u202emcd.exe".encode(), "control characters"),
        (b"line\nerror: forged.dcm", "control characters"),
    ],
)
def test_a_name_that_would_mislead_is_refused_and_shown_in_one_plain_line(raw, run, name, reason):
    with pytest.raises(UserError, match=reason) as caught:
        run(raw(GOOD, header(name, 1), padded(b"x")))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("가".encode() * 86 + b".dcm", "more than 255 bytes"),
        (b"/".join([b"d" * 200] * 6), "more than 1024 bytes"),
        (b"d/" * 70 + b"1.dcm", "64 folders"),
        (b"d/" * 400_000 + b"1.dcm", "64 folders"),
    ],
)
def test_a_name_longer_than_disks_take_is_refused_in_a_short_line(raw, run, name, reason):
    with pytest.raises(UserError, match=reason) as caught:
        run(raw(pax((b"path", name)), header(b"short", 1), padded(b"x")))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["a ./1.dcm ", "CON", "1.dcm.", "12:30.dcm", "=1+1.dcm", "%s{0}.dcm", "-rf"])
def test_a_name_that_only_windows_minds_stays_as_it_is(pack, run, name):
    out, rows = run(pack(member(name)))
    assert rows[0]["path"] == name and (out / name).is_file()


def test_names_that_differ_in_capitals_are_two_files(pack, run):
    assert [row["path"] for row in run(pack(member("A.dcm"), member("a.dcm")))[1]] == ["A.dcm", "a.dcm"]


# --- what no archive of ours would hold -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([header(b"holes", 1, b"S"), padded(b"x")], "a sparse file"),
        ([pax((b"GNU.sparse.major", b"1")), header(b"holes", 1), padded(b"x")], "a sparse file"),
        ([header(b"abn_1", 1), padded(b"x")], "name of the folder itself"),
        ([header(b"1.dcm", b"\xff" * 12)], "below zero"),
        ([header(b"1.dcm", b"12x45678901\0")], "no number"),
        ([header(b"1.dcm", b"\x80" + b"\0" * 3 + b"\xff" * 8)], "max_gb"),
        ([pax((b"size", b"-512")), header(b"1.dcm", 1), padded(b"x")], "size that is no number"),
        ([pax((b"size", b"9" * 400)), header(b"1.dcm", 1), padded(b"x")], "size that is no number"),
        ([header(b"pax", 12, b"x"), padded(b"9999999 a=b\n"), GOOD], "makes no sense"),
        ([header(b"pax", 8, b"x"), padded(b"0 a=b\n\n\n"), GOOD], "makes no sense"),
        ([header(b"@LongLink", 8_000_000_000, b"L")], "a header of 8000000000 bytes"),
        ([header(b"pax", 8_000_000_000, b"x")], "a header of 8000000000 bytes"),
        ([header(b"pax", 8_000_000_000, b"g")], "a header of 8000000000 bytes"),
        ([pax((b"comment", b"x"))] * 5000 + [GOOD], "headers before one member"),
        ([pax((b"%d" % n, b"x" * 100_000), kind=b"g") + GOOD.replace(b"good", b"%04d" % n, 1) for n in range(1)]
         + [header(b"broken", 1)[:300] + bytes(212)], "no header at byte"),
    ],
)  # fmt: skip
def test_a_header_that_lies_is_named_and_nothing_remains(raw, run, tmp_path, parts, reason):
    with pytest.raises(UserError, match=reason):
        run(raw(*parts))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_label_of_the_volume_is_no_member(raw, run):
    assert [row["path"] for row in run(raw(header(b"NCC 2018", kind=b"V"), GOOD))[1]] == ["good.dcm"]


def test_a_second_archive_behind_the_end_is_not_lost_without_a_word(raw, run):
    with pytest.raises(UserError, match="second archive"):
        run(raw(GOOD, END, bytes(8192), header(b"lost.dcm", 1), padded(b"x")))


def test_padding_of_whole_records_is_no_second_archive(raw, run):
    assert len(run(raw(GOOD, bytes(20 * 10240)))[1]) == 1


def test_another_kind_of_archive_is_named(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "abn_1.tar", "w") as archive:
        archive.writestr("1.dcm", b"x")
    with pytest.raises(UserError, match=r"abn_1\.tar: is a zip archive"):
        run(tmp_path / "abn_1.tar")


def test_an_archive_of_no_byte_is_named(run, tmp_path):
    (tmp_path / "abn_1.tar").write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        run(tmp_path / "abn_1.tar")


# --- bombs: bounded memory, and an end ------------------------------------------------------------------------------

BOMBS = {
    # A file of 8 GB of zeros in a few kilobytes; headers and padding without end.
    "huge file": lambda: header(b"1.dcm", 8_000_000_000),
    "padding without end": lambda: GOOD + END,
    "huge name": lambda: header(b"@LongLink", 4_000_000_000, b"L"),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("compress", [gzip.open, bz2.open, lzma.open], ids=["gz", "bz2", "xz"])
def test_a_bomb_ends_within_little_memory(tmp_path, bomb, compress):
    with compress(tmp_path / "abn_1.tar", "wb", **({"preset": 0} if compress is lzma.open else {})) as file:
        file.write(BOMBS[bomb]())
        for _ in range(48):
            file.write(bytes(1 << 20))
    code = (
        "import resource, sys, pathlib\n"
        "from mammo.datasets.archives import unpack\nfrom mammo.settings import UnpackSettings\n"
        "from mammo.errors import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "try: unpack([folder / 'abn_1.tar'], 'abn_1', folder / 'out/abn_1', folder / 'out/list.csv',"
        " UnpackSettings(max_gb=1))\n"
        "except UserError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = child(code, tmp_path)
    *error, kilobytes = done.stdout.splitlines()
    assert error, done.stderr
    assert int(kilobytes) < 24_000


def test_an_xz_archive_that_asks_for_gigabytes_of_dictionary_is_refused(tmp_path, run):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    code = (
        "import lzma, sys\n"
        f"open(sys.argv[1] + '/abn_1.tar', 'wb').write(lzma.compress(bytes(9000), filters={filters!r}))\n"
    )
    if child(code, tmp_path).returncode:
        pytest.skip("this machine has too little memory to make such an archive")
    with pytest.raises(UserError, match="Memory usage limit"):
        run(tmp_path / "abn_1.tar")


def child(code, *arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "scripts")}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


def test_fifty_thousand_entries_take_seconds_and_no_memory_of_their_own(tmp_path):
    with open(tmp_path / "abn_1.tar", "wb") as file:
        for number in range(50_000):
            file.write(header(b"%03d/%05d.dcm" % (number // 500, number), 1) + padded(b"x"))
        file.write(END)
    started = time.monotonic()
    with open(tmp_path / "abn_1.tar", "rb") as file:
        assert sum(1 for _ in TarStream(file)) == 50_000
    assert time.monotonic() - started < 10


# --- a disk that is full ----------------------------------------------------------------------------------------------


def test_a_full_disk_is_said_so_and_what_was_there_before_stays(pack, run, tmp_path):
    out, _ = run(pack(member("1.dcm", b"old")))
    pack(member("1.dcm", b"new"), member("2.dcm", b"n" * 300_000))
    code = (
        "import sys, pathlib, resource\n"
        "from mammo.datasets.archives import unpack\nfrom mammo.settings import UnpackSettings\n"
        "from mammo.errors import UserError\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: unpack([folder / 'abn_1.tar'], 'abn_1', folder / 'out/abn_1', folder / 'out/list.csv',"
        " UnpackSettings())\n"
        "except UserError as error: print(error)\n"
    )
    done = child(code, tmp_path)
    assert "abn_1: cannot be written (File too large); nothing was unpacked; make room" in done.stdout, (
        done.stderr
    )
    assert (out / "1.dcm").read_bytes() == b"old"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["abn_1", "abn_1.files.csv"]


# --- against Python's own reader --------------------------------------------------------------------------------------

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0xD7A3, exclude_characters="/\\"), min_size=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    members=st.lists(st.tuples(NAMES, st.binary(max_size=1200)), max_size=6),
    form=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_every_archive_that_tarfile_writes_is_read_as_it_was_written(members, form):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        written = []
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:
                continue  # ustar cannot write long names
            written.append((name.encode(), data))
    buffer.seek(0)
    stream = TarStream(buffer)
    assert [(one.name, stream.read(2000)) for one in stream] == written


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_bytes_that_were_changed_are_read_or_refused(data):
    archive = bytearray(
        pax((b"path", b"long"), (b"size", b"3")) + header(b"1", 3) + padded(b"abc") + GOOD + END
    )
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    stream = TarStream(io.BytesIO(bytes(archive[: data.draw(st.integers(0, len(archive)))])))
    try:
        assert all(len(stream.read(10_000)) <= 10_000 for _ in stream)
        stream.rest(1 << 20)
    except BrokenArchive as error:
        assert str(error)
