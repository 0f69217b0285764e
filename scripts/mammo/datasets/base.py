"""What every delivery format offers and yields, and what they share."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from mammo.errors import UserError
from mammo.files import canonical_json, sha256_bytes, sha256_file
from mammo.settings import DatasetSettings
from mammo.tables.records import Density, Lesion, Reject

# A film that is there twice is used once; such a row is no loss and does not count towards max_reject_share.
DUPLICATE = "duplicate of "
# What file managers leave behind; nobody wants a row for it.
LITTER = re.compile(r"^(\..*|Thumbs\.db|desktop\.ini|DICOMDIR)$", re.IGNORECASE)
# File names have 255 bytes; the dataset's name, a suffix and what temporary files begin with come on top.
MAX_FILM_ID = 180
STAGES = ("index", "decode", "annotate", "tabulate")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Companion(_Record):
    """A file that holds annotations of a film. `path` is relative to the data folder."""

    path: str
    role: str = Field(
        "",
        description="What it is to the film: picture, twin, gsps, seg, sr, mask, plist; empty: its module knows.",
    )
    sha256: str = Field(description="Part of the record, so that a changed annotation changes the shard.")


class LabelledLesion(_Record):
    """What a dataset's tables say about one lesion, and the companions in which it may be drawn."""

    lesion_id: str
    lesion_type: str
    pathology: str
    companions: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = Field(
        None, description="Where a list says it: half-open, in the film's pixels; may leave the film."
    )


class Item(_Record):
    """One film as the index found it: one line of a shard. Paths are relative to the data folder."""

    dataset: str
    film_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    film: str
    frame: int = Field(0, description="Which frame of the file, from 0.")
    sha256: str
    delivery: str = ""
    patient: str
    study: str = ""
    laterality: str = Field(
        "", description="Where the delivery's tables or names say; else the header decides."
    )
    view: str = ""
    pixel_mm: float | None = Field(None, description="Known size of a pixel of films whose header is silent.")
    density: Density = ""
    listed_size: tuple[int, int] | None = Field(
        None, description="Width and height that a list says of the film whose boxes it holds."
    )
    group: str
    lesion_types: tuple[str, ...] = ()
    pathology: str = Field(
        "", description="Of all lesions of the film, where the delivery speaks of films only."
    )
    lesions: tuple[LabelledLesion, ...] = ()
    companions: tuple[Companion, ...] = ()

    @property
    def image_id(self) -> str:
        """Name of the film among all datasets."""
        return f"{self.dataset}.{self.film_id}"


class Format(Protocol):
    """What a module of this room offers. Adding a format = adding one module and its line in `formats`.

    Formats whose lesions take more than a list to find have their `annotate` in a module of its own (`annotating`).
    """

    def index(self, root: Path, dataset: str, settings: DatasetSettings) -> tuple[list[Item], list[Reject]]:
        """Films of the dataset's folder, and a row for each file that is none; raises `UserError`."""

    def annotate(
        self, item: Item, data: Path, size: tuple[int, int], settings: DatasetSettings
    ) -> list[Lesion]:
        """Lesions of one film of `size` (width, height), in its pixels; raises `Unusable`."""


def patient_id(dataset: str, settings: DatasetSettings, patient: str) -> str:
    """A patient's name among all datasets; datasets that share patients share the name space."""
    return f"{settings.patients or dataset}.{patient}"


def patient_in_path(path: str, pattern: str) -> str:
    """What the group `patient` of a pattern, else its first, finds in a path; empty where it finds nothing."""
    match = re.search(pattern, path)
    return (match.groupdict().get("patient") or match[1] or "") if match else ""


def safe_name(text: str) -> str:
    """A text as part of a file name: letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "film"


def unique_names(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Safe names for files; those that would be the same for two sources (in any case) get a digest behind them.

    So do those that are cut because no file name can be so long.
    """
    safe = [safe_name(name) for name in names]
    counts = Counter(name.lower() for name in safe)
    ends = [sha256_bytes(source.encode("utf-8", "surrogateescape"))[:8] for source in sources]
    return [
        name if counts[name.lower()] == 1 and len(name) <= MAX_FILM_ID else f"{name[: MAX_FILM_ID - 9]}-{end}"
        for name, end in zip(safe, ends, strict=True)
    ]


def raw_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted by path, without what file managers leave behind."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path for path in found if not any(LITTER.match(part) for part in path.relative_to(folder).parts)
    )


def need_folder(path: Path, way_out: str) -> Path:
    """The folder, if it is there with something in it. Raises `UserError` ending in `way_out`."""
    if not path.is_dir():
        raise UserError(f"{path}: this raw folder does not exist; {way_out}")
    if next(path.iterdir(), None) is None:
        raise UserError(f"{path}: this raw folder is empty; {way_out}")
    return path


def digests(paths: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of each file; several at a time, because disks answer better so."""
    wanted = sorted(set(paths))
    with ThreadPoolExecutor(4) as pool:
        hashes = pool.map(sha256_file, wanted)
        return dict(
            zip(wanted, tqdm(hashes, "digests", len(wanted), unit="file", mininterval=2.0), strict=True)
        )


def mapped(function: Callable, files: Sequence, label: str) -> list:
    """`function` of each file in order, several at a time, with a bar."""
    with ThreadPoolExecutor(4) as pool:
        return list(tqdm(pool.map(function, files), label, len(files), unit="file", mininterval=2.0))


def reject_order(row: Reject) -> tuple[str, int, str]:
    """Key to sort rejects by: file, then stage as the data flows."""
    return (row.source, STAGES.index(row.stage), row.reason)


def kind_of_reason(reason: str) -> str:
    """A reason without its paths and numbers: rejects that differ in these only are counted together."""
    return " ".join(
        "…" if "/" in word or "\\" in word else re.sub(r"\d+([.,]\d+)*", "#", word) for word in reason.split()
    )


# --- shards -------------------------------------------------------------------------------------------------------


def shard_of(item: Item, shards: int) -> int:
    """The shard of a film: by its name alone, so that a new film moves no other."""
    return int(sha256_bytes(item.film_id.encode())[:16], 16) % shards


def shard_lines(items: Sequence[Item], shards: int) -> list[str]:
    """The text of each shard: one film a line, sorted by name."""
    lines: list[list[str]] = [[] for _ in range(shards)]
    for item in sorted(items, key=lambda item: item.film_id):
        lines[shard_of(item, shards)].append(canonical_json(item.model_dump(mode="json")) + "\n")
    return ["".join(shard) for shard in lines]


def read_shard(path: Path | str) -> list[Item]:
    """The films of a shard. Raises `UserError` naming file and line."""
    try:
        # Not splitlines: a film's name may hold what Unicode takes for a line's end.
        lines = Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the shard cannot be read: {error}") from error
    items = []
    for number, line in enumerate(lines if lines != [""] else [], start=1):
        try:
            items.append(Item.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise UserError(f"{path}, line {number}: no film record; make the index again") from error
    return items
