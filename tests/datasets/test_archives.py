"""Archives come from outside: nothing leaves the folder, nothing but files comes in."""

from __future__ import annotations

import csv
import io
import tarfile

import pytest

from mammo.datasets.archives import unpack
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
