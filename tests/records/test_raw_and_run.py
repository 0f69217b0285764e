"""The state of raw folders and the identity of a run."""

from __future__ import annotations

import os

import pytest

from mammo.errors import UserError
from mammo.records.raw import archives_of, raw_folders, tree_digest
from mammo.records.run import ensemble_run_ids, run_id
from mammo.settings import DatasetSettings, DeliverySettings, PartSettings

PARTS = {"data": PartSettings()}
NCC = DatasetSettings(
    format="ncc",
    deliveries={
        "one": DeliverySettings(group="abn"),
        "two": DeliverySettings(group="abn", tars=("b.tar", "a.tar")),
    },
    parts=PARTS,
)


@pytest.fixture
def tree(tmp_path):
    for name in ("a.dcm", "deep/b.dcm"):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12")
        os.utime(path, ns=(10**18, 10**18))
    return tmp_path / "raw"


def test_a_tree_that_rests_keeps_its_digest(tree):
    assert tree_digest([tree]) == tree_digest([tree])


def test_reading_the_tree_elsewhere_gives_the_same_digest(tree, tmp_path, monkeypatch):
    before = tree_digest([tree])
    monkeypatch.chdir(tmp_path)
    assert tree_digest([type(tree)("raw")]) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: os.utime(tree / "deep/b.dcm", ns=(10**18, 10**18 + 1)),
        lambda tree: (tree / "a.dcm").write_bytes(b"123"),
        lambda tree: (tree / "new.dcm").touch(),
        lambda tree: (tree / "a.dcm").rename(tree / "c.dcm"),
        lambda tree: (tree / "a.dcm").unlink(),
    ],
    ids=["touched", "grown", "new", "renamed", "gone"],
)
def test_a_change_in_the_tree_changes_its_digest(tree, change):
    before = tree_digest([tree])
    change(tree)
    assert tree_digest([tree]) != before


def test_a_change_behind_a_link_changes_the_digest(tree, tmp_path):
    target = tmp_path / "target.dcm"
    target.write_bytes(b"1")
    (tree / "link.dcm").symlink_to(target)
    before = tree_digest([tree])
    target.write_bytes(b"12")
    assert tree_digest([tree]) != before


def test_a_link_that_leads_nowhere_is_no_error(tree):
    before = tree_digest([tree])
    (tree / "link.dcm").symlink_to("nowhere")
    assert tree_digest([tree]) != before


@pytest.mark.parametrize(("form", "folders"), [("cbis-ddsm", ["csv", "dicom"]), ("inbreast", ["raw_files"])])
def test_the_raw_folders_of_a_format(tmp_path, form, folders):
    settings = DatasetSettings(format=form, parts=PARTS)
    for name in folders:
        with pytest.raises(UserError, match=rf"datasets\.A: the raw folder .*{name} does not exist"):
            raw_folders(tmp_path / "A", settings)
        (tmp_path / "A" / name).mkdir(parents=True)
    assert [path.name for path in raw_folders(tmp_path / "A", settings)] == folders


def tars(tmp_path, *names):
    folder = tmp_path / "N" / "tar"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return tmp_path / "N"


@pytest.mark.parametrize("name", ["one.tar", "one.tar.gz", "one.tgz", "one.tar.bz2", "one.tar.xz"])
def test_an_archive_is_found_by_its_delivery(tmp_path, name):
    root = tars(tmp_path, name, "onemore.tar")
    assert archives_of(root, "one", NCC) == [str(root / "tar" / name)]


def test_named_archives_come_in_the_order_of_the_config(tmp_path):
    root = tars(tmp_path, "a.tar", "b.tar", "two.tar")
    assert [os.path.basename(path) for path in archives_of(root, "two", NCC)] == ["b.tar", "a.tar"]


def test_a_missing_archive_is_named(tmp_path):
    root = tars(tmp_path, "b.tar")
    with pytest.raises(UserError, match=r"datasets\.N\.deliveries\.two: .*looked for a\.tar\)"):
        archives_of(root, "two", NCC)
    with pytest.raises(UserError, match=r"looked for one\.tar, one\.tar\.gz"):
        archives_of(root, "one", NCC)


def test_equal_content_gives_an_equal_run(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("same" if name != "c" else "other")
    first = run_id("{}", "code", [tmp_path / "a", tmp_path / "c"])
    assert first == run_id("{}", "code", [tmp_path / "b", tmp_path / "c"])
    assert len(first) == 12 and int(first, 16) >= 0
    others = {
        run_id("{1}", "code", [tmp_path / "a", tmp_path / "c"]),
        run_id("{}", "code2", [tmp_path / "a", tmp_path / "c"]),
        run_id("{}", "code", [tmp_path / "c", tmp_path / "a"]),
        run_id("{}", "code", [tmp_path / "a"]),
    }
    assert len(others | {first}) == 5


def test_an_ensemble_s_identity_is_of_all_its_members_and_a_member_s_of_its_own_tables(tmp_path):
    for name in ("images", "a", "b", "va", "ve"):
        (tmp_path / name).write_text(name)

    def ids(own: str = "{}", **validation: str) -> dict[str, str]:
        members = {name: str(tmp_path / name) for name in ("a", "b")}
        looked = {name: [str(tmp_path / file)] for name, file in validation.items()}
        truth = [str(tmp_path / "images")]
        return ensemble_run_ids("e", members, looked, truth, settings="{}", own=own, code="")

    before = ids()
    assert len(set(before.values())) == 3 and list(before) == ["a", "b", "e"]
    assert ids(own="1") == before | {"e": ids(own="1")["e"]} != before
    assert {name for name, one in ids(a="va").items() if one != before[name]} == {"a"}
    assert {name for name, one in ids(e="ve").items() if one != before[name]} == {"e"}
    (tmp_path / "b").write_text("other")
    assert {name for name, one in ids().items() if one != before[name]} == {"b", "e"}
