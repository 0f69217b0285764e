"""Deliveries are the same each time, appear whole, and never touch what is not theirs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.phantom import PhantomSettings, deliver, delivery

SMALL = {
    "cbis": {"films": 3},
    "inbreast": {"films": 2},
    "ncc": {"abn_1": 1, "abn_2": 1, "normal": 1},
    "ncc_trainset": dict.fromkeys(
        ["abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130"], 0
    ),
    "broken_files": False,
}


def small(seed: int = 1, **changes: object) -> PhantomSettings:
    return PhantomSettings.tiny(seed, **{**SMALL, **changes})


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


def test_two_runs_from_nothing_give_the_same_bytes_whatever_the_number_of_processes(tmp_path: Path) -> None:
    settings = PhantomSettings.tiny(3)
    deliver(settings, tmp_path / "a" / "data", tmp_path / "a" / "truth", workers=1)
    deliver(settings, tmp_path / "b" / "data", tmp_path / "b" / "truth", workers=2)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_gives_other_films(tmp_path: Path) -> None:
    deliver(small(1), tmp_path / "a", tmp_path / "ta")
    deliver(small(2), tmp_path / "b", tmp_path / "tb")
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert a["NCC/tar/abn_1.tar"] != b["NCC/tar/abn_1.tar"]
    assert not {path for path in a if path.endswith(".dcm") and a[path] == b.get(path)}


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth"
    first = deliver(small(), data, truth)
    before = times(tmp_path)
    second = deliver(small(), data, truth)
    assert first.written == first.files > 0
    assert second.written == 0
    assert (second.files, second.films, second.lesions) == (first.files, first.films, first.lesions)
    assert times(tmp_path) == before


def test_a_lost_file_comes_back_and_the_others_are_not_rewritten(tmp_path: Path) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth"
    deliver(small(), data, truth)
    before, whole = times(data), digests(data)
    (data / "inbreast/raw_files/INbreast.csv").unlink()
    summary = deliver(small(), data, truth)
    assert summary.written == 1
    assert digests(data) == whole
    assert {path for path, time in times(data).items() if before[path] != time} == {
        str(data / "inbreast/raw_files/INbreast.csv")
    }


def test_changed_counts_remove_the_films_that_no_longer_belong(tmp_path: Path) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth"
    deliver(small(), data, truth)
    deliver(small(inbreast={"films": 1}, cbis={"films": 0}), data, truth)
    assert len(list((data / "inbreast/raw_files/AllDICOMs").iterdir())) == 1
    assert not (data / "CBIS-DDSM").exists()
    deliver(small(inbreast={"films": 1}, cbis={"films": 0}), tmp_path / "fresh", tmp_path / "fresh truth")
    assert digests(data) == digests(tmp_path / "fresh")


@pytest.mark.parametrize("dies_at", [1, 4, 7])
def test_an_interrupted_run_starts_over_and_ends_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth"
    real, seen = delivery.atomic_path, []

    def dying(path: Path) -> object:
        seen.append(path)
        if len(seen) == dies_at:
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(delivery, "atomic_path", dying)
    with pytest.raises(KeyboardInterrupt):
        deliver(small(1), data, truth)
    monkeypatch.undo()
    assert not (truth / "phantoms.json").exists()
    # With other settings, so that films of the interrupted run must disappear.
    deliver(small(2, cbis={"films": 1}), data, truth)
    deliver(small(2, cbis={"films": 1}), tmp_path / "fresh", tmp_path / "fresh truth")
    assert digests(data) == digests(tmp_path / "fresh")
    assert digests(truth) == digests(tmp_path / "fresh truth")


def test_raw_folders_that_hold_foreign_files_are_refused_untouched(tmp_path: Path) -> None:
    foreign = tmp_path / "data/NCC/tar/abn_1.tar"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"real data")
    with pytest.raises(UserError, match=r"abn_1\.tar.*not listed.*another --out"):
        deliver(small(), tmp_path / "data", tmp_path / "truth")
    assert foreign.read_bytes() == b"real data"
    assert not (tmp_path / "truth").exists()


def test_what_the_workflow_writes_beside_the_raw_folders_is_left_alone(tmp_path: Path) -> None:
    made = tmp_path / "data/NCC/img_retinanet/a.jpg"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"image")
    deliver(small(), tmp_path / "data", tmp_path / "truth")
    deliver(small(2), tmp_path / "data", tmp_path / "truth")
    assert made.read_bytes() == b"image"


def test_the_stamp_and_the_truth_lie_outside_the_data_folder(tmp_path: Path) -> None:
    deliver(small(), tmp_path / "data", tmp_path / "truth")
    names = {path.name for path in (tmp_path / "data").rglob("*")}
    assert not names & {"phantoms.json", "phantoms.part.txt", "images.csv", "lesions.csv", "rejects.csv"}
    stamp = json.loads((tmp_path / "truth/phantoms.json").read_text())
    assert set(stamp["files"]) == set(digests(tmp_path / "data"))


def test_archives_hold_no_times_or_names_of_their_making(tmp_path: Path) -> None:
    deliver(small(), tmp_path / "data", tmp_path / "truth")
    packed = (tmp_path / "data/NCC/tar/normal.tar.gz").read_bytes()
    assert packed[3] == 0, "no file name in the gzip header"
    assert packed[4:8] == b"\0\0\0\0", "no time in the gzip header"
    assert b"normal/normal/" in gzip.decompress(packed)


def test_the_script_makes_deliveries_and_says_what_there_is(tmp_path: Path, root: Path) -> None:
    config = tmp_path / "phantoms.yaml"
    config.write_text(json.dumps(small().model_dump(mode="json")))
    command = [
        sys.executable,
        root / "scripts/make_phantoms.py",
        "--config",
        config,
        "--out",
        tmp_path / "data",
    ]
    done = subprocess.run(
        [*command, "--workers", "1"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "8 films, " in done.stdout
    assert (tmp_path / "truth/NCC/images.csv").is_file()
    config.write_text("seed: 1\nfilms: 3\n")
    failed = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ.copy())
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert "films: unknown key" in failed.stderr
