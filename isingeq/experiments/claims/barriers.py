"""Do conjugate variables lower barriers? Tilted wells, planted instances and spin glasses, with and without ramp.

Steps are given in units where the strongest attraction is 1, as in simulated bifurcation (Goto et al. 2021):

    gradient      x ← clip(x − dt ∂F/∂x)
    momentum      y ← e^{−γ dt} y − dt ∂F/∂x          x ← clip(x + dt y)

The machine `conjugate` divides forces by the stiffness κ and counts time in 1 / √κ: its dt is √κ times ours, its γ is
ours / √κ, and with infinite damping it is the gradient flow with step dt² / κ of its own. A step is one product with J.

Every machine makes as many steps, from the same starts. What it misses is the share of starts that end in the
shallow well, or the mean distance from the best energy known; a part of the claim is that momentum halves it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.backend import SettleRequest
from isingeq.experiments.claims.claim import (
    Case,
    Conclusion,
    Line,
    Part,
    Picture,
    Record,
    Table,
)
from isingeq.experiments.claims.intervals import (
    plus_minus,
    ratio_of_means,
    standard_error,
)
from isingeq.experiments.claims.landscapes import STIFFNESS, Landscape, glass, planted, wells
from isingeq.registry import open_backend

_KINDS = ("wells", "planted", "glass")
_VIEWS: dict[str, tuple[str, slice]] = {
    "tilted wells": ("wells", slice(None)),
    "planted": ("planted", slice(0, 1)),
    "planted, near starts": ("planted", slice(1, 2)),
    "spin glass": ("glass", slice(0, 1)),
    "spin glass, near starts": ("glass", slice(1, 2)),
}
"""Rows of the landscapes that are told of: wells of all tilts together, starts in all the box and near 0 apart."""
_DAMPING = 0.05
_GOAL = 2.0


@dataclass(frozen=True)
class Barriers:
    """Gradient and momentum, each with and without ramp.

    Attributes:
        instances: of each kind.
        starts: per instance.
        glass_size: spins of a glass.
        planted_side: spins on a side of a planted lattice, even.
        tilts: of the wells.
        steps: of a settle; the first is that of the verdict.
        dts: time steps; the last is that of the verdict.
    """

    instances: int = 40
    starts: int = 64
    glass_size: int = 200
    planted_side: int = 12
    tilts: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    steps: tuple[int, ...] = (100, 300)
    dts: tuple[float, ...] = (0.5, 1.0)

    name: ClassVar[str] = "barriers"
    summary: ClassVar[str] = (
        "momentum and ramp against gradient flow on wells, planted instances and glasses"
    )
    paper: ClassVar[str] = (
        "dissipative relaxation contracts phase space into local minima; conjugate variables lower the effective "
        "barriers between them."
    )
    setting: ClassVar[str] = (
        "two tilted wells, lattices of frustrated loops with a planted state, dense Gaussian glasses; gradient flow "
        f"and momentum (damping {_DAMPING:g}), each with and without a ramp that falls over all steps; equal numbers "
        "of products with J from equal starts (all over the box, and near 0, where a ramp begins). Damping and starts "
        "were chosen on other instances than those of the verdict."
    )
    criterion: ClassVar[str] = (
        "momentum misses at most half of what gradient flow misses (lower end of the 95 % bootstrap interval of the "
        "ratio over instances >= 2), at equal time step and number of products: without ramp on each of the three "
        "landscapes, started all over the box; and with ramp on glasses, started near 0, there also against the best "
        "step of the gradient flow."
    )

    @classmethod
    def quick(cls) -> "Barriers":
        """Return it in small."""
        return cls(instances=4, starts=16, glass_size=60, planted_side=8, steps=(60,))

    def cases(self) -> list[Case]:
        """Return every kind of landscape, instance after instance."""
        return [
            Case.of(landscape=kind, instance=k) for k in range(self.instances) for kind in _KINDS
        ]

    def measure(self, case: Case) -> Record:
        """Return for each row what every machine misses, mean over starts, and how often it misses nothing."""
        where = self._landscape(case["landscape"], case["instance"])
        best, found = where.best, {}
        states = {}
        for steps in self.steps:
            for label, spec in machines(self.dts).items():
                states[f"{label}, {steps} steps"] = _settled(spec, where, steps)
        if where.signs is not None:  # a machine may have found a better state than the search
            signs = [np.where(s >= 0, 1.0, -1.0) for s in states.values()]
            best = min(best, *(float(where.signs.energy(s).min()) for s in signs))
        where = Landscape(where.problem, where.start, where.signs, best)
        for label, s in states.items():
            missed = where.misses(s)
            found[label] = {
                "missed": missed.mean(axis=1).tolist(),
                "hit": (missed < 1e-6).mean(axis=1).tolist(),
            }
        return {"best": best, "machines": found}

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Compare over instances."""
        missed, hit = (
            {view: _seen(view, found, what) for view in _VIEWS} for what in ("missed", "hit")
        )
        steps = self.steps[0]
        at = f"dt {self.dts[-1]:g}, {steps} steps"
        parts = [
            _halved(f"{view}, no ramp", missed[view], f"gradient {at}", f"momentum {at}")
            for view in ("tilted wells", "planted", "spin glass")
        ]
        near, ramped = missed["spin glass, near starts"], f"momentum + ramp {at}"
        parts.append(
            _halved("spin glass, ramp, near starts", near, f"gradient + ramp {at}", ramped)
        )
        labels = [f"gradient + ramp dt {dt:g}, {steps} steps" for dt in self.dts]
        best = min(labels, key=lambda label: float(np.mean(near[label])))
        if best != labels[-1]:
            parts.append(_halved("spin glass, ramp, near starts, best step", near, best, ramped))
        others = [
            _halved(f"{view}, ramp", missed[view], f"gradient + ramp {at}", ramped)
            for view in _VIEWS
            if view != "spin glass, near starts"
        ]
        others.append(
            _halved("spin glass, what the ramp alone does", near, f"gradient {at}", f"gradient + ramp {at}")
        )  # fmt: skip
        return Conclusion(
            tuple(parts),
            tuple(_table(view, missed[view], hit[view]) for view in _VIEWS),
            (self._wells_picture(found), self._gaps_picture(missed)),
            (
                f"The best step of the ramped gradient on glasses is that of: {best}.",
                *(f"Beside the claim, {part.text}." for part in others),
            ),
        )

    def _landscape(self, kind: str, instance: int) -> Landscape:
        if kind == "wells":
            return wells(self.tilts, self.starts, instance)
        if kind == "planted":
            return planted(self.planted_side, self.starts, instance)
        return glass(self.glass_size, self.starts, instance)

    def _wells_picture(self, found: Mapping[Case, Record]) -> Picture:
        at = f"dt {self.dts[-1]:g}, {self.steps[0]} steps"
        lines = []
        for label in ("gradient", "momentum", "gradient + ramp", "momentum + ramp"):
            missed = [
                found[case]["machines"][f"{label} {at}"]["missed"]
                for case in found
                if case["landscape"] == "wells"
            ]
            rows = 100 - np.array(missed)
            spread = tuple(standard_error(column) for column in rows.T)
            lines.append(Line(label, self.tilts, tuple(rows.mean(axis=0).tolist()), spread))
        title = f"tilted wells, {at}; bars: standard errors"
        return Picture("wells", title, "tilt", "ends in the deep well (%)", tuple(lines))

    def _gaps_picture(self, missed: Mapping[str, Mapping[str, list[float]]]) -> Picture:
        lines = []
        for view in ("planted, near starts", "spin glass, near starts"):
            for steps in self.steps:
                chosen = {k: v for k, v in missed[view].items() if k.endswith(f", {steps} steps")}
                lines.append(
                    Line(
                        f"{view}, {steps} steps",
                        tuple(
                            re.sub(r" (?=\+|dt)", "\n", label.rpartition(",")[0])
                            for label in chosen
                        ),
                        tuple(float(np.mean(values)) for values in chosen.values()),
                        tuple(standard_error(values) for values in chosen.values()),
                    )
                )
        title = "bars: standard errors over instances"
        return Picture("gaps", title, "", "above best energy (%)", tuple(lines), log=True)


def _seen(view: str, found: Mapping[Case, Record], what: str) -> dict[str, list[float]]:
    """Return one number per machine and instance, mean over the rows of a view."""
    kind, rows = _VIEWS[view]
    records = [found[case]["machines"] for case in found if case["landscape"] == kind]
    return {
        label: [float(np.mean(record[label][what][rows])) for record in records]
        for label in records[0]
    }


def _halved(words: str, missed: Mapping[str, list[float]], one: str, other: str) -> Part:
    return Part(f"{words}: {one} over {other}", ratio_of_means(missed[one], missed[other]), _GOAL)


def machines(dts: Sequence[float]) -> dict[str, str]:
    """Return SPECs by label; the first word is the dynamics."""
    scale = float(np.sqrt(STIFFNESS))
    ramp = f"&ramp={1 - STIFFNESS:g}&ramp_share=1.0"
    found = {}
    for dt in dts:
        gradient = f"conjugate?damping=inf&dt={scale * np.sqrt(dt):.9g}"
        momentum = f"conjugate?damping={_DAMPING / scale:.9g}&dt={scale * dt:.9g}"
        for label, spec in (("gradient", gradient), ("momentum", momentum)):
            found[f"{label} dt {dt:g}"] = spec
            found[f"{label} + ramp dt {dt:g}"] = spec + ramp
    return found


def _settled(spec: str, where: Landscape, steps: int) -> np.ndarray:
    backend = open_backend(spec)
    try:
        request = SettleRequest(
            where.problem, reads=where.start.shape[1], schedule=backend.suggest_schedule(where.problem),
            initial=where.start, tolerance=0.0, max_steps=steps, precision="float64",
        )  # fmt: skip
        return backend.settle(request).states
    finally:
        backend.close()


def _table(view: str, missed: Mapping[str, list[float]], hit: Mapping[str, list[float]]) -> Table:
    kind = _VIEWS[view][0]
    what = "ends in the shallow well (%)" if kind == "wells" else "above best energy (%)"
    rows = tuple(
        (label, plus_minus(values), plus_minus([100 * share for share in hit[label]], 1))
        for label, values in missed.items()
    )
    num = len(next(iter(missed.values())))
    title = f"{view}: mean ± standard error of {num} instances"
    name = view.replace(",", "").replace(" ", "-")
    return Table(name, title, ("machine", what, "starts that miss nothing (%)"), rows)
