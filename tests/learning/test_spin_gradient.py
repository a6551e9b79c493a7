"""Gradients on spins: of the expected cost at a stated beta, by enumeration."""

from dataclasses import replace

import numpy as np
import pytest
from nets import POOL, Counting, cosine, differences, error, free_cost, gradient, spin_network

from isingeq.backend import SettleRequest
from isingeq.backends.exact import exact
from isingeq.errors import CapabilityError
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge

BETA = 0.7  # neither 1 nor so cold that nothing moves


class TestSpins:
    @pytest.fixture
    def case(self):
        net = spin_network()
        rng = np.random.default_rng(0)
        parameters = net.initial(0)
        parameters = parameters.like(rng.normal(0, 0.6, parameters.vector.size))
        return net, parameters, rng.normal(size=(4, 4)), rng.integers(0, 2, 4)

    def test_spring_gives_the_gradient_of_the_expected_cost(self, case):
        net, parameters, x, labels = case
        backend = exact(beta=BETA)

        def expected(p):
            problem = net.problem(net.couplings(p), net.encode(p, x, POOL))
            found = backend.settle(SettleRequest(problem, precision="float64"))
            outputs = found.states[..., slice(*net.spans[-1])]
            costs = np.stack(
                [
                    net.cost.values(p, o, np.full(len(o), label))
                    for o, label in zip(outputs, labels, strict=True)
                ]
            )
            return float((found.weights * costs).sum(axis=1).mean())

        true = differences(expected, parameters, step=1e-4)
        found = gradient(net, backend, parameters, x, labels, nudging=1e-3).gradient
        for name in parameters:
            assert cosine(found[name], true[name]) > 0.999999
            assert error(found[name], true[name]) < 1e-5

    def test_tangent_gives_the_gradient_of_the_cost_of_the_mean(self, case):
        net, parameters, x, labels = case
        backend = Counting(exact(beta=BETA))
        backend.capabilities = replace(backend.inner.capabilities, terms=frozenset({LinearNudge}))
        true = differences(lambda p: free_cost(net, backend, p, x, labels), parameters, step=1e-4)
        found = gradient(net, backend, parameters, x, labels, nudging=1e-3).gradient
        for name in parameters:
            assert cosine(found[name], true[name]) > 0.999999
            assert error(found[name], true[name]) < 1e-5

    def test_one_sided_estimates_weigh_states_too(self, case):
        net, parameters, x, labels = case
        backend = exact(beta=BETA)
        centred = gradient(net, backend, parameters, x, labels, nudging=1e-4).gradient.vector
        for method in ("positive", "negative"):
            found = gradient(
                net, backend, parameters, x, labels, nudging=1e-4, method=method
            ).gradient.vector
            assert error(found, centred) < 1e-3

    def test_samples_that_are_right_are_skipped(self):
        net = spin_network(hidden=4, replicas=2)
        rng = np.random.default_rng(3)
        parameters = net.initial(0)
        parameters = parameters.like(rng.normal(0, 0.6, parameters.vector.size))
        parameters["output.bias"][:] = 0
        one = rng.normal(0, 0.6, (4, 1))
        parameters["hidden-output.weight"][:] = np.hstack(
            [one, one, -one, -one]
        )  # replicas agree, classes do not
        x, labels = rng.normal(size=(12, 4)), rng.integers(0, 2, 12)
        cold = exact(beta=1e4)  # every state but the ground state has weight 0
        options = {"nudging": 1.5, "skip_correct": True, "method": "positive"}
        free = gradient(net, cold, parameters, x, labels, nudging=1.5).free.mean()
        wrong = (free[:, 4:] != net.cost.targets(labels, np.float64)).any(axis=1)
        assert 0 < wrong.sum() < 12
        counting = Counting(cold)
        found = gradient(net, counting, parameters, x, labels, **options)
        assert counting.requests[1].problem.batch == wrong.sum()
        alone = gradient(net, cold, parameters, x[wrong], labels[wrong], **options)
        np.testing.assert_allclose(
            found.gradient.vector, alone.gradient.vector * wrong.mean(), atol=1e-12
        )
        assert np.abs(found.gradient.vector).max() > 0
        assert (found.num_samples, found.num_correct) == (
            12,
            (net.predict(parameters, free) == labels).sum(),
        )

        counting = Counting(cold)
        nothing = gradient(net, counting, parameters, x[~wrong], labels[~wrong], **options)
        assert nothing.nudged is None
        assert len(counting.requests) == 1
        np.testing.assert_array_equal(nothing.gradient.vector, 0)

    def test_the_best_read_is_the_one_of_lowest_energy(self, case):
        net, parameters, x, labels = case
        sampler = exact(beta=BETA, draw=True)
        found = gradient(
            net,
            sampler,
            parameters,
            x,
            labels,
            reads=5,
            select="best",
            nudging=0.2,
            method="positive",
        )
        ground = [
            states[e.argmin()]
            for states, e in zip(found.free.states, found.free.energies, strict=True)
        ]
        nudged = [
            states[e.argmin()]
            for states, e in zip(found.nudged.states, found.nudged.energies, strict=True)
        ]
        bias = -(np.array(nudged) - np.array(ground)) / 0.2
        np.testing.assert_allclose(
            found.gradient["output.bias"], bias[:, 3:].mean(axis=0), atol=1e-12
        )

    def test_many_reads_are_averaged(self, case):
        net, parameters, x, labels = case
        sampler = exact(beta=BETA, draw=True)
        found = gradient(
            net, sampler, parameters, x, labels, reads=6, nudging=0.2, schedule=Annealing((BETA,))
        )
        up, down = found.nudged.states[:4], found.nudged.states[4:]
        difference = np.einsum("bri,brj->ij", up[..., :3], up[..., 3:]) - np.einsum(
            "bri,brj->ij", down[..., :3], down[..., 3:]
        )
        np.testing.assert_allclose(
            found.gradient["hidden-output.weight"], -difference / (6 * 4 * 0.4), atol=1e-12
        )

    def test_complex_nudging_is_refused(self, case):
        net, parameters, x, labels = case
        with pytest.raises(CapabilityError, match="real nudging"):
            gradient(net, exact(), parameters, x, labels, method="holomorphic", points=4)
