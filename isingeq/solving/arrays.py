"""Problems as arrays in one file: `n`, `i`, `j` (m,) counted from 0, `w` (m,), and `h` (n,) if there are fields."""

import zipfile
from pathlib import Path

import numpy as np

from isingeq.errors import DataError, ProblemError
from isingeq.problem import Problem
from isingeq.solving.pairs import edges_of, spin_problem


def read_npz(path: Path) -> Problem:
    """Read a file of arrays.

    Raises:
        DataError: the file cannot be read.
        ProblemError: arrays that are missing, of another kind or shape, or a pair that makes no sense.
    """
    try:
        with path.open("rb") as packed, np.load(packed, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("n", "i", "j", "w", "h") if name in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as arrays: {getattr(error, 'strerror', None) or error}"
        ) from error
    if missing := [name for name in ("n", "i", "j", "w") if name not in arrays]:
        raise ProblemError(f"{path} has no array {', '.join(missing)}; it needs n, i, j and w")
    n, i, j, w = (arrays[name] for name in ("n", "i", "j", "w"))
    if n.shape != () or any(part.dtype.kind not in "iu" for part in (n, i, j)):
        raise ProblemError(f"{path}: n is one whole number, i and j hold whole numbers")
    if w.dtype.kind not in "iuf" or not i.shape == j.shape == w.shape or w.ndim != 1:
        raise ProblemError(
            f"{path}: i, j and w are real and of one length, got {i.shape}, {j.shape} and "
            f"{w.dtype} {w.shape}"
        )
    h = arrays.get("h")
    if h is not None and (h.shape != (int(n),) or h.dtype.kind not in "iuf"):
        raise ProblemError(f"{path}: h is real and has one field per spin, got {h.dtype} {h.shape}")
    edges = edges_of(
        int(n), _signed(i), _signed(j), _floating(w), at=lambda k: f"{path}, edge {k} (from 0)"
    )
    if h is not None and not np.isfinite(h).all():
        bad = int(np.argmax(~np.isfinite(h)))
        raise ProblemError(f"{path}: the field of spin {bad} is {h[bad]}; it has to be finite")
    return spin_problem(int(n), edges, h=h)


def _signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64) if values.dtype.kind == "u" else values


def _floating(values: np.ndarray) -> np.ndarray:
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
