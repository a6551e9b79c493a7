"""Chips measured: what was put into them is found, with errors that are what they say."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from measuring import FAULTY, chip, faults_agree, pulls

from calibration.measure import Progress, StoppedError, measure
from isingeq.backend import (
    Backend,
    Capabilities,
    Equilibrium,
    SettleRequest,
    check_request,
)
from isingeq.errors import CalibrationError, ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend

QUICK = {"precision": 0.03, "only": ("fields", "couplings")}
SMALL = "profile:kings-256?rows=8&columns=8&seed=5"


@pytest.fixture(scope="module")
def found():
    """All procedures on one faulty chip, whose drift takes a hundredth of a second."""
    opened = chip(f"{SMALL}&{FAULTY}&stuck_rate=0.05&settle_s=1e-6")
    return opened, measure(opened, precision=0.02, seed=2)


def test_gains_and_offsets_are_within_their_errors(found):
    opened, measured = found
    for name, pull in pulls(opened, measured).items():
        assert pull.size > 40, name
        assert np.abs(pull).max() < 4.5, name
        assert np.mean(np.abs(pull) < 3) >= 0.97, name
        assert pull.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * pull.size)), name
        assert abs(pull.mean()) < 4.5 / np.sqrt(pull.size), name
    assert measured.quantities["coupling_gain"].median_error < 0.022
    assert measured.quantities["coupling_gain"].spread() == pytest.approx(0.05, rel=0.25)


def test_what_is_dead_or_stuck_is_named_and_nothing_else(found):
    opened, measured = found
    assert (opened.mismatch.stuck != 0).any()
    assert opened.mismatch.dead_units.any()
    assert opened.mismatch.dead_edges.any()
    assert faults_agree(opened, measured)


def test_what_the_whole_chip_has_is_found(found):
    _, measured = found
    for name, true in (("mean_readout_error", 0.01), ("crosstalk", 0.01)):
        q = measured.quantities[name]
        assert abs(q.value[0] - true) < 4.5 * q.error[0], name
        assert q.error[0] < 0.15 * true, name
    asked = measured.conditions["schedule"]["betas"][-1]
    for name in ("beta_coupling", "beta_field"):
        assert measured.quantities[name].value[0] == pytest.approx(asked, rel=0.03)
    assert 1 <= measured.quantities["settle_sweeps"].value[0] <= 16
    assert not measured.quantities["drift"].good[0]
    assert np.isfinite(measured.curves["transfer_mean"]).all()


def test_corrections_hold_what_was_found(found):
    _, measured = found
    corrections, graph = measured.corrections(), measured.graph
    q = measured.quantities["coupling_gain"]
    assert np.allclose(corrections.coupling_gain[q.good], q.value[q.good], rtol=0.3, atol=1e-3)
    assert (corrections.coupling_gain[~q.good] == 0).all()
    lost = corrections.dead_units
    assert corrections.dead_edges[lost[graph.i] | lost[graph.j]].all()
    assert np.array_equal(lost, ~measured.works)


def test_an_ideal_chip_raises_no_alarm():
    opened = chip("profile:kings-256?rows=8&columns=8&readout_error=0&gain_sigma=0&offset_sigma=0")
    measured = measure(opened, precision=0.02, seed=4)
    assert measured.works.all()
    assert not measured.dead_edges.any()
    for name, pull in pulls(opened, measured).items():
        assert np.abs(pull).max() < 4.5, name
    for name in ("drift", "noise"):
        assert not measured.quantities[name].good[0], name
    assert (
        abs(measured.quantities["crosstalk"].value[0])
        < 4 * measured.quantities["crosstalk"].error[0]
    )


def test_offsets_of_couplers_on_a_full_graph_do_not_bias_each_other():
    opened = chip(
        "profile:ideal?units=24&coupling_offset_sigma=0.05&gain_sigma=0.05&offset_sigma=0.1"
    )
    measured = measure(opened, precision=0.01, only=("fields", "couplings"))
    for name, pull in pulls(opened, measured).items():
        assert pull.std() < 1 + 4.5 / np.sqrt(2 * pull.size), name
        assert np.abs(pull).max() < 4.8, name


def test_drift_is_followed():
    opened = chip(f"{SMALL}&offset_sigma=12&drift_s=0.001&settle_s=1e-6")
    measured = measure(opened, precision=0.01, only=("drift",))
    spread, time_s = (measured.quantities[name] for name in ("drift", "drift_time"))
    assert abs(spread.value[0] - 12) < 4.5 * spread.error[0]
    assert abs(time_s.value[0] - 0.001) < 4.5 * time_s.error[0]
    assert time_s.error[0] < 0.0003
    assert measured.curves["spectrum_power"][0] > 3 * measured.curves["spectrum_of_counting"][0]


def test_noise_shows_in_the_shape_of_the_transfer_curve():
    opened = chip(f"{SMALL}&noise_sigma=80&offset_sigma=0&gain_sigma=0")
    measured = measure(opened, precision=0.01, only=("fields", "transfer"))
    noise = measured.quantities["noise"]
    assert abs(noise.value[0] - 80) < 4.5 * noise.error[0]
    assert noise.error[0] < 12


def test_the_number_of_reads_is_kept_to_and_told():
    seen: list[Progress] = []
    told = []
    opened = chip(f"{SMALL}&gain_sigma=0.05")
    options = {**QUICK, "precision": 0.015}
    measured = measure(opened, reads=60_000, watch=seen.append, told=told.append, **options)
    assert measured.conditions["reads"] == seen[-1].reads <= 63_000
    assert told[0].reads <= 60_000
    assert told[0].seconds > 0
    assert 0.018 < measured.quantities["coupling_gain"].median_error < 0.04
    assert {p.procedure for p in seen} >= {"working point", "faults", "fields", "couplings"}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"reads": 30_000}, CalibrationError, "do not make a measurement converge"),
        ({"only": ("gains",)}, ConfigError, "no procedure is called gains; there are fields"),
        ({"precision": 0.0}, ConfigError, "precision lies above 0"),
        ({"units": 65}, ConfigError, "64 units"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, error, says):
    with pytest.raises(error, match=says) as caught:
        measure(chip(SMALL), **{**QUICK, "precision": 0.01, **options})
    assert "\n" not in str(caught.value)


@dataclass
class Coins:
    """A chip that has come loose: whatever it is asked, it tosses coins."""

    inner: Backend

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def suggest_schedule(self, problem: Problem):
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        found = self.inner.settle(request)
        coins = np.random.default_rng(request.seed).choice([-1.0, 1.0], found.states.shape)
        return replace(found, states=coins)

    def close(self) -> None:
        self.inner.close()


def test_a_chip_that_answers_nothing_does_not_converge():
    with pytest.raises(CalibrationError, match="does not converge") as caught:
        measure(Coins(chip(SMALL)), **QUICK)
    assert "\n" not in str(caught.value)


@dataclass
class Coarse(Coins):
    """A chip whose couplers are off, or at one value of either sign."""

    levels: tuple[float, ...] = (-80.0, 0.0, 80.0)

    @property
    def capabilities(self) -> Capabilities:
        c = self.inner.capabilities
        return replace(c, coupling_step=None, coupling_levels=self.levels)

    def settle(self, request: SettleRequest) -> Equilibrium:
        check_request(self.name, self.capabilities, request)
        return self.inner.settle(request)


def test_a_chip_of_few_values_is_measured_at_those():
    opened = chip(f"{SMALL}&{FAULTY}")
    measured = measure(Coarse(opened), **QUICK)
    assert measured.conditions["coupling_levels"] == (-80, 80)
    assert np.abs(pulls(opened, measured)["coupling_gain"]).max() < 4.5
    with pytest.raises(CalibrationError, match="couples at -80, 80: 0, and"):
        measure(Coarse(opened, (-80.0, 80.0)), **QUICK)


def test_it_stops_between_settles_when_told():
    calls = iter(range(100))
    with pytest.raises(StoppedError):
        measure(chip(SMALL), stop=lambda: next(calls) > 5, **QUICK)
    assert next(calls) == 7


def test_a_machine_that_answers_like_a_threshold_has_faults_but_no_gains():
    measured = measure(open_backend("coherent?sweeps=50"), units=6, precision=0.2)
    assert measured.works.all()
    for name in ("field_gain", "coupling_offset"):
        assert not measured.quantities[name].good.any()
        assert "threshold" in measured.quantities[name].why


def test_couplings_whose_smallest_step_is_too_strong_are_left_out_and_fields_are_not():
    """Oscillators have a temperature of their own, and whole-number couplings no level at which a pair is halfway."""
    measured = measure(open_backend("profile:umn-a2a-48?seed=1"), units=8, precision=0.3)
    for name in ("coupling_gain", "coupling_offset"):
        assert not measured.quantities[name].good.any()
        assert "smallest coupling is too strong" in measured.quantities[name].why
    assert "beta_coupling" not in measured.quantities
    assert measured.quantities["field_gain"].good.all()
    assert 1 < measured.quantities["beta_field"].value[0] < 10


@pytest.mark.parametrize(
    ("spec", "says"), [("hopfield", "no spins"), ("exact", "with weights"), ("gibbs", "--units")]
)
def test_what_cannot_be_measured_is_refused(spec, says):
    units = None if spec == "gibbs" else 4
    with pytest.raises((CalibrationError, ConfigError), match=says):
        measure(open_backend(spec), units=units)


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["kings-256?", "ideal?units=64&"])
def test_errors_are_what_they_say_on_ten_chips(graph):
    faults = FAULTY if "kings" in graph else FAULTY.replace("=1.3", "=0.01").replace("=6", "=0.05")
    pull: dict[str, list[np.ndarray]] = {}
    for seed in range(10):
        opened = chip(f"profile:{graph}{faults}&stuck_rate=0.01&seed={seed}")
        measured = measure(opened, precision=0.02, only=("fields", "couplings"), seed=seed)
        assert faults_agree(opened, measured), seed
        for name, some in pulls(opened, measured).items():
            pull.setdefault(name, []).append(some)
    for name, parts in pull.items():
        every = np.concatenate(parts)
        assert np.mean(np.abs(every) < 3) >= 0.99, name
        assert np.abs(every).max() < 5.5, name
        # Errors of readout errors are never below that of the mean, and so a little large.
        least = 0.85 if name == "readout_error" else 0.94
        assert least < every.std() < 1.06, name
