"""Phases: the free settle of a batch, all its nudged ones in one call, and what of their states counts."""

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Claim, Equilibrium, Floats, SettleRequest
from isingeq.couplings import Coupling
from isingeq.errors import CapabilityError
from isingeq.learning.cost import Labels, tangent
from isingeq.learning.estimator import Estimator
from isingeq.learning.model import Model
from isingeq.learning.network import Encoded
from isingeq.learning.nonconservative import correction
from isingeq.learning.parameters import Parameters
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, Term


def settle_free(
    estimator: Estimator, network: Model, backend: Backend, couplings: tuple[Coupling, ...], encoded: Encoded,
    *, seed: int, schedule: Schedule | None, initial: Floats | None = None,
) -> Equilibrium:  # fmt: skip
    """Settle the free phase of a batch, from initial states (b, r, n) or from the backend's own start."""
    return backend.settle(
        SettleRequest(
            network.problem(couplings, encoded),
            reads=estimator.reads,
            schedule=schedule,
            seed=seed,
            initial=initial,
            tolerance=estimator.tolerance,
            max_steps=estimator.free_steps,
            precision=estimator.precision,
        )
    )


def chosen(estimator: Estimator, equilibrium: Equilibrium) -> Floats:
    """Return one state per sample (b, n): the mean over reads, or the read of lowest energy."""
    if estimator.select == "mean" or equilibrium.states.shape[1] == 1:
        return equilibrium.mean()
    best = equilibrium.energies.argmin(axis=1)
    return equilibrium.states[np.arange(len(best)), best]


def check_slope(estimator: Estimator, problem: Problem) -> None:
    """Refuse a tangent nudge where reads have no slope in common.

    Raises:
        CapabilityError: the mean over several reads of phases.
    """
    if problem.angular and estimator.reads > 1 and estimator.select == "mean":
        raise CapabilityError(
            "a tangent nudge holds the slope at one state, and reads of phases are in several: "
            "set reads = 1 or select = best"
        )


def settle_nudged(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, free: Equilibrium,
    labels: Labels, part: np.ndarray, *, seed: int, schedule: Schedule | None,
) -> tuple[Equilibrium, Floats]:  # fmt: skip
    """Settle every nudged phase in one call, each sample from its own free state."""
    strengths, coefficients = estimator.phases()
    units = network.spans[-1]
    phases = len(strengths)
    rows = np.concatenate([part] * phases)
    fields = free.request.problem.fields
    problem = free.request.problem.with_fields(fields[rows])
    per_sample = np.repeat(strengths, len(part)).astype(np.result_type(strengths, fields.dtype))
    term: Term | None = None
    if estimator.method != "coupled":
        term = network.cost.nudge(per_sample, labels[rows], units)
    if term is None or estimator.tangent or type(term) not in backend.capabilities.terms:
        check_slope(estimator, problem)
        at = chosen(estimator, free)[part]
        outputs = at[:, slice(*units)]
        slope = np.tile(network.cost.slope(parameters, outputs, labels[part]), (phases, 1))
        if estimator.method == "coupled":
            held = np.zeros((len(problem.fields), network.n), fields.dtype)
            held[:, slice(*units)] = np.tile(outputs, (phases, 1)) - per_sample[:, None] * slope
            mask = np.zeros(network.n, np.bool_)
            mask[slice(*units)] = True
            term = Clamp(mask, held)
        else:
            at = np.tile(at, (phases, 1))
            term = tangent(slope, per_sample, units, at, phases=problem.angular)
    start = None
    if backend.capabilities.warm_start:
        start = free.states if estimator.select == "mean" else chosen(estimator, free)[:, None]
        start = np.broadcast_to(start[rows], (len(rows), estimator.reads, network.n))
    elif estimator.reject is not None:
        raise CapabilityError(
            f"{backend.name} starts no nudged phase from its free state, so there are no jumps to reject: "
            "set reject = none"
        )
    complex_phases = np.iscomplexobj(strengths)
    if complex_phases and not backend.capabilities.complex_nudging:
        raise CapabilityError(
            f"{backend.name} takes real nudging: use centred, or holomorphic with points = 2"
        )
    nudged = backend.settle(
        SettleRequest(
            problem,
            terms=(
                term,
                *correction(estimator.method, problem.couplings, free.states[rows]),
            ),
            reads=estimator.reads,
            schedule=schedule,
            seed=seed + 1,
            initial=start,
            tolerance=estimator.tolerance * (estimator.nudging if estimator.displacements else 1),
            max_steps=estimator.nudged_steps,
            precision="complex128" if complex_phases else estimator.precision,
            displacements=estimator.displacements,
        )
    )
    return nudged, coefficients


def weighted(
    estimator: Estimator, equilibrium: Equilibrium, coefficients: Floats, samples: int
) -> tuple[Floats, Floats]:
    """Return states (k, b, r, n) of k phases over the same samples, and the weight (k, b, r) of each.

    Where displacements were settled, these stand for states.
    """
    states, weights = equilibrium.states, equilibrium.weights
    if equilibrium.displacements is not None:
        states = equilibrium.displacements
    if estimator.select == "best":
        states, weights = chosen(estimator, equilibrium)[:, None], None
    reads = states.shape[1]
    share = np.full((len(states), reads), 1 / reads) if weights is None else weights
    signs = coefficients[:, None, None] * share.reshape(-1, samples, reads)
    return states.reshape(-1, samples, reads, states.shape[2]), signs.astype(states.dtype)


def stayed(reject: float, free: Floats, nudged: Equilibrium) -> NDArray[np.bool_]:
    """Return True (b, r) where no unit moved further than `reject` in any nudged phase, free states (b, r, n)."""
    moved = np.abs(nudged.states.reshape(-1, *free.shape) - free).max(axis=(0, 3))
    return np.asarray(moved <= reject)


def may_renew(backend: Backend) -> bool:
    """True when a schedule changes the way and not the answer, so that a trainer may renew it."""
    return backend.capabilities.claim is Claim.FIXED_POINT
