"""Reading tar archives as a stream, without trust: every number of a header is checked before it is believed.

Formats: v7, ustar and pax (POSIX.1-2017, "pax"), GNU (long names, large sizes), star's short prefix. Python's
`tarfile` reads the same, but takes extension headers into memory whatever their size, goes through chains of them
recursively, keeps every member, and takes a garbled header after the first member for the archive's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

BLOCK = 512
# A path of 4096 bytes and a few extended attributes; what needs more is no header.
MAX_EXTENSION = 1 << 20
# Long name, long link, global and own pax header come before a member; more of them in a row mean nothing.
MAX_EXTENSIONS_IN_A_ROW = 16
_PIECE = 1 << 16

Kind = Literal["file", "folder", "link", "sparse", "other"]
_KINDS: dict[bytes, Kind] = {
    b"0": "file", b"\0": "file", b"7": "file", b"5": "folder", b"1": "link", b"2": "link", b"S": "sparse",
}  # fmt: skip
_LONG_NAME, _LONG_LINK, _VOLUME_LABEL = b"L", b"K", b"V"
_PAX, _PAX_GLOBAL = (b"x", b"X"), b"g"


class BrokenArchive(Exception):
    """The bytes are no tar archive, or not all of one; the message says what is wrong and where."""


class Stream(Protocol):
    """Bytes in order."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Member:
    """What a header says: the name as the archive's bytes, the kind, the size in bytes of a file's content."""

    name: bytes
    kind: Kind
    size: int


class TarStream:
    """The members of an archive in order. Memory does not grow with their number, nor with any size they claim."""

    def __init__(self, stream: Stream) -> None:
        """Begin to read `stream`, which is not compressed."""
        self._stream = stream
        self._offset = 0
        self._left = 0
        self._padding = 0
        self._global: dict[bytes, bytes] = {}

    def __iter__(self) -> Iterator[Member]:
        """The members; what was not read of one is passed over. Raises `BrokenArchive` and the stream's errors."""
        while True:
            self._pass_over()
            member = self._next()
            if member is None:
                return
            if member.kind == "file":
                self._left, self._padding = member.size, -member.size % BLOCK
            yield member

    def read(self, size: int) -> bytes:
        """The next bytes of the member's content; none at its end. Raises `BrokenArchive` where the archive is cut."""
        wanted = min(size, self._left)
        if not wanted:
            return b""
        data = self._stream.read(wanted)
        if not data:
            raise BrokenArchive(f"it ends at byte {self._offset}, inside of a file")
        self._offset += len(data)
        self._left -= len(data)
        return data

    def rest(self, most: int) -> None:
        """Read what follows the last member, which checks a compressed stream's digest.

        Raises `BrokenArchive` if that is another archive, or more than `most` bytes.
        """
        follow = 0
        while data := self._up_to(_PIECE):
            follow += len(data)
            if data.strip(b"\0") and any(map(_is_modern_header, _blocks(data))):
                raise BrokenArchive("a second archive follows its end; give the two one by one")
            if follow > most:
                raise BrokenArchive(f"more than {most} bytes follow its end")

    def _pass_over(self) -> None:
        while self.read(_PIECE):
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _next(self) -> Member | None:
        """The next member, put together from its header and the extensions before it; none at the end."""
        long_name: bytes | None = None
        own: dict[bytes, bytes] = {}
        for _ in range(MAX_EXTENSIONS_IN_A_ROW + 1):
            block = self._exactly(BLOCK)
            if not block.strip(b"\0"):
                return None
            if not _is_header(block):
                raise BrokenArchive(f"no header at byte {self._offset - BLOCK}, before the archive's end")
            kind, size = block[156:157], _number(block[124:136])
            if kind == _LONG_NAME:
                long_name = self._extension(size).rstrip(b"\0")
            elif kind == _LONG_LINK:
                self._extension(size)
            elif kind in _PAX:
                own |= _pax_records(self._extension(size))
            elif kind == _PAX_GLOBAL:
                self._global |= _pax_records(self._extension(size))
                if sum(map(len, self._global.values())) > MAX_EXTENSION:
                    raise BrokenArchive("its global headers are too large")
            elif kind != _VOLUME_LABEL:
                return _member(block, kind, size, long_name, self._global | own)
        raise BrokenArchive(f"more than {MAX_EXTENSIONS_IN_A_ROW} headers before one member")

    def _extension(self, size: int) -> bytes:
        if size > MAX_EXTENSION:
            raise BrokenArchive(f"a header of {size} bytes (at most {MAX_EXTENSION}) at byte {self._offset}")
        data = self._exactly(size)
        self._exactly(-size % BLOCK)
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._up_to(size)
        if len(data) < size:
            raise BrokenArchive(f"it ends at byte {self._offset}, before the mark of its end")
        return data

    def _up_to(self, size: int) -> bytes:
        """`size` bytes, fewer at the stream's end."""
        data = b""
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        self._offset += len(data)
        return data


def _is_header(block: bytes) -> bool:
    """Whether a block carries its own checksum, which counts its own field as blanks, bytes with or without sign."""
    if len(block) < BLOCK or not block.strip(b"\0"):
        return False
    try:
        said = _number(block[148:156])
    except BrokenArchive:
        return False
    rest = block[:148] + block[156:]
    unsigned = sum(rest) + 8 * 32
    return said == unsigned or said == unsigned - 256 * sum(byte > 127 for byte in rest)


def _is_modern_header(block: bytes) -> bool:
    """Whether a block is a header beyond doubt: what old tapes have after their end may be one of long ago."""
    return block[257:262] == b"ustar" and _is_header(block)


def _blocks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))


def _number(field: bytes) -> int:
    """Octal text, or the big-endian binary of GNU. Raises `BrokenArchive`, also for what is below zero."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise BrokenArchive("a header holds a number below zero or beyond all files")
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    if text.strip(b"01234567"):
        raise BrokenArchive("a header holds no number where one belongs")
    return int(text or b"0", 8)


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """Records `<length> <key>=<value>\\n` of a pax header. Raises `BrokenArchive`."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data) and data[position]:
        blank = data.find(b" ", position, position + 10)
        digits = data[position : max(blank, position)]
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = data[blank + 1 : end - 1].partition(b"=")
        if not blank < end - 1 < len(data) or data[end - 1 : end] != b"\n" or not equals:
            raise BrokenArchive("a pax header that makes no sense")
        records[key] = value
        position = end
    return records


def _member(
    block: bytes, kind: bytes, size: int, long_name: bytes | None, records: dict[bytes, bytes]
) -> Member:
    """A member from its header block and what came before it."""
    name = long_name or records.get(b"path") or _short_name(block)
    if said := records.get(b"size"):
        if not said.isdigit() or len(said) > 20:
            raise BrokenArchive("a pax header with a size that is no number")
        size = int(said)
    sort = _KINDS.get(kind, "other")
    if sort == "file" and any(key.startswith(b"GNU.sparse.") for key in records):
        sort = "sparse"
    # Archives of old say by the name alone that a member is a folder; their size means nothing.
    if sort == "file" and kind == b"\0" and name.endswith(b"/"):
        sort = "folder"
    return Member(name, sort, size if sort == "file" else 0)


def _short_name(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] != b"ustar\0":
        return name
    end = 345 + (131 if block[508:512] == b"tar\0" else 155)
    prefix = block[345:end].split(b"\0", 1)[0]
    return prefix + b"/" + name if prefix else name
