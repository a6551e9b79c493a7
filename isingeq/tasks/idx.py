"""Reader of IDX files, plain or gzipped.

A header of big-endian 32-bit words (magic, then one length per axis) and the unsigned bytes of the
array, last axis fastest: the format that Y. LeCun's MNIST page describes. The magic is 0x08 for
unsigned bytes, then the number of axes.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import DataError
from isingeq.tasks.found import Found

_STEMS = {
    "x_train": ("train-images", 3),
    "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3),
    "y_test": ("t10k-labels", 1),
}
FILE_NAMES = tuple(f"{stem}-idx{axes}-ubyte" for stem, axes in _STEMS.values())


def read_idx_folder(folder: Path) -> Found | None:
    """Read the four files of a data set; None where the folder has none of them.

    Raises:
        DataError: some of the four are missing, or one is damaged.
    """
    paths = {key: _find(folder, stem, axes) for key, (stem, axes) in _STEMS.items()}
    if not any(paths.values()):
        return None
    arrays, origin = {}, {}
    for (key, path), name in zip(paths.items(), FILE_NAMES, strict=True):
        if path is None:
            raise DataError(
                f"{folder} has some IDX files but not {name}[.gz], need all four: "
                f"{', '.join(FILE_NAMES)}: add it"
            )
        arrays[key] = read_idx(path, num_axes=_STEMS[key][1])
        origin[key] = str(path)
    return Found(arrays, origin, place=f"IDX files in {folder}")


def read_idx(path: Path, *, num_axes: int) -> NDArray[np.uint8]:
    """Read one array of unsigned bytes.

    Raises:
        DataError: unreadable, another magic, or not the length that the header promises.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}), need an intact IDX file: replace it"
        ) from error
    magic, start = 0x0800 + num_axes, 4 * (1 + num_axes)
    if len(content) < start or int.from_bytes(content[:4], "big") != magic:
        raise DataError(
            f"{path} begins with 0x{content[:4].hex()}, an IDX file of {num_axes} axes with "
            f"0x{magic:08x}: replace it"
        )
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", num_axes, offset=4))
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path} holds {len(content) - start} bytes of data, its header says {shape}, that is "
            f"{math.prod(shape)}: it is truncated or damaged, replace it"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, stem: str, num_axes: int) -> Path | None:
    names = [f"{stem}{dot}idx{num_axes}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
    return next((folder / name for name in names if (folder / name).is_file()), None)
