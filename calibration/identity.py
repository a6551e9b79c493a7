"""Who a device is: a calibration of one is worth nothing for another."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from isingeq.backend import Backend, SettleRequest
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.errors import CalibrationError
from isingeq.problem import Problem
from isingeq.registry import parse_spec
from isingeq.units import Layer, Spin

_NOT_ITS_OWN = {
    "baud",
    "beta",
    "faults",
    "record",
    "recovery",
    "reverse",
    "sweeps",
    "threads",
    "timeout",
}
"""Options of how a device is talked to and what it is asked for, which do not change what it is."""
_NO_UID = ("", "0x0", "0")


@dataclass(frozen=True)
class Identity:
    """What tells devices apart.

    Attributes:
        backend: SPEC without its options.
        options: of the SPEC that make it another device.
        device: model, empty where it says none.
        uid: number of the device, empty where it has none.
        firmware: version, empty where it says none.
        units: number of units measured.
        edges: digest of the pairs.
        kind: of the graph.
        shape: of the graph.
    """

    backend: str
    options: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    uid: str = ""
    firmware: str = ""
    units: int = 0
    edges: str = ""
    kind: str = "edges"
    shape: tuple[int, ...] = ()

    @property
    def short(self) -> str:
        """Model and number, or the SPEC."""
        return f"{self.device or self.backend} {self.uid}".strip() if self.uid else self.backend

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def of_dict(cls, record: Mapping[str, Any]) -> "Identity":
        """Return what `as_dict` wrote down."""
        return cls(**{**record, "shape": tuple(record["shape"])})

    def check(self, other: "Identity") -> None:
        """Refuse another device; where both have a number, the path it is found at does not matter.

        Raises:
            CalibrationError: they differ; says in what.
        """
        names = ["device", "uid", "firmware", "units", "edges", "options"]
        if not (self.uid and other.uid):
            names.append("backend")
        for name in names:
            mine, its = getattr(self, name), getattr(other, name)
            if mine != its:
                raise CalibrationError(
                    f"the calibration is of another device: its {name} is {mine or 'none'}, here it is "
                    f"{its or 'none'}; calibrate this one"
                )


def identify(backend: Backend, spec: str, graph: Connectivity) -> Identity:
    """Ask a backend who it is, by one read of nothing.

    Args:
        backend: open.
        spec: that it was opened by.
        graph: its pairs, as far as they are used.
    """
    nothing = Edges(graph.n, graph.i, graph.j, np.zeros(graph.num_edges))
    problem = Problem((Layer("chip", graph.n, Spin()),), (nothing,), np.zeros((1, graph.n)))
    schedule = backend.suggest_schedule(problem)
    details = backend.settle(SettleRequest(problem, schedule=schedule)).provenance.details
    return identity_of(details, spec, graph)


def identity_of(details: Mapping[str, object], spec: str, graph: Connectivity) -> Identity:
    """Return who answered, from the details of a provenance."""
    parsed = parse_spec(spec)
    uid = str(details.get("uid") or "")
    pairs = np.stack([graph.i, graph.j]).astype(np.int64)
    return Identity(
        backend=spec.partition("?")[0],
        options={k: v for k, v in sorted(parsed.options.items()) if k not in _NOT_ITS_OWN},
        device=str(details.get("device") or ""),
        uid="" if uid in _NO_UID else uid,
        firmware=str(details.get("firmware") or ""),
        units=graph.n,
        edges=hashlib.sha256(pairs.tobytes()).hexdigest()[:16],
        kind=graph.kind,
        shape=graph.shape,
    )
