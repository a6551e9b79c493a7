"""Checkpoints appear whole or not at all, and damage is found."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isingeq.errors import CheckpointError
from isingeq.learning import checkpoint
from isingeq.learning.checkpoint import load, previous, save

ARRAYS = {
    "parameters": np.random.default_rng(0).normal(size=50).astype(np.float32),
    "empty": np.zeros(0),
    "number": np.array(7),
    "table": np.arange(6).reshape(2, 3),
}
DATA = {"epoch": 3, "rates": [0.1, float("inf")], "text": "β"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.npz"


def same(found, arrays, data):
    assert found.data == data
    assert set(found.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_what_goes_in_comes_out(path):
    save(path, ARRAYS, DATA)
    found = load(path)
    same(found, ARRAYS, DATA)
    assert found.warning is None
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.npz"]


def test_the_one_before_is_kept(path):
    for epoch in range(3):
        save(path, ARRAYS, {"epoch": epoch})
    assert load(path).data == {"epoch": 2}
    assert load(previous(path)).data == {"epoch": 1}
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "checkpoint.npz",
        "checkpoint.previous.npz",
    ]


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["open", "write", "flush", "first rename", "second rename"])
def test_a_failed_write_leaves_a_good_checkpoint(path, monkeypatch, where):
    save(path, ARRAYS, {"epoch": 0})
    save(path, ARRAYS, {"epoch": 1})
    with monkeypatch.context() as patch:
        if where == "open":
            patch.setattr(Path, "open", full_disk)
        elif where == "write":
            patch.setattr(
                checkpoint.np, "savez", lambda file, **arrays: file.write(b"half") and full_disk()
            )
        elif where == "flush":
            patch.setattr(checkpoint.os, "fsync", full_disk)
        else:
            calls, rename = [], Path.replace

            def fail(self, target):
                calls.append(target)
                return (
                    full_disk()
                    if len(calls) == (1 if where == "first rename" else 2)
                    else rename(self, target)
                )

            patch.setattr(Path, "replace", fail)
        with pytest.raises(
            CheckpointError,
            match=r"cannot be written \(No space left on device\); the last good one is kept",
        ):
            save(path, ARRAYS, {"epoch": 2})
    same(load(path), ARRAYS, {"epoch": 1})
    assert not list(path.parent.glob("*.new"))
    save(path, ARRAYS, {"epoch": 3})
    assert load(path).data == {"epoch": 3}


def test_an_unwritable_folder_is_an_error_not_a_crash(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be written \(.*\); there is none before it"):
        save(tmp_path / "missing" / "checkpoint.npz", ARRAYS, DATA)


def spoil(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "text":
        content = bytearray(b"not a checkpoint at all")
    else:
        content[content.index(ARRAYS["parameters"].tobytes()) + 3] ^= 1
    path.write_bytes(bytes(content))


HOW = pytest.mark.parametrize("how", ["cut", "empty", "text", "one bit"])


@HOW
def test_a_damaged_one_gives_way_to_the_one_before_and_says_so(path, how):
    save(path, ARRAYS, {"epoch": 1})
    save(path, ARRAYS, {"epoch": 2})
    spoil(path, how)
    found = load(path)
    same(found, ARRAYS, {"epoch": 1})
    assert "checkpoint.npz is damaged" in found.warning
    assert "went back to checkpoint.previous.npz" in found.warning


@HOW
def test_two_damaged_ones_are_an_error(path, how):
    save(path, ARRAYS, {"epoch": 1})
    save(path, ARRAYS, {"epoch": 2})
    spoil(path, how)
    spoil(previous(path), how)
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def test_a_damaged_one_without_one_before_is_an_error(path):
    save(path, ARRAYS, DATA)
    spoil(path, "cut")
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def test_nothing_there_is_an_error(path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load(path)


def test_another_npz_is_no_checkpoint(path):
    np.savez(path, a=np.zeros(3))
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)
    np.savez(path, header=np.frombuffer(b"{}", np.uint8))
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def test_a_checksum_that_does_not_fit_is_found(path, monkeypatch):
    """Beyond what the archive itself would notice."""
    monkeypatch.setattr(checkpoint, "_digest", lambda array: "0" * 64)
    save(path, ARRAYS, DATA)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="checksum of parameters"):
        load(path)


@settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_no_changed_byte_changes_what_is_read(path, where, change):
    if not path.exists():
        save(path, ARRAYS, DATA)
    spoilt = path.with_name("spoilt.npz")
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= change
    spoilt.write_bytes(bytes(content))
    try:
        found = load(spoilt)
    except CheckpointError:
        return
    same(found, ARRAYS, DATA)
