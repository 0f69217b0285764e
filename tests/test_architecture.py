"""The rooms of the library know only the rooms above them, light rooms stay light, scripts stay thin."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mammo.records.fingerprint import code_behind

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
LIBRARY = SCRIPTS / "mammo"
COMMANDS = sorted(SCRIPTS.glob("*.py"))

# A room may import itself and rooms before it.
ORDER = [
    "errors", "files", "settings", "tables", "dicom", "annotations", "datasets", "phantom", "trainset", "detector",
    "fusion", "metrics", "records", "report",
]  # fmt: skip
HEAVY = {"detector"}


def room(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names that a module imports, at any place."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide which room is meant"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def rooms_imported(path: Path) -> set[str]:
    return {
        name.split(".")[1]
        for name in imports(path)
        if name.startswith("mammo.") and name != "mammo.__version__"
    }


MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY or path.stem != "__init__")


def test_every_room_has_its_place_in_the_order():
    assert {room(path) for path in MODULES} <= set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_a_room_imports_only_rooms_above_it(path):
    allowed = set(ORDER[: ORDER.index(room(path)) + 1])
    if room(path) == "phantom":
        allowed -= {"annotations", "datasets"}  # the product must not grade its own work
    else:
        allowed -= {"phantom"}
    assert rooms_imported(path) - allowed == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_the_library_knows_no_snakemake_and_parses_no_command_line(path):
    foreign = {name.split(".")[0] for name in imports(path)}
    assert not foreign & {"snakemake", "argparse", "optparse", "click", "pickle"}


@pytest.mark.parametrize("path", [*MODULES, *COMMANDS], ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_bytes()))


def test_light_rooms_do_not_load_tensorflow():
    light = [path for path in MODULES if room(path) not in HEAVY and path.stem != "__init__"]
    names = [path.relative_to(SCRIPTS).with_suffix("").as_posix().replace("/", ".") for path in light]
    program = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print([name for name in ('tensorflow', 'tf_keras', 'keras', 'snakemake') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_a_script_is_thin(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_a_script_explains_itself(path):
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_a_script_ends_a_user_s_error_in_one_line(path):
    assert "mammo.errors.run_main" in imports(path)


def test_a_script_that_explains_itself_does_not_wait_for_tensorflow(tmp_path):
    program = f"import runpy, sys\nsys.argv = ['x', '--help']\nsys.path.insert(0, {str(SCRIPTS)!r})\n"
    for path in COMMANDS:
        program += f"try: runpy.run_path({str(path)!r}, run_name='__main__')\nexcept SystemExit: pass\n"
        program += f"assert 'tensorflow' not in sys.modules, {path.name!r}\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_index_does_not_depend_on_how_films_are_shown_or_lesions_recognised():
    """An index reads every raw byte of a dataset: a changed display or recogniser must not make it again."""
    behind = code_behind(SCRIPTS / "index.py", SCRIPTS)
    assert SCRIPTS / "mammo/datasets/indexing.py" in behind
    assert not behind & {
        LIBRARY / "dicom/display.py",
        LIBRARY / "annotations/recognise.py",
        LIBRARY / "annotations/drawn.py",
        LIBRARY / "annotations/mask.py",
    }


def test_films_at_network_size_do_not_depend_on_how_they_are_changed_while_training():
    """A scaled set is gigabytes: a changed augmentation, anchor or network must not make it again."""
    behind = code_behind(SCRIPTS / "scale.py", SCRIPTS)
    in_the_room = {path.name for path in behind if path.parent == LIBRARY / "detector"}
    assert in_the_room == {"__init__.py", "ahead.py", "kept_films.py", "network_films.py"}


def test_a_training_does_not_depend_on_how_results_are_reported():
    """Its own figures after each epoch are few: a changed interval or slice must not train anything again."""
    behind = code_behind(SCRIPTS / "train.py", SCRIPTS)
    assert LIBRARY / "metrics/froc.py" in behind
    reported = (
        "bootstrap",
        "figures",
        "figure_rows",
        "slices",
        "row",
        "comparison",
        "roc",
        "coco",
        "calibration",
    )
    assert not behind & {LIBRARY / f"metrics/{name}.py" for name in reported}
