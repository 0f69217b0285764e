"""Every row of the CBIS-DDSM description tables: used, merged or rejected, on synthetic downloads of all of them.

Twice, films of 96×80 pixels are made for all rows of the real tables, in six folder layouts, with mask and crop
swapped, masks of another size and with crumbs, downloads begun twice: once as published, once with one of 17 faults on
films, masks or rows of every eighth film. Index, decode, annotate and tabulate run over them; every row is accounted
for and held against what was planned for it. With --root, an existing dataset is accounted for instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "scripts"))

from mammo.datasets.annotating import annotate_shard  # noqa: E402
from mammo.datasets.cbis_account import RowFate, account, account_dataset, summary  # noqa: E402
from mammo.datasets.decoding import decode_shard  # noqa: E402
from mammo.datasets.indexing import write_index  # noqa: E402
from mammo.datasets.tabulating import tabulate  # noqa: E402
from mammo.errors import UserError, run_main  # noqa: E402
from mammo.files import write_text_atomic  # noqa: E402
from mammo.phantom.cbis_rows import RowTruth, deliver_rows  # noqa: E402
from mammo.settings import DatasetSettings, DisplaySettings  # noqa: E402
from mammo.tables.csvio import write_table  # noqa: E402
from mammo.tables.records import Image, Lesion, Reject  # noqa: E402

TABLES = FOLDER.parent.parent / "shared" / "data" / "cbis-ddsm" / "csv"
DATASET = "CBIS-DDSM"
SETTINGS = DatasetSettings.model_validate({"format": "cbis-ddsm", "shards": 8, "parts": {"data": {}}})
RUNS = {"as published": 0.0, "damaged": 0.12}


def main() -> None:
    """Parse, run, print JSON on stdout and Markdown on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--csv", type=Path, default=TABLES, help="folder with the four real description CSVs")
    add("--root", type=Path, help="account for this dataset, which the workflow has been through, instead")
    add("--rows", type=int, default=100_000, help="rows taken from the top of each table (default: all)")
    add("--out", type=Path, help="write the Markdown tables to this file too")
    add("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: one a core)")
    arguments = parser.parse_args()
    records, text = (
        existing(arguments.root)
        if arguments.root
        else synthetic(arguments.csv, arguments.rows, arguments.workers)
    )
    print(text, file=sys.stderr)
    if arguments.out:
        write_text_atomic(arguments.out, text)
    print(json.dumps(records, indent=1))


def existing(root: Path) -> tuple[dict[str, dict[str, object]], str]:
    """The account of a dataset that is there; `UserError` if a row is not in it."""
    fates = account_dataset(root)
    how = f"rows of {root.name}/csv that images.csv, lesions.csv and rejects.csv account for"
    return {"cbis_rows_accounted": record(len(fates), len(fates), "rows", how)}, summary(fates)


def synthetic(tables: Path, most: int, workers: int) -> tuple[dict[str, dict[str, object]], str]:
    """Both runs: how many rows are accounted for, have the fate planned for them, and boxes where they were drawn."""
    if not tables.is_dir():
        absent = (
            f"{tables}: the real description CSVs are not there; name the folder that has the four with --csv"
        )
        if tables != TABLES:
            raise UserError(absent)
        return {}, absent + "\n"
    records: dict[str, dict[str, object]] = {}
    texts = []
    for name, damaged in RUNS.items():
        begun = processor_seconds()
        with tempfile.TemporaryDirectory() as folder:
            truth = deliver_rows(tables, Path(folder), damaged=damaged, most=most, workers=workers)
            fates, lesions = run(Path(folder), workers)
        counts = compare(truth, fates, lesions)
        records |= figures(counts, name)
        texts.append(
            f"### {name.capitalize()}\n\n{summary(fates)}\n{said(counts, processor_seconds() - begun)}"
        )
    return records, "\n".join(texts)


def figures(counts: dict[str, int], name: str) -> dict[str, dict[str, object]]:
    """The figures of one run."""
    rows, lesions = counts["rows"], counts["lesions"]
    how = f"synthetic downloads, {name}, of {rows} rows of the real tables, through index, decode, annotate, tabulate"
    end = "" if name == "as published" else f"_{name}"
    return {
        f"cbis_rows_accounted{end}": record(
            counts["accounted"], rows, "rows", f"used, merged or rejected with a reason; {how}"
        ),
        f"cbis_rows_as_planned{end}": record(
            counts["as planned"], rows, "rows", f"fate and reason are those that were planned; {how}"
        ),
        f"cbis_boxes_at_their_place{end}": record(
            counts["boxes"], lesions, "lesions", f"boxes as exact as the pixels of their masks; {how}"
        ),
    }


def record(ours: int, reference: int, unit: str, how: str) -> dict[str, object]:
    """One figure in the form of benchmarks/run.py."""
    return {"ours": ours, "reference": reference, "ratio": ours / max(1, reference), "unit": unit, "how": how}


def processor_seconds() -> float:
    """Time that this process and its children have computed: other work on the machine does not lengthen it."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def said(counts: dict[str, int], seconds: float) -> str:
    """A sentence under the tables."""
    rows, lesions = counts["rows"], counts["lesions"]
    return (
        f"{counts['accounted']} of {rows} rows are accounted for, {counts['as planned']} as planned; "
        f"{counts['boxes']} of {lesions} boxes are where they were drawn. {seconds:.0f} s of processor time.\n"
    )


def compare(truth: Sequence[RowTruth], fates: Sequence[RowFate], lesions: Sequence[Lesion]) -> dict[str, int]:
    """Rows, and how many of them have a fate, the planned fate and reason, and the box that was drawn."""
    by_row = {(fate.table, fate.line): fate for fate in fates}
    boxes = {(row.image_id, row.lesion_id): (row.x1, row.y1, row.x2, row.y2) for row in lesions}
    counts = Counter({"rows": len(truth)})
    for row in truth:
        fate = by_row.pop((row.table, row.line), None)
        if fate is None:
            continue
        counts["accounted"] += 1
        counts["as planned"] += fate.fate == row.fate and row.reason in fate.reason
        if row.fate != "rejected":
            counts["lesions"] += 1
            box = boxes.get((fate.image_id, fate.lesion_id))
            counts["boxes"] += box is not None and near(box, row)
    # A fate of a row that does not exist is as wrong as a row without one.
    counts["accounted"] -= len(by_row)
    return counts


def near(box: tuple[float, float, float, float], row: RowTruth) -> bool:
    """Whether a box is the one that was drawn, as exactly as its mask's pixels are."""
    return all(abs(found - drawn) <= row.close for found, drawn in zip(box, row.box, strict=True))


def run(data: Path, workers: int) -> tuple[list[RowFate], list[Lesion]]:
    """Index, decode, annotate, tabulate and account, as the workflow does it."""
    root, work = data / DATASET, data / "work"
    write_index(DATASET, root, SETTINGS, work)
    shards = sorted(work.glob("shard_*.jsonl"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(run_shard, data), shards))
    images, lesions, rejects = tabulate(
        DATASET,
        sorted(work.glob("images_*.csv")),
        sorted(work.glob("lesions_*.csv")),
        sorted(work.glob("*rejects*.csv")),
        max_reject_share=1.0,
    )
    return account(root, images, lesions, rejects), lesions


def run_shard(data: Path, shard: Path) -> None:
    """Decode and annotate the films of one shard."""
    root, number = data / DATASET, shard.stem[-2:]
    images, refused = decode_shard(shard, data, root, root / "img" / number, DisplaySettings())
    lesions, unknown = annotate_shard(shard, data, SETTINGS)
    write_table(shard.with_name(f"images_{number}.csv"), Image, images)
    write_table(shard.with_name(f"lesions_{number}.csv"), Lesion, lesions)
    write_table(shard.with_name(f"rejects_{number}.csv"), Reject, [*refused, *unknown])


if __name__ == "__main__":
    run_main(main)
