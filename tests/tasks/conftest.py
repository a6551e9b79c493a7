"""Small image sets, generated, and written in every form that the loaders read."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.uint8]]

IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
CIFAR_FILES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")


@pytest.fixture(autouse=True)
def no_data_of_the_machine(monkeypatch, tmp_path):
    """Neither the user's data folder, nor their cache, nor the network reaches a test."""
    monkeypatch.delenv("ISINGEQ_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def offline(*args, **kwargs):
        raise AssertionError("a test reached for the network")

    monkeypatch.setattr("pooch.retrieve", offline)


def _images(shape: tuple[int, ...], seed: int) -> Arrays:
    """60 training and 20 test images of ten classes; no two images alike."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (60, *shape), dtype=np.uint8),
        "y_train": rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), 6)),
        "x_test": rng.integers(0, 256, (20, *shape), dtype=np.uint8),
        "y_test": rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), 2)),
    }


@pytest.fixture
def mnist_like() -> Arrays:
    return _images((28, 28), seed=1)


@pytest.fixture
def cifar_like() -> Arrays:
    return _images((32, 32, 3), seed=2)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An IDX file, spelt out from the format's description."""
    header = bytes([0, 0, 8, array.ndim])
    for length in array.shape:
        header += length.to_bytes(4, "big")
    return header + array.tobytes()


def write_idx(folder: Path, arrays: Arrays, *, dot: str = "-", compress: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in IDX_FILES.items():
        content = idx_bytes(arrays[key])
        path = folder / (name.replace("-idx", f"{dot}idx") + (".gz" if compress else ""))
        path.write_bytes(gzip.compress(content) if compress else content)


def cifar_bytes(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """Records of one label byte, then the red, green and blue plane, row by row."""
    records = bytearray()
    for image, label in zip(images, labels, strict=True):
        records += bytes([label])
        for colour in range(3):
            records += image[:, :, colour].tobytes()
    return bytes(records)


def cifar_files(arrays: Arrays) -> dict[str, bytes]:
    """The six batches by name; 12 training images in each of the first five."""
    files = {
        CIFAR_FILES[k]: cifar_bytes(
            arrays["x_train"][12 * k : 12 * k + 12], arrays["y_train"][12 * k : 12 * k + 12]
        )
        for k in range(5)
    }
    return files | {"test_batch.bin": cifar_bytes(arrays["x_test"], arrays["y_test"])}


def write_cifar(folder: Path, arrays: Arrays) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in cifar_files(arrays).items():
        (folder / name).write_bytes(content)


def write_cifar_archive(folder: Path, arrays: Arrays) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, content in cifar_files(arrays).items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def write() -> dict[str, Callable[..., None]]:
    """Writers of a set of arrays into a folder, by form."""
    return {
        "idx": write_idx,
        "cifar": write_cifar,
        "archive": write_cifar_archive,
    }
