import csv
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from isingeq import registry
from isingeq.backends.simulator import hopfield
from isingeq.errors import BackendError, ConfigError
from isingeq.experiments import comparison
from isingeq.experiments.comparison import COLUMNS, Row, compare, split_specs
from isingeq.experiments.reading import validate
from isingeq.experiments.run import Stopped
from isingeq.learning import checkpoint


class Failing:
    """Settles a number of times, then fails."""

    name = "failing"

    def __init__(self, error: Exception) -> None:
        self.inner, self.left, self.error = hopfield(), 20, error
        self.capabilities = self.inner.capabilities
        self.suggest_schedule, self.close = self.inner.suggest_schedule, self.inner.close

    def settle(self, request):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.inner.settle(request)


@pytest.fixture
def with_failing(monkeypatch):
    """Register the backends `failing` and `crashing` beside the genuine ones."""
    genuine = registry.entry_points
    errors = {"failing": BackendError("lost its head: put it back"), "crashing": KeyError("kelvin")}
    points = [
        SimpleNamespace(name=name, load=lambda error=error: lambda argument: Failing(error))
        for name, error in errors.items()
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [*genuine(group=group), *points])


def test_every_backend_starts_from_the_same_parameters_and_order(blobs, tmp_path):
    frozen = validate(
        {
            **blobs.model_dump(exclude_none=True),
            "learning": {"rate": 0.0, "epochs": 1, "batch_size": 10},
        }
    )
    compare(frozen, ["conjugate", "hopfield?update=gradient"], num_seeds=2, out=tmp_path / "out")
    vectors = {
        path.parent.name: checkpoint.load(path).arrays["parameters"]
        for path in (tmp_path / "out").glob("*/checkpoint.npz")
    }
    assert sorted(vectors) == ["1-conjugate-3", "1-conjugate-4", "2-hopfield-3", "2-hopfield-4"]
    assert np.array_equal(vectors["1-conjugate-3"], vectors["2-hopfield-3"])
    assert np.array_equal(vectors["1-conjugate-4"], vectors["2-hopfield-4"])
    assert not np.array_equal(vectors["1-conjugate-3"], vectors["1-conjugate-4"])


@pytest.mark.parametrize(
    ("spec", "says"),
    [("failing", "lost its head: put it back"), ("crashing", "KeyError: 'kelvin'")],
)
def test_a_backend_that_fails_midway_says_why_and_the_others_finish(
    blobs, tmp_path, with_failing, spec, says
):
    result = compare(blobs, ["hopfield", spec, "conjugate"], num_seeds=2, out=tmp_path / "out")
    first, failed, last = result.rows
    assert failed.problem == says
    assert failed.accuracies == []
    for row in (first, last):
        assert (len(row.accuracies), row.problem, row.provenance) == (2, "", "simulated")
        assert row.samples_per_s > 0
        assert 0 < row.nudged_steps < row.free_steps
        assert row.cosine > 0.8
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert says in text
    assert text.count("(n = 2)") == 2
    with (tmp_path / "out" / "comparison.csv").open() as file:
        records = list(csv.DictReader(file))
    assert [record["backend"] for record in records] == ["hopfield", spec, "conjugate"]
    assert float(records[0]["test_accuracy"]) == np.mean(first.accuracies)
    assert records[1]["test_accuracy"] == ""


def test_a_backend_that_cannot_hold_the_network_says_so(blobs, tmp_path):
    result = compare(blobs, ["neal", "nothing"], out=tmp_path / "out")
    assert "amplitude units" in result.rows[0].problem
    assert "no backend is called 'nothing'" in result.rows[1].problem


def test_the_interval_is_students(blobs):
    accuracies = [0.90, 0.95, 0.91, 0.94]
    row = Row("any", accuracies)
    low, high = stats.t.interval(0.95, 3, np.mean(accuracies), stats.sem(accuracies))
    assert row.interval == pytest.approx((high - low) / 2, rel=1e-12)
    assert row.cells()[1] == f"92.50 ± {50 * (high - low):.2f} % (n = 4)"
    assert len(row.cells()) == len(COLUMNS)
    assert Row("any", [0.9]).interval is None


def test_an_interrupted_comparison_keeps_what_it_has(blobs, tmp_path, monkeypatch):
    genuine, calls = comparison.train, []

    def once(experiment, **options):
        calls.append(experiment.machine.backend)
        return genuine(experiment, **options) if len(calls) == 1 else Stopped(options["out"], 0)

    monkeypatch.setattr(comparison, "train", once)
    result = compare(blobs, ["hopfield", "conjugate", "null"], out=tmp_path / "out")
    assert result.interrupted
    assert calls == ["hopfield", "conjugate"]
    assert [bool(row.accuracies) for row in result.rows] == [True, False, False]
    assert "interrupted" in (tmp_path / "out" / "comparison.md").read_text()


@pytest.mark.parametrize(
    ("given", "specs"),
    [
        (["neal"], ["neal"]),
        (["hopfield, neal"], ["hopfield", "neal"]),
        (["pool:model://a,model://b"], ["pool:model://a,model://b"]),
        (
            ["neal,pool:/dev/a,COM3, model://c*4?baud=9600,/dev/d,exact"],
            ["neal", "pool:/dev/a,COM3,model://c*4?baud=9600", "/dev/d", "exact"],
        ),
        (["pool:/dev/a,neal,/dev/b"], ["pool:/dev/a", "neal", "/dev/b"]),
        (["/dev/a,/dev/b"], ["/dev/a", "/dev/b"]),
        (["pool:/dev/a", "/dev/b"], ["pool:/dev/a", "/dev/b"]),
        (
            ["model://a?faults=flip:0.1,drop:0.1", " neal"],
            ["model://a?faults=flip:0.1,drop:0.1", "neal"],
        ),
    ],
)
def test_commas_part_specs_but_not_the_boards_of_a_pool(given, specs):
    assert split_specs(given) == specs


@pytest.mark.parametrize("given", [[""], ["neal,,exact"], ["neal", ""], ["neal?=1"]])
def test_what_is_no_spec_is_refused_before_anything_runs(given):
    with pytest.raises(ConfigError, match="is not NAME"):
        split_specs(given)
