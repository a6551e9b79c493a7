"""Calibration files: what was measured of one device, when, and how; readable, and whole or not there.

::

    calibration.json              who, when, conditions, a summary, faults by number, how it was verified
    measured-DIGEST.npz           value, error and success of every element, and curves

The JSON names the arrays by their digest and is renamed into place last, so that a folder shows either the calibration
before or the new one, whatever happens while it is written.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.corrections import Corrections
from calibration.identity import Identity, identify
from calibration.measure import Measured, Quantity
from calibration.summary import faults_of, summary_of
from isingeq.backend import Backend
from isingeq.connectivity import Connectivity
from isingeq.errors import CalibrationError

FORMAT = 1
NAME = "calibration.json"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A measurement with the device that it is of.

    Attributes:
        identity: of the device.
        measured: what was found.
        made: when.
        verified: what a later measurement said, as plain data; None before there is one.
    """

    identity: Identity
    measured: Measured
    made: datetime
    verified: Mapping[str, object] | None = None

    @property
    def id(self) -> str:
        """Short name for provenance: device and date."""
        return f"{self.identity.short} {self.made:%Y-%m-%dT%H:%M:%SZ}"

    def age_s(self, now: datetime | None = None) -> float:
        """Return seconds since it was made."""
        return ((now or datetime.now(UTC)) - self.made).total_seconds()

    def corrections(self) -> Corrections:
        """Return what to correct couplings and fields by."""
        return replace(self.measured.corrections(), source=self.id)

    def check(
        self, identity: Identity, *, max_age_s: float | None = None, now: datetime | None = None
    ) -> None:
        """Refuse a calibration of another device, or one too old.

        Args:
            identity: of the device at hand.
            max_age_s: oldest age allowed, None for any.
            now: None for the time of the system.

        Raises:
            CalibrationError: it is foreign or stale.
        """
        self.identity.check(identity)
        age = self.age_s(now)
        if max_age_s is not None and age > max_age_s:
            raise CalibrationError(
                f"the calibration of {self.identity.short} is {age / 3600:.1f} hours old, {max_age_s / 3600:.1f} are "
                "allowed: run isingeq calibrate again, or allow more"
            )
        if age < -60:
            raise CalibrationError(
                f"the calibration of {self.identity.short} was made {-age:.0f} s in the future: set the clock"
            )

    def with_verification(self, record: Mapping[str, object]) -> "Calibration":
        """Return it with what a later measurement said."""
        return replace(self, verified=record)


def save(calibration: Calibration, folder: Path) -> Path:
    """Write a calibration into a folder, over the one that was there, and return the file.

    Raises:
        CalibrationError: it cannot be written; what was there is as it was.
    """
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **_arrays(calibration.measured))  # type: ignore[arg-type]
    digest = hashlib.sha256(arrays.getvalue()).hexdigest()
    name = f"measured-{digest[:12]}.npz"
    record = {
        "format": FORMAT,
        "identity": calibration.identity.as_dict(),
        "made": calibration.made.isoformat(),
        "conditions": calibration.measured.conditions,
        "summary": summary_of(calibration.measured),
        "faults": faults_of(calibration.measured),
        "verified": calibration.verified,
        "arrays": {"file": name, "sha256": digest},
    }
    file = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / name, arrays.getvalue())
        text = json.dumps(record, indent=2, ensure_ascii=False, default=_plain)
        _replace(file, f"{text}\n".encode())
        for old in folder.glob("measured-*.npz"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise CalibrationError(
            f"calibration {file} cannot be written ({error.strerror or error}): free space or choose another folder"
        ) from error
    return file


def load(path: Path) -> Calibration:
    """Read a calibration, from its file or folder.

    Raises:
        CalibrationError: there is none, it is damaged, or of a format that is not known here.
    """
    file = path / NAME if path.is_dir() else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        version = record["format"]
        if version == FORMAT:
            told = record["arrays"]
            data = (file.parent / Path(told["file"]).name).read_bytes()
            if hashlib.sha256(data).hexdigest() != told["sha256"]:
                raise CalibrationError(
                    f"calibration {file} is damaged (checksum of {told['file']})"
                )
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                measured = _measured({k: arrays[k] for k in arrays.files}, record)
            made = datetime.fromisoformat(record["made"])
            identity = Identity.of_dict(record["identity"])
            return Calibration(identity, measured, made, record["verified"])
    except CalibrationError:
        raise
    except FileNotFoundError as error:
        missing = Path(error.filename or file)
        raise CalibrationError(
            f"no calibration at {missing}: isingeq calibrate SPEC --out DIR makes one"
        ) from None
    except Exception as error:  # a damaged file raises nearly anything
        raise CalibrationError(
            f"calibration {file} is damaged ({type(error).__name__}: {error}): measure again"
        ) from error
    raise CalibrationError(
        f"calibration {file} has format {version!r}, {FORMAT} is understood: measure again"
    )


def _arrays(measured: Measured) -> Arrays:
    arrays: Arrays = {
        "graph.i": measured.graph.i,
        "graph.j": measured.graph.j,
        "faults.dead_units": measured.dead_units,
        "faults.stuck_units": measured.stuck_units,
        "faults.dead_edges": measured.dead_edges,
    }
    for name, q in measured.quantities.items():
        for part in ("value", "error", "good"):
            arrays[f"quantity.{name}.{part}"] = getattr(q, part)
    return arrays | {f"curve.{name}": values for name, values in measured.curves.items()}


def _measured(arrays: Arrays, record: Mapping[str, dict[str, object]]) -> Measured:
    identity = Identity.of_dict(record["identity"])
    graph = Connectivity(
        identity.units, arrays["graph.i"].astype(np.intp), arrays["graph.j"].astype(np.intp),
        identity.kind, identity.shape,
    )  # fmt: skip
    quantities = {}
    for name, told in record["summary"].items():
        assert isinstance(told, dict)
        value, error, good = (
            arrays[f"quantity.{name}.{part}"] for part in ("value", "error", "good")
        )
        quantities[name] = Quantity(value, error, good, told["unit"], told["why"])
    return Measured(
        graph,
        quantities,
        arrays["faults.dead_units"],
        arrays["faults.stuck_units"],
        arrays["faults.dead_edges"],
        {k.removeprefix("curve."): v for k, v in arrays.items() if k.startswith("curve.")},
        dict(record["conditions"]),
    )


def _replace(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _plain(value: object) -> object:
    """Return a number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data")


def corrections_for(
    backend: Backend, spec: str, path: Path, *, max_age_s: float | None = None
) -> Corrections:
    """Return the corrections of a backend by a calibration of it.

    Args:
        backend: open.
        spec: that it was opened by.
        path: of the calibration.
        max_age_s: oldest age allowed, None for any.

    Raises:
        CalibrationError: there is none, it is damaged, of another device, or too old.
    """
    calibration = load(path)
    calibration.check(identify(backend, spec, calibration.measured.graph), max_age_s=max_age_s)
    return calibration.corrections()
