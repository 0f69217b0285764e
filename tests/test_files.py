"""Files appear whole or not at all; errors that a user can mend are one line."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys

import pytest

from mammo.files import atomic_path, canonical_json, sha256_bytes, sha256_file, write_text_atomic


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "a.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("done")
        assert not target.exists()
        assert temporary.parent == target.parent and temporary.suffix == ".csv"
    assert target.read_text() == "done"
    assert os.listdir(target.parent) == ["a.csv"]


def test_what_stood_there_stays_when_the_block_fails(tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_an_interrupted_block_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.csv"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    mask = os.umask(0o027)
    try:
        write_text_atomic(tmp_path / "a.txt", "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_text_is_utf8_with_lf(tmp_path):
    write_text_atomic(tmp_path / "ä.txt", "größe\n")
    assert (tmp_path / "ä.txt").read_bytes() == "größe\n".encode()


def test_digests_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"mammo")
    assert sha256_file(tmp_path / "a") == sha256_bytes(b"mammo") == hashlib.sha256(b"mammo").hexdigest()


def test_equal_values_have_one_json_text():
    assert canonical_json({"b": 1, "a": [1.5, None, "ü"]}) == canonical_json({"a": [1.5, None, "ü"], "b": 1})
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'


def test_json_holds_no_infinity():
    with pytest.raises(ValueError):
        canonical_json({"a": float("inf")})


def run_failing(root, statement: str) -> subprocess.CompletedProcess[str]:
    program = f"from mammo.errors import UserError, run_main\ndef main():\n    {statement}\nrun_main(main)"
    environment = os.environ | {"PYTHONPATH": str(root / "scripts")}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


def test_a_user_s_error_is_one_line_and_status_1(root):
    done = run_failing(root, "raise UserError('a.csv: no such column')")
    assert (done.returncode, done.stderr) == (1, "error: a.csv: no such column\n")


def test_a_fault_of_ours_keeps_its_traceback(root):
    done = run_failing(root, "{}['key']")
    assert done.returncode == 1 and "Traceback" in done.stderr and "KeyError" in done.stderr
