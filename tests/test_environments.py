"""The locks, the conda files and the set-up: one set of versions, everything that is imported, nothing half made."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"
SCRIPTS = ROOT / "scripts"
LOCKS = ("requirements.lock", "build.lock", "develop.lock", "gpu.lock")
KINDS = ("imaging", "detector", "reporting")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_in(lines: list[str]) -> dict[str, str]:
    return {normal(found["name"]): found["version"] for line in lines if (found := PIN.match(line.strip()))}


def lock(name: str) -> dict[str, str]:
    return pins_in((ENVS / name).read_text().splitlines())


def conda_pins(kind: str) -> dict[str, str]:
    [section] = [part for part in conda_file(kind)["dependencies"] if isinstance(part, dict)]
    assert all(PIN.fullmatch(line) for line in section["pip"]), "a dependency without an exact version"
    return pins_in(section["pip"])


def conda_file(kind: str) -> dict:
    return yaml.safe_load((ENVS / f"{kind}.yaml").read_text())


def post_deploy_pins(kind: str) -> dict[str, str]:
    script = ENVS / f"{kind}.post-deploy.sh"
    return pins_in(script.read_text().splitlines()) if script.exists() else {}


def requested(*names: str) -> set[str]:
    """The packages named in *.in files."""
    lines = [line.strip() for name in names for line in (ENVS / f"{name}.in").read_text().splitlines()]
    return {normal(re.split(r"[=<>\[; ]", line)[0]) for line in lines if line and not line.startswith("#")}


# --- one set of versions ---


@pytest.mark.parametrize("name", ["build.lock", "develop.lock", "gpu.lock"])
def test_the_locks_agree_on_every_package_that_they_share(name):
    base, other = lock("requirements.lock"), lock(name)
    assert {p: other[p] for p in other.keys() & base.keys()} == {
        p: base[p] for p in other.keys() & base.keys()
    }


def test_the_gpu_lock_differs_only_in_tensorflow_and_its_cuda_wheels():
    base, gpu = lock("requirements.lock"), lock("gpu.lock")
    assert base.keys() - gpu.keys() == {"tensorflow-cpu"}
    assert gpu["tensorflow"] == base["tensorflow-cpu"]
    assert all(name.startswith("nvidia-") for name in gpu.keys() - base.keys() - {"tensorflow"})


def test_what_is_built_from_source_finds_its_tools_in_the_build_lock_and_again_in_the_base():
    assert requested("build") <= lock("build.lock").keys() <= lock("requirements.lock").keys()


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(name):
    entries = re.split(r"\n(?=\S)", (ENVS / name).read_text())
    unhashed = [entry.split()[0] for entry in entries if PIN.match(entry) and "--hash=sha256:" not in entry]
    assert unhashed == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_one_version_of_a_package_for_every_python(name):
    names = [found["name"] for line in (ENVS / name).read_text().splitlines() if (found := PIN.match(line))]
    assert len(names) == len(set(names))


def test_everything_asked_for_is_in_its_lock():
    assert (
        requested("library", "imaging", "detector", "reporting", "workflow")
        <= lock("requirements.lock").keys()
    )
    assert requested("develop") <= lock("develop.lock").keys()


def test_the_base_is_free_of_tests_lint_cuda_and_windows_of_opencv():
    base = lock("requirements.lock")
    assert not {"pytest", "ruff", "snakefmt", "hypothesis", "tensorflow", "opencv-python"} & base.keys()
    assert not [name for name in base if name.startswith("nvidia-")]


def test_no_file_of_envs_names_an_index_or_a_path_of_the_machine_that_made_it():
    for path in sorted(ENVS.iterdir()):
        if path.suffix in {".in", ".lock", ".yaml"} or path.name.endswith("post-deploy.sh"):
            assert not re.search(
                r"https?://|file:|--(extra-)?index-url|--find-links|/home/|/tmp/", path.read_text()
            )


def test_this_environment_is_the_one_of_the_lock():
    """A venv made by hand is allowed to differ; one made by `make` is not."""
    if not (Path(sys.prefix) / ".installed-requirements.lock").exists():
        pytest.skip("this environment was not made by envs/setup.sh")
    from importlib.metadata import distributions

    installed = {normal(found.name): found.version for found in distributions()}
    pinned = {**lock("requirements.lock"), **lock("develop.lock")}
    wrong = {name: (installed[name], pinned[name]) for name in installed.keys() & pinned.keys()}
    assert {name: pair for name, pair in wrong.items() if pair[0] != pair[1]} == {}


# --- conda files ---


@pytest.mark.parametrize("kind", KINDS)
def test_every_pin_of_a_conda_file_is_the_locks(kind):
    pinned = {**lock("gpu.lock"), **lock("requirements.lock")}
    found = {**conda_pins(kind), **post_deploy_pins(kind)}
    assert found == {name: pinned[name] for name in found}


@pytest.mark.parametrize("kind", KINDS)
def test_a_conda_file_holds_all_that_its_kind_of_work_asks_for(kind):
    assert requested("library", kind) <= {**conda_pins(kind), **post_deploy_pins(kind)}.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_conda_brings_only_python_and_pip(kind):
    others = [part for part in conda_file(kind)["dependencies"] if isinstance(part, str)]
    assert others == ["python=3.11", "pip"]


def test_what_cannot_be_resolved_is_installed_after_conda_and_nowhere_else():
    assert post_deploy_pins("detector").keys() == {"keras-retinanet", "keras-resnet"}
    assert not post_deploy_pins("detector").keys() & conda_pins("detector").keys()


def modules_of(script: Path) -> list[Path]:
    """A script and every module of ours that it imports, directly or not."""
    found, pending = set(), [script]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        for name in imported_names(path):
            parts = name.split(".")
            if parts[0] != "mammo":
                continue
            for depth in range(1, len(parts) + 1):
                base = SCRIPTS.joinpath(*parts[:depth])
                pending += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()]
    return sorted(found)


def imported_names(path: Path) -> set[str]:
    """Dotted names of what a module imports; for `from a import b` both `a` and `a.b`, which may be a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def jobs_by_environment() -> list[tuple[str, str]]:
    """(conda file, script) for every rule of rules/ that has a `conda:` directive and calls scripts of ours."""
    pairs = set()
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for block in re.split(r"^(?=(?:rule|checkpoint) )", path.read_text(), flags=re.MULTILINE):
            if environment := re.search(r"envs/(\w+)\.yaml", block):
                scripts = re.findall(r'program\("(\w+\.py)"\)', block)
                pairs |= {(environment[1], name) for name in scripts}
    return sorted(pairs)


@pytest.mark.parametrize(("kind", "script"), jobs_by_environment())
def test_a_rules_conda_file_holds_every_package_that_its_script_imports(kind, script):
    """Names of modules are turned into names of packages by what is installed here: the lock."""
    assert (SCRIPTS / script).is_file()
    distributions = packages_distributions()
    needed = {}
    for path in modules_of(SCRIPTS / script):
        for name in imported_names(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "mammo":
                needed[top] = {normal(found) for found in distributions.get(top, [top])}
    if "tensorflow" in needed:
        needed["tensorflow"] = {"tensorflow"}  # which conda takes for tensorflow-cpu
    there = conda_pins(kind).keys() | post_deploy_pins(kind).keys()
    assert {top: names for top, names in needed.items() if not names & there} == {}


def test_every_kind_of_work_has_rules():
    if not list((ROOT / "rules").glob("*.smk")):
        pytest.skip("no rules yet")
    assert {kind for kind, _ in jobs_by_environment()} == set(KINDS)


# --- the set-up ---

# An interpreter that says it has made an environment and installed packages, and notes what it was asked for.
FAKE_PYTHON = """#!/bin/bash
here=$(cd "$(dirname "$0")" && pwd)
case "$1 $2" in
    "-c "*_base_executable*) echo "{0}" ;;
    "-c "*keras_retinanet*) ;;
    "-c "*) exec "{real}" "$@" ;;
    "-m venv")
        mkdir -p "$3/bin" && echo "home = fake" > "$3/pyvenv.cfg" && cp "{0}" "$3/bin/python"
        echo "venv" >> "{log}" ;;
    "-m pip") echo "pip ${{@: -1}}" >> "{log}"; [ ! -e "{log}.fail" ] || exit 1 ;;
    "-W ignore") ;;
    --version*) echo "Python 3.11.0" ;;
    *) echo "unexpected: $*" >> "{log}" ;;
esac
"""


class Checkout:
    """A copy of envs/ in a folder of its own, with an interpreter that only pretends to install."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        shutil.copytree(ENVS, self.folder / "envs")
        self.log = folder / "log"
        self.python = self.make_python("python3.11")

    def make_python(self, name: str) -> Path:
        path = self.folder.parent / name
        path.write_text(FAKE_PYTHON.format(path, real=sys.executable, log=self.log))
        path.chmod(0o755)
        return path

    def setup(self, *locks: str, **environment: str) -> subprocess.CompletedProcess:
        self.log.write_text("")
        return subprocess.run(
            ["bash", "envs/setup.sh", ".venv", *(locks or ("requirements.lock",))],
            cwd=self.folder,
            env={**os.environ, "PYTHON": str(self.python), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def did(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


WHOLE = ["venv", "pip envs/build.lock", "pip envs/requirements.lock"]


def test_an_environment_is_made_once(checkout):
    assert checkout.setup().returncode == 0
    assert checkout.did() == WHOLE
    assert checkout.setup().returncode == 0
    assert checkout.did() == []


def test_the_tools_for_tests_are_added_to_what_is_there(checkout):
    checkout.setup()
    checkout.setup("requirements.lock", "develop.lock")
    assert checkout.did() == ["pip envs/develop.lock"]
    checkout.setup()
    assert checkout.did() == []


def test_a_changed_lock_makes_the_environment_anew(checkout):
    checkout.setup("requirements.lock", "develop.lock")
    with open(checkout.folder / "envs" / "requirements.lock", "a") as file:
        file.write("# another pin\n")
    checkout.setup("requirements.lock", "develop.lock")
    assert checkout.did() == [*WHOLE, "pip envs/develop.lock"]


def test_an_interrupted_set_up_is_not_trusted(checkout):
    Path(f"{checkout.log}.fail").touch()
    assert checkout.setup().returncode != 0
    Path(f"{checkout.log}.fail").unlink()
    assert checkout.setup().returncode == 0
    assert checkout.did() == WHOLE


def test_an_interrupted_addition_is_not_trusted_either(checkout):
    checkout.setup()
    Path(f"{checkout.log}.fail").touch()
    assert checkout.setup("requirements.lock", "develop.lock").returncode != 0
    Path(f"{checkout.log}.fail").unlink()
    checkout.setup()
    assert checkout.did() == WHOLE


def test_a_moved_checkout_makes_its_environment_anew(checkout):
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    checkout.setup()
    assert checkout.did() == WHOLE


def test_another_python_makes_the_environment_anew(checkout):
    checkout.setup()
    other = checkout.make_python("python3.12")
    text = other.read_text().replace(
        f'"-c "*) exec "{sys.executable}"',
        '"-c "*sys.version,*) echo other ;;\n    "-c "*) exec "' + sys.executable + '"',
    )
    other.write_text(text)
    checkout.setup(PYTHON=str(other))
    assert checkout.did() == WHOLE


def test_a_folder_that_is_no_environment_is_not_removed(checkout):
    (checkout.folder / ".venv").mkdir()
    (checkout.folder / ".venv" / "thesis.tex").write_text("")
    done = checkout.setup()
    assert done.returncode == 1
    assert "no virtual environment" in done.stderr
    assert (checkout.folder / ".venv" / "thesis.tex").exists()


def path_without(folder: Path, *missing: str) -> str:
    """A PATH with every program of this machine but those whose names begin with one of `missing`."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in sorted(Path(place).iterdir()) if Path(place).is_dir() else []:
            link = folder / program.name
            if not program.name.startswith(missing) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def test_a_missing_python_is_said_plainly(checkout, tmp_path):
    done = checkout.setup(PYTHON="", PATH=path_without(tmp_path / "bin", "python", "pypy"))
    assert done.returncode == 1
    assert "there is no python3.11. On Debian or Ubuntu: apt install python3.11" in done.stderr
    assert checkout.did() == []


def test_a_python_that_was_named_and_is_not_there_is_said_plainly(checkout):
    done = checkout.setup(PYTHON="/nowhere/python3.11")
    assert done.returncode == 1
    assert "there is no /nowhere/python3.11" in done.stderr


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_a_python_that_tensorflow_has_no_build_for_is_said_plainly(checkout, version):
    checkout.python.write_text(f"#!/bin/sh\necho {version}\n")
    done = checkout.setup()
    assert done.returncode == 1
    assert f"is Python {version}; 3.11, 3.12 or 3.13 is needed" in done.stderr


def test_a_python_without_its_venv_module_is_said_plainly(checkout):
    checkout.python.write_text(
        f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'
    )
    done = checkout.setup()
    assert done.returncode == 1
    assert "has no venv module" in done.stderr


def test_a_missing_compiler_is_said_before_anything_is_downloaded(checkout, tmp_path):
    compilers = ("cc", "gcc", "clang", "c89", "c99", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")
    done = checkout.setup(CC="", PATH=path_without(tmp_path / "bin", *compilers))
    assert done.returncode == 1
    assert "there is no C compiler" in done.stderr
    assert checkout.did() == []


def test_a_compiler_that_does_not_work_is_said_before_anything_is_downloaded(checkout):
    done = checkout.setup(CC="false")
    assert done.returncode == 1
    assert "the C compiler (false) cannot compile" in done.stderr
    assert checkout.did() == []


def test_settings_for_another_environment_do_not_reach_pip(checkout):
    """Only what says where packages come from may pass."""
    seen = checkout.log.with_name("seen")
    text = checkout.python.read_text().replace('"-m pip") ', f'"-m pip") env > "{seen}"; ')
    checkout.python.write_text(text)
    hostile = {"PIP_USER": "1", "PIP_TARGET": "/x", "PYTHONPATH": "/x", "PYTHONDONTWRITEBYTECODE": "1"}
    assert checkout.setup(**hostile, PIP_INDEX_URL="https://mirror.example/simple").returncode == 0
    names = {line.split("=")[0] for line in seen.read_text().splitlines()}
    assert not hostile.keys() & names
    assert "PIP_INDEX_URL" in names
