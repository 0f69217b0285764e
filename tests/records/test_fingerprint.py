"""A fingerprint of code changes with the statements that a script can run, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mammo.records import fingerprint
from mammo.records.fingerprint import code_fingerprint

SCRIPT = '''"""What the script does."""
from mammo.first import work

def main():
    """Do it."""
    work(1)
'''
FILES = {
    "run.py": SCRIPT,
    "other.py": "import mammo.unused\n",
    "mammo/__init__.py": '"""Ours."""\n',
    "mammo/settings.py": "LIMIT = 1\n",
    "mammo/first.py": "from mammo import settings\nfrom mammo.deep.second import Thing\ndef work(n): return Thing(n)\n",
    "mammo/deep/__init__.py": "",
    "mammo/deep/second.py": "class Thing:\n    def late(s):\n        import mammo.deep.third\n        return mammo\n",
    "mammo/deep/third.py": "VALUE = 3\n",
    "mammo/unused.py": "X = 1\n",
}


def forget() -> None:
    for function in (fingerprint.code_fingerprint, fingerprint._imports, fingerprint._statements):
        function.cache_clear()


@pytest.fixture
def code(tmp_path):
    root = tmp_path / "scripts"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def taken(root: Path, script: str = "run.py") -> str:
    forget()
    return code_fingerprint(root / script, root)


def after(root: Path, name: str, text: str) -> tuple[str, str]:
    before = taken(root)
    (root / name).write_text(text)
    return before, taken(root)


def test_a_fingerprint_is_sixteen_digits(code):
    assert len(taken(code)) == 16 and int(taken(code), 16) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + SCRIPT,
        SCRIPT.replace("Do it", "Do something"),
        SCRIPT.replace('    """Do it."""\n', ""),
        SCRIPT.replace("work(1)", "work( 1 )  # one").replace("\n\n", "\n\n\n\n"),
        SCRIPT.replace("\n", "\r\n"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(code, text):
    before, now = after(code, "run.py", text)
    assert before == now


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.py", SCRIPT.replace("work(1)", "work(2)")),
        ("mammo/first.py", FILES["mammo/first.py"] + "work(3)\n"),
        ("mammo/deep/second.py", FILES["mammo/deep/second.py"].replace("late(", "later(")),
        ("mammo/deep/third.py", "VALUE = 4\n"),
        ("mammo/__init__.py", "print()\n"),
        ("mammo/deep/__init__.py", "print()\n"),
    ],
)
def test_a_changed_statement_counts_at_any_depth_and_behind_an_import_in_a_function(code, name, text):
    before, now = after(code, name, text)
    assert before != now


@pytest.mark.parametrize(
    ("name", "text"),
    [("mammo/unused.py", "X = 2\n"), ("mammo/settings.py", "LIMIT = 2\n"), ("other.py", "1\n")],
)
def test_what_is_not_imported_and_the_settings_do_not_count(code, name, text):
    before, now = after(code, name, text)
    assert before == now


def test_a_new_import_counts_what_it_brings(code):
    (code / "run.py").write_text(SCRIPT + "import mammo.unused\n")
    before, now = after(code, "mammo/unused.py", "X = 2\n")
    assert before != now


TEMPLATE = "mammo/deep/templates/parts/row.html"


@pytest.fixture
def with_templates(code):
    """A module that renders templates, one that does not, and a folder of templates beside them."""
    (code / "mammo/deep/third.py").write_text("def page():\n    from jinja2 import Environment\n")
    (code / TEMPLATE).parent.mkdir(parents=True)
    (code / TEMPLATE).write_text("<td>{{ value }}</td>")
    return code


def test_a_changed_template_beside_a_module_that_renders_counts(with_templates):
    before, now = after(with_templates, TEMPLATE, "<th>{{ value }}</th>")
    assert before != now


@pytest.mark.parametrize("name", ["mammo/deep/templates/more.css", "mammo/deep/templates/parts/more.html"])
def test_a_new_template_and_the_name_of_a_template_count(with_templates, name):
    before, now = after(with_templates, name, "p { margin: 0 }")
    assert before != now
    (with_templates / name).rename((with_templates / name).with_name("other.html"))
    assert taken(with_templates) not in (before, now)


def test_templates_elsewhere_do_not_count(with_templates):
    (with_templates / "mammo/templates").mkdir()
    before, now = after(with_templates, "mammo/templates/row.html", "<td></td>")
    assert before == now


def test_templates_of_which_a_script_uses_none_do_not_count(code):
    """A script that uses another module of the same folder is not run again for a page that it does not make."""
    before = taken(code)
    (code / TEMPLATE).parent.mkdir(parents=True)
    (code / TEMPLATE).write_text("<td>{{ value }}</td>")
    (code / "mammo/deep/page.py").write_text("import jinja2\n")
    assert taken(code) == before


def test_the_place_and_the_spelling_of_the_root_do_not_count(code, tmp_path, monkeypatch):
    before = taken(code)
    shutil.copytree(code, tmp_path / "elsewhere" / "scripts")
    assert taken(tmp_path / "elsewhere" / "scripts") == before
    monkeypatch.chdir(tmp_path)
    assert taken(Path("scripts")) == before
    forget()
    assert code_fingerprint(code / "run.py", Path("scripts")) == before
    os.symlink(code, tmp_path / "link")
    assert taken(tmp_path / "link") == before


def test_every_script_of_the_project_has_a_fingerprint_of_its_own(root):
    forget()
    scripts = sorted((root / "scripts").glob("*.py"))
    assert len({code_fingerprint(script, root / "scripts") for script in scripts}) == len(scripts)


def test_the_data_report_is_made_again_for_its_templates_and_its_neighbours_results_are_not(root, tmp_path):
    scripts = tmp_path / "scripts"
    shutil.copytree(root / "scripts", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    names = ("data_report.py", "evaluate.py")
    before = [taken(scripts, name) for name in names]
    with open(scripts / "mammo/report/templates/data_report.css", "a") as style:
        style.write("p { margin: 0 }\n")
    now = [taken(scripts, name) for name in names]
    assert now[0] != before[0] and now[1] == before[1]
