"""The command lines that the rules call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def call(script, *arguments):
    command = [sys.executable, SCRIPTS / f"{script}.py", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    )


def test_the_scripts_lead_from_raw_files_to_tables(copy, pipeline, tables):
    data = copy("inbreast")
    root, work = data / "inbreast", data / "inbreast/work"
    settings = json.dumps({"format": "inbreast", "shards": 1, "parts": {"data": {}}})
    shard = work / "index/shard_00.jsonl"
    where = ("--shard", shard, "--data", data)
    for arguments in (
        ("index", "--dataset", "inbreast", "--root", root, "--settings", settings, "--out", work / "index"),
        ("decode", *where, "--root", root, "--images", root / "imgs/00", "--table", work / "i.csv",
         "--rejects", work / "d.csv", "--settings", "{}"),
        ("annotate", *where, "--table", work / "l.csv", "--rejects", work / "a.csv", "--settings", settings),
        ("tabulate", "--dataset", "inbreast", "--images", work / "i.csv", "--lesions", work / "l.csv",
         "--rejects", work / "index/rejects.csv", work / "d.csv", work / "a.csv", "--out-images", root / "images.csv",
         "--out-lesions", root / "lesions.csv", "--out-rejects", root / "rejects.csv", "--max-reject-share", "0.5"),
    ):  # fmt: skip
        done = call(*arguments)
        assert done.returncode == 0, done.stderr
    rows = (root / "images.csv").read_text().splitlines()
    assert len(rows) == 1 + len(tables["inbreast"].images)
    assert ",imgs/00/" in rows[1]


@pytest.mark.parametrize("script", ["unpack", "index", "decode", "annotate", "tabulate"])
def test_every_script_explains_itself(script):
    done = call(script, "--help")
    assert done.returncode == 0 and "--" in done.stdout


def test_what_a_user_can_mend_is_one_line(tmp_path):
    done = call(
        "index",
        "--dataset",
        "x",
        "--root",
        tmp_path,
        "--settings",
        '{"format": "dicom"}',
        "--out",
        tmp_path / "o",
    )
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
