"""Checkpoints: one file that appears whole or not at all, with a digest, and the good one before it kept.

A file is an uncompressed npz of arrays, with one more entry `header` of JSON: the caller's data and the SHA-256
of every array. Writing goes to a new file, is flushed to disk, and replaces the old one by renaming.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import CheckpointError

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Arrays and plain data.

    Attributes:
        arrays: by name.
        data: JSON-able.
        warning: what was wrong with a newer file, if this is the one before.
    """

    arrays: Arrays
    data: Mapping[str, object]
    warning: str | None = None


def previous(path: Path) -> Path:
    """Return where the good checkpoint before `path` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def save(path: Path, arrays: Arrays, data: Mapping[str, object]) -> None:
    """Write a checkpoint; the one that was there becomes the previous one.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; what was there is untouched.
    """
    digests = {name: _digest(array) for name, array in arrays.items()}
    header = json.dumps({"sha256": digests, "data": data}).encode()
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            named: dict[str, Any] = {f"array.{k}": v for k, v in arrays.items()}
            np.savez(file, header=np.frombuffer(header, np.uint8), **named)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            path.replace(previous(path))
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        before = path.exists() or previous(path).exists()
        kept = "the last good one is kept" if before else "there is none before it"
        raise CheckpointError(
            f"checkpoint {path} cannot be written ({error.strerror or error}); "
            f"{kept}: free space or choose another folder"
        ) from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; if it is damaged or missing, the previous good one, with a warning.

    Raises:
        CheckpointError: neither can be read.
    """
    try:
        return _read(path)
    except CheckpointError as error:
        before = previous(path)
        if not before.exists():
            raise
        good = _read(before)
        return Checkpoint(good.arrays, good.data, f"{error}; went back to {before.name}")


def _read(path: Path) -> Checkpoint:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            digests, data = header["sha256"], header["data"]
            arrays = {k.removeprefix("array."): file[k] for k in file.files if k != "header"}
    except FileNotFoundError:
        raise CheckpointError(
            f"no checkpoint at {path}: give the folder of a run that has one"
        ) from None
    except Exception as error:  # a damaged archive raises nearly anything
        raise CheckpointError(f"checkpoint {path} is damaged ({error})") from error
    for name, wanted in digests.items():
        if name not in arrays or _digest(arrays[name]) != wanted:
            raise CheckpointError(f"checkpoint {path} is damaged (checksum of {name})")
    return Checkpoint(arrays, data)


def _digest(array: NDArray[np.generic]) -> str:
    contiguous = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{contiguous.dtype.str}{contiguous.shape}".encode())
    digest.update(contiguous.data)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
