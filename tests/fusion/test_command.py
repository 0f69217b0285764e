"""`scripts/fuse.py` on files of anyone, and compiled code where little can be written."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mammo.errors import UserError
from mammo.fusion.inputs import read_members

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
HEADER = "image_id,x1,y1,x2,y2,score,label\n"


@pytest.fixture
def members(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "f1,0,0,10,10,0.8,m\nf2,0,0,10,10,0.6,m\n")
    (tmp_path / "b.csv").write_text(HEADER + "f1,0,0,10,12,0.8,m\n")
    (tmp_path / "seen.csv").write_text("view,image_id\nCC,f1\nMLO,f2\n")
    (tmp_path / "first.csv").write_text("image_id\nf1\n")
    return tmp_path


def command(folder, *arguments, scripts=SCRIPTS, **environment):
    return subprocess.run(
        [sys.executable, scripts / "fuse.py", "--members", "a.csv", "b.csv", "--out", "fused.csv", *arguments],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True,
    )  # fmt: skip


def test_the_command_fuses(members):
    done = command(members, "--images", "seen.csv", "--method", "wbf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (members / "fused.csv").read_text() == HEADER + "f1,0,0,10,11,0.8,m\nf2,0,0,10,10,0.3,m\n"


def test_a_fault_is_one_line(members):
    done = command(members, "--team-equal", "0.5")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "team_equal must be at least team_cover" in done.stderr
    assert not (members / "fused.csv").exists()


def test_images_and_weights_by_member(members):
    paths = [str(members / name) for name in ("a.csv", "b.csv")]
    both = frozenset({"f1", "f2"})
    assert [member.images for member in read_members(paths)] == [both, both]
    seen = read_members(paths, [str(members / "seen.csv"), str(members / "first.csv")], [2.0, 1.0])
    assert [(member.images, member.weight) for member in seen] == [(both, 2.0), (frozenset({"f1"}), 1.0)]


@pytest.mark.parametrize(
    ("images", "weights", "said"),
    [
        (["seen.csv"] * 3, [], "3 lists of images for 2 members"),
        ([], [1.0], "1 weights for 2 members"),
        (["a.txt"], [], r"a\.txt: cannot be read"),
        (["none.csv"], [], r"none\.csv: .* column image_id"),
        (["empty.csv"], [], r"empty\.csv, line 3: image_id is empty"),
    ],
)
def test_what_does_not_fit_is_refused(members, images, weights, said):
    (members / "none.csv").write_text("name\nf1\n")
    (members / "empty.csv").write_text("image_id,view\nf1,CC\n,CC\n")
    with pytest.raises(UserError, match=said):
        read_members([str(members / "a.csv")] * 2, [str(members / name) for name in images], weights)


def test_all_compiled_code_stands_in_one_file():
    """numba looks at a function's own file only: a changed helper elsewhere would not be seen."""
    users = [
        path.name
        for path in (SCRIPTS / "mammo").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module == "mammo.fusion.compiled"
    ]
    assert users == ["kernels.py"]


@pytest.fixture
def read_only_checkout(members):
    """A copy of the scripts that nobody can write to, root neither: where folders should be for caches, files are."""
    scripts = members / "checkout"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "mammo/fusion/__pycache__").write_text("")
    return scripts


@pytest.mark.slow
def test_a_checkout_that_cannot_be_written_fuses(members, read_only_checkout):
    """numba takes the user's cache then; where that cannot be written either, the job compiles for itself."""
    for home in ("home", "a.csv/no-folder"):
        places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "IPYTHONDIR"), str(members / home))
        done = command(members, "--method", "nms", scripts=read_only_checkout, **places)
        assert (done.returncode, done.stderr) == (0, "")
        assert (members / "fused.csv").read_text() == HEADER + "f1,0,0,10,10,0.8,m\nf2,0,0,10,10,0.6,m\n"


def test_members_in_other_formats_are_the_same(members):
    (members / "a.json").write_text(
        json.dumps(
            [
                {"image_id": "f1", "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.8},
                {"image_id": "f2", "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.6},
            ]
        )
    )
    (members / "c.csv").write_text("f1,0,0,10,10,m,0.8\nf2,0,0,10,10,m,0.6\n")
    ours, coco, retinanet = (
        member.detections
        for member in read_members([str(members / name) for name in ("a.csv", "a.json", "c.csv")])
    )
    assert coco.image_ids == retinanet.image_ids == ours.image_ids
    assert coco.boxes.tolist() == retinanet.boxes.tolist() == ours.boxes.tolist()
    assert coco.scores.tolist() == retinanet.scores.tolist() == ours.scores.tolist()
    assert (retinanet.labels, coco.labels) == (ours.labels, ["1", "1"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("f1,0,0,10,10,0.8,m\nf1,9,0,3,10,0.7,m\n", "line 3: x1 must be below x2, found x1 9 and x2 3"),
        ("f1,0,0,10,10,1.5,m\n", "line 2: the score must be a number in 0..1, found '1.5'"),
        ("f1,0,nan,10,10,0.5,m\n", "line 2: y1 must be a finite number, found 'nan'"),
        ("f1,0.1,0.2,0.5,0.6,0.9,m\nf2,0.3,0.1,0.9,1,0.4,m\n", "looks normalised"),
    ],
)
def test_wrong_rows_are_refused_by_their_number(members, rows, said):
    (members / "b.csv").write_text(HEADER + rows)
    done = command(members)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "b.csv" in done.stderr and said in done.stderr
    assert not (members / "fused.csv").exists()
