"""Runs on images under windows that share no weights: maps of every epoch, and their pictures."""

import errno
import os
import shutil

import numpy as np
import pytest

from isingeq.errors import CheckpointError
from isingeq.experiments import maps
from isingeq.experiments.build import build
from isingeq.experiments.image_plots import mosaic
from isingeq.experiments.reading import read_experiment
from isingeq.experiments.run import train
from isingeq.experiments.showing import show


def windows(*settings):
    return read_experiment(
        "digits-xy",
        settings=(
            "network.channels=[5, 2]", "network.kernel=3", "network.shared=false", "network.hidden=[]",
            "data.train_size=64", "data.validation_size=20", "data.test_size=20", "learning.epochs=2",
            *settings,
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "images"
    train(windows("network.lattice=square"), out=path, plots=False)
    return path


@pytest.fixture
def network():
    built = build(windows("network.lattice=square"))
    yield built.trainer.network
    built.close()


def test_a_run_keeps_a_map_of_every_epoch(folder, network):
    found = list(maps.read_maps(folder))
    assert [one.epoch for one in found] == [0, 1, 2]
    n = 6 * 6 * 5 + 4 * 4 * 2 + 10
    couplings = 9 * 36 * 5 + 9 * 5 * 32 + 60 * 5 + 24 * 2  # input, window, within either
    assert {one.response.shape for one in found} == {(n,)}
    assert {one.couplings.shape for one in found} == {(couplings,)}
    assert np.isfinite([one.response for one in found]).all()
    assert np.abs(found[-1].couplings - found[0].couplings).max() > 0.01


def test_changes_are_those_of_the_couplings_at_each_unit(network):
    rng = np.random.default_rng(0)
    at_units = [[] for _ in range(network.n)]
    values = []
    for link in network.links[:1] + network.links[2:]:  # the readout is dense
        for i, j in zip(link.i, link.j, strict=True):
            values.append(rng.normal())
            at_units[i].append(values[-1])
            at_units[j].append(values[-1])
    for unit in network.pairs.target:
        values.append(rng.normal())
        at_units[unit].append(values[-1])
    response, values = np.ones(network.n), np.array(values)
    first, last = maps.Map(0, response, 2 * values, 1), maps.Map(1, response, 3 * values, 1)
    wanted = [np.sqrt(np.mean(np.square(at))) if at else 0.0 for at in at_units]
    np.testing.assert_allclose(maps.unit_changes(network, first, last), wanted, rtol=1e-12)


def test_every_unit_of_an_image_has_its_place(network):
    image = mosaic(network, np.arange(network.n, dtype=float))
    assert image.shape == (13, 30)  # 2 rows of 3 channels of 6 × 6 with gaps, and 1 of 2 of 4 × 4
    assert image[0, :3].tolist() == [0, 5, 10]
    assert image[1, 0] == 30
    assert image[0, 7] == 1
    assert image[7, 0] == 3
    assert np.isnan(image[7:, 14]).all()
    assert np.isnan(image[:, 6]).all()
    assert image[0, [21, 26]].tolist() == [180, 181]
    shown = image[np.isfinite(image)]
    assert sorted(shown.tolist()) == list(range(6 * 6 * 5 + 4 * 4 * 2))


def test_show_draws_them(folder):
    record = show(folder)
    assert {"images.png", "images.gif"} <= set(record["pictures"])
    assert "lattice.png" not in record["pictures"]
    assert all((folder / name).stat().st_size > 5000 for name in record["pictures"])
    assert (record["epoch"], record["num_units"]) == (2, 222)
    assert "screening_length" not in record


def test_a_damaged_map_is_named_and_a_missing_one_left_out(folder, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(folder, path)
    middle = path / "maps" / "00001.npz"
    middle.write_bytes(middle.read_bytes()[:300])
    with pytest.raises(CheckpointError, match=r"map .*00001.npz is damaged .* delete it"):
        list(maps.read_maps(path))
    middle.unlink()
    (path / "maps" / "notes.npz").write_text("mine")
    assert [one.epoch for one in maps.read_maps(path)] == [0, 2]


def test_a_map_is_written_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    built = build(windows("network.lattice=square"), folder / "checkpoint.npz")
    built.trainer.resume()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left"):
            maps.write_map(built.trainer, tmp_path)
    assert not list((tmp_path / "maps").iterdir())
    maps.write_map(built.trainer, tmp_path)
    assert [one.epoch for one in maps.read_maps(tmp_path)] == [2]
    built.close()


def test_samples_that_training_skips_respond_too(tmp_path):
    experiment = windows(
        "network.unit=amplitude", "network.output=box", "network.cost=squared_error", "data.train_size=300",
        "learning.skip_correct=true", "learning.epochs=1", "learning.rate=0.02", "machine.backend=conjugate",
    )  # fmt: skip
    train(experiment, out=tmp_path / "run", plots=False)
    assert [one.num_kept for one in maps.read_maps(tmp_path / "run")] == [64, 64]


def test_shared_windows_have_no_maps(tmp_path):
    train(windows("network.shared=true", "learning.epochs=1"), out=tmp_path / "run", plots=False)
    assert not list(maps.read_maps(tmp_path / "run"))
