"""All procedures one after the other, each with the reads that a precision takes."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from calibration.measure import couplings, drift, fields, transfer
from calibration.measure.faults import Faults, find_faults
from calibration.measure.matchings import matchings
from calibration.measure.measured import Measured
from calibration.measure.point import Point, find_point
from calibration.measure.probe import Probe, Progress
from calibration.measure.quantity import Quantity, Reals
from calibration.measure.settling import LONGEST, Settling, find_settling
from isingeq.backend import Backend
from isingeq.connectivity import Connectivity
from isingeq.errors import CalibrationError, ConfigError
from isingeq.schedule import schedule_data

PROCEDURES = ("fields", "couplings", "transfer", "drift")
"""Those that may be left out; faults and settle time are always measured, as the others need them."""
_WORST = 0.5
"""Standard error of gains beyond which a measurement has not converged."""
_FEWEST_SWEEPS = 4
_PACE = 1 << 22
"""Reads times units by which successive reads are compared."""
_FEWEST_READS = 256
"""Per element and level: one in seventeen is in the emptiest state of a pair at β J = 1."""


class Plan(NamedTuple):
    """Reads of every procedure: per unit or edge and level, per unit and field, per settle."""

    fields: int
    couplings: int
    transfer: int
    drift: int


class Estimated(NamedTuple):
    """What a measurement will take, known once the chip has answered."""

    reads: int
    seconds: float


def measure(
    backend: Backend, *, precision: float = 0.01, reads: int | None = None,
    only: Collection[str] = PROCEDURES, units: int | None = None, beta: float | None = None, seed: int = 0,
    watch: Callable[[Progress], None] = lambda _: None, told: Callable[[Estimated], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Measured:  # fmt: skip
    """Measure a chip.

    Args:
        backend: any that settles spins; it is left open.
        precision: standard error of gains to reach, relative.
        reads: in all, at most, about; None for as many as the precision takes.
        only: procedures of `PROCEDURES` to do.
        units: the first so many alone; None for all that the backend has.
        beta: to measure at, in the chip's units; None to look for one.
        seed: of all reads.
        watch: called after every settle.
        told: called once, when it is known what it will take.
        stop: says whether to stop, between settles.

    Raises:
        ConfigError: a precision or procedure that makes no sense, or units that are not there.
        CalibrationError: the chip does not answer, or the reads allowed are too few to say anything.
        StoppedError: it was told to stop.
    """
    if unknown := set(only) - set(PROCEDURES):
        raise ConfigError(
            f"no procedure is called {', '.join(sorted(unknown))}; there are {', '.join(PROCEDURES)}"
        )
    if not 0 < precision <= _WORST:
        raise ConfigError(f"a precision lies above 0 and up to {_WORST}, got {precision:g}")
    graph = _graph(backend, units)
    probe = Probe(backend, graph, seed, watch, stop)
    point = find_point(probe, beta=beta, sweeps=LONGEST)
    shots = int(np.clip(0.4 / precision**2, 256, 4096))
    faults = find_faults(probe, point, reads=shots)
    alive = np.flatnonzero(faults.works[graph.i] & faults.works[graph.j])
    settling = find_settling(probe, point, alive, faults.works)
    if np.isfinite(settling.settled.value[0]):
        point = point.with_sweeps(max(_FEWEST_SWEEPS, 2 * int(settling.settled.value[0])))
    correlation, read_s = _pace(probe, point, faults)
    slow = (1 + correlation) / (1 - correlation)
    hidden = _saturated(probe, point)
    if point.response == point.field_response == np.inf:
        return _faults_alone(probe, point, faults, settling, hidden)
    only = set(only)
    if np.isinf(point.field_response):
        only -= {"fields", "transfer", "drift"}
    if np.isinf(point.response) or not alive.size:
        only -= {"couplings"}
    groups = len(matchings(graph, alive)) if "couplings" in only else 0
    plan, planned = _plan(
        probe, point, faults, only, groups, precision=precision, slow=slow, reads=reads
    )
    probe.planned = probe.reads + planned
    told(Estimated(probe.planned, planned * read_s))
    found = _all(probe, point, faults, settling, plan, precision=precision, slow=slow, reads=reads)
    return replace(found, quantities=found.quantities | hidden)


def _graph(backend: Backend, units: int | None) -> Connectivity:
    """Return the pairs of the first units of a backend."""
    c = backend.capabilities
    if "spin" not in c.units:
        raise CalibrationError(f"{backend.name} has no spins: only chips of spins are measured")
    most = c.connectivity.n if c.connectivity is not None else c.max_units
    n = units or most
    if n is None or (most is not None and not 1 <= n <= most):
        raise ConfigError(
            f"{backend.name} has {'any number of' if most is None else most} units: say how many to measure, --units N"
        )
    if c.connectivity is None:
        i, j = np.triu_indices(n, 1)
        return Connectivity(n, i, j)
    if n == most:
        return c.connectivity
    kept = c.connectivity.j < n
    return Connectivity(n, c.connectivity.i[kept], c.connectivity.j[kept])


def _pace(probe: Probe, point: Point, faults: Faults) -> tuple[float, float]:
    """Return how successive reads correlate, 0 where that does not show, and seconds per read."""
    probe.procedure = "pace"
    J = np.zeros(probe.graph.num_edges)
    before = probe.elapsed_s
    n = probe.graph.n
    reads = int(np.clip(_PACE // n, 64, 512))
    states = probe.settle(J, np.zeros((1, n)), reads=reads, schedule=point.schedule)
    read_s = (probe.elapsed_s - before) / reads
    s = states[0][:, faults.works].astype(np.float32)
    s -= s.mean(axis=0, dtype=np.float64)
    power = (s**2).sum(axis=0)
    each = (s[1:] * s[:-1]).sum(axis=0)[power > 0] / power[power > 0] + 1 / len(s)
    error = 1 / np.sqrt(len(s) * max(1, each.size))
    found = float(each.mean()) if each.size else 0.0
    return (min(found, 0.9) if found > max(5 * error, 0.01) else 0.0), read_s


def _plan(
    probe: Probe, point: Point, faults: Faults, only: Collection[str], groups: int, *, precision: float,
    slow: float, reads: int | None,
) -> tuple[Plan, int]:  # fmt: skip
    """Return reads for every procedure, and their sum; a budget is taken off gains and offsets."""
    kept = float(faults.kept.value[faults.works].mean())

    def needed(x: float, kept: float) -> float:
        # Variance of atanh(m / kept) per read, from two levels apart by 2 x, as a share of x.
        m = np.tanh(x)
        variance = (1 - (kept * m) ** 2) / (kept * (1 - m**2)) ** 2
        return max(_FEWEST_READS, 1.1 * slow * variance / (2 * x**2 * precision**2))

    per_unit = needed(point.field_response, kept) if "fields" in only else 0.0
    per_edge = needed(point.response, kept**2) if "couplings" in only else 0.0
    curve = int(np.clip(0.1 / precision**2, 64, 1024)) if "transfer" in only else 0
    each = int(np.clip(0.03 / precision**2, 32, 256)) if "drift" in only else 0
    fixed = transfer.reads_planned(curve) + drift.SETTLES * each
    flexible = fields.reads_planned(per_unit) + 2 * groups * per_edge
    if reads is not None and flexible:
        share = min(1.0, max(0.0, reads - probe.reads - fixed) / flexible)
        worst = precision / np.sqrt(share) if share else np.inf
        if worst > _WORST:
            raise CalibrationError(
                f"{reads} reads do not make a measurement converge: {probe.reads + fixed} go before gains, and these "
                f"take {flexible:.3g} to a precision of {precision:g}; allow more reads or leave procedures out"
            )
        per_unit, per_edge, flexible = share * per_unit, share * per_edge, share * flexible
    plan = Plan(int(np.ceil(per_unit)), int(np.ceil(per_edge)), curve, each)
    return plan, int(fixed + flexible)


def _saturated(probe: Probe, point: Point) -> dict[str, Quantity]:
    """Return the gains and offsets that cannot be seen as all it holds is too strong, with the reason."""
    n, m = probe.graph.n, probe.graph.num_edges
    why = "saturated: the smallest {} is too strong for the chip's own temperature"
    if point.response == point.field_response == np.inf:
        why = "it answers like a threshold: there is no temperature at which a gain could be seen"
    return {
        f"{name}_{of}": Quantity(np.full(k, np.nan), np.full(k, np.nan), np.zeros(k, np.bool_), unit, why.format(name))
        for name, k, response in (("field", n, point.field_response), ("coupling", m, point.response))
        for of, unit in (("gain", "relative"), ("offset", f"units of {name}s"))
        if np.isinf(response)
    }  # fmt: skip


def _faults_alone(
    probe: Probe, point: Point, faults: Faults, settling: Settling, hidden: dict[str, Quantity]
) -> Measured:
    """Return what is known of a machine without a temperature."""
    m = probe.graph.num_edges
    found = _known(faults, settling) | hidden
    dead_edges = np.zeros(m, np.bool_)
    conditions = _conditions(probe, point)
    curves = _curves(settling)
    return Measured(probe.graph, found, faults.dead, faults.stuck, dead_edges, curves, conditions)


def _known(faults: Faults, settling: Settling) -> dict[str, Quantity]:
    return {
        "readout_error": faults.readout_error,
        "mean_readout_error": faults.mean_error,
        "settle_sweeps": settling.settled,
    }


def _curves(settling: Settling) -> dict[str, Reals]:
    return {
        "settling_sweeps": settling.sweeps.astype(np.float64),
        "settling_mean": settling.mean,
        "settling_error": settling.error,
    }


def _conditions(probe: Probe, point: Point) -> dict[str, object]:
    return {
        "schedule": schedule_data(point.schedule),
        "coupling_levels": point.coupling,
        "field_levels": point.field,
        "seed": probe.seed,
        "reads": probe.reads,
        "wall_s": probe.elapsed_s,
        "clock_s": probe.clock_s,
    }


def _all(
    probe: Probe, point: Point, faults: Faults, settling: Settling, plan: Plan, *,
    precision: float, slow: float, reads: int | None,
) -> Measured:  # fmt: skip
    """Do what is wanted, and put it together."""
    graph = probe.graph
    found, curves = _known(faults, settling), _curves(settling)
    trim, dead_edges = np.zeros(graph.n), np.zeros(graph.num_edges, np.bool_)
    beta = point.field_response / point.field[1]
    of_units = None
    if plan.fields:
        of_units = fields.measure_fields(probe, point, faults, reads=plan.fields)
        trim, beta = of_units.trim, float(of_units.beta.value[0])
    if plan.couplings:
        of_edges = couplings.measure_couplings(
            probe, point, faults, trim, reads=plan.couplings, precision=precision,
            most=reads if reads is not None else 2 * probe.planned,
        )  # fmt: skip
        dead_edges = of_edges.dead
        if of_units is not None:
            of_units = of_units.apart(graph, of_edges.known, of_edges.left, point.field_response)
        found |= {
            "coupling_gain": of_edges.gain, "coupling_offset": of_edges.offset, "beta_coupling": of_edges.beta,
        }  # fmt: skip
    if of_units is not None:
        found |= {
            "field_gain": of_units.gain, "field_offset": of_units.offset, "beta_field": of_units.beta,
            "crosstalk": of_units.crosstalk,
        }  # fmt: skip
    if plan.transfer:
        curve = transfer.measure_transfer(probe, point, faults, trim, reads=plan.transfer)
        found |= {"noise": curve.noise, "beta_without_noise": curve.beta}
        curves |= {
            "transfer_field": curve.field, "transfer_units": curve.mean, "transfer_mean": curve.curve,
            "transfer_error": curve.error,
        }  # fmt: skip
    if plan.drift:
        moved = drift.measure_drift(probe, point, faults, trim, reads=plan.drift, beta=beta)
        found |= {"drift": moved.spread, "drift_time": moved.time_s}
        curves |= {
            "drift_lag_s": moved.lag_s, "drift_moved": moved.moved, "drift_error": moved.error,
            "spectrum_hz": moved.frequency_hz, "spectrum_power": moved.power,
            "spectrum_of_counting": np.array([moved.power_of_counting]),
        }  # fmt: skip
    if slow > 1:
        found = {k: replace(q, error=q.error * np.sqrt(slow)) for k, q in found.items()}
    conditions: dict[str, object] = {
        **_conditions(probe, point),
        "precision": precision,
        "reads_behave_as_apart": 1 / slow,
    }
    return Measured(graph, found, faults.dead, faults.stuck, dead_edges, curves, conditions)
