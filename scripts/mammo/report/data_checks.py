"""What a data manager should look at first: each check of the data with its light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mammo.datasets.audit_tables import STOPPING
from mammo.datasets.base import DUPLICATE
from mammo.report.data_facts import Anchored, SetFacts, Shared, audit_counts
from mammo.report.data_sets import DATASET, TRAIN
from mammo.settings import AnchorSettings

OK, LOOK, PROBLEM = "ok", "look", "problem"
LIGHTS = (PROBLEM, LOOK, OK)
# In the order in which they spoil a training.
SUBJECTS = ("Contents", "Leakage", "Duplicates", "Look-alikes", "Anchors", "Privacy", "Rejects")
# From these shares of a set's lesions on, anchors that miss them are worth a look, and are a problem.
UNCOVERED_LOOK, UNCOVERED_PROBLEM = 0.01, 0.05


@dataclass(frozen=True)
class Check:
    """One line of the summary: `light` ok, look or problem; `advice` is what to do, empty where all is well."""

    light: str
    subject: str
    set_name: str
    finding: str
    advice: str = ""


def all_checks(
    facts: Sequence[SetFacts], pairs: Sequence[Shared], reject_shares: Mapping[str, float]
) -> list[Check]:
    """Every check of every set; problems first, then what is worth a look."""
    checks = [check for pair in pairs for check in _leakage(pair)]
    merged = any(one.data.kind == TRAIN for one in facts)
    for one in facts:
        checks += _contents(one)
        checks += _duplicates(one)
        # Where sets are merged, their lines say it; a dataset's own figures stand in its section.
        if one.data.kind != DATASET or not merged:
            checks += [_anchors(one, anchored) for anchored in one.anchored if anchored.found.lesions]
        if one.data.kind == DATASET:
            checks.append(_rejects(one, reject_shares.get(one.name, 1.0)))
            checks += _privacy(one)
    return sorted(
        checks, key=lambda check: (LIGHTS.index(check.light), SUBJECTS.index(check.subject), check.set_name)
    )


def _leakage(pair: Shared) -> Iterator[Check]:
    name, found = f"{pair.first} ↔ {pair.second}", pair.found
    if found.patients or found.twins:
        yield Check(
            PROBLEM, "Leakage", name,
            f"{len(found.patients)} patients in both{_such(found.patients)}; {len(found.twins)} pairs of films with "
            f"the same pixels{_such([f'{one} = {other}' for one, other in found.twins])}",
            "Take them out of one of the two sets (parts and tables in config.yaml). Training would stop.",
        )  # fmt: skip
    if found.near:
        yield Check(
            LOOK, "Look-alikes", name,
            f"{len(found.near)} pairs of films look the same{_such([f'{one} ~ {other}' for one, other in found.near])}",
            "Look at both films: the same exposure in another size or window is leakage that no digest notices.",
        )  # fmt: skip
    if not (found.patients or found.twins or found.near):
        yield Check(OK, "Leakage", name, "no patient and no film in both")


def _contents(facts: SetFacts) -> Iterator[Check]:
    counts = facts.counts
    if not counts["images"]:
        yield Check(PROBLEM, "Contents", facts.name, "no image", "Look at its tables and at rejects.csv.")
    elif not counts["lesions"] and facts.data.kind == TRAIN:
        yield Check(
            PROBLEM, "Contents", facts.name, "no lesion: nothing can be learned", "Look at tables and labels."
        )
    elif facts.unannotated:
        yield Check(
            LOOK, "Contents", facts.name,
            f"{facts.unannotated} of {counts['images']} films are abnormal and have no lesion",
            "Tables for training leave them out. Ask whether their annotations are missing.",
        )  # fmt: skip
    else:
        yield Check(
            OK, "Contents", facts.name,
            f"{counts['images']} films of {counts['patients']} patients, {counts['lesions']} lesions",
        )  # fmt: skip


def _duplicates(facts: SetFacts) -> Iterator[Check]:
    two_patients = [group for group in facts.duplicates if len({image.patient for image in group}) > 1]
    names = [" = ".join(image.image_id for image in group) for group in facts.duplicates]
    if two_patients:
        yield Check(
            PROBLEM, "Duplicates", facts.name,
            f"{len(two_patients)} films stand under two patients' names"
            + _such([" = ".join(image.image_id for image in group) for group in two_patients]),
            "One of the names is wrong, or patients are split across sets without notice.",
        )  # fmt: skip
    elif facts.duplicates:
        yield Check(
            LOOK, "Duplicates", facts.name, f"{len(names)} films stand there more than once{_such(names)}",
            "They count twice in training and in every figure.",
        )  # fmt: skip
    if facts.near:
        yield Check(
            LOOK, "Look-alikes", facts.name,
            f"{len(facts.near)} pairs of films look the same"
            + _such([f"{one} ~ {other}" for one, other in facts.near]),
            "Look at both films: they may be one exposure, delivered twice.",
        )  # fmt: skip
    if not facts.duplicates and not facts.near:
        yield Check(OK, "Duplicates", facts.name, "no film stands there twice")


def _anchors(facts: SetFacts, anchored: Anchored) -> Check:
    found, names = anchored.found, ", ".join(anchored.experiments)
    share = found.uncovered_share
    light = PROBLEM if share >= UNCOVERED_PROBLEM else LOOK if share >= UNCOVERED_LOOK else OK
    said = f"{found.uncovered} of {found.lesions} lesions ({share:.1%}) are covered by no anchor of {names}"
    if found.background:
        said += f"; {found.background} of them are even taught to be background"
    advice = ""
    if anchored.suggestions:
        advice = "; or ".join(
            f"{anchors_text(option.settings)}: leaves {option.coverage.uncovered_share:.1%}"
            for option in anchored.suggestions
        )
    elif light != OK:
        advice = "Larger sides, or other anchors: see the train set."
    return Check(light, "Anchors", facts.name, said, advice if light != OK else "")


def anchors_text(settings: AnchorSettings) -> str:
    """Anchors as they are written in config.yaml."""

    def listed(values: Sequence[float]) -> str:
        return "[" + ", ".join(f"{value:g}" for value in values) + "]"

    return (
        f"pyramid_levels: {listed(settings.pyramid_levels)}, sizes: {listed(settings.sizes)}, "
        f"strides: {listed(settings.strides)}, ratios: {listed(settings.ratios)}"
    )


def _rejects(facts: SetFacts, most: float) -> Check:
    lost = sum(row.files for row in facts.rejected if not row.reason.startswith(DUPLICATE))
    share = lost / max(1, lost + len(facts.data.images.images))
    if not lost:
        return Check(OK, "Rejects", facts.name, "no file was turned down")
    said = f"{lost} files ({share:.1%}) were turned down, most often: {facts.rejected[0].reason}"
    light = PROBLEM if share > most else LOOK
    return Check(
        light, "Rejects", facts.name, said, "Go through the reasons below and ask for the files again."
    )


def _privacy(facts: SetFacts) -> Iterator[Check]:
    counts = audit_counts(facts.audit)

    def elements(*kinds: str) -> list[str]:
        return [f"{element} ({files})" for (kind, element), files in counts.items() if kind in kinds]

    stopping, texts = elements(*STOPPING), elements("text", "picture")
    if stopping:
        seen = any(kind in ("margin_text", "burned_in") for kind, _ in counts)
        yield Check(
            PROBLEM, "Privacy", facts.name,
            f"names, dates, numbers or texts are left in {_elements(stopping)}{_such(stopping, 8)}",
            "Ask for an anonymised delivery, or list under data_report.allowed what may stay. "
            + ("Burned-in text is seen on the written images." if seen else "The written images carry no header."),
        )  # fmt: skip
    if texts:
        yield Check(
            LOOK, "Privacy", facts.name, f"free text or pictures stand in {_elements(texts)}{_such(texts, 8)}",
            "Anything may stand there: look at some of the files.",
        )  # fmt: skip
    pseudonyms = elements("pseudonym")
    if pseudonyms:
        yield Check(
            LOOK, "Privacy", facts.name, f"parts of the files' names stand in {', '.join(pseudonyms)}",
            "Make sure that they are pseudonyms and not the hospital's numbers.",
        )  # fmt: skip
    if not stopping and not texts and not pseudonyms:
        yield Check(OK, "Privacy", facts.name, "headers and margins name nobody")


def _elements(names: Sequence[str]) -> str:
    return f"{len(names)} element" if len(names) == 1 else f"{len(names)} elements"


def _such(names: Sequence[str], most: int = 3) -> str:
    if not names:
        return ""
    return f" ({', '.join(names[:most])}{f' and {len(names) - most} more' if len(names) > most else ''})"
