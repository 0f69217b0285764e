"""The documents say what is there: links, commands, targets, rules, keys and columns that they name exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from mammo.settings import Config
from mammo.tables.records import Detection, Image, Lesion, Reject

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
RULE_FILES = sorted((ROOT / "rules").glob("*.smk"))
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"\.(py|md|csv|yaml|json|jsonl|h5|sh|smk|html|xlsx|lock|xml|dcm|jpe?g|png)$")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def code_spans(text: str) -> list[str]:
    """Texts in backticks, code blocks left out."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def command_lines(text: str) -> list[str]:
    """What a reader would type: lines of code blocks and texts in backticks, without comments."""
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()[1:-1]]
    return [re.sub(r"\s+#.*", "", line).strip() for line in [*blocks, *code_spans(text)]]


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words behind a program's name in each command that begins with it, `&&` ending a command."""
    for line in command_lines(text):
        for command in re.split(r"&&|;", line):
            words = (
                shlex.split(command.strip(), posix=True) if command.count("'") % 2 == 0 else command.split()
            )
            if words and words[0] == program:
                yield words[1:]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- links and markers


@each_document
def test_every_link_leads_to_a_file_and_a_heading_that_exist(document):
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{document.name}: {target} leads nowhere"
        assert path.is_relative_to(ROOT), f"{document.name}: {target} leads out of the project"
        assert not anchor or anchor in anchors(path), f"{document.name}: {target} has no such heading"


@each_document
def test_no_figure_is_still_to_be_filled_in(document):
    assert re.findall(r"<<[A-Z].*", document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_the_readme_links_every_page_of_docs(name):
    assert f"(docs/{name})" in (ROOT / "README.md").read_text(encoding="utf-8")


# --- commands, rules and targets


@each_document
def test_every_make_command_exists(document):
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in commands(document.read_text(encoding="utf-8"), "make"):
        for word in words:
            assert "=" in word or word == "…" or word in known, f"{document.name}: make has no '{word}'"


def rule_names() -> set[str]:
    """Names of all rules and checkpoints."""
    texts = [path.read_text(encoding="utf-8") for path in [ROOT / "Snakefile", *RULE_FILES]]
    return {
        name
        for text in texts
        for name in re.findall(r"^(?:rule|checkpoint|use rule \w+ as) ?(\w+)", text, re.MULTILINE)
    }


def output_patterns() -> list[re.Pattern[str]]:
    """All outputs of all rules, wildcards matching any text without a slash."""
    patterns = []
    for path in RULE_FILES:
        for block in re.findall(
            r"^    output:\n((?:        .+\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            for output in re.findall(r'"([^"]+)"', block):
                plain = output.replace("{CLASS_TABLE}", "class_2_malig_or_norm.csv").replace("{DATA}", "data")
                parts = re.split(r"\{\{?\w+\}?\}", plain)
                patterns.append(re.compile("[^/]+".join(map(re.escape, parts))))
    return patterns


def is_target(text: str) -> bool:
    """Whether Snakemake could be asked for it."""
    return text in rule_names() or any(pattern.fullmatch(text) for pattern in output_patterns())


def test_every_target_of_the_readme_is_a_rule_or_an_output():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Targets\n")[1].split("\n## ")[0]
    targets = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(targets) > 10
    assert [target for target in targets if not is_target(target)] == []


@each_document
def test_every_snakemake_command_asks_for_something_that_exists(document):
    takes_value = {
        "--profile",
        "--configfile",
        "--resources",
        "--forcerun",
        "--sdm",
        "--directory",
        "--cores",
    }
    for words in commands(document.read_text(encoding="utf-8"), "snakemake"):
        for before, word in zip(["", *words], words, strict=False):
            if before == "--forcerun":
                assert word in rule_names(), f"{document.name}: there is no rule '{word}'"
            elif before == "--profile":
                assert (ROOT / word / "config.yaml").is_file(), (
                    f"{document.name}: there is no profile '{word}'"
                )
            elif before not in takes_value and not word.startswith(("-", "…", "<")):
                assert is_target(word), f"{document.name}: '{word}' is no target"


@each_document
def test_every_snakemake_command_says_on_how_many_cores(document):
    """Without, Snakemake only says that they have to be specified."""
    for words in commands(document.read_text(encoding="utf-8"), "snakemake"):
        if words and is_target(words[-1]):
            assert {"--profile", "--cores"} & set(words), f"{document.name}: snakemake {' '.join(words)}"


def test_the_table_of_rules_names_every_rule_and_its_script():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| `(\w+\.py)` \|", text, re.MULTILINE))
    assert set(table) == rule_names() - {"all", "data", "sweeps"}
    assert [script for script in table.values() if not (ROOT / "scripts" / script).is_file()] == []


@each_document
def test_every_file_named_with_its_folder_exists(document):
    folders = ("docs/", "envs/", "profiles/", "rules/", "scripts/", "tests/", "mammo/", "schemas/")
    for span in code_spans(document.read_text(encoding="utf-8")):
        if span.startswith(folders) and not re.search(r"[\s*<…]", span):
            path = ROOT / "scripts" / span if span.startswith("mammo/") else ROOT / span
            assert path.exists(), f"{document.name}: there is no {span}"


# --- keys and columns


def has_key(model: Any, parts: list[str]) -> bool:
    """Whether a dotted key exists below a settings model; a name the user chooses matches anything."""
    if not parts:
        return True
    if get_origin(model) is Annotated:
        return has_key(get_args(model)[0], parts)
    for choice in get_args(model) if get_origin(model) not in (None, dict) else (model,):
        if get_origin(choice) is Annotated and has_key(choice, parts):
            return True
        if get_origin(choice) is dict:
            return has_key(get_args(choice)[1], parts[1:])
        if isinstance(choice, type) and issubclass(choice, BaseModel) and parts[0] in choice.model_fields:
            return has_key(choice.model_fields[parts[0]].annotation, parts[1:])
    return False


@each_document
def test_every_config_key_exists(document):
    for span in code_spans(document.read_text(encoding="utf-8")):
        match = re.fullmatch(r"([a-z_]+(?:\.(?:\*|<[^>]+>|[\w-]+))+)(?::.*)?", span)
        if match and not FILE_NAME.search(match[1]) and match[1].split(".")[0] in Config.model_fields:
            assert has_key(Config, match[1].split(".")), f"{document.name}: there is no key {match[1]}"


def test_a_key_that_does_not_exist_is_noticed():
    assert has_key(Config, ["experiments", "*", "train", "learning_rate"])
    assert has_key(Config, ["datasets", "*", "deliveries", "*", "annotations", "outline", "colours"])
    assert not has_key(Config, ["experiments", "*", "train", "learning_rat"])
    assert not has_key(Config, ["display", "quality"])


@pytest.mark.parametrize(
    ("heading", "model"),
    [("images.csv", Image), ("lesions.csv", Lesion), ("rejects.csv", Reject), ("Detections", Detection)],
)
def test_the_columns_of_a_table_are_documented_in_their_order(heading, model):
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    section = re.split(r"^##+ ", text.split(f"\n### {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(model.model_fields)
