"""The gradient of a batch: one free settle, one settle of all nudged phases, and what an estimator makes of them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Equilibrium, Floats
from isingeq.couplings import Coupling
from isingeq.errors import DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.learning.backprop import backprop
from isingeq.learning.cost import Labels
from isingeq.learning.estimator import Estimator
from isingeq.learning.model import Model
from isingeq.learning.network import Driving, Network
from isingeq.learning.nonconservative import linear_signal
from isingeq.learning.parameters import Parameters
from isingeq.learning.phases import chosen, settle_free, settle_nudged, stayed, weighted
from isingeq.learning.rate_backprop import backprop_rates
from isingeq.learning.rate_network import RateNetwork
from isingeq.learning.reciprocation import add_homeostasis, share_gradients
from isingeq.learning.recurrent import recurrent
from isingeq.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Step:
    """One gradient and what it took.

    Attributes:
        gradient: mean over the batch of dL/dθ.
        num_samples: in the batch.
        cost: mean cost of the free states; every read of phases counts by itself, as their mean may be a state that
            none of them is in.
        num_correct: samples whose free state has the right class, or the share of their reads that do.
        free: free equilibrium; None for backprop.
        nudged: nudged equilibria, phase after phase; None for methods without and when every sample was skipped.
        num_clipped: input fields cut by the encoder.
        num_rejected: reads left out of the contrast.
    """

    gradient: Parameters
    num_samples: int
    cost: float
    num_correct: float
    free: Equilibrium | None = None
    nudged: Equilibrium | None = None
    num_clipped: int = 0
    num_rejected: int = 0


def estimate(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels,
    *, seed: int, schedule: Schedule | None, pool: Pool, out: Parameters,
    couplings: tuple[Coupling, ...] | None = None, initial: Floats | None = None,
) -> Step:  # fmt: skip
    """Return the gradient of the mean cost of a batch, from at most two settle calls.

    Args:
        estimator: how.
        network: what.
        backend: where.
        parameters: at which.
        x: inputs (b, inputs).
        labels: classes (b,).
        seed: of both settle calls.
        schedule: of both settle calls.
        pool: threads for the products outside the backend.
        out: gradient, overwritten.
        couplings: of the network at these parameters, where they are at hand.
        initial: states (b, r, n) that the free phase starts from; None for the backend's own start.

    Raises:
        DivergenceError: the cost is no longer finite.
    """
    if estimator.method == "backprop":
        return _feedforward(network, parameters, x, labels, pool, out)
    couplings = couplings or network.couplings(parameters)
    encoded = network.encode(parameters, x, pool)
    free = settle_free(
        estimator, network, backend, couplings, encoded, seed=seed, schedule=schedule, initial=initial
    )  # fmt: skip
    states = chosen(estimator, free)
    outputs = states[:, slice(*network.spans[-1])]
    by_read = estimator.select == "mean" and free.request.problem.angular
    cost, correct = _judged(network, parameters, free.states if by_read else states, labels)
    if not np.isfinite(cost):
        raise DivergenceError(
            "the cost is no longer finite: lower the learning rate or the initial gains"
        )
    part, inputs = np.arange(len(x)), encoded.inputs
    if estimator.skip_correct:
        wrong = np.abs(network.cost.slope(parameters, outputs, labels)).max(axis=1) > 0
        part = np.flatnonzero(wrong)
        inputs = tuple(component.rows(part) for component in inputs)
    nudged, num_rejected = None, 0
    if part.size:
        rest = _Rest(
            estimator, network, backend, parameters, labels, couplings, inputs, free, part, seed, schedule, pool
        )  # fmt: skip
        if estimator.method in ("recurrent", "bptt"):
            rest.respond(out)
        elif estimator.method in ("dyadic", "adjoint"):
            nudged = rest.signal(out)
        else:
            nudged, num_rejected = rest.contrast(out)
    else:
        out.vector[:] = 0
    network.cost.explicit(parameters, outputs, labels, out)
    if estimator.homeostasis:
        assert isinstance(network, RateNetwork)
        add_homeostasis(network, couplings, states, estimator.homeostasis, out, seed=seed)
    if estimator.kolen_pollack:
        assert isinstance(network, RateNetwork)
        share_gradients(network, out)
    return Step(out, len(x), cost, correct, free, nudged, encoded.num_clipped, num_rejected)


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """A batch at its free equilibrium, where every way to the gradient starts.

    Attributes:
        part: samples that count (k,).
        inputs: components of theirs.
    """

    estimator: Estimator
    network: Model
    backend: Backend
    parameters: Parameters
    labels: Labels
    couplings: tuple[Coupling, ...]
    inputs: tuple[Driving, ...]
    free: Equilibrium
    part: NDArray[np.intp]
    seed: int
    schedule: Schedule | None
    pool: Pool

    @property
    def states(self) -> Floats:
        """One state per sample that counts (k, n)."""
        return chosen(self.estimator, self.free)[self.part]

    @property
    def slope(self) -> Floats:
        """∂C/∂outputs there (k, outputs)."""
        outputs = self.states[:, slice(*self.network.spans[-1])]
        return self.network.cost.slope(self.parameters, outputs, self.labels[self.part])

    @property
    def weights(self) -> Floats:
        """Of these samples in the mean over the batch (k,)."""
        return np.full(len(self.part), 1 / len(self.labels), self.free.states.dtype)

    def respond(self, out: Parameters) -> None:
        """Write the gradient by the linear response of the network."""
        assert isinstance(self.network, Network)
        e = self.estimator
        recurrent(
            self.network, self.couplings, self.inputs, self.states, self.slope, self.weights, out,
            steps=e.nudged_steps, tolerance=e.tolerance if e.method == "recurrent" else None, pool=self.pool,
        )  # fmt: skip

    def signal(self, out: Parameters) -> Equilibrium | None:
        """Write the gradient by a signal that is linear in the slope, and return what it was read off."""
        assert isinstance(self.network, RateNetwork)
        assert self.estimator.method in ("dyadic", "adjoint")
        states = self.states
        settled, signal = linear_signal(
            self.network, self.backend, self.couplings, states, self.slope,
            request=replace(self.free.request, seed=self.seed + 1, max_steps=self.estimator.nudged_steps),
            method=self.estimator.method, nudging=self.estimator.nudging,
        )  # fmt: skip
        self.network.answer(
            self.couplings, self.inputs, states, signal, self.weights, out, self.pool
        )
        return settled

    def contrast(self, out: Parameters) -> tuple[Equilibrium, int]:
        """Write the gradient by nudged phases, and return these and the number of reads left out."""
        e, free, part = self.estimator, self.free, self.part
        nudged, coefficients = settle_nudged(
            e, self.network, self.backend, self.parameters, free, self.labels, part,
            seed=self.seed, schedule=self.schedule,
        )  # fmt: skip
        coefficients = coefficients / len(self.labels)
        states, signs = weighted(e, nudged, coefficients, len(part))
        if e.method in ("positive", "negative"):
            at_rest, rest_signs = weighted(e, free, -coefficients, len(self.labels))
            at_rest = np.zeros_like(at_rest) if e.displacements else at_rest
            states = np.concatenate([states, at_rest[:, part]])
            signs = np.concatenate([signs, rest_signs[:, part]])
        num_rejected = 0
        if e.reject is not None:
            kept = stayed(e.reject, free.states[part], nudged)
            num_rejected = kept.size - int(kept.sum())
            signs *= kept * (kept.size / max(1, kept.size - num_rejected))
        if e.displacements:
            assert isinstance(self.network, Network)
            self.network.contrast(
                self.couplings, self.inputs, states, signs, out, self.pool, around=self.states
            )
        elif e.method in ("asymmetric", "vector_field"):
            assert isinstance(self.network, RateNetwork)
            signal = np.einsum("kbrn,kbr->bn", states, signs)
            weights = np.ones_like(signal[:, 0])
            self.network.answer(
                self.couplings, self.inputs, self.states, signal, weights, out, self.pool
            )
        else:
            self.network.contrast(self.couplings, self.inputs, states, signs, out, self.pool)
        return nudged, num_rejected


def _feedforward(
    network: Model, parameters: Parameters, x: Floats, labels: Labels, pool: Pool, out: Parameters
) -> Step:
    """Return the gradient by backprop, which settles nowhere."""
    if isinstance(network, RateNetwork):
        done = backprop_rates(network, parameters, x, labels, pool=pool, out=out)
    else:
        assert isinstance(network, Network)
        done = backprop(network, parameters, x, labels, pool=pool, out=out)
    gradient, cost, hits = done
    return Step(gradient, len(x), cost, hits)


def _judged(
    network: Model, parameters: Parameters, states: Floats, labels: Labels
) -> tuple[float, float]:
    """Return the mean cost of states (b, n) or (b, r, n), and how many samples are right."""
    each = states.reshape(-1, network.n)
    meant = np.repeat(labels, len(each) // len(labels))
    cost = network.cost.values(parameters, each[:, slice(*network.spans[-1])], meant).mean()
    right = (network.predict(parameters, each) == meant).sum()
    return float(cost), float(right * len(labels) / len(each))
