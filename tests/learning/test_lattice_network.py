"""Networks on lattices with inputs at sites: energy, gradient, rejection, initial draw."""

import numpy as np
import pytest
from nets import POOL, Counting, differences, error

from isingeq.backend import SettleRequest
from isingeq.backends.oscillator import xy
from isingeq.backends.simulator import hopfield
from isingeq.errors import CapabilityError, ConfigError
from isingeq.lattices import lattice
from isingeq.learning.coding import PLAIN, Planar
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.initial import Draw
from isingeq.learning.network import Network
from isingeq.learning.phase_cost import LogCosine
from isingeq.learning.wiring import wired
from isingeq.terms import LinearNudge, LogCosNudge
from isingeq.units import Amplitude, Layer, Phase

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
LABELS = np.array([0, 1, 1, 0])
TIGHT = {"precision": "float64", "tolerance": 1e-10, "free_steps": 20_000, "nudged_steps": 20_000}


def network(side=5, inputs=(7, 11), output=13, unit=None, draw=None):
    wiring = wired(lattice("square", side, side), np.array([output]), inputs)
    phases = unit is None
    layers = (
        Layer("hidden1", len(wiring.sites) - 1, unit or Phase()),
        Layer("output", 1, unit or Phase()),
    )
    return Network(
        2, layers, LogCosine(2, single=True) if phases else SquaredError(2, single=True),
        coding=Planar() if phases else PLAIN, wiring=wiring, draw=draw or Draw(1.0, 0.2, 0.3),
    )  # fmt: skip


def drawn(net, seed=0):
    parameters = net.initial(seed)
    return parameters.like(parameters.vector.astype(np.float64))


def step(net, backend, parameters, **options):
    return estimate(
        Estimator(**TIGHT | options), net, backend, parameters, X, LABELS,
        seed=3, schedule=None, pool=POOL, out=parameters.like(),
    )  # fmt: skip


def test_an_input_is_a_site_that_is_held():
    net = network()
    parameters = drawn(net)
    problem = net.problem(net.couplings(parameters), net.encode(parameters, X, POOL))
    phases = np.random.default_rng(0).uniform(-3, 3, (4, 25))
    phases[:, [7, 11]] = np.pi * (X - 0.5)
    wiring = net.wiring
    site = np.concatenate([wiring.sites @ [5, 1], [7, 11]])
    weight = {
        tuple(sorted((site[i], site[j]))): w
        for i, j, w in zip(wiring.i, wiring.j, parameters["wiring.weight"], strict=True)
    }
    for k, unit, w in zip(
        wiring.inputs.source, wiring.inputs.target, parameters["input.weight"], strict=True
    ):
        weight[tuple(sorted((site[unit], (7, 11)[k])))] = w
    graph = lattice("square", 5, 5)
    assert set(weight) == set(zip(graph.i.tolist(), graph.j.tolist(), strict=True))
    wanted = -sum(w * np.cos(phases[:, a] - phases[:, b]) for (a, b), w in weight.items())
    units = phases[:, site[:23]]
    for name, part in (("bias", np.cos), ("bias_sin", np.sin)):
        bias = np.concatenate([parameters[f"{k}.{name}"] for k in ("hidden1", "output")])
        wanted -= part(units) @ bias
    np.testing.assert_allclose(problem.energy(units[:, None])[:, 0], wanted, rtol=1e-12)


def test_gradient_is_that_of_the_cost_and_its_error_is_of_second_order():
    net, machine = network(inputs=(6, 8), output=17), xy(polish=True)
    parameters = drawn(net, 3)
    found, rough = (step(net, machine, parameters, nudging=k) for k in (1e-3, 1e-2))
    start = found.free.states

    def cost(moved):
        problem = net.problem(net.couplings(moved), net.encode(moved, X, POOL))
        free = machine.settle(
            SettleRequest(problem, precision="float64", initial=start, tolerance=1e-12, max_steps=20_000)
        )  # fmt: skip
        return net.cost.values(moved, free.states[:, 0, -1:], LABELS).mean()

    sure = differences(cost, parameters)
    gap = error(found.gradient.vector, sure.vector)
    assert gap < 2e-4
    assert 90 < error(rough.gradient.vector, sure.vector) / gap < 110
    for name in parameters:
        assert np.linalg.norm(sure[name]) > 1e-4
        assert error(found.gradient[name], sure[name]) < 1e-3, name


@pytest.mark.parametrize("select", ["mean", "best"])
def test_a_tangent_nudge_gives_the_same_gradient_in_the_limit(select):
    net, machine = network(inputs=(6, 8), output=17), Counting(xy(polish=True))
    parameters, reads = drawn(net, 3), 1 if select == "mean" else 2
    options = {"nudging": 1e-4, "reads": reads, "select": select}
    cost, tangent = (step(net, machine, parameters, tangent=t, **options) for t in (False, True))
    assert error(tangent.gradient.vector, cost.gradient.vector) < 1e-4
    kinds = [type(r.terms[0]) for r in machine.requests if r.terms]
    assert kinds == [LogCosNudge, LinearNudge]
    with pytest.raises(CapabilityError, match="reads of phases are in several"):
        step(net, machine, parameters, tangent=True, reads=2)


def test_amplitudes_take_inputs_at_sites_too():
    net = network(unit=Amplitude(-np.inf, np.inf, 3.0), draw=Draw(0.4, 0.1, 0.3))
    machine, parameters = hopfield(update="synchronous"), drawn(net, 1)
    found = step(net, machine, parameters, nudging=1e-4)

    def cost(moved):
        problem = net.problem(net.couplings(moved), net.encode(moved, X, POOL))
        free = machine.settle(
            SettleRequest(problem, precision="float64", tolerance=1e-12, max_steps=20_000)
        )
        return net.cost.values(moved, free.states[:, 0, -1:], LABELS).mean()

    sure = differences(cost, parameters)
    assert np.linalg.norm(sure["input.weight"]) > 1e-3
    assert error(found.gradient.vector, sure.vector) < 1e-5


def test_reads_that_left_their_basin_are_left_out():
    """The gradient is the mean over the reads that stayed, and a nudge that throws all of them out gives none."""
    net, machine = network(draw=Draw(0.5, 1.5, 0.3)), Counting(xy(polish=True))
    parameters = drawn(net, 2)
    kept = step(net, machine, parameters, nudging=0.3, reads=12, reject=0.5)
    free, nudged = kept.free.states, kept.nudged.states.reshape(2, 4, 12, -1)
    stayed = np.abs(nudged - free).max(axis=(0, 3)) <= 0.5
    assert kept.num_rejected == (~stayed).sum()
    assert 3 < kept.num_rejected < 45
    signs = np.array([0.5, -0.5])[:, None, None] / 0.3 * stayed / stayed.sum()
    by_hand = parameters.like()
    couplings = net.couplings(parameters)
    net.contrast(couplings, net.inputs_of(X), nudged, signs, by_hand, POOL)
    np.testing.assert_allclose(kept.gradient.vector, by_hand.vector, rtol=1e-9, atol=1e-12)
    none = step(net, machine, parameters, nudging=0.3, reads=3, reject=1e-9)
    assert none.num_rejected == 12
    assert not none.gradient.vector.any()


def test_every_read_of_phases_is_judged_by_itself():
    """Their mean is right where most of them are, and its cost that of a state that none of them is in."""
    net = network(draw=Draw(0.5, 1.5, 0.3))
    parameters = drawn(net, 2)
    found = step(net, xy(polish=True), parameters, nudging=1e-3, reads=12)
    outputs, labels = found.free.states[..., -1], LABELS[:, None]
    target = np.where(labels == 1, np.pi / 2, -np.pi / 2)
    wanted = -np.log1p(LogCosNudge.floor + np.cos(outputs - target)).mean()
    assert found.cost == pytest.approx(wanted)
    right = (np.sin(outputs) > 0) == (labels == 1)
    assert found.num_correct == pytest.approx(right.mean(axis=1).sum())
    assert 0 < right.mean() < 1
    by_mean = net.cost.values(parameters, found.free.mean()[:, -1:], LABELS).mean()
    assert abs(by_mean - wanted) > 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"reject": 0.0},
        {"reject": 1.0, "select": "best"},
        {"reject": 1.0, "method": "bptt"},
        {"reject": 1.0, "method": "dyadic"},
        {"reject": 1.0, "method": "adjoint"},
    ],
)
def test_what_cannot_be_rejected_is_refused(wrong):
    with pytest.raises(ConfigError, match="must be > 0, and leaves reads out"):
        Estimator(**wrong)


def test_a_backend_without_a_start_has_no_jumps():
    class Cold:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        @property
        def capabilities(self):
            from dataclasses import replace

            return replace(self.inner.capabilities, warm_start=False)

    with pytest.raises(CapabilityError, match="no jumps to reject"):
        step(network(), Cold(xy()), drawn(network()), reject=1.0)


def test_sites_that_are_not_there_or_taken_are_refused():
    graph = lattice("square", 3, 3)
    for outputs, inputs in (([9], []), ([4], [4, 5]), ([4], [-1])):
        with pytest.raises(ConfigError, match="need sites of their own"):
            wired(graph, np.array(outputs), inputs)


def test_couplings_of_two_inputs_are_left_out():
    wiring = wired(lattice("square", 2, 3), np.array([5]), (0, 1))
    assert wiring.num_couplings == 7 - 1


def test_initial_weights_are_normal_around_their_mean_and_fields_of_one_size():
    net = network(side=30, inputs=(0, 1), output=2, draw=Draw(1.5, 0.2, 0.3))
    parameters = net.initial(0)
    w = parameters["wiring.weight"]
    assert abs(w.mean() - 1.5) < 5 * 0.2 / np.sqrt(w.size)
    assert abs(w.std() / 0.2 - 1) < 5 / np.sqrt(2 * w.size)
    x, y = parameters["hidden1.bias"], parameters["hidden1.bias_sin"]
    np.testing.assert_allclose(np.hypot(x, y), 0.3, rtol=1e-5)
    assert abs(x.mean()) < 5 * 0.3 / np.sqrt(2 * x.size)
    assert parameters.sha256() == net.initial(0).sha256() != net.initial(1).sha256()
    aligned = network(side=30, inputs=(0, 1), output=2, draw=Draw(1, 0, 0.3, 0.5)).initial(0)
    turn = np.arctan2(aligned["hidden1.bias_sin"], aligned["hidden1.bias"])
    assert abs(turn.std() / 0.5 - 1) < 5 / np.sqrt(2 * turn.size)
    one = network(unit=Amplitude(), draw=Draw(field=0.3)).initial(0)
    assert set(np.unique(np.abs(one["hidden1.bias"]))) == {np.float32(0.3)}


@pytest.mark.parametrize("kind", [SquaredError(2, 1, -1.0, single=True), LogCosine(2, single=True)])
def test_two_classes_are_read_off_one_unit(kind):
    outputs = np.array([[-0.4], [0.7]])
    assert kind.scores(None, outputs).argmax(axis=1).tolist() == [0, 1]
    assert (kind.slope(None, outputs, np.array([1, 0])) * [[1], [-1]] < 0).all()
    assert kind.shapes(1) == ()
