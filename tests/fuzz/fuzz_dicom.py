"""Valid small DICOM files, taken apart, spoilt with a plan, and written again: explicit little endian throughout.

Neither the reader under test nor pydicom writes the spoilt files: what they refuse to write is what is wanted.
"""

from __future__ import annotations

import copy
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXELS, SYNTAX = 0x7FE00010, 0x00020010


@dataclass
class Element:
    """An element as it is written; `claimed` is the length that it claims where that is not the true one."""

    tag: int
    vr: bytes
    value: bytes = b""
    items: list[list[Element]] | None = None
    claimed: int | None = None
    undefined: bool = field(default=False)

    def content(self) -> bytes:
        if self.items is None:
            return self.value
        length = struct.pack("<I", UNDEFINED)
        if self.undefined:
            whole = b"".join(
                _tag(ITEM) + length + encoded(one) + _tag(ITEM_END) + bytes(4) for one in self.items
            )
            return whole + _tag(SEQUENCE_END) + bytes(4)
        return b"".join(_tag(ITEM) + struct.pack("<I", len(data)) + data for data in map(encoded, self.items))


def _tag(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def encoded(elements: list[Element]) -> bytes:
    out = []
    for one in elements:
        content = one.content()
        length = UNDEFINED if one.undefined else len(content)
        length = length if one.claimed is None else one.claimed
        if one.vr in LONG:
            out.append(_tag(one.tag) + one.vr + bytes(2) + struct.pack("<I", length % 2**32) + content)
        else:
            out.append(_tag(one.tag) + one.vr + struct.pack("<H", length % 2**16) + content)
    return b"".join(out)


def parsed(data: bytes) -> list[Element]:
    """The elements of a valid explicit little endian file, its meta header among them."""
    return _elements(data, 132 if data[128:132] == b"DICM" else 0, len(data))[0]


def _elements(data: bytes, at: int, end: int) -> tuple[list[Element], int]:
    found = []
    while at < end:
        group, number = struct.unpack_from("<HH", data, at)
        tag = group << 16 | number
        if tag in (ITEM_END, SEQUENCE_END):
            return found, at + 8
        vr = data[at + 4 : at + 6]
        if vr in LONG:
            (length,), at = struct.unpack_from("<I", data, at + 8), at + 12
        else:
            (length,), at = struct.unpack_from("<H", data, at + 6), at + 8
        if vr == b"SQ":
            items, at = _items(data, at, end if length == UNDEFINED else at + length)
            found.append(Element(tag, vr, items=items, undefined=length == UNDEFINED))
        elif length == UNDEFINED:
            stop = data.index(_tag(SEQUENCE_END) + bytes(4), at)
            found.append(Element(tag, vr, data[at : stop + 8], undefined=True))
            at = stop + 8
        else:
            found.append(Element(tag, vr, data[at : at + length]))
            at += length
    return found, at


def _items(data: bytes, at: int, end: int) -> tuple[list[list[Element]], int]:
    items = []
    while at < end:
        group, number, length = struct.unpack_from("<HHI", data, at)
        at += 8
        if group << 16 | number == SEQUENCE_END:
            return items, at
        stop = end if length == UNDEFINED else at + length
        found, at = _elements(data, at, stop)
        items.append(found)
    return items, at


def written(elements: list[Element]) -> bytes:
    """A file: preamble, elements."""
    return bytes(128) + b"DICM" + encoded(elements)


def all_elements(elements: list[Element]) -> Iterator[tuple[list[Element], Element]]:
    """(its list, the element) at every depth."""
    for one in elements:
        yield elements, one
        for item in one.items or ():
            yield from all_elements(item)


def find(elements: list[Element], tag: int) -> Element | None:
    return next((one for one in elements if one.tag == tag), None)


def put(elements: list[Element], tag: int, vr: bytes, value: bytes) -> None:
    """Set an element of the top level, in the order of tags."""
    old = find(elements, tag)
    if old is not None:
        elements.remove(old)
    elements.append(Element(tag, vr, value))
    elements.sort(key=lambda one: one.tag)


def set_syntax(elements: list[Element], uid: bytes) -> None:
    put(elements, SYNTAX, b"UI", uid + b"\0" * (len(uid) % 2))
    meta = [one for one in elements if one.tag >> 16 == 2 and one.tag != 0x00020000]
    put(elements, 0x00020000, b"UL", struct.pack("<I", len(encoded(meta))))


def encapsulated(*fragments: bytes, table: bytes = b"") -> Element:
    """Compressed pixels; `table` is the basic offset table."""
    pieces = [table, *(one + b"\0" * (len(one) % 2) for one in fragments)]
    value = b"".join(_tag(ITEM) + struct.pack("<I", len(one)) + one for one in pieces)
    return Element(PIXELS, b"OB", value + _tag(SEQUENCE_END) + bytes(4), undefined=True)


# --- how files are spoilt ---------------------------------------------------------------------------------------------

WORDS = [0, 1, 2, 3, 7, 8, 9, 12, 15, 16, 17, 24, 32, 64, 255, 256, 4095, 32767, 32768, 65500, 65535]
TEXTS = [
    b"", b" ", b"\0\0", b"-1", b"0 ", b"1 ", b"1e309", b"-1e309 ", b"NaN ", b"inf ", b"9" * 40,
    b"1\\2\\3\\4 ", b"\\" * 64,
    b"KIM^CANARY", "유방".encode("cp949"), b"\x1b$)C\xc8\xaf", b"\xff\xfe\xfd ", b"UNKNOWN ", b"A" * 70_000, b"0x10",
    b"1.2.840.10008.1.2.4.90", b"MONOCHROME1 ", b"RGB ", b"PALETTE COLOR ", b"YBR_FULL_422", b"SIGMOID ", b"INVERSE ",
    b"2147483648", b"4294967296", b"-2147483649", b"1e-320", b"0.0 ", b"POLYLINE", b"CIRCLE", b"DISPLAY ",
]  # fmt: skip
VRS = [b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"OB", b"OD",
b"OF", b"OL", b"OV",
       b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM", b"UC", b"UI", b"UL", b"UN", b"UR",
       b"US", b"UT", b"UV",
       b"??", b"\0\0"]  # fmt: skip
# US unless said: Samples, Planar, Frames, Rows, Columns, Bits*, HighBit, PixelRepresentation, padding, overlay planes.
NUMBERS = {
    0x00280002: b"US", 0x00280006: b"US", 0x00280008: b"IS", 0x00280010: b"US", 0x00280011: b"US", 0x00280100: b"US",
    0x00280101: b"US", 0x00280102: b"US", 0x00280103: b"US", 0x00280120: b"US", 0x00280121: b"US", 0x60000010: b"US",
    0x60000011: b"US", 0x60000015: b"IS", 0x60000050: b"SS", 0x60000051: b"US", 0x60000100: b"US", 0x60000102: b"US",
    0x00281050: b"DS", 0x00281051: b"DS", 0x00281052: b"DS", 0x00281053: b"DS", 0x00280030: b"DS", 0x00181164: b"DS",
    0x00281101: b"US", 0x00281102: b"US", 0x00281103: b"US", 0x00281201: b"OW", 0x00281202: b"OW", 0x00281203: b"OW",
    0x00700042: b"US", 0x00620008: b"US", 0x0062000E: b"US",
}  # fmt: skip
STRINGS = {
    0x00280004: b"CS", 0x00281056: b"LO", 0x20500020: b"CS", 0x00080005: b"CS", 0x00080016: b"UI", 0x00080060: b"CS",
    0x00080068: b"CS", 0x00185101: b"CS", 0x00200062: b"CS", 0x00281055: b"LO", 0x00620001: b"CS", 0x00700041: b"CS",
}  # fmt: skip
SYNTAXES = [b"1.2.840.10008.1.2" + end for end in (
    b"", b".1", b".2", b".1.99", b".5", b".4.50", b".4.51", b".4.57", b".4.70", b".4.80", b".4.81", b".4.90", b".4.91",
    b".4.201", b".4.202", b".4.203", b".4.100", b".99.99",
)]  # fmt: skip
LENGTHS = [0, 1, 2, 3, 8, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFE, UNDEFINED]


def jpeg_header(height: int, width: int, marker: int = 0xC3, bits: int = 16, parts: int = 1) -> bytes:
    """A JPEG that begins and says its size, then ends."""
    frame = struct.pack(">BHHB", bits, height, width, parts) + b"".join(
        bytes((n + 1, 0x11, 0)) for n in range(parts)
    )
    return b"\xff\xd8\xff" + bytes((marker,)) + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


def jpeg_2000_header(height: int, width: int, tile: tuple[int, int] = (0, 0)) -> bytes:
    size = (
        struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, tile[1] or width, tile[0] or height, 0, 0, 1)
        + b"\x0f\1\1"
    )
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"


def rle_header(segments: int, *offsets: int) -> bytes:
    return struct.pack("<16I", segments % 2**32, *(list(offsets) + [0] * 15)[:15]) + b"\x81\xff" * 8


Draw = Callable[[st.SearchStrategy], object]


def _spoil_number(draw: Draw, elements: list[Element]) -> None:
    tag = draw(st.sampled_from(sorted(NUMBERS)))
    count = draw(st.sampled_from([0, 1, 1, 1, 2, 3, 40]))
    words = struct.pack(f"<{count}H", *(draw(st.sampled_from(WORDS)) for _ in range(count)))
    text = draw(st.sampled_from(TEXTS))
    put(
        elements, tag, NUMBERS[tag], text if NUMBERS[tag] in (b"IS", b"DS") and draw(st.booleans()) else words
    )
    if NUMBERS[tag] in (b"IS", b"DS") and draw(st.booleans()):
        put(elements, tag, NUMBERS[tag], str(draw(st.integers(-(2**40), 2**40))).encode())


def _spoil_string(draw: Draw, elements: list[Element]) -> None:
    tag = draw(st.sampled_from(sorted(STRINGS)))
    put(elements, tag, STRINGS[tag], draw(st.sampled_from(TEXTS)))


def _spoil_any(draw: Draw, elements: list[Element]) -> None:
    """Change one element at any depth: value, representation, length; take it away; have it twice."""
    everything = list(all_elements(elements))
    if not everything:
        return
    place, one = everything[draw(st.integers(0, len(everything) - 1))]
    what = draw(
        st.sampled_from(["value", "words", "vr", "length", "gone", "twice", "tag", "undefined", "items"])
    )
    if what == "value":
        one.items, one.value = None, draw(st.sampled_from(TEXTS) | st.binary(max_size=40))
    elif what == "words":
        one.items, one.value = None, struct.pack("<2H", *(draw(st.sampled_from(WORDS)) for _ in range(2)))
    elif what == "vr":
        one.vr = draw(st.sampled_from(VRS))
    elif what == "length":
        one.claimed = draw(st.sampled_from(LENGTHS) | st.just(len(one.content()) + draw(st.integers(-3, 3))))
    elif what == "gone":
        place.remove(one)
    elif what == "twice":
        place.insert(0, copy.deepcopy(one))
    elif what == "tag":
        one.tag = draw(
            st.sampled_from([*NUMBERS, *STRINGS, PIXELS, ITEM, ITEM_END, SEQUENCE_END, 0x00091001, 0])
        )
    elif what == "undefined":
        one.undefined = not one.undefined
    elif one.items is not None:
        one.items = draw(st.sampled_from([[], [[]], one.items * 50, [[copy.deepcopy(one)]]]))


def _spoil_depth(draw: Draw, elements: list[Element]) -> None:
    """A sequence in a sequence in a sequence, with and without lengths."""
    depth = draw(st.sampled_from([2, 20, 150, 1000]))
    tag = draw(st.sampled_from([0x00081140, 0x0040A730, 0x00700001, 0x00091001]))
    head = _tag(tag) + b"SQ\0\0" + struct.pack("<I", UNDEFINED) + _tag(ITEM) + struct.pack("<I", UNDEFINED)
    elements.append(
        Element(tag, draw(st.sampled_from([b"SQ", b"UN", b"OB"])), _tag(ITEM) + struct.pack("<I", UNDEFINED))
    )
    elements[-1].value += head * depth
    elements[-1].undefined = draw(st.booleans())
    elements.sort(key=lambda one: one.tag)


def _spoil_syntax(draw: Draw, elements: list[Element]) -> None:
    set_syntax(elements, draw(st.sampled_from(SYNTAXES)))


def _spoil_pixels(draw: Draw, elements: list[Element]) -> None:
    """Compressed pixels of which header, table or bytes lie; or fewer or more uncompressed ones."""
    old = find(elements, PIXELS)
    own = old.value if old else b""
    sizes = st.sampled_from(
        [(64, 48), (48, 64), (65500, 65500), (65535, 65535), (0, 0), (1, 65535), (64, 65535)]
    )
    height, width = draw(sizes)
    frame = draw(st.sampled_from([
        b"", own[:100], b"\xff\xd8\xff\xd9", jpeg_header(height, width), jpeg_header(height, width, 0xC0, 8),
        jpeg_header(height, width, 0xF7), jpeg_header(height, width, 0xC1, 12), jpeg_header(height, width, 0xC0, 8, 3),
        jpeg_2000_header(height, width), jpeg_2000_header(height, width, (1, 1)), jpeg_2000_header(2**31, 2**31),
        jpeg_2000_header(height, width, (2**31, 2**31)), rle_header(2, 64, 72), rle_header(2**31, 64),
        rle_header(15, *[2**32 - 1] * 15), rle_header(1, 2), b"\xff\xd8" + b"\xff" * 3000, b"\xff\xd8\xff\xe0\0\0",
    ]))  # fmt: skip
    table = draw(st.sampled_from([
        b"", bytes(4), struct.pack("<2I", 0, 2**32 - 1), struct.pack("<I", 77), struct.pack("<3I", 0, 8, 4), b"\1",
        bytes(4000),
    ]))  # fmt: skip
    if old is not None:
        elements.remove(old)
    if draw(st.booleans()):
        elements.append(encapsulated(*[frame] * draw(st.sampled_from([0, 1, 1, 2, 300])), table=table))
        set_syntax(elements, draw(st.sampled_from(SYNTAXES)))
    else:
        elements.append(
            Element(
                PIXELS,
                draw(st.sampled_from([b"OW", b"OB", b"UN", b"UT", b"SQ"])),
                own[: draw(st.integers(0, 9000))],
            )
        )
    if draw(st.booleans()):
        elements[-1].claimed = draw(st.sampled_from(LENGTHS))


def _spoil_lut(draw: Draw, elements: list[Element]) -> None:
    words = [draw(st.sampled_from(WORDS)) for _ in range(draw(st.sampled_from([0, 2, 3, 3, 3, 4])))]
    table = Element(
        0x00283002,
        draw(st.sampled_from([b"US", b"SS", b"OW", b"DS"])),
        struct.pack(f"<{len(words)}H", *words),
    )
    entries = Element(
        0x00283006,
        draw(st.sampled_from([b"OW", b"US", b"UN"])),
        bytes(draw(st.sampled_from([0, 1, 2, 512, 60000]))),
    )
    elements.append(Element(draw(st.sampled_from([0x00283000, 0x00283010])), b"SQ", items=[[table, entries]]))
    elements.sort(key=lambda one: one.tag)


SPOILERS = [_spoil_number, _spoil_number, _spoil_string, _spoil_any, _spoil_any, _spoil_any, _spoil_depth,
_spoil_syntax,
            _spoil_pixels, _spoil_pixels, _spoil_lut]  # fmt: skip


def deflated(elements: list[Element], tail: bytes = b"") -> bytes:
    """The file under the deflated transfer syntax; `tail` is deflated with it."""
    elements = copy.deepcopy(elements)
    set_syntax(elements, b"1.2.840.10008.1.2.1.99")
    meta = [one for one in elements if one.tag >> 16 == 2]
    rest = [one for one in elements if one.tag >> 16 != 2]
    packer = zlib.compressobj(9, wbits=-15)
    return bytes(128) + b"DICM" + encoded(meta) + packer.compress(encoded(rest) + tail) + packer.flush()


@st.composite
def spoilt_dicom(draw: Draw, seeds: list[bytes]) -> bytes:
    """A file made of one of `seeds` and wrong in up to five ways."""
    elements = parsed(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        draw(st.sampled_from(SPOILERS))(draw, elements)
    how = draw(st.sampled_from(["plain"] * 6 + ["deflated", "bytes", "cut", "bare", "bytes"]))
    if how == "deflated":
        return deflated(elements, draw(st.sampled_from([b"", bytes(1000), bytes(30_000_000)])))
    data = written(elements)
    if how == "bare":
        return data[132:]
    return data if how == "plain" else draw(spoilt_bytes(data, cut=how == "cut"))


@st.composite
def spoilt_bytes(draw: Draw, data: bytes, cut: bool | None = None) -> bytes:
    """Bytes changed, put in, taken away or repeated; or only the first of them."""
    if cut or (cut is None and draw(st.integers(0, 5)) == 0):
        return data[: draw(st.integers(0, len(data)))]
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(out)))
        piece = draw(st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, b"\0" * 4, bytes(600)]))
        taken = draw(st.sampled_from([0, len(piece), len(piece), 1, 100]))
        out[at : at + taken] = piece
    return bytes(out)
