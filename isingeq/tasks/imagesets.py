"""MNIST, Fashion-MNIST and CIFAR-10: found in a folder, else downloaded, else a clear error."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isingeq.errors import DataError
from isingeq.tasks import cifar, idx
from isingeq.tasks.download import download
from isingeq.tasks.found import Found
from isingeq.tasks.npz import read_npz
from isingeq.tasks.raw import RawExamples

_IDX_HINT = f"the IDX files {', '.join(idx.FILE_NAMES)} (.gz or not)"


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """One published set of images with ten classes.

    Args:
        name: what `load` calls it.
        title: what a reader calls it.
        npz: file name of its NumPy archive.
        hint: the other files that it is read from.
        shape: of one image.
        mirrored: an image mirrored left to right is still of its class.
        folders: where its files may lie within the data folder, most telling first.
        read: reads the files of one folder.
        mirrors: addresses that the files are downloaded from, tried in turn.
        files: MD5 of each file to download, as published.
        test_labels: SHA-256 of its test labels as bytes, to tell apart sets whose files are named
            alike.
    """

    name: str
    title: str
    npz: str
    hint: str
    shape: tuple[int, ...]
    mirrored: bool
    folders: tuple[str, ...]
    read: Callable[[Path], Found | None]
    mirrors: tuple[str, ...]
    files: Mapping[str, str]
    test_labels: str


MNIST = ImageSet(
    name="mnist",
    title="MNIST (LeCun, Cortes, Burges)",
    npz="mnist.npz",
    hint=f"{_IDX_HINT} in a subfolder mnist",
    shape=(28, 28),
    mirrored=False,
    folders=("mnist", "MNIST/raw", "."),
    read=idx.read_idx_folder,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files={
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    test_labels="ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
)
FASHION_MNIST = ImageSet(
    name="fashion-mnist",
    title="Fashion-MNIST (Xiao, Rasul, Vollgraf)",
    npz="fashion_mnist.npz",
    hint=f"{_IDX_HINT} in a subfolder fashion-mnist",
    shape=(28, 28),
    mirrored=True,
    folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "."),
    read=idx.read_idx_folder,
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    files={
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    test_labels="3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
)
CIFAR10 = ImageSet(
    name="cifar10",
    title="CIFAR-10 (Krizhevsky)",
    npz="cifar10.npz",
    hint=f"data_batch_1.bin to data_batch_5.bin and test_batch.bin, or {cifar.ARCHIVE}",
    shape=(32, 32, 3),
    mirrored=True,
    folders=("cifar-10-batches-bin", "cifar10", "."),
    read=cifar.read_cifar_folder,
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    files={cifar.ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"},
    test_labels="cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
)
IMAGE_SETS = {images.name: images for images in (MNIST, FASHION_MNIST, CIFAR10)}


def load_images(images: ImageSet, *, data_dir: Path | None) -> RawExamples:
    """Load a set from `data_dir`, else from the folder that ISINGEQ_DATA names, else download it.

    Files that are there but damaged are an error, not a reason to download.

    Raises:
        DataError: no such folder; a damaged file, or one of another set; or nothing found and the
            download failed.
    """
    found = _find(images, data_dir) or _fetch(images)
    raw = RawExamples(
        **found.arrays,
        num_classes=10,
        full_scale=255.0,
        source=f"{images.title}, from {found.place}",
        origin=found.origin,
        mirrored=images.mirrored,
    )
    if raw.x_train.dtype.kind not in "ui":
        raise DataError(
            f"{raw.origin['x_train']} has dtype {raw.x_train.dtype}, allowed are raw pixels as "
            "integers 0 … 255: save them unscaled"
        )
    if raw.shape != images.shape:
        raise DataError(
            f"{raw.origin['x_train']} has images of shape {raw.shape}, those of {images.name} are "
            f"{images.shape}: replace the file"
        )
    digest = hashlib.sha256(raw.y_test.astype(np.uint8).tobytes()).hexdigest()
    for other in IMAGE_SETS.values():
        if digest == other.test_labels and other is not images:
            raise DataError(
                f"{raw.origin['y_test']} belongs to {other.name}, need {images.name}: keep each "
                "set in its own subfolder, named after it"
            )
    return raw


def _find(images: ImageSet, data_dir: Path | None) -> Found | None:
    named = data_dir or os.environ.get("ISINGEQ_DATA")
    if not named:
        return None
    root = Path(named)
    if not root.is_dir():
        by = "data_dir" if data_dir else "ISINGEQ_DATA"
        raise DataError(f"{by} is {root}, need an existing folder: create or correct it")
    if (root / images.npz).exists():
        return read_npz(root / images.npz)
    return next(filter(None, (images.read(root / folder) for folder in images.folders)), None)


def _fetch(images: ImageSet) -> Found:
    folder = download(
        images.name,
        files=images.files,
        mirrors=images.mirrors,
        remedy=f"put {images.npz}, or {images.hint}, into a folder and name it in ISINGEQ_DATA",
    )
    found = images.read(folder)
    if found is None:
        raise DataError(f"{folder} lost its files after the download: load again")
    return found
