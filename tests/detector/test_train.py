"""Training: what it leaves, what it learns, and what it says of the validation set."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from mammo.detector.keras import tf  # isort: skip

from mammo.detector.model import build_model
from mammo.detector.publish import publish_snapshot
from mammo.detector.state import Snapshot, state_key
from mammo.detector.train import data_digests, train
from mammo.detector.weights import read_layers
from mammo.errors import UserError
from mammo.files import sha256_file
from mammo.metrics.epoch import epoch_figures
from mammo.tables.csvio import read_table, write_table

from .conftest import make_films, tiny_settings, training_files


def run(films, out, code="c", validation=None, said=None, **changes):
    settings = tiny_settings(**changes)
    return train(
        training_files(films, settings, validation=validation), settings, code=code, state=films / out / ".state",
        logs=films / out / "logs", figures=epoch_figures, say=said.append if said is not None else lambda text: None,
    )  # fmt: skip


def digests(training) -> list[str]:
    return [row.sha256 for row in training.snapshots]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three epochs on the films, for all to look at and nobody to change."""
    folder = make_films(tmp_path_factory.mktemp("trained"))
    return folder, run(folder, "a", train={"epochs": 3})


@pytest.fixture
def own(trained, tmp_path):
    """The same, to be changed."""
    shutil.copytree(trained[0], tmp_path / "own")
    return tmp_path / "own", trained[1]


def test_training_in_two_parts_gives_the_bytes_of_one(films, trained):
    _, whole = trained
    shorter = run(films, "b", train={"epochs": 2})
    assert digests(shorter) == digests(whole)[:2]
    before = (shorter.folder / "epoch_01.h5").stat().st_mtime_ns
    assert digests(run(films, "b", train={"epochs": 3})) == digests(whole)
    assert (shorter.folder / "epoch_01.h5").stat().st_mtime_ns == before
    (log,) = (films / "b/logs").iterdir()
    events = [event for event in tf.compat.v1.train.summary_iterator(str(log)) if event.summary.value]
    assert [event.step for event in events if event.summary.value[0].tag == "loss"] == [1, 2, 3]


def test_fewer_epochs_train_nothing(own):
    folder, whole = own
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*.h5"))
    assert digests(run(folder, "a", train={"epochs": 2})) == digests(whole)[:2]
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*.h5")) == before


def test_a_lost_snapshot_is_trained_again(own):
    folder, whole = own
    next(folder.glob("a/.state/*/epoch_01.h5")).unlink()
    assert digests(run(folder, "a", train={"epochs": 1})) == digests(whole)[:1]


def test_a_changed_rate_begins_anew_beside_the_old_records(own):
    folder, whole = own
    other = run(folder, "a", train={"epochs": 1, "learning_rate": 0.002})
    assert other.folder != whole.folder
    assert digests(other) != digests(whole)[:1]
    old = folder / "a/.state" / whole.folder.name
    assert [sha256_file(old / f"epoch_0{epoch}.h5") for epoch in (1, 2, 3)] == digests(whole)
    assert len((old / "history.csv").read_text().splitlines()) == 4
    assert '"learning_rate":0.001' in (old / "key.json").read_text()


def test_other_code_data_or_settings_have_a_key_of_their_own(films):
    def key(code="c", **changes):
        settings = tiny_settings(**changes)
        return state_key(settings, code, data_digests(training_files(films, settings), None))[0]

    keys = [key(), key(code="d"), key(train={"learning_rate": 0.5}), key(sides={"min": 32})]
    keys.append(key(losses={"class_weights": {"malignant": 2.0}}))
    index = next(films.glob("network/64x64x8/train.csv"))
    index.write_text(index.read_text().replace(",8,", ",16,"))
    keys.append(key())
    assert len(set(keys)) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"epochs": 9, "save_minutes": 1.0, "on_nan": "rollback", "board_films": 0}},
        {"train": {"early_stopping": {"monitor": "val_loss", "patience": 3}}},
        {"detect": {"score_floor": 0.2}, "train_set": "x"},
    ],
    ids=["length", "early-stopping", "detection"],
)
def test_the_key_leaves_out_what_decides_no_weight(changes):
    assert state_key(tiny_settings(**changes), "c", {}) == state_key(tiny_settings(), "c", {})


def test_the_key_holds_the_length_of_a_cosine():
    cosine = {"schedule": {"kind": "cosine"}}
    assert state_key(tiny_settings(train={**cosine, "epochs": 9}), "c", {}) != state_key(
        tiny_settings(train=cosine), "c", {}
    )


def test_the_validation_set_counts_only_where_the_rate_follows_it():
    def key(digest, **schedule):
        return state_key(tiny_settings(train={"schedule": schedule}), "c", {"validation": digest})

    assert key("1", kind="plateau") == key("2", kind="plateau")
    assert key("1", kind="plateau", monitor="val_loss") != key("2", kind="plateau", monitor="val_loss")


# --- learning ---------------------------------------------------------------------------------------------------------


def test_the_first_step_is_as_long_as_the_learning_rate(films):
    # Adam's first step moves every weight by the rate, whatever the gradient's size; 1e-3 is what Keras would take.
    rate = 1e-4
    changes = {"train": {"epochs": 1, "steps": 1, "learning_rate": rate}}
    training = run(films, "a", **changes)
    after = read_layers(training.folder / "epoch_01.h5")["P3"][0]
    before = build_model(tiny_settings(**changes).model, 1, 0).get_layer("P3").get_weights()[0]
    assert np.median(np.abs(after - before)) == pytest.approx(rate, rel=0.05)
    assert training.history[0].learning_rate == rate


def test_odd_sides_train_a_mobilenet(films):
    training = run(
        films,
        "a",
        model={"backbone": "mobilenet128_0.25"},
        sides={"min": 75, "max": 75},
        train={"epochs": 1, "steps": 1},
    )
    assert np.isfinite(training.history[0].loss)


def test_frozen_stages_stay_as_they_are_until_they_thaw(films):
    freeze = {"freeze": {"through": "C5", "thaw_epoch": 2}}
    training = run(films, "a", train={**freeze, "epochs": 2})
    start = build_model(tiny_settings().model, 1, 0)
    first, second = (read_layers(training.folder / f"epoch_0{epoch}.h5") for epoch in (1, 2))
    for name in ("plain_1a", "plain_5b"):
        before = start.get_layer(name).get_weights()[0]
        assert np.array_equal(first[name][0], before)
        assert not np.array_equal(second[name][0], before)
    assert not np.array_equal(first["P3"][0], start.get_layer("P3").get_weights()[0])


def test_the_running_mean_is_a_second_snapshot_between_start_and_weights(films):
    training = run(films, "a", train={"epochs": 1, "ema_decay": 0.5})
    row = training.snapshots[0]
    assert sha256_file(training.folder.parent / row.ema_file) == row.ema_sha256
    start = build_model(tiny_settings().model, 1, 0).get_layer("P3").get_weights()[0]
    last = read_layers(training.folder / "epoch_01.h5")["P3"][0]
    mean = read_layers(training.folder.parent / row.ema_file)["P3"][0]
    assert 0 < np.abs(mean - start).mean() < np.abs(last - start).mean()
    write_table(films / "a/snapshots.csv", Snapshot, training.snapshots)
    publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 1, films / "plain_ema_01.h5", ema=True)
    assert sha256_file(films / "plain_ema_01.h5") == row.ema_sha256
    plain = run(films, "b", train={"epochs": 1})
    assert np.array_equal(read_layers(plain.folder / "epoch_01.h5")["P3"][0], last)


def test_a_class_weight_scales_both_losses(films):
    changes = {"train": {"epochs": 1, "steps": 1}}
    plain = run(films, "a", **changes).history[0]
    doubled = run(films, "b", losses={"class_weights": {"malignant": 2.0}}, **changes).history[0]
    assert doubled.regression_loss == pytest.approx(2 * plain.regression_loss, rel=1e-5)
    assert doubled.classification_loss == pytest.approx(2 * plain.classification_loss, rel=1e-5)


def test_a_weight_for_no_class_is_refused(films):
    with pytest.raises(UserError, match=r"losses.class_weights: 'benign' is no class; .*lists malignant"):
        run(films, "a", losses={"class_weights": {"benign": 2.0}})


# --- validation -------------------------------------------------------------------------------------------------------


def test_each_epoch_tells_losses_and_sensitivity_of_the_validation_set(films):
    row = run(films, "a", validation="val", train={"epochs": 1}).history[0]
    assert row.val_loss == pytest.approx(row.val_regression_loss + row.val_classification_loss)
    assert 0 <= row.val_sensitivity <= 1
    assert 0 <= row.val_clean_images <= 1


def test_a_validation_set_without_lesions_has_a_loss_and_no_sensitivity(films):
    row = run(films, "a", validation="normal", train={"epochs": 1}).history[0]
    assert row.val_loss > 0
    assert row.val_regression_loss == 0
    assert row.val_sensitivity is None
    assert row.val_clean_images is not None


def test_validation_changes_no_weight(films, trained):
    assert digests(run(films, "a", validation="val", train={"epochs": 3})) == digests(trained[1])


def test_the_loss_of_a_film_does_not_depend_on_its_batch(films):
    one = run(
        films, "a", validation="val", train={"epochs": 1, "batch_size": 1, "steps": 1, "learning_rate": 1e-9}
    )
    two = run(
        films, "b", validation="val", train={"epochs": 1, "batch_size": 4, "steps": 1, "learning_rate": 1e-9}
    )
    assert one.history[0].val_loss == pytest.approx(two.history[0].val_loss, rel=1e-4)


def test_a_training_stops_early_and_a_longer_patience_goes_on(films):
    def stopping(patience):
        # The rate is so small that nothing gets better by this much.
        early = {"monitor": "val_loss", "patience": patience, "min_delta": 0.5}
        return {"train": {"epochs": 5, "learning_rate": 1e-9, "early_stopping": early}}

    said = []
    stopped = run(films, "a", validation="val", said=said, **stopping(1))
    assert [row.epoch for row in stopped.snapshots] == [1, 2]
    assert any("stopped after epoch 2: val_loss has been best in epoch 1" in text for text in said)
    longer = run(films, "a", validation="val", **stopping(2))
    assert digests(longer)[:2] == digests(stopped)
    assert len(longer.snapshots) == 3


def test_what_the_validation_set_cannot_tell_is_an_error_that_names_the_key(films):
    early = {"early_stopping": {"monitor": "val_sensitivity", "patience": 1}}
    with pytest.raises(UserError, match=r"train.early_stopping.monitor: val_sensitivity is empty"):
        run(films, "a", validation="normal", train={"epochs": 2, **early})


def test_tensorboard_shows_figures_and_films_with_their_boxes(films):
    run(films, "a", validation="val", train={"epochs": 1, "board_films": 1})
    (log,) = (films / "a/logs").iterdir()
    values = [
        value for event in tf.compat.v1.train.summary_iterator(str(log)) for value in event.summary.value
    ]
    tags = {value.tag for value in values}
    assert {"loss", "learning_rate", "val_loss", "val_sensitivity", "peak_memory_mb", "films/tiny.3"} <= tags
    (picture,) = [value for value in values if value.tag.startswith("films/")]
    assert picture.metadata.plugin_data.plugin_name == "images"
    width, height, encoded = picture.tensor.string_val
    assert tf.io.decode_png(encoded).shape == (int(height), int(width), 3)


# --- publishing -------------------------------------------------------------------------------------------------------


def test_publishing_checks_the_snapshot(own):
    films, training = own
    write_table(films / "a/snapshots.csv", Snapshot, training.snapshots)
    out = films / "a/plain_csv_02.h5"
    publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
    assert sha256_file(out) == digests(training)[1]
    assert read_table(films / "a/snapshots.csv", Snapshot) == list(training.snapshots)
    with pytest.raises(UserError, match="has no epoch 7: the training stopped early, after epoch 3"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 7, out)
    with pytest.raises(UserError, match=r"has no running mean of epoch 2; set train\.ema_decay"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out, ema=True)
    state = films / "a/.state" / training.folder.name
    shutil.copy(state / "epoch_01.h5", state / "epoch_02.h5")
    with pytest.raises(UserError, match="its SHA-256 is"):
        publish_snapshot(films / "a/snapshots.csv", films / "a/.state", 2, out)
