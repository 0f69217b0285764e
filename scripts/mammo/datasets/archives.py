"""Unpacking deliveries, which come from outside: nothing leaves the folder, nothing but files and folders comes in."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from mammo.datasets.folders import atomic_folder
from mammo.datasets.membernames import BadName, safe_path, shown
from mammo.datasets.tarstream import BrokenArchive, Member, Stream, TarStream
from mammo.errors import UserError
from mammo.files import atomic_path
from mammo.settings import UnpackSettings

MANIFEST_COLUMNS = ("path", "size", "sha256")
_BLOCK = 1 << 20
# After the last member archives are filled up to whole records: 10 240 bytes as a rule, some megabytes on tapes.
_MAX_PADDING = 16 << 20
# `xz -9` needs 65 MiB to be unpacked; a header can ask for 4 GiB.
_XZ_MEMORY = 512 << 20
_WAY_OUT = "nothing was unpacked; have the archive packed again with plain files and folders below one folder"
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip", b"PK\x05\x06": "a zip", b"7z\xbc\xaf": "a 7-Zip", b"Rar!": "a RAR",
    b"\x28\xb5\x2f\xfd": "a Zstandard", b"\x04\x22\x4d\x18": "an LZ4",
}  # fmt: skip
_KINDS = {"link": "a link", "sparse": "a sparse file", "other": "neither a file nor a folder"}


def unpack(tars: Sequence[Path], delivery: str, out: Path, manifest: Path, settings: UnpackSettings) -> None:
    """Unpack the archives of one delivery into `out`, whole or not at all, and list the files in `manifest`.

    A folder named as the delivery at the top of an archive is left out of the paths; names become UTF-8 in composed
    form. Raises `UserError` naming archive and member for anything else than plain files and folders inside `out`,
    for two members of one path, for archives that are too large or broken, and where the disk is full.
    """
    if not tars:
        raise UserError(f"{delivery}: no archive was given; put <delivery>.tar into the dataset's tar folder")
    rows: dict[str, tuple[int, str]] = {}
    try:
        with atomic_folder(out) as folder:
            for tar in tars:
                _unpack_one(Path(tar), delivery, folder, rows, settings)
            if not rows:
                raise UserError(
                    f"{', '.join(map(str, tars))}: no file inside; was the right archive delivered?"
                )
            with (
                atomic_path(manifest) as temporary,
                open(temporary, "w", newline="", encoding="utf-8") as file,
            ):
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(MANIFEST_COLUMNS)
                writer.writerows((path, *rows[path]) for path in sorted(rows))
    except OSError as error:
        # Reading an archive has its own message: this is about what was written.
        raise UserError(
            f"{out}: cannot be written ({error.strerror or error}); nothing was unpacked; make room on the disk, or "
            "see who may write there"
        ) from error


def _unpack_one(
    tar: Path, delivery: str, folder: Path, rows: dict[str, tuple[int, str]], settings: UnpackSettings
) -> None:
    left, members = int(settings.max_gb * 1e9), 0
    try:
        with closing(_decompressed(tar)) as stream:
            archive = TarStream(_Source(stream))
            for member in tqdm(archive, desc=tar.name, unit="file", mininterval=2.0):
                members += 1
                left -= member.size
                if members > settings.max_members:
                    raise UserError(f"{tar}: more than {settings.max_members} members (unpack.max_members)")
                if left < 0:
                    raise UserError(f"{tar}: more than {settings.max_gb} GB unpacked (unpack.max_gb)")
                path = _path(tar, member, delivery)
                if member.kind == "folder" or path is None:
                    continue
                if str(path) in rows:
                    raise UserError(f"{tar}: '{path}' comes twice in the archives of {delivery}; {_WAY_OUT}")
                rows[str(path)] = _write(tar, member, archive, folder / path)
            archive.rest(_MAX_PADDING)
    except (BrokenArchive, _Unreadable) as error:
        raise UserError(
            f"{tar}: cannot be unpacked ({error}); it is probably cut off or no tar archive: copy it again"
        ) from error


class _Unreadable(Exception):
    """The archive's bytes cannot be read or decompressed."""


class _Source:
    """A stream whose errors are told apart from those of the disk that is written to."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            raise _Unreadable(str(error) or type(error).__name__) from error


class _Xz:
    """Bytes of an xz file of any number of streams, within `_XZ_MEMORY`. (`lzma.open` sets no such limit.)"""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder: lzma.LZMADecompressor | None = None
        self._ahead = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder is None or self._decoder.needs_input:
                self._ahead = self._ahead or self._file.read(1 << 16)
            if self._decoder is None:
                # Streams may follow each other, with zeros between them.
                self._ahead = self._ahead.lstrip(b"\0")
                if not self._ahead:
                    if not (more := self._file.read(1 << 16)):
                        return b""
                    self._ahead = more
                    continue
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            elif self._decoder.needs_input and not self._ahead:
                raise EOFError("the compressed stream ends before its end")
            fed, self._ahead = self._ahead, b""
            data = self._decoder.decompress(fed, max_length=size)
            if self._decoder.eof:
                self._ahead, self._decoder = self._decoder.unused_data, None
            if data:
                return data

    def close(self) -> None:
        self._file.close()


def _decompressed(tar: Path) -> IO[bytes] | _Xz:
    """The archive's bytes, whatever it was compressed with."""
    try:
        with open(tar, "rb") as file:
            start = file.read(6)
        if not start:
            raise UserError(f"{tar}: the archive is empty (0 bytes); copy it again")
        if other := _OTHER_FORMATS.get(start[:4]):
            raise UserError(f"{tar}: is {other} archive, whatever its name; have it packed as tar or tar.gz")
        if start[:2] == b"\x1f\x8b":
            return gzip.open(tar)
        if start[:3] == b"BZh":
            return bz2.open(tar)
        file = open(tar, "rb")  # noqa: SIM115 (closed by whoever asked for it)
        return _Xz(file) if start == b"\xfd7zXZ\0" else file
    except OSError as error:
        raise _Unreadable(error.strerror or str(error)) from error


def _path(tar: Path, member: Member, delivery: str) -> PurePosixPath | None:
    """Path of a member inside the delivery's folder; none for the folder itself. Raises `UserError`."""
    try:
        path = safe_path(member.name, delivery)
        if fault := _KINDS.get(member.kind):
            raise BadName(f"is {fault}")
        if path is None and member.kind == "file":
            raise BadName("is a file that has the name of the folder itself")
        return path
    except BadName as error:
        raise UserError(f"{tar}: member {shown(member.name)} {error}; {_WAY_OUT}") from error


def _write(tar: Path, member: Member, archive: TarStream, target: Path) -> tuple[int, str]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with open(target, "xb") as file:
            while block := archive.read(_BLOCK):
                digest.update(block)
                file.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{tar}: member {shown(member.name)} is a file where another member is a folder, or differs from another "
            f"in capital letters only, which this disk does not tell apart; {_WAY_OUT}"
        ) from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"{tar}: member {shown(member.name)} cannot be written in this shell's locale; set PYTHONUTF8=1"
        ) from error
    return member.size, digest.hexdigest()
