"""A film that is added or changed makes its own shard again and no other."""

from __future__ import annotations

import re
import shutil

import pytest

from mammo.datasets.base import Item, shard_of

SHARDS = 4
TABLE = ["data/inbreast/images.csv"]


@pytest.fixture(scope="module")
def tabulated(tmp_path_factory, root, make_workplace):
    """A workplace with INbreast in four shards, tabulated."""
    workplace = make_workplace(tmp_path_factory.mktemp("shards"), root)
    workplace.config["datasets"]["inbreast"]["shards"] = SHARDS
    workplace.run(targets=TABLE)
    return workplace


def shards_made(said: str, stage: str) -> set[str]:
    return set(re.findall(rf"{stage} shard (\d\d) of inbreast", said))


def shard_of_film(film_id: str) -> str:
    item = Item(dataset="inbreast", film_id=film_id, film="x", sha256="", patient="x", group="abn")
    return f"{shard_of(item, SHARDS):02d}"


def films_of(workplace):
    folder = workplace.folder / "data/inbreast/raw_files/AllDICOMs"
    sizes = {path: path.stat().st_size for path in sorted(folder.iterdir())}
    return [path for path, size in sizes.items() if size == max(sizes.values())]


def test_an_added_film_makes_its_shard_and_no_other(tabulated):
    film = films_of(tabulated)[0]
    number = film.name.partition("_")[0]
    added = "99999991"
    shutil.copy(film, film.with_name(film.name.replace(number, added)))
    table = film.parent.parent / "INbreast.csv"
    rows = table.read_bytes().decode().splitlines(keepends=True)
    table.write_bytes(
        "".join([*rows, *(row.replace(number, added) for row in rows if number in row)]).encode()
    )
    xml = film.parent.parent / f"AllXML/{number}.xml"
    if xml.is_file():
        shutil.copy(xml, xml.with_name(f"{added}.xml"))
    said = tabulated.run(targets=TABLE)
    assert shards_made(said, "Decode") == shards_made(said, "Annotate") == {shard_of_film(added)}
    assert f"inbreast.{added}," in (tabulated.folder / TABLE[0]).read_text()


def test_a_changed_film_makes_its_shard_and_no_other(tabulated):
    film = films_of(tabulated)[1]
    content = bytearray(film.read_bytes())
    content[-200:-100] = bytes(100)
    film.write_bytes(content)
    said = tabulated.run(targets=TABLE)
    number = film.name.partition("_")[0]
    assert shards_made(said, "Decode") == shards_made(said, "Annotate") == {shard_of_film(number)}


def test_nothing_is_made_again_afterwards(tabulated):
    assert tabulated.would_run(targets=TABLE) == set()
