"""States written to a file: `.npz` for programs, `.txt` for everyone."""

import io
import os
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from isingeq.errors import ConfigError
from isingeq.solving.outcome import Solution

_SUFFIXES = (".npz", ".txt")


def check_writable(path: Path) -> None:
    """Refuse, before any work, a file that could not be written.

    Raises:
        ConfigError: another suffix, or a folder that is missing or closed.
    """
    if path.suffix not in _SUFFIXES:
        raise ConfigError(f"states go to a file called *{' or *'.join(_SUFFIXES)}, not to {path}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written: name a file in a folder that can")


def write_states(path: Path, found: Solution, labels: Sequence[Hashable]) -> None:
    """Write the states kept, lowest first; the file appears whole or not at all.

    In `.npz`: `states` ±1 (k, n), `energies` (k,), `labels` (n,) what the problem file calls the spins. In `.txt`:
    a line of labels after #, then a line per state, its energy first.

    Raises:
        OSError: a full disk, or a folder that is closed by now.
    """
    if path.suffix == ".npz":
        content = io.BytesIO()
        names = np.array([label if isinstance(label, int) else str(label) for label in labels])
        np.savez_compressed(
            content, states=found.states, energies=found.state_energies, labels=names
        )
        data = content.getvalue()
    else:
        lines = [" ".join(["# energy", *(str(label) for label in labels)])]
        for energy, state in zip(found.state_energies.tolist(), found.states, strict=True):
            lines.append(f"{energy!r} " + " ".join(map(str, state.tolist())))
        data = ("\n".join(lines) + "\n").encode()
    fresh = path.with_name(path.name + ".part")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
