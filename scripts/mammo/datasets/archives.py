"""Unpacking deliveries, which come from outside: nothing leaves the folder, nothing but files and folders comes in."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from mammo.datasets.folders import atomic_folder
from mammo.errors import UserError
from mammo.files import atomic_path
from mammo.settings import UnpackSettings

MANIFEST_COLUMNS = ("path", "size", "sha256")
_BLOCK = 1 << 20
_WAY_OUT = "nothing was unpacked; have the archive packed again with plain files and folders below one folder"


class _Strict(tarfile.TarInfo):
    """Members of an archive that must be whole.

    `tarfile` takes a cut or garbled header after the first member for the end of the archive, and says nothing.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """The next member. Raises `tarfile.ReadError` unless there is one or the archive's own end."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {archive.offset}, before the archive's end") from error


def _decompressed(tar: Path) -> IO[bytes]:
    """The archive's bytes, whatever it was compressed with. (tarfile's own streams do not check gzip's digest.)"""
    with open(tar, "rb") as file:
        start = file.read(6)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(tar)
    if start[:3] == b"BZh":
        return bz2.open(tar)
    if start == b"\xfd7zXZ\0":
        return lzma.open(tar)
    return open(tar, "rb")


def unpack(tars: Sequence[Path], delivery: str, out: Path, manifest: Path, settings: UnpackSettings) -> None:
    """Unpack the archives of one delivery into `out`, whole or not at all, and list the files in `manifest`.

    A folder named as the delivery at the top of an archive is left out of the paths. Raises `UserError` naming
    archive and member for anything else than plain files and folders inside `out`, for two members of one path, for
    archives that are too large or broken.
    """
    if not tars:
        raise UserError(f"{delivery}: no archive was given; put <delivery>.tar into the dataset's tar folder")
    rows: dict[str, tuple[int, str]] = {}
    with atomic_folder(out) as folder:
        for tar in tars:
            _unpack_one(Path(tar), delivery, folder, rows, settings)
        if not rows:
            raise UserError(f"{', '.join(map(str, tars))}: no file inside; was the right archive delivered?")
        with atomic_path(manifest) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(MANIFEST_COLUMNS)
            writer.writerows((path, *rows[path]) for path in sorted(rows))


def _unpack_one(
    tar: Path, delivery: str, folder: Path, rows: dict[str, tuple[int, str]], settings: UnpackSettings
) -> None:
    left, members = int(settings.max_gb * 1e9), 0
    try:
        with (
            _decompressed(tar) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Strict) as archive,
        ):
            for member in tqdm(archive, desc=tar.name, unit="file", mininterval=2.0):
                members += 1
                left -= max(0, member.size)
                if members > settings.max_members:
                    raise UserError(f"{tar}: more than {settings.max_members} members (unpack.max_members)")
                if left < 0:
                    raise UserError(f"{tar}: more than {settings.max_gb} GB unpacked (unpack.max_gb)")
                path = _safe_path(tar, member, delivery)
                if member.isdir() or path is None:
                    continue
                if str(path) in rows:
                    raise UserError(f"{tar}: '{path}' comes twice in the archives of {delivery}; {_WAY_OUT}")
                source = archive.extractfile(member)
                assert source is not None
                rows[str(path)] = _write(tar, member, source, folder / path)
            # What follows the last member is padding; to read it is what checks the compressed stream's digest.
            while stream.read(_BLOCK):
                pass
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise UserError(
            f"{tar}: cannot be unpacked ({error}); it is probably cut off or no tar archive: copy it again"
        ) from error


def _safe_path(tar: Path, member: tarfile.TarInfo, delivery: str) -> PurePosixPath | None:
    """Path of a member inside the delivery's folder; none for the folder itself. Raises `UserError`."""
    name = PurePosixPath(member.name)
    parts = [part for part in name.parts if part != "."]
    if name.is_absolute() or ".." in parts or "\\" in member.name or "\0" in member.name:
        raise UserError(f"{tar}: member {member.name!r} points outside of the folder; {_WAY_OUT}")
    if any(ord(letter) < 32 for letter in member.name):
        raise UserError(f"{tar}: member {member.name!r} has control characters in its name; {_WAY_OUT}")
    if not (member.isreg() or member.isdir()):
        kind = "a link" if member.issym() or member.islnk() else "neither a file nor a folder"
        raise UserError(f"{tar}: member {member.name!r} is {kind}; {_WAY_OUT}")
    if parts and parts[0] == delivery:
        parts = parts[1:]
    return PurePosixPath(*parts) if parts else None


def _write(tar: Path, member: tarfile.TarInfo, source: IO[bytes], target: Path) -> tuple[int, str]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with open(target, "xb") as file:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                file.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{tar}: member {member.name!r} is a file where another member is a folder; {_WAY_OUT}"
        ) from error
    if size != member.size:
        raise UserError(f"{tar}: member {member.name!r} is cut off; copy the archive again")
    return size, digest.hexdigest()
