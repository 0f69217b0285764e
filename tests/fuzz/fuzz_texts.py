"""Valid small texts (XML, CSV, JSON) and pictures, spoilt."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

from fuzz_dicom import spoilt_bytes
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]

CELLS = [
    b"", b" ", b"-1", b"0", b"1e309", b"nan", b"inf", b"-inf", b"9" * 400, b"1.5", b"1e-320",
    b'"', b'""', b"'", b",", b";",
    b"\0", b"\r", b"\n", b"\r\n", b"\t", b"\xff", "유방".encode("cp949"), "유방".encode(),
    b"../../x", b"/etc/passwd",
    b"(1, 2)", b"(nan, inf)", b"(1e308, -1e308)", b"[1]", b"{}", b"null", b"true", b"A" * 200_000,
    b"=cmd()", "\u2028".encode(),
    b"\xed\xa0\x80", b"['Mass']", b"[" * 30, b"__import__('os')", b"1_000", b"\xd9\xa1", b"0x1F", b"CON",
    b"a\\..\\b", b"%s%n",
]  # fmt: skip


def _lines(draw: Draw, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    at = draw(st.integers(0, max(0, len(lines) - 1)))
    line = lines[at] if lines else b""
    what = draw(st.sampled_from(["gone", "twice", "many", "first", "joined"]))
    if what == "gone":
        return b"".join(lines[:at] + lines[at + 1 :])
    if what == "joined":
        return b"".join(lines[:at] + [line.rstrip(b"\r\n")] + lines[at + 1 :])
    times = {"twice": 2, "many": 3000, "first": 1}[what]
    return (
        b"".join([line] * times + lines)
        if what == "first"
        else b"".join(lines[:at] + [line] * times + lines[at + 1 :])
    )


def _cell(draw: Draw, text: bytes) -> bytes:
    """One word of the text becomes another."""
    words = [match.span() for match in re.finditer(rb"[^\s,;:<>\"{}\[\]=]+", text)]
    if not words:
        return text
    start, end = words[draw(st.integers(0, len(words) - 1))]
    return text[:start] + draw(st.sampled_from(CELLS)) + text[end:]


def _encoding(draw: Draw, text: bytes) -> bytes:
    plain = text.decode("utf-8", "replace")
    name = draw(
        st.sampled_from(
            ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "cp949", "utf-7", "latin-1"]
        )
    )
    return plain.encode(name, "replace")


@st.composite
def spoilt_text(draw: Draw, seeds: list[bytes], bombs: list[bytes] | None = None) -> bytes:
    """A text made of one of `seeds` (or a bomb), wrong in up to five ways."""
    text = draw(st.sampled_from([*seeds, *seeds, *(bombs or [])]))
    for _ in range(draw(st.integers(0, 4))):
        text = draw(
            st.sampled_from([_cell, _cell, _cell, _lines, lambda draw, text: draw(spoilt_bytes(text))])
        )(draw, text)
    return _encoding(draw, text) if draw(st.integers(0, 5)) == 0 else text


# --- XML --------------------------------------------------------------------------------------------------------------


def xml_bombs(xml: bytes) -> list[bytes]:
    """Entities that grow without end, files from elsewhere, nesting and attributes without measure; around `xml`."""
    head, body = (re.split(rb"(?=<(?:plist|annotation)\b)", xml, maxsplit=1) + [b""])[:2]
    head = b'<?xml version="1.0"?>'
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    first = re.sub(rb">[^<>\s][^<]*<", b">&l9;<", body, count=1)
    external = re.sub(rb">[^<>\s][^<]*<", b">&x;<", body, count=1)
    return [
        head + b'<!DOCTYPE plist [<!ENTITY l0 "lol">' + laughs + b"]>" + first,
        head + b'<!DOCTYPE plist [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + external,
        head + b'<!DOCTYPE plist SYSTEM "http://127.0.0.1:9/x.dtd">' + body,
        head + b"<!DOCTYPE plist [<!ENTITY % p SYSTEM 'file:///dev/zero'> %p;]>" + body,
        head
        + b'<!DOCTYPE plist [<!ENTITY q "'
        + b"A" * 60_000
        + b'">]>'
        + body.replace(b">1<", b">" + b"&q;" * 3000 + b"<"),
        head + b'<plist version="1.0">' + b"<array>" * 100_000 + b"</array>" * 100_000 + b"</plist>",
        head + b'<plist version="1.0">' + b"<dict><key>Images</key>" * 20_000,
        head + b"<annotation>" + b"<object>" * 100_000 + b"</object>" * 100_000 + b"</annotation>",
        head + b"<annotation " + b" ".join(b'a%d="x"' % n for n in range(100_000)) + b"/>",
        head + b'<annotation a="' + b"A" * 3_000_000 + b'"/>',
        head + b"<!-- " + b"-" * 1_000_000 + b" -->" + body,
    ]


# --- pictures ---------------------------------------------------------------------------------------------------------


def png_claiming(width: int, height: int, bits: int = 8, colour: int = 2, rows: int = 0) -> bytes:
    """A PNG that says its size and holds `rows` rows of zeros."""
    row = 1 + (width * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * bits + 7) // 8
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(row)) for _ in range(rows)) + packer.flush()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def picture_bombs() -> list[bytes]:
    """Small pictures that claim, or are, very large ones."""
    text = bytes(10_000_000)
    packed = zlib.compress(text, 9)
    chunk = b"zTXt" + b"k\0\0" + packed
    thumb = png_claiming(8, 8, rows=8)
    return [
        png_claiming(65500, 65500), png_claiming(2**31 - 1, 2**31 - 1), png_claiming(30_000, 20_000,
        colour=0, rows=20_000),
        png_claiming(9_000, 9_000, bits=16, colour=6, rows=900), png_claiming(0, 5),
        png_claiming(100_000_000, 1, colour=0),
        thumb[:33] + (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I",
        zlib.crc32(chunk))) * 20 + thumb[33:],
        b"P5 65500 65500 255\n" + bytes(100), b"P5 -1 5 255\n", b"P5\n# " + b"x" * 100_000,
        b"P6 40000 40000 255\n", b"P4 99999 99999\n",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"II*\0" + struct.pack("<IH", 8, 2) + struct.pack("<HHII", 256, 4, 1, 65500) + struct.pack("<HHII",
        257, 4, 1, 65500),
        b"GIF89a" + struct.pack("<HH", 65500, 65500) + b"\x80\0\0" + bytes(60),
        b"RIFF\xff\xff\xff\xffWEBPVP8L" + b"\xff" * 40,
        b"\x76\x2f\x31\x01" + bytes(60), b"#?RADIANCE\n\n-Y 65500 +X 65500\n", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(80),
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\1\x11\0\2\x11\0\3\x11\0" + b"\xff\xd9",
        b"\xff\xd8\xff\xc2\0\x11\x08\xff\xdc\xff\xdc\x03\1\x11\0\2\x11\0\3\x11\0" + b"\xff\xd9",
    ]  # fmt: skip
