"""The folder `raw_files` of a dataset that comes with lists: its files, found by the names that the lists use."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from mammo.datasets.base import need_folder, raw_files
from mammo.datasets.labels import LabelRow, read_labels
from mammo.datasets.texts import read_text
from mammo.dicom.unusable import Unusable
from mammo.errors import UserError

# What lists are written in; a film that is named without its suffix is none of these.
LISTS = (".csv", ".json", ".txt", ".xml")
# Longer names, which no file has, are cut in rejects.csv.
MAX_PLACE = 1000


class RawFolder:
    """All files below the raw folder, and the rows for those that are of no use (`rejects`, reason by source).

    A place is where a row stands in a list: `list.csv#7`.
    """

    def __init__(self, root: Path, dataset: str, way_out: str) -> None:
        """Look what there is. Raises `UserError` ending in `way_out` where there is nothing."""
        self.path = need_folder(root / "raw_files", way_out)
        self.data = root.parent
        self.dataset = dataset
        self.way_out = way_out
        self.rejects: dict[str, str] = {}
        self.files = [path for path in raw_files(self.path) if self._has_a_name(path)]
        self._known: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self.files:
            self._known[_key(self.below(path))].append(path)
            if path.suffix.lower() not in LISTS:
                self._by_stem[_key(self.below(path.with_suffix("")))].append(path)

    def below(self, path: Path) -> str:
        """The path of a file below the raw folder, with `/`."""
        return path.relative_to(self.path).as_posix()

    def lists(self, *patterns: str) -> list[Path]:
        """The files whose path below the raw folder, in small letters, matches a pattern (`PurePath.match`).

        Raises `UserError` where there is none.
        """
        small = {path: PurePosixPath(self.below(path).lower()) for path in self.files}
        found = [path for path in self.files if any(small[path].match(pattern) for pattern in patterns)]
        if not found:
            raise UserError(f"{self.path}: no file {' or '.join(patterns)} inside; {self.way_out}")
        return found

    def table(self, path: Path, columns: Sequence[str], delimiter: str = ",") -> list[tuple[str, LabelRow]]:
        """(place, row) of a table with a header (`read_labels`). Raises `UserError`."""
        return [(f"{self.below(path)}#{row.line}", row) for row in read_labels(path, columns, delimiter)]

    def lines(self, path: Path) -> list[tuple[str, str]]:
        """(place, line) of a text, without blank lines and the blanks around them. Raises `UserError`."""
        lines = enumerate(read_text(path).splitlines(), 1)
        return [(f"{self.below(path)}#{number}", line.strip()) for number, line in lines if line.strip()]

    def find(self, file: str, folders: Sequence[str] = ("",)) -> Path:
        """A file by its name, with or without suffix, in the first of some folders below the raw folder that has it.

        The case of letters and the way in which accents are composed do not matter, nor does `\\` for `/`. Raises
        `Unusable` for a path that is absolute or leads out of the raw folder, and `FileNotFoundError` naming the place
        below the raw folder where the file was expected.
        """
        windows = PureWindowsPath(file)
        below = PurePosixPath(*windows.parts)
        if not file.strip() or windows.drive or windows.root or ".." in below.parts or "\0" in file:
            raise Unusable(f"{file[:80]!r} is no path inside the raw folder")
        wanted = [(PurePosixPath(folder) / below).as_posix() for folder in folders]
        for known in (self._known, self._by_stem):
            for name in wanted:
                same = known.get(_key(name), [])
                # Two names that differ in the case of letters only are told apart where the list does.
                exact = [path for path in same if _stands_for(_plain(name), _plain(self.below(path)))]
                if len(exact or same) > 1:
                    raise Unusable(
                        f"several files have this name: {', '.join(path.name for path in same[:4])}"
                    )
                if same:
                    return (exact or same)[0]
        raise FileNotFoundError(wanted[0])

    def reject(self, place: str, reason: str) -> None:
        """A row of rejects.csv for a file below the raw folder, or for a place in a list; the first reason stays."""
        source = f"{self.path.relative_to(self.data).as_posix()}/{place[:MAX_PLACE]}"
        self.rejects.setdefault(_printable(source), _printable(reason))

    def _has_a_name(self, path: Path) -> bool:
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            self.reject(
                self.below(path), "the file's name is not UTF-8; rename it, or unpack the archive anew"
            )
            return False
        return True


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(name: str) -> str:
    """A path in one spelling of composed letters (macOS writes Korean names decomposed)."""
    return unicodedata.normalize("NFC", name)


def _key(name: str) -> str:
    return _plain(name).casefold()


def _stands_for(name: str, file: str) -> bool:
    return name in (file, PurePosixPath(file).with_suffix("").as_posix())
