"""Several boards answer as one of them does, in a fraction of the time."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boards import url_of, whole_numbers

from drivers.errors import InUseError
from isingeq.backend import SettleRequest
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.registry import open_backend
from isingeq.terms import Clamp, LinearNudge

ROOT = Path(__file__).parents[2]
ONE, FOUR = (
    "model://ref-arm192?baud=115200&sweeps=8",
    "pool:model://ref-arm192*4?baud=115200&sweeps=8",
)


@pytest.fixture
def opened():
    backends = []

    def opener(spec):
        backends.append(open_backend(spec))
        return backends[-1]

    yield opener
    for backend in backends:
        backend.close()


def nudged(free, *, outputs=5, seed=1):
    """A request for both nudged phases, each sample from its free state."""
    problem, b = free.request.problem, free.request.problem.batch
    force = np.zeros((2 * b, problem.n), np.float32)
    force[:b, -outputs:] = np.random.default_rng(seed).choice([-6, 6], (b, outputs))
    force[b:] = -force[:b]
    start = np.concatenate([free.states] * 2)
    both = problem.with_fields(np.concatenate([problem.fields] * 2))
    return SettleRequest(
        both, (LinearNudge(force),), reads=free.request.reads, seed=9, initial=start
    )


def phases(backend, batches):
    """Free and nudged states of some batches, new couplings with each."""
    found = []
    for seed, batch in enumerate(batches):
        free = backend.settle(SettleRequest(whole_numbers(32, batch, seed=seed), seed=seed))
        found += [free, backend.settle(nudged(free))]
    return found


def test_a_pool_answers_as_one_board_bit_for_bit(opened):
    batches = [24, 24, 7, 3, 130]
    for one, four in zip(phases(opened(ONE), batches), phases(opened(FOUR), batches), strict=True):
        np.testing.assert_array_equal(one.states, four.states)
        assert four.states.dtype == one.states.dtype


@pytest.mark.parametrize("apart", [False, True])
def test_reads_clamps_and_starts_are_those_of_one_board(opened, apart):
    problem = whole_numbers(20, 9, seed=3)
    rng = np.random.default_rng(0)
    start = rng.choice([-1.0, 1.0], (9, 3, 20))
    start = start if apart else np.repeat(start[:, :1], 3, axis=1)
    mask = np.arange(20) % 7 == 0
    clamp = Clamp(mask, np.where(mask, rng.choice([-1.0, 1.0], (9, 20)), 0.0))
    request = SettleRequest(problem, (clamp,), reads=3, seed=5, initial=start)
    one, four = (opened(spec).settle(request) for spec in (ONE, FOUR))
    np.testing.assert_array_equal(one.states, four.states)
    assert len(np.unique(one.states.reshape(27, 20), axis=0)) > 5


def test_more_reads_than_a_run_has_rows_for(opened):
    request = SettleRequest(whole_numbers(64, 2), reads=900)
    one, four = (opened(spec).settle(request) for spec in (ONE, FOUR))
    np.testing.assert_array_equal(one.states, four.states)
    again = opened(ONE).settle(replace(request, reads=3)).states
    np.testing.assert_array_equal(again, one.states[:, :3])
    most = 3072 // 8
    assert not np.array_equal(one.states[:, :most], one.states[:, most : 2 * most])


def sent(answer):
    """Bytes sent to each board so far."""
    details = answer.provenance.details
    return [board["link"]["sent"] for board in details.get("boards", [details])]


@pytest.mark.parametrize("spec", [ONE, FOUR])
def test_a_nudged_phase_stays_in_its_slots(opened, spec):
    """Only the outputs' fields travel: starts and all other fields are on the board that has the sample."""
    backend = opened(spec)
    free = backend.settle(SettleRequest(whole_numbers(64, 32)))
    both = backend.settle(nudged(free))
    boards = len(sent(both))
    assert sum(sent(both)) - sum(sent(free)) < 2 * 32 * 5 + 300 * boards < 32 * 64
    if boards > 1:
        shares = [board["samples"] for board in both.provenance.details["boards"]]
        assert shares == [16] * 4


def test_four_boards_take_less_than_a_third_of_the_time_of_one(opened):
    """Line and device, 128 samples on 64 spins; the couplings are there."""
    times = []
    for spec in (ONE, FOUR):
        backend, problem = opened(spec), whole_numbers(64, 128)
        backend.settle(SettleRequest(problem))
        fields = problem.fields[::-1].copy()
        free = backend.settle(SettleRequest(problem.with_fields(fields), seed=1))
        both = backend.settle(nudged(free))
        times.append(sum(e.timing.link_s + e.timing.device_s for e in (free, both)))
    assert times[0] >= 3.2 * times[1]


def test_slow_boards_get_fewer_samples(opened, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(
        'boards = ["model://ref-arm192?uid=1&baud=19200", "model://ref-arm192?uid=2"]\n'
    )
    pool = opened(f"pool:{path}?baud=115200&sweeps=4")
    problem = whole_numbers(64, 60)
    shares = []
    for seed in range(6):
        free = pool.settle(SettleRequest(problem, seed=seed))
        problem = problem.with_fields(-problem.fields)
        shares.append([board["samples"] for board in free.provenance.details["boards"]])
    assert shares[0] == [30, 30]
    slow, fast = shares[-1]
    assert slow + fast == 60
    assert 1 <= slow < 20
    assert free.timing.link_s > 0


def test_the_time_is_that_of_the_last_board(opened, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('boards = ["model://ref-arm192?baud=9600", "model://ref-arm192"]\n')
    pool, slow = opened(f"pool:{path}?sweeps=4"), opened("model://ref-arm192?baud=9600&sweeps=4")
    problem = whole_numbers(32, 8)
    both = pool.settle(SettleRequest(problem)).timing
    alone = slow.settle(SettleRequest(problem.with_fields(problem.fields[:4]))).timing
    assert both.link_s == pytest.approx(alone.link_s, rel=0.05)
    assert both.device_s == pytest.approx(alone.device_s)


def test_provenance_names_every_board(opened):
    answer = opened(FOUR).settle(SettleRequest(whole_numbers(16, 8), seed=4))
    provenance = answer.provenance
    assert (provenance.kind, provenance.seed) == ("simulated", 4)
    assert provenance.backend == "pool:model://ref-arm192*4"
    boards = provenance.details["boards"]
    assert [board["uid"] for board in boards] == ["0x1", "0x2", "0x3", "0x4"]
    assert sum(board["samples"] for board in boards) == 8
    assert all(board["link"]["sent"] > 0 and board["drops"] == 0 for board in boards)


def test_capabilities_are_what_all_boards_have(opened):
    mixed = opened("pool:model://ref-arm192,model://ref-avr64").capabilities
    small, alike = opened("model://ref-avr64").capabilities, opened(FOUR).capabilities
    assert mixed.max_units == small.max_units < alike.max_units
    assert mixed.coupling_range == small.coupling_range
    assert alike.split_invariant
    assert not mixed.split_invariant
    with pytest.raises(CapabilityError, match="at most"):
        opened("pool:model://ref-arm192,model://ref-avr64").settle(
            SettleRequest(whole_numbers(small.max_units + 1, 2))
        )


WRONG = {
    "pool:": (ConfigError, "needs boards"),
    "pool:,": (ConfigError, "needs boards"),
    "pool:neal": (ConfigError, "device paths and URLs"),
    "pool:model://ref-arm192*0": (ConfigError, "needs boards"),
    "pool:model://ref-arm192*65": (
        ConfigError,
        r"ref-arm192\*65 stands for too many .* 64 at most",
    ),
    "pool:model://ref-arm192*100000": (ConfigError, "64 at most after the star"),
    "pool:missing.toml": (
        ConfigError,
        "^list of boards missing.toml cannot be read: No such file or directory$",
    ),
    "pool:model://ref-arm192*2?uid=7": (InUseError, "same device 0x7"),
    "pool:model://ref-arm192*2?colour=red": (ConfigError, "colour"),
    "pool:model://ref-arm192*2?record=talk.jsonl": (ConfigError, "record one by itself"),
    "pool:model://ref-arm192*2?sweeps=0": (ConfigError, "sweeps >= 1"),
}


@pytest.mark.parametrize("spec", WRONG)
def test_what_makes_no_pool_is_refused(spec):
    error, said = WRONG[spec]
    with pytest.raises(error, match=said):
        open_backend(spec)


def test_a_list_of_boards_is_a_list(tmp_path):
    path = tmp_path / "lab.toml"
    for text, said in (
        ("boards = []", "needs boards"),
        ("board = 1", "board is not known"),
        ("=", "read"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            open_backend(f"pool:{path}")


def test_boards_of_other_graphs_are_refused(tmp_path):
    ring = tmp_path / "ring.toml"
    text = (ROOT / "drivers/profiles/ref-avr64.toml").read_text()
    ring.write_text(text.replace('kind = "all"', 'kind = "square"\nrows = 8\ncolumns = 8'))
    with pytest.raises(ConfigError, match="in another graph"):
        open_backend(f"pool:model://ref-avr64,model://{ring}")


def test_emulated_boards_answer_as_their_model(opened):
    emulated = opened("pool:" + url_of("lm3s").replace("lm3s", "lm3s*2") + "?sweeps=8")
    for one, two in zip(phases(opened(ONE), [12]), phases(emulated, [12]), strict=True):
        np.testing.assert_array_equal(one.states, two.states)
        assert two.provenance.kind == "emulated"


def test_closing_lets_go_of_all(opened):
    before = threading.active_count()
    pool = opened(FOUR)
    pool.settle(SettleRequest(whole_numbers(16, 8)))
    assert threading.active_count() == before + 4
    pool.close()
    assert threading.active_count() == before
    with pytest.raises(BackendError, match="is closed"):
        pool.settle(SettleRequest(whole_numbers(16, 8)))
    pool.close()
