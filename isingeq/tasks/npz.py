"""Reader of NumPy archives with the keys x_train, y_train, x_test and y_test."""

from pathlib import Path

import numpy as np

from isingeq.errors import DataError
from isingeq.tasks.found import KEYS, Found


def read_npz(path: Path) -> Found:
    """Read the four arrays of one archive.

    Raises:
        DataError: not an archive, damaged, or a key is missing.
    """
    try:
        # Opened here, because numpy leaves a damaged file open; pickles stay shut, because a data
        # file must not be able to run code.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [key for key in KEYS if key not in archive]
            if not missing:
                arrays = {key: np.asarray(archive[key]) for key in KEYS}
            present = list(archive)
    # Damaged bytes raise whatever the zip, zlib or header parser trips over: no list is complete.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as .npz ({type(error).__name__}), need an intact archive "
            "without pickles: replace it"
        ) from error
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)} (it has {', '.join(present) or 'nothing'}), need "
            f"the keys {', '.join(KEYS)}: save it again with them"
        )
    return Found(arrays, {key: f"{key} in {path}" for key in KEYS}, place=str(path))
