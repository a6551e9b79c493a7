"""Reader of the CIFAR-10 binary version, from a folder or from the archive as published.

A record is one label byte and the image as 3 × 32 × 32 bytes, colour planes first (A. Krizhevsky,
"Learning Multiple Layers of Features from Tiny Images", 2009). Images come out channels last.
"""

import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import DataError
from isingeq.tasks.found import Found

ARCHIVE = "cifar-10-binary.tar.gz"
_TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
_TEST = ("test_batch.bin",)
_RECORD = 1 + 3 * 32 * 32


def read_cifar_folder(folder: Path) -> Found | None:
    """Read the six batches; None where the folder has neither them nor the archive.

    Raises:
        DataError: a batch is missing or damaged.
    """
    present = [name for name in _TRAIN + _TEST if (folder / name).is_file()]
    archive = folder / ARCHIVE
    if present:
        place, batches = folder, _read_files(folder, present)
    elif archive.is_file():
        place, batches = archive, _read_archive(archive)
    else:
        return None
    missing = [name for name in _TRAIN + _TEST if name not in batches]
    if missing:
        raise DataError(
            f"{place} lacks {', '.join(missing)}, need data_batch_1.bin to data_batch_5.bin and "
            "test_batch.bin: add what is missing"
        )
    arrays: dict[str, NDArray[Any]] = {}
    for part, names in (("train", _TRAIN), ("test", _TEST)):
        records = [_records(batches.pop(name), f"{place}: {name}") for name in names]
        arrays[f"x_{part}"] = np.concatenate([_images(batch) for batch in records])
        arrays[f"y_{part}"] = np.concatenate([batch[:, 0] for batch in records])
    train, test = f"{place}: data_batch_1 … 5.bin", f"{place}: {_TEST[0]}"
    origin = {"x_train": train, "y_train": train, "x_test": test, "y_test": test}
    return Found(arrays, origin, place=str(place))


def _read_files(folder: Path, names: list[str]) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise DataError(
            f"{folder}: a batch cannot be read ({error.strerror}), need readable files: "
            "check their permissions"
        ) from error


def _read_archive(path: Path) -> dict[str, bytes]:
    """Read the batches without unpacking: nothing on the disk that could go stale."""
    batches = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name not in _TRAIN + _TEST or not member.isfile():
                    continue
                if (stream := archive.extractfile(member)) is not None:
                    batches[name] = stream.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}), need an intact {ARCHIVE}: replace it"
        ) from error
    return batches


def _records(content: bytes, name: str) -> NDArray[np.uint8]:
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{name} has {len(content)} bytes, need whole records of {_RECORD}: it is truncated "
            "or damaged, replace it"
        )
    return np.frombuffer(content, np.uint8).reshape(-1, _RECORD)


def _images(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
