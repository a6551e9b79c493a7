"""Audit: the gradient that equilibrium propagation gives, block by block, against one that is sure.

| claim of the backend | compared with                                                                            |
|----------------------|------------------------------------------------------------------------------------------|
| fixed point          | central finite differences of the mean cost at equilibrium, in float64                    |
| boltzmann            | central finite differences of the mean *expected* cost, enumerated at the backend's beta |
| ground state, none   | equilibrium propagation on the enumeration, at a stated beta: only the direction counts   |

Differences take two settles per entry, so they are made of a few; amplitudes at fixed points are compared with
recurrent backprop too, which gives all entries at once and has no step to choose. Steps and residuals are forces, and
go with the stiffness of what they act on. Where a difference forwards and one backwards are not the same, there is no
derivative: a unit stands at its wall, or sums of a pool tie. Such entries are left out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Claim, Equilibrium, Floats
from isingeq.errors import CapabilityError
from isingeq.kernels.pool import Pool
from isingeq.learning.adjoint import asymmetry
from isingeq.learning.cost import Labels
from isingeq.learning.estimator import Estimator, Method
from isingeq.learning.gradient import estimate
from isingeq.learning.model import Model
from isingeq.learning.parameters import Parameters
from isingeq.learning.phases import settle_free
from isingeq.learning.rate_network import RateNetwork
from isingeq.schedule import Schedule
from isingeq.units import Amplitude, Phase, Spin

STEP = 1e-4
"""Of differences: by how much a unit would move if it heard nothing else."""

ONE_SLOPE = 0.1
"""Share by which differences forwards and backwards may differ; and as much of their median in an array."""

NOISE = 1e-6
"""Share of the whole gradient below which a block counts as 0: units at walls have none, differences have rounding."""


@dataclass(frozen=True, slots=True)
class Block:
    """One array of parameters, audited.

    Attributes:
        name: of the array.
        cosine: between the two gradients over the entries compared; NaN for none.
        relative_error: norm of the difference over the norm of the reference.
        num_compared: entries compared.
        num_left_out: entries without a derivative.
        recurrent: cosine with recurrent backprop, or the adjoint of forces without an energy, over all entries of the
            array; None where there is none.
    """

    name: str
    cosine: float
    relative_error: float
    num_compared: int
    num_left_out: int = 0
    recurrent: float | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of all parameters.

    Attributes:
        blocks: one per array.
        cosine: over all entries compared.
        reference: what the gradient was compared with.
        nudging: used.
        asymmetry: ‖A‖ / ‖J + k‖ of the Jacobian at the free states; None where there is an energy.
    """

    blocks: tuple[Block, ...]
    cosine: float
    reference: str
    nudging: float
    asymmetry: float | None = None


def audit(
    network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels, *, estimator: Estimator,
    reference: Backend | None, seed: int, entries: int, pool: Pool, as_trained: bool = False,
) -> Audit:  # fmt: skip
    """Compare gradients at given parameters on a few samples.

    Args:
        network: whose gradient.
        backend: that settles.
        parameters: where.
        x: inputs (b, inputs).
        labels: classes (b,).
        estimator: as in training; its nudging is used as it is, its tolerances are tightened, and what makes forces
            more symmetric is left out: it is no part of the cost.
        reference: an enumerating backend for spins, at the beta to be stated; None for fixed points.
        seed: of settles and of the choice of entries.
        entries: parameters compared per array, drawn at random.
        pool: threads.
        as_trained: take the estimator's precision, tolerance and steps as they are for the gradient that is audited;
            the ones it is held against are exact all the same.

    Raises:
        CapabilityError: spins without a reference, or more of them than it can enumerate.
    """
    claim = backend.capabilities.claim
    exact = parameters.like(parameters.vector.astype(np.float64))
    x64 = x.astype(np.float64)
    chosen = _choose(exact, entries, np.random.default_rng([seed, 3]))
    response, odd = None, None
    if claim is Claim.FIXED_POINT:
        tight = replace(
            estimator, precision="float64", tolerance=1e-10 * min(1.0, *_stiffness(network).values()),
            free_steps=20_000, kolen_pollack=False, homeostasis=0.0,
            nudged_steps=estimator.nudged_steps if estimator.method == "bptt" else 20_000,
        )  # fmt: skip
        schedule = _schedule(network, backend, exact, x64, pool)
        if as_trained:
            ours = _gradient(
                estimator, network, backend, parameters, x, labels, seed, schedule, pool
            )
        else:
            ours = _gradient(tight, network, backend, exact, x64, labels, seed, schedule, pool)
        sure = _differences(
            tight, network, backend, exact, x64, labels, seed, schedule, pool, chosen
        )
        against = "finite differences of the cost at equilibrium"
        smooth = not any(isinstance(layer.unit, Spin | Phase) for layer in network.layers)
        if smooth and estimator.reads == 1:
            exact_method: Method = "adjoint" if isinstance(network, RateNetwork) else "recurrent"
            solved = replace(tight, method=exact_method, nudged_steps=20_000)
            response = _gradient(solved, network, backend, exact, x64, labels, seed, schedule, pool)
    else:
        if reference is None:
            raise CapabilityError(
                f"{backend.name} claims {claim.value}: there is no gradient to audit it against"
            )
        schedule = _schedule(network, backend, exact, x64, pool)
        ours = _gradient(estimator, network, backend, exact, x64, labels, seed, schedule, pool)
        plain = replace(estimator, reads=1, select="mean", skip_correct=False)
        if claim is Claim.BOLTZMANN:
            sure = _differences(
                plain, network, reference, exact, x64, labels, seed, None, pool, chosen
            )
            against = f"finite differences of the expected cost, {reference.name}"
        else:
            sure = _gradient(plain, network, reference, exact, x64, labels, seed, None, pool)
            against = f"equilibrium propagation on {reference.name}"
    if isinstance(network, RateNetwork):
        odd = asymmetry_of(network, backend, exact, x64, seed=seed, pool=pool)
    kept = {name: at[np.isfinite(sure[name].ravel()[at])] for name, at in chosen.items()}
    whole = [
        np.concatenate([g[name].ravel()[at] for name, at in kept.items()]) for g in (ours, sure)
    ]
    nothing = NOISE * float(np.linalg.norm(whole[1]))
    blocks = []
    for name, at in kept.items():
        block = _compare(name, ours[name].ravel()[at], sure[name].ravel()[at], nothing)
        block = replace(block, num_left_out=chosen[name].size - at.size)
        if response is not None:
            every = _compare(name, ours[name].ravel(), response[name].ravel(), nothing)
            block = replace(block, recurrent=every.cosine)
        blocks.append(block)
    return Audit(
        tuple(blocks), _compare("", whole[0], whole[1], 0.0).cosine, against, estimator.nudging, odd
    )


def asymmetry_of(
    network: RateNetwork, backend: Backend, parameters: Parameters, x: Floats, *, seed: int, pool: Pool
) -> float:  # fmt: skip
    """Return ‖A‖ / ‖J + k‖ at the free states of inputs (b, inputs), their mean; see `adjoint.asymmetry`."""
    couplings = network.couplings(parameters)
    free = settle_free(
        Estimator("adjoint", free_steps=1000, precision="float64"), network, backend, couplings,
        network.encode(parameters, x, pool), seed=seed, schedule=None,
    )  # fmt: skip
    return asymmetry(couplings, free.mean())


def _choose(
    parameters: Parameters, entries: int, rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Return which entries of each array are compared."""
    return {
        name: np.sort(rng.choice(array.size, min(entries, array.size), replace=False))
        for name, array in parameters.items()
    }


def _schedule(
    network: Model, backend: Backend, parameters: Parameters, x: Floats, pool: Pool
) -> Schedule | None:
    problem = network.problem(network.couplings(parameters), network.encode(parameters, x, pool))
    return backend.suggest_schedule(problem)


def _gradient(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels,
    seed: int, schedule: Schedule | None, pool: Pool,
) -> Parameters:  # fmt: skip
    return estimate(
        estimator, network, backend, parameters, x, labels,
        seed=seed, schedule=schedule, pool=pool, out=parameters.like(),
    ).gradient  # fmt: skip


def _differences(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels,
    seed: int, schedule: Schedule | None, pool: Pool, chosen: dict[str, NDArray[np.int64]],
) -> Parameters:  # fmt: skip
    """Return central differences of the mean expected cost on the chosen entries, NaN where there is no slope."""
    out = parameters.like()

    def cost(moved: Parameters) -> float:
        free = settle_free(
            estimator, network, backend, network.couplings(moved), network.encode(moved, x, pool),
            seed=seed, schedule=schedule,
        )  # fmt: skip
        return _expected_cost(network, moved, free, labels)

    stiffness, here = _stiffness(network), cost(parameters)
    for name, at in chosen.items():
        step = STEP * stiffness.get(_acts_on(name), 1.0)
        slopes = np.empty((2, at.size))
        for row, ahead in enumerate((step, -step)):
            for column, k in enumerate(at):
                moved = parameters.like(parameters.vector.copy())
                moved[name].reshape(-1)[k] += ahead
                slopes[row, column] = (cost(moved) - here) / ahead
        mean = slopes.mean(axis=0)
        apart = np.abs(slopes[0] - slopes[1])
        mean[apart > ONE_SLOPE * (np.abs(mean) + np.median(np.abs(mean)))] = np.nan
        out[name].reshape(-1)[at] = mean
    return out


def _stiffness(network: Model) -> dict[str, float]:
    """Return the force that moves a unit by 1, by layer; 1 for units other than amplitudes."""
    units = {layer.name: layer.unit for layer in network.layers}
    return {k: unit.stiffness if isinstance(unit, Amplitude) else 1.0 for k, unit in units.items()}


def _acts_on(name: str) -> str:
    """Return the layer that an array of parameters acts on, as conv2 for conv1-conv2.weight and conv2.bias."""
    return name.rpartition(".")[0].rpartition("-")[2]


def _expected_cost(
    network: Model, parameters: Parameters, free: Equilibrium, labels: Labels
) -> float:
    """Return the cost averaged over reads with their weights, then over samples."""
    b, r, _ = free.states.shape
    first, last = network.spans[-1]
    outputs = free.states[..., first:last].reshape(b * r, -1)
    values = network.cost.values(parameters, outputs, np.repeat(labels, r)).reshape(b, r)
    weights = np.full((b, r), 1 / r) if free.weights is None else free.weights
    return float((weights * values).sum(axis=1).mean())


def _compare(name: str, ours: Floats, sure: Floats, nothing: float) -> Block:
    """Compare two gradients over the same entries; both below `nothing` agree that there is none."""
    size, own = float(np.linalg.norm(sure)), float(np.linalg.norm(ours))
    if not len(sure):
        return Block(name, float("nan"), float("nan"), 0)
    if max(size, own) <= nothing:
        return Block(name, 1.0, 0.0, len(sure))
    product = own * size
    return Block(
        name,
        cosine=float(ours @ sure) / product if product > 0 else 0.0,
        relative_error=float(np.linalg.norm(ours - sure)) / size if size > 0 else float("inf"),
        num_compared=len(sure),
    )
