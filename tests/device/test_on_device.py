"""Tests of a device that is attached: `pytest tests/device --device /dev/ttyACM0`; of a model otherwise."""

from contextlib import closing

import numpy as np
import pytest

from drivers.errors import DeviceResetError, InUseError, SessionTakenError
from drivers.open import open_board, parse_url
from drivers.selftest import CHECKS, RESET, selftest
from drivers.session import Session
from drivers.transport import port_path
from drivers.wire.constants import RESET_MAGIC, Opcode
from drivers.wire.requests import Echo, Guarded, Nothing
from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.errors import IsingeqError
from isingeq.experiments import run
from isingeq.experiments.reading import read_experiment
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

SMALL = """
name = "small"
[data]
name = "digits"
train_size = 16
validation_size = 8
test_size = 8
[network]
hidden = [16]
unit = "spin"
output = "spin"
field_limit = 4.0
[machine]
sweeps = 10
[learning]
estimator = "centred"
nudging = 2.0
optimizer = "sgd"
rate = 0.02
weight_limit = 1.0
epochs = 1
batch_size = 8
"""


@pytest.fixture
def board(device_url):
    with closing(open_board(*parse_url(device_url))) as opened:
        yield opened


@pytest.fixture
def backend(device_url):
    with closing(open_backend(device_url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def steps(device_url):
    with closing(open_board(*parse_url(device_url))) as opened:
        return {step.name: step for step in selftest(opened, reset=True)}


@pytest.mark.parametrize("name", [name for name, _ in (*CHECKS, RESET)])
def test_selftest(steps, name):
    step = steps[name]
    if step.outcome == "not tested":
        pytest.skip(step.figure)
    assert step.outcome == "ok", step.figure


def test_another_session_is_noticed(board):
    board.revive()
    Session(board.session.transport)
    with pytest.raises(SessionTakenError, match="another host opened a session"):
        board.session.ask(Opcode.STATUS, Nothing())
    assert board.session.ask(Opcode.ECHO, Echo(b"mine")).data == b"mine"


def test_a_reset_is_noticed_by_the_next_request(board):
    board.revive()
    board.session.ask(Opcode.RESET, Guarded(RESET_MAGIC))
    with pytest.raises(DeviceResetError, match="was reset"):
        board.session.ask(Opcode.STATUS, Nothing())
    assert board.session.ask(Opcode.ECHO, Echo(b"mine")).data == b"mine"


def test_a_port_is_held_once(board, device_url):
    url, options = parse_url(device_url)
    if port_path(url) is None:  # whoever opens it gets a board of their own
        open_board(url, options).close()
    else:
        with pytest.raises(InUseError, match="is in use by process"):
            open_board(url, options)
    assert board.session.ask(Opcode.ECHO, Echo(b"mine")).data == b"mine"


def whole_numbers(backend, batch):
    """A problem among the first spins, whatever couples them, that the device holds as it is."""
    d = backend.descriptor
    n = min(12, d.units.most)
    pairs = d.topology.pairs(n)
    rng = np.random.default_rng(1)
    low, high = backend.capabilities.coupling_range
    size = int(min(-low, high, 20))
    J = rng.integers(-size, size, len(pairs), endpoint=True).astype(np.float32)
    h = rng.integers(-size, size, (batch, n), endpoint=True).astype(np.float32)
    return Problem((Layer("s", n, Spin()),), (Edges(n, pairs[:, 0], pairs[:, 1], J),), h)


def lowest(problem):
    """Return the lowest energy of each sample (b,), of all states there are."""
    n = problem.n
    states = 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1
    return problem.energy(np.repeat(states[None], problem.batch, axis=0)).min(axis=1)


def test_a_settle_finds_low_energies(backend):
    problem = whole_numbers(backend, 3)
    schedule = Annealing(tuple(np.linspace(0.002, 0.3, 200)))
    found = backend.settle(SettleRequest(problem, reads=16, schedule=schedule, seed=2))
    assert found.states.shape == (3, 16, problem.n)
    assert set(np.unique(found.states)) <= {-1.0, 1.0}
    best = lowest(problem)
    assert (found.energies.min(axis=1) <= best + 0.02 * np.abs(best)).all()
    details = found.provenance.details
    assert details["device"] == backend.descriptor.maker.model
    assert found.provenance.kind == backend.board.session.transport.kind


def test_a_nudge_moves_the_spins_it_pulls_at(backend):
    problem = whole_numbers(backend, 4)
    free = backend.settle(SettleRequest(problem, seed=2))
    high = backend.capabilities.field_range[1]
    force = np.zeros((4, problem.n), np.float32)
    force[:, -2:] = high / 2 * np.array([1, -1])
    nudge = LinearNudge(force)
    nudged = backend.settle(SettleRequest(problem, (nudge,), seed=3, initial=free.states))
    assert (nudged.states[:, 0, -2:] == np.sign(force[:, -2:])).mean() >= 0.95


def test_a_small_net_is_trained(device_url, tmp_path, monkeypatch):
    monkeypatch.setattr("isingeq.experiments.plots.draw", lambda *_: None)
    (tmp_path / "small.toml").write_text(SMALL)
    experiment = read_experiment(
        str(tmp_path / "small.toml"),
        overrides={"machine.backend": device_url, "mapping.layers": "auto"},
    )
    outcome = run.train(experiment, out=tmp_path / "run")
    assert outcome["epochs"] == 1
    assert 0 <= outcome["test_accuracy"] <= 1


def test_a_url_that_leads_nowhere_is_an_error():
    with pytest.raises(IsingeqError, match="cannot be opened"):
        open_board("/dev/nowhere")
