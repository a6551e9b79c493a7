import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from isingeq import interop
from isingeq.errors import CapabilityError, ConfigError
from isingeq.interop import EPClassifier
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Trainer
from isingeq.registry import open_backend
from isingeq.tasks import load
from isingeq.units import Amplitude, Layer

QUICK = EPClassifier((8,), rate=0.03, epochs=5)


@parametrize_with_checks([EPClassifier((8,), rate=0.05, epochs=3)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    return MinMaxScaler().fit_transform(x), np.array(["setosa", "versicolor", "virginica"])[y]


def test_it_learns_and_answers_in_the_labels_given(iris):
    fitted = EPClassifier((16,), rate=0.02, epochs=30).fit(*iris)
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert fitted.n_features_in_ == 4
    assert fitted.score(*iris) > 0.93  # 0.33 by chance
    assert [epoch.epoch for epoch in fitted.history_] == list(range(1, 31))


def test_it_is_the_trainer_under_the_same_settings():
    """Bit for bit; every setting differs from its default, so that one which is not passed on is seen."""
    data = load("wine", validation_size=0)
    network = Network(
        13,
        (
            Layer("a", 9, Amplitude()),
            Layer("b", 7, Amplitude()),
            Layer("output", 3, Amplitude(-np.inf, np.inf)),
        ),
        SquaredError(3),
    )
    trainer = Trainer(
        network,
        open_backend("hopfield?update=synchronous"),
        data,
        estimator=Estimator("positive", nudging=0.3, free_steps=9, nudged_steps=4),
        optimizer=Optimizer(rate=0.01, anneal="linear"),
        course=Course(epochs=3, batch_size=11),
        seed=5,
        pool=Pool(),
        gains=(0.8,),
    )
    trainer.run()
    fitted = EPClassifier(
        (9, 7), backend="hopfield?update=synchronous", method="positive", nudging=0.3, free_steps=9, nudged_steps=4,
        gain=0.8, rate=0.01, anneal="linear", epochs=3, batch_size=11, random_state=5,
    ).fit(data.x_train, data.y_train)  # fmt: skip
    np.testing.assert_array_equal(fitted.parameters_.vector, trainer.parameters.vector)
    np.testing.assert_array_equal(fitted.predict(data.x_test), trainer.predict(data.x_test))


def test_spins_on_a_sampler_tell_two_classes_apart(iris):
    x, y = iris
    two = y != "virginica"
    spins = EPClassifier(
        (6,), unit="spin", backend="neal?beta=1&sweeps=10", nudging=0.3, reads=20, rate=0.03, epochs=12
    )  # fmt: skip
    fitted = spins.fit(x[two], y[two])
    assert fitted.score(x[two], y[two]) > 0.9  # 0.5 by chance
    assert {layer.unit.kind for layer in fitted.network_.layers} == {"spin"}


def test_pipeline_search_and_cross_validation_take_it(iris):
    pipeline = make_pipeline(MinMaxScaler(), QUICK)
    search = GridSearchCV(pipeline, {"epclassifier__rate": [1e-6, 0.03]}, cv=2).fit(*iris)
    assert search.best_params_ == {"epclassifier__rate": 0.03}
    assert cross_val_score(pipeline, *iris, cv=2).min() > 0.5


def test_a_fitted_one_survives_pickling(iris):
    fitted = clone(QUICK).fit(*iris)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).predict(iris[0]), fitted.predict(iris[0])
    )


def test_the_seed_decides(iris):
    def vector(random_state):
        return clone(QUICK).set_params(random_state=random_state).fit(*iris).parameters_.vector

    np.testing.assert_array_equal(vector(3), vector(3))
    assert (vector(3) != vector(4)).any()
    np.testing.assert_array_equal(
        vector(np.random.RandomState(3)), vector(np.random.RandomState(3))
    )


def test_patience_watches_held_out_samples_and_keeps_the_best(iris):
    patient = clone(QUICK).set_params(
        epochs=40, rate=0.2, anneal="constant", validation_fraction=0.2, patience=2
    )
    fitted = patient.fit(*iris)
    accuracies = [epoch.validation_accuracy for epoch in fitted.history_]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == best + 3 < 40
    to_best = patient.set_params(epochs=best + 1, patience=None)
    np.testing.assert_array_equal(
        fitted.parameters_.vector, clone(to_best).fit(*iris).parameters_.vector
    )


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"unit": "phase"}, ConfigError, "unit is 'phase', need one of amplitude, spin"),
        ({"backend": "conjugat"}, ConfigError, "did you mean 'conjugate'"),
        ({"nudging": 0.0}, ConfigError, "must be > 0"),
        ({"batch_size": 0}, ConfigError, "batch_size"),
        ({"patience": 2}, ConfigError, "set validation_fraction above 0"),
        ({"unit": "spin"}, CapabilityError, "spin"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, error, says, iris):
    with pytest.raises(error, match=says):
        clone(QUICK).set_params(**settings).fit(*iris)


def test_a_door_opens_its_own_library_only():
    """`isingeq.interop.bqm` must not bring scikit-learn along, nor the package everything."""
    code = (
        "import sys, isingeq.interop as i; assert not {'sklearn', 'dimod'} & set(sys.modules)\n"
        "i.to_bqm; assert 'dimod' in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        interop.nothing  # noqa: B018
