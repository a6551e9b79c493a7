"""A board of a pool fails: the answer is that of a quiet day, and no sample is lost or settled twice."""

import logging
import signal
import threading
import time

import numpy as np
import pytest
from boards import whole_numbers

from drivers.errors import DeviceTimeoutError, LinkLostError
from drivers.member import FIRST_PAUSE_S
from isingeq.backend import SettleRequest
from isingeq.registry import open_backend
from isingeq.terms import LinearNudge

OPTIONS = "baud=115200&sweeps=8&timeout=1&recovery=0.2"
PLAN = '[[incidents]]\nkind = "{kind}"\nopcode = "RUN"\nnth = {nth}\nseconds = {seconds}\n'


class Lab:
    """A pool of boards, some of which have a plan of faults; time for pauses is the test's."""

    def __init__(self, path, plans, *, number=3):
        lines = []
        for uid in range(1, number + 1):
            faults = ""
            if uid in plans:
                plan = path / f"plan{uid}.toml"
                kind, nth, seconds = plans[uid]
                plan.write_text(PLAN.format(kind=kind, nth=nth, seconds=seconds))
                faults = f"&faults={plan}"
            lines.append(f'"model://ref-arm192?uid={uid}{faults}"')
        (path / "lab.toml").write_text(f"boards = [{', '.join(lines)}]\n")
        self.pool = open_backend(f"pool:{path / 'lab.toml'}?{OPTIONS}")
        self.now = 0.0
        for member in self.pool.members:
            member.clock = lambda: self.now

    def samples(self, answer):
        return [board["samples"] for board in answer.provenance.details["boards"]]

    def drops(self, answer):
        return [board["drops"] for board in answer.provenance.details["boards"]]


@pytest.fixture
def lab(tmp_path):
    labs = []

    def build(plans, **options):
        labs.append(Lab(tmp_path, plans, **options))
        return labs[-1]

    yield build
    for one in labs:
        one.pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("pool ")]


def run(backend, *, settles=3, batch=15):
    """Free and nudged phases with new couplings each time; states of all, and the last answer."""
    states = []
    for seed in range(settles):
        free = backend.settle(SettleRequest(whole_numbers(32, batch, seed=seed), seed=seed))
        both = free.request.problem.with_fields(np.tile(free.request.problem.fields, (2, 1)))
        force = np.where(np.arange(2 * batch) < batch, 4.0, -4.0)[:, None] * (np.arange(32) > 26)
        start = np.tile(free.states, (2, 1, 1))
        answer = backend.settle(SettleRequest(both, (LinearNudge(force),), seed=99, initial=start))
        states += [free.states, answer.states]
    return states, answer


@pytest.fixture(scope="module")
def quiet_day():
    backend = open_backend(f"model://ref-arm192?{OPTIONS}")
    states, _ = run(backend)
    backend.close()
    return states


FAULTS = {
    "unplugged for ever in a free phase": ("unplug", 4, "inf"),
    "unplugged for ever in a nudged phase": ("unplug", 2, "inf"),
    "stuck for ever in the first run": ("stall", 1, "inf"),
    "stuck for ever between nudged phases": ("stall", 6, "inf"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_others_take_the_samples_of_a_board_that_fails(fault, lab, quiet_day, caplog):
    some = lab({2: FAULTS[fault]})
    with caplog.at_level(logging.WARNING):
        states, answer = run(some.pool)
    for ours, wanted in zip(states, quiet_day, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    assert some.drops(answer) == [0, 1, 0]
    assert some.samples(answer)[1] == 0
    assert sum(some.samples(answer)) == 30
    (record,) = caplog.records
    assert record.message.startswith("model://ref-arm192 (uid 0x2) is left out")


def test_boards_fail_one_after_the_other_until_one_is_left(lab, quiet_day):
    some = lab({1: ("stall", 2, "inf"), 3: ("unplug", 5, "inf")})
    states, answer = run(some.pool)
    for ours, wanted in zip(states, quiet_day, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    assert some.samples(answer) == [0, 30, 0]


def test_two_fail_in_one_settle(lab, quiet_day):
    some = lab({1: ("stall", 3, "inf"), 2: ("unplug", 3, "inf")})
    states, answer = run(some.pool)
    for ours, wanted in zip(states, quiet_day, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    assert some.drops(answer) == [1, 1, 0]


def test_when_none_is_left_its_error_is_raised(lab):
    some = lab(dict.fromkeys((1, 2), ("unplug", 2, "inf")), number=2)
    request = SettleRequest(whole_numbers(16, 6))
    some.pool.settle(request)
    for _ in range(2):
        with pytest.raises(LinkLostError, match="unplugged"):
            some.pool.settle(request)


def test_a_stuck_board_is_given_up_by_its_timeout(lab):
    some = lab({1: ("stall", 1, "inf")}, number=1)
    with pytest.raises(DeviceTimeoutError):
        some.pool.settle(SettleRequest(whole_numbers(16, 6)))


def test_time_lost_with_a_board_that_fails_counts(lab):
    some = lab({2: ("stall", 1, "inf")}, number=2)
    timing = some.pool.settle(SettleRequest(whole_numbers(32, 8))).timing
    assert timing.link_s > 1.0  # the timeout
    assert timing.device_s > 0  # and only then the other board could begin, which so was last


def test_a_board_takes_part_again_when_it_answers(lab, caplog):
    some = lab({2: ("stall", 1, 4.0)})
    request = SettleRequest(whole_numbers(32, 12))
    first = some.pool.settle(request)
    assert some.samples(first) == [6, 0, 6]
    late = some.pool.members[1]
    assert some.samples(some.pool.settle(request))[1] == 0  # not tried before its pause is over
    some.now += FIRST_PAUSE_S
    late.look(wait=True)  # still stuck: 2.5 s of its own time go by
    assert late.absent
    some.now += FIRST_PAUSE_S
    late.look(wait=True)
    assert late.absent  # the pause has doubled, so nothing was asked
    some.now += FIRST_PAUSE_S
    caplog.clear()
    with caplog.at_level(logging.INFO):
        late.look(wait=True)
    assert not late.absent
    assert [record.message for record in caplog.records] == [
        "model://ref-arm192 (uid 0x2) answers again"
    ]
    last = some.pool.settle(request)
    assert min(some.samples(last)) > 0
    np.testing.assert_array_equal(last.states, first.states)
    assert some.drops(last) == [0, 1, 0]


def test_all_are_asked_at_once_when_none_is_there(lab):
    """No pause is waited for while nobody else could work."""
    some = lab({1: ("stall", 1, 3.0)}, number=1)
    request = SettleRequest(whole_numbers(32, 12))
    with pytest.raises(DeviceTimeoutError):
        some.pool.settle(request)
    wanted = open_backend(f"model://ref-arm192?{OPTIONS}").settle(request).states
    np.testing.assert_array_equal(some.pool.settle(request).states, wanted)


class Mute:
    """A line on wall time from which nothing ever comes."""

    url, kind, baud = "mute", "simulated", None

    def now(self):
        return time.monotonic()

    def read(self, timeout):
        time.sleep(max(0.0, timeout))
        return b""

    def write(self, data):
        pass

    def close(self):
        pass


def test_an_interrupt_ends_a_settle_at_once_and_the_boards_go_on(lab):
    some = lab({})
    request = SettleRequest(whole_numbers(32, 12))
    before = some.pool.settle(request).states
    session = some.pool.members[1].backend.board.session
    line = session.transport._line
    session.transport._line, session.timeout = Mute(), 60.0
    session.transport.now, session.transport.write = Mute().now, Mute().write
    main = threading.main_thread().ident
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        some.pool.settle(request)
    assert time.monotonic() - started < 20  # 60 s and more if it were not heard
    session.transport._line = line
    session.transport.now, session.transport.write = line.now, line.write
    np.testing.assert_array_equal(some.pool.settle(request).states, before)
    some.pool.members[1].look(wait=True)
    assert not some.pool.members[1].absent


def test_an_error_of_ours_is_not_taken_for_one_of_a_board(lab, monkeypatch):
    some = lab({})
    board = some.pool.members[1].backend.board
    monkeypatch.setattr(type(board), "settle", lambda self, job, **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        some.pool.settle(SettleRequest(whole_numbers(16, 6)))
