import numpy as np
import pytest
from image_nets import Resting, drawn, image_network

from isingeq.backend import Claim
from isingeq.backends.annealing import neal
from isingeq.backends.exact import exact
from isingeq.backends.null import null
from isingeq.backends.pbit import p_bit
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.errors import CapabilityError
from isingeq.kernels.pool import Pool
from isingeq.learning.audit import audit
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.units import Amplitude, Layer, Spin

RNG = np.random.default_rng(8)
X, LABELS = RNG.random((4, 6)).astype(np.float32), RNG.integers(0, 3, 4)
SMOOTH = Network(
    6, (Layer("h", 7, Amplitude()), Layer("o", 3, Amplitude(-np.inf, np.inf))), SquaredError(3)
)
SPINS = Network(6, (Layer("h", 4, Spin()), Layer("o", 3, Spin())), SquaredError(3, low=-1))


def audited(backend, network, *, reference=None, **options):
    return audit(
        network, backend, network.initial(2), X, LABELS,
        estimator=Estimator(**options), reference=reference, seed=0, entries=6, pool=Pool(1),
    )  # fmt: skip


@pytest.mark.parametrize("backend", [hopfield, conjugate])
def test_fixed_points_agree_with_finite_differences_in_every_block(backend):
    found = audited(backend(), SMOOTH, nudging=1e-3)
    assert [block.name for block in found.blocks] == list(dict(SMOOTH.shapes))
    for block in found.blocks:
        assert block.cosine > 0.999999
        assert block.relative_error < 1e-4
    assert found.reference.startswith("finite differences")


def test_differences_hold_where_stiffness_falls_from_layer_to_layer():
    """A step or a residual that does not fall with it is coarse for the last layer."""
    layers = [
        Layer("h", 7, Amplitude()),
        Layer("g", 5, Amplitude(stiffness=1e-2)),
        Layer("o", 3, Amplitude(-np.inf, np.inf, 1e-5)),
    ]
    falling = Network(6, tuple(layers), SquaredError(3))
    found = audit(
        falling, hopfield(), falling.initial(2, (1.0, 1e-2, 1e-5)), X, LABELS,
        estimator=Estimator(nudging=1e-8), reference=None, seed=0, entries=6, pool=Pool(1),
    )  # fmt: skip
    for block in found.blocks:
        assert block.relative_error < 1e-5


def test_where_there_is_no_slope_nothing_is_compared():
    """All hidden units stand exactly at their walls: pushed forwards they move, backwards they do not."""
    x, parameters = np.zeros((4, 6)), SMOOTH.initial(2)
    parameters["h-o.weight"][:] = 0.5
    found = audit(
        SMOOTH, hopfield(), parameters, x, LABELS,
        estimator=Estimator(nudging=1e-3), reference=None, seed=0, entries=6, pool=Pool(1),
    )  # fmt: skip
    blocks = {block.name: block for block in found.blocks}
    assert (blocks["h.bias"].num_compared, blocks["h.bias"].num_left_out) == (0, 6)
    assert np.isnan(blocks["h.bias"].cosine)
    assert (blocks["input-h.weight"].num_compared, blocks["input-h.weight"].cosine) == (6, 1)


def test_a_large_nudging_shows():
    found = audited(hopfield(), SMOOTH, nudging=0.9, method="positive")
    assert max(block.relative_error for block in found.blocks) > 0.05


def test_boltzmann_agrees_with_the_expected_cost_at_the_stated_beta_and_no_other():
    right = audited(exact(beta=0.7), SPINS, reference=exact(beta=0.7), nudging=1e-3)
    assert right.cosine > 0.99999
    assert max(block.relative_error for block in right.blocks) < 1e-3
    wrong = audited(exact(beta=0.9), SPINS, reference=exact(beta=0.7), nudging=1e-3)
    assert max(block.relative_error for block in wrong.blocks) > 0.05


def test_a_ground_state_machine_is_given_a_direction_against_the_enumeration():
    found = audited(neal(sweeps=20), SPINS, reference=exact(beta=1.5), nudging=1.0, reads=20)
    assert "equilibrium propagation on exact" in found.reference
    assert 0.2 < found.cosine <= 1


def test_without_a_gradient_there_is_no_audit():
    with pytest.raises(CapabilityError, match="no gradient"):
        audited(neal(), SPINS)


def test_a_backend_of_spins_that_claims_nothing_is_given_a_direction_too():
    """One that settles nothing points nowhere."""
    coarse = p_bit(beta=1.5, sweeps=40, random_bits=8)
    assert coarse.capabilities.claim is Claim.NONE
    found = audited(coarse, SPINS, reference=exact(beta=1.5), nudging=1.0, reads=400)
    assert 0.7 < found.cosine <= 1
    assert audited(null(), SPINS, reference=exact(beta=1.5), nudging=1.0).cosine < 0.5


@pytest.mark.parametrize(
    "pooling", ["max", *(pytest.param(p, marks=pytest.mark.slow) for p in ("average", "soft"))]
)
def test_networks_of_images_agree_with_both_references(pooling):
    net = image_network(pooling)
    parameters, x, labels = drawn(net, batch=2)
    found = audit(
        net, Resting(), parameters, x, labels,
        estimator=Estimator(nudging=3e-3), reference=None, seed=0, entries=1, pool=Pool(1),
    )  # fmt: skip
    assert [block.name for block in found.blocks] == list(dict(net.shapes))
    assert found.cosine > 0.9999
    assert max(block.relative_error for block in found.blocks) < 2e-3
    assert min(block.recurrent for block in found.blocks) > 0.9999


def test_what_is_cut_short_shows_against_recurrent_backprop():
    found = audited(hopfield(), SMOOTH, method="bptt", nudged_steps=2)
    assert min(block.recurrent for block in found.blocks) < 0.999
    exact_found = audited(hopfield(), SMOOTH, method="recurrent")
    assert exact_found.cosine > 0.9999999
    assert all(block.recurrent > 1 - 1e-12 for block in exact_found.blocks)
    spins = audited(exact(beta=0.7), SPINS, reference=exact(beta=0.7), nudging=1e-3)
    assert {block.recurrent for block in spins.blocks} == {None}
