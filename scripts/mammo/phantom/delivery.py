"""Writes the synthetic deliveries: in parallel, the same bytes each time, and nothing that is already
there.
"""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mammo.errors import UserError
from mammo.files import atomic_path, canonical_json, sha256_bytes, sha256_file, write_text_atomic
from mammo.phantom import cbis, hospital, inbreast, ncc
from mammo.phantom.parts import FolderPart, Job, Part
from mammo.phantom.settings import PhantomSettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject, table_text

STAMP = "phantoms.json"
JOURNAL = "phantoms.part.txt"
RAW_FOLDERS = (
    "CBIS-DDSM/csv",
    "CBIS-DDSM/dicom",
    "inbreast/raw_files",
    "NCC/tar",
    "NCC_trainset/tar",
    "hospital/tar",
)
DATASETS = (cbis.FOLDER, inbreast.FOLDER, ncc.TEST, ncc.TRAIN, hospital.FOLDER)
# All members of a tar carry this time (2018-02-01), so that the archive's bytes depend on its content alone.
TAR_TIME = 1_517_443_200


@dataclass(frozen=True)
class Summary:
    """What `deliver` did: raw files there are, how many of them it wrote, their bytes, films and lesions in
    them.
    """

    files: int
    written: int
    size: int
    films: int
    lesions: int
    rejects: int


@dataclass
class _Writer:
    """Writes raw files that differ from what is there, and keeps account of them in a journal.

    The journal is what lets the next run clear up after an interruption without ever touching a foreign file.
    """

    out: Path
    journal: Path
    files: dict[str, int] = field(default_factory=dict)
    written: int = 0

    def note(self, path: str, size: int) -> None:
        self.files[path] = size

    def announce(self, path: str) -> None:
        with open(self.journal, "a", encoding="utf-8", newline="\n") as journal:
            journal.write(path + "\n")

    def write(self, path: str, data: bytes) -> None:
        target = self.out / path
        self.note(path, len(data))
        if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
            return
        self.announce(path)
        with atomic_path(target) as temporary:
            temporary.write_bytes(data)
        self.written += 1

    @contextmanager
    def tar(self, path: str) -> Iterator[tarfile.TarFile]:
        """A tar that replaces the one at `path` if its bytes differ."""
        target, temporary = self.out / path, self.journal.with_name("phantoms.part.tar")
        try:
            with open(temporary, "wb") as raw:
                packed = gzip.GzipFile("", "wb", 4, raw, mtime=0) if path.endswith(".gz") else None
                with tarfile.open(fileobj=packed or raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
                    yield archive
                if packed is not None:
                    packed.close()
            self.note(path, temporary.stat().st_size)
            if not (target.is_file() and sha256_file(target) == sha256_file(temporary)):
                self.announce(path)
                with atomic_path(target) as beside:
                    shutil.copyfile(temporary, beside)
                self.written += 1
        finally:
            temporary.unlink(missing_ok=True)


def _add_member(archive: tarfile.TarFile, folders: set[str], name: str, data: bytes) -> None:
    """Add a file, and before it the folders above it that are not in the archive yet."""
    for folder in reversed(PurePosixPath(name).parents[:-1]):
        if str(folder) not in folders:
            folders.add(str(folder))
            member = tarfile.TarInfo(str(folder))
            member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, TAR_TIME
            archive.addfile(member)
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), 0o644, TAR_TIME
    archive.addfile(member, io.BytesIO(data))


def _run(job: Job) -> Result:
    return job()


def _single_threaded() -> None:
    import cv2

    cv2.setNumThreads(1)


@contextmanager
def _results(jobs: list[Job], workers: int, progress: bool) -> Iterator[Iterator[Result]]:
    """The jobs' results in the jobs' order, from `workers` processes (1: in this one)."""
    bar = tqdm(total=len(jobs), desc="phantoms", unit="film", disable=not progress, mininterval=1.0)

    def counted(results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            bar.update()
            yield result

    with bar:
        if workers <= 1:
            yield counted(map(_run, jobs))
            return
        # Spawned, not forked: a caller may have threads (TensorFlow, pytest plug-ins) that a fork would
        # freeze.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_single_threaded) as pool:
            yield counted(pool.map(_run, jobs, chunksize=4))


def all_parts(settings: PhantomSettings) -> list[Part]:
    """Every delivery's parts, in the order in which they are written."""
    return [*cbis.parts(settings), *inbreast.parts(settings), *ncc.parts(settings), *hospital.parts(settings)]


def _digest(settings: PhantomSettings) -> str:
    """What the deliveries depend on: settings, the sources of this room, and real CSVs if any are named."""
    sources = {path.name: sha256_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))}
    csvs = sorted(Path(settings.cbis.csv).glob("*.csv")) if settings.cbis.csv else []
    content = {
        "settings": settings.model_dump(mode="json"),
        "sources": sources,
        "csv": {path.name: sha256_file(path) for path in csvs},
    }
    return sha256_bytes(canonical_json(content).encode("utf-8"))


def _read_stamp(truth: Path) -> dict[str, object]:
    try:
        stamp = json.loads((truth / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and isinstance(stamp.get("files"), dict) else {}


def _is_current(out: Path, truth: Path, stamp: dict[str, object], digest: str) -> bool:
    files = stamp.get("files", {})
    if stamp.get("digest") != digest or not isinstance(files, dict):
        return False
    raw = all((out / path).is_file() and (out / path).stat().st_size == size for path, size in files.items())
    tables = [
        truth / name / table for name in DATASETS for table in ("images.csv", "lesions.csv", "rejects.csv")
    ]
    return raw and all(path.is_file() for path in tables)


def _owned(truth: Path, stamp: dict[str, object]) -> set[str]:
    """The raw files that earlier runs wrote."""
    files = stamp.get("files", {})
    owned = set(files) if isinstance(files, dict) else set()
    journal = truth / JOURNAL
    if journal.is_file():
        owned |= set(journal.read_text(encoding="utf-8").splitlines())
    return owned


def _present(out: Path) -> set[str]:
    """The files that lie in the raw folders."""
    found = set()
    for folder in RAW_FOLDERS:
        for where, _, names in os.walk(out / folder):
            found |= {(Path(where) / name).relative_to(out).as_posix() for name in names}
    return found


def _refuse_foreign(out: Path, truth: Path, owned: set[str]) -> None:
    foreign = sorted(path for path in _present(out) - owned if not Path(path).name.startswith(".tmp-"))
    if foreign:
        raise UserError(
            f"{out / foreign[0]}: the raw folders hold {len(foreign)} file(s) that are not listed in "
            f"{truth / STAMP}, real data perhaps; choose another --out, or move them away"
        )


def _remove_stale(out: Path, stale: set[str]) -> None:
    """Delete files that an earlier run wrote and this one did not, and the folders that this empties."""
    for path in sorted(stale, reverse=True):
        (out / path).unlink(missing_ok=True)
        for folder in PurePosixPath(path).parents[:-1]:
            try:
                (out / folder).rmdir()
            except OSError:
                break


def _write_truth(truth: Path, results: dict[str, list[Result]]) -> None:
    for dataset in DATASETS:
        mine = results.get(dataset, [])
        tables = {
            "images.csv": (TruthImage, [row for result in mine for row in result.images]),
            "lesions.csv": (TruthLesion, [row for result in mine for row in result.lesions]),
            "rejects.csv": (TruthReject, [row for result in mine for row in result.rejects]),
        }
        for name, (row_type, rows) in tables.items():
            _write_text_if_changed(truth / dataset / name, table_text(row_type, rows))


def _write_text_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
        write_text_atomic(path, text)


def _write_parts(writer: _Writer, parts: list[Part], results: Iterator[Result]) -> dict[str, list[Result]]:
    kept: dict[str, list[Result]] = {}

    def keep(part: Part, result: Result) -> None:
        # The bytes are on disk by now; only the truth is kept, or memory would grow with the delivery.
        kept.setdefault(part.dataset, []).append(Result((), result.images, result.lesions, result.rejects))

    for part in parts:
        if isinstance(part, FolderPart):
            for _ in part.jobs:
                result = next(results)
                for path, data in result.files:
                    writer.write(f"{part.folder}/{path}", data)
                keep(part, result)
            continue
        with writer.tar(part.path) as archive:
            folders: set[str] = set()
            for _ in part.jobs:
                result = next(results)
                for path, data in result.files:
                    _add_member(archive, folders, path, data)
                keep(part, result)
    return kept


def deliver(
    settings: PhantomSettings, out: Path | str, truth: Path | str, workers: int = 1, progress: bool = False
) -> Summary:
    """Write all deliveries of `settings` under `out` and what they really hold under `truth`.

    The bytes depend on the settings alone, not on `workers` (processes). If an earlier run finished with the
    same settings and its files are still there, nothing is written; files whose bytes come out the same are
    left alone; files of an earlier run that no longer belong are removed. Raw folders that hold anything else
    are refused with a `UserError`.
    """
    out, truth = Path(out), Path(truth)
    # Planning comes first: it reads the real CSVs, and may find them missing before anything is touched.
    parts = all_parts(settings)
    digest, stamp = _digest(settings), _read_stamp(truth)
    owned = _owned(truth, stamp)
    _refuse_foreign(out, truth, owned)
    if _is_current(out, truth, stamp, digest) and not (truth / JOURNAL).exists():
        counts = stamp["counts"]
        assert isinstance(counts, dict)
        return Summary(**{**counts, "written": 0})
    truth.mkdir(parents=True, exist_ok=True)
    write_text_atomic(truth / JOURNAL, "".join(f"{path}\n" for path in sorted(owned)))
    (truth / STAMP).unlink(missing_ok=True)
    writer = _Writer(out, truth / JOURNAL)
    with _results([job for part in parts for job in part.jobs], workers, progress) as results:
        kept = _write_parts(writer, parts, results)
    _remove_stale(out, (owned | _leftovers(out)) - set(writer.files))
    _write_truth(truth, kept)
    summary = _summary(writer, kept)
    content = {
        "digest": digest,
        "files": dict(sorted(writer.files.items())),
        "counts": summary.__dict__ | {"written": 0},
    }
    write_text_atomic(truth / STAMP, json.dumps(content, indent=1) + "\n")
    (truth / JOURNAL).unlink()
    return summary


def _leftovers(out: Path) -> set[str]:
    """Temporary files that a killed run left in the raw folders."""
    return {path for path in _present(out) if Path(path).name.startswith(".tmp-")}


def _summary(writer: _Writer, kept: dict[str, list[Result]]) -> Summary:
    everything = [result for results in kept.values() for result in results]
    return Summary(
        files=len(writer.files),
        written=writer.written,
        size=sum(writer.files.values()),
        films=sum(len(result.images) for result in everything),
        lesions=sum(len(result.lesions) for result in everything),
        rejects=sum(len(result.rejects) for result in everything),
    )
