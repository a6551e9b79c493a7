"""EPClassifier: a scikit-learn classifier that is trained by equilibrium propagation on any backend."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from calibration import open_mapped
from isingeq.backend import Floats
from isingeq.errors import ConfigError
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Labels, SquaredError
from isingeq.learning.estimator import Estimator, Method
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.progress import Epoch
from isingeq.learning.trainer import Course, Listener, Trainer, predict
from isingeq.units import Amplitude, Layer, Spin, Unit

# Kind of the hidden units, kind of the output units, target of the classes that are not meant.
_UNITS: dict[str, tuple[Unit, Unit, float]] = {
    "amplitude": (Amplitude(), Amplitude(-np.inf, np.inf), 0.0),
    "spin": (Spin(), Spin(), -1.0),
}


@dataclass(frozen=True, eq=False)
class _Parts:
    """The samples that a fit trains on, and those that it watches itself on."""

    x_train: Floats
    y_train: Labels
    x_validation: Floats
    y_validation: Labels


class EPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """Classifies by the output layer of a settled network.

    Features are taken as they are, as float32. They act as fields on units whose range is [0, 1] or ±1, so bring them
    to about that scale, for example by a `MinMaxScaler` in front. A backend is opened by `fit`, and again by
    every `predict`, so a fitted classifier is plain data that can be copied, pickled and sent to other processes.

    Attributes:
        classes_: labels (classes,), sorted.
        n_features_in_: number of features.
        network_: what was trained.
        parameters_: weights and biases found.
        schedule_: what a backend that takes one settles by.
        history_: an `Epoch` for each pass over the data.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128,),
        *,
        unit: Literal["amplitude", "spin"] = "amplitude",
        backend: str = "conjugate",
        method: Method = "centred",
        nudging: float = 0.1,
        free_steps: int = 60,
        nudged_steps: int = 20,
        reads: int = 1,
        gain: float = 0.5,
        rate: float = 2e-3,
        anneal: Literal["constant", "linear", "cosine"] = "cosine",
        epochs: int = 60,
        batch_size: int = 32,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        threads: int = 1,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        """Take the settings; they are checked by `fit`.

        Args:
            hidden: units of each hidden layer.
            unit: kind of the hidden units; the output is of spins too, or linear above amplitudes.
            backend: SPEC of the backend to settle on, with what `mapping=auto` puts over it.
            method: kind of contrast.
            nudging: strength of the nudge, > 0.
            free_steps: most steps of the free phase, for backends that count steps.
            nudged_steps: most steps of a nudged phase.
            reads: states per sample, whose mean is taken.
            gain: of the initial weights.
            rate: learning rate of Adam.
            anneal: how the rate falls over the fit.
            epochs: passes over the data.
            batch_size: samples per update; all of them where there are fewer.
            validation_fraction: share of the samples held out of training, in proportion to the classes.
            patience: epochs without a better validation accuracy after which to stop and take the best parameters;
                None trains to the end and takes the last.
            threads: of the matrix products; those of a backend stand in its SPEC, as in `conjugate?threads=2`.
            random_state: seed of held-out samples, initial weights, order and settles.
        """
        self.hidden = hidden
        self.unit = unit
        self.backend = backend
        self.method = method
        self.nudging = nudging
        self.free_steps = free_steps
        self.nudged_steps = nudged_steps
        self.reads = reads
        self.gain = gain
        self.rate = rate
        self.anneal = anneal
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on features X (b, f) and labels y (b,) of any type.

        Raises:
            ConfigError: settings that make no sense, alone or together.
            CapabilityError: the backend cannot hold the network.
            ValueError: features or labels that scikit-learn refuses.
        """
        if self.patience is not None and not self.validation_fraction > 0:
            raise ConfigError("patience needs samples to watch: set validation_fraction above 0")
        x, targets = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(targets)
        self.classes_, labels = np.unique(targets, return_inverse=True)
        self._seed = _seed(self.random_state)
        parts = self._split(x, labels.astype(np.int64))
        history: list[Epoch] = []
        with closing(open_mapped(self.backend)) as backend, closing(Pool(self.threads)) as pool:
            trainer = Trainer(
                self._network(x.shape[1]),
                backend,
                parts,
                estimator=self._estimator,
                optimizer=Optimizer(rate=self.rate, anneal=self.anneal),
                course=Course(
                    epochs=self.epochs,
                    batch_size=min(self.batch_size, len(parts.x_train)),
                    patience=self.patience,
                    keep_best=self.patience is not None,
                ),
                seed=self._seed,
                pool=pool,
                gains=(self.gain,),
            )
            trainer.run(Listener(on_epoch=history.append))
        self.network_, self.parameters_ = trainer.network, trainer.result()
        self.schedule_, self.history_ = trainer.position.schedule, history
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label (b,) of each row of features X (b, f)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        with closing(open_mapped(self.backend)) as backend, closing(Pool(self.threads)) as pool:
            codes = predict(
                self.network_, backend, self.parameters_, x,
                estimator=self._estimator, schedule=self.schedule_, seed=self._seed, pool=pool,
            )  # fmt: skip
        return np.asarray(self.classes_[codes])

    @property
    def _estimator(self) -> Estimator:
        return Estimator(
            self.method, self.nudging, reads=self.reads, free_steps=self.free_steps, nudged_steps=self.nudged_steps
        )  # fmt: skip

    def _network(self, inputs: int) -> Network:
        """Return the network between the features and the classes."""
        if self.unit not in _UNITS:
            raise ConfigError(f"unit is {self.unit!r}, need one of {', '.join(_UNITS)}")
        inner, outer, low = _UNITS[self.unit]
        layers = [Layer(f"hidden{k}", size, inner) for k, size in enumerate(self.hidden, 1)]
        output = Layer("output", len(self.classes_), outer)
        return Network(inputs, (*layers, output), SquaredError(len(self.classes_), low=low))

    def _split(self, x: Floats, labels: Labels) -> _Parts:
        if not self.validation_fraction:
            return _Parts(x, labels, x[:0], labels[:0])
        x, x_validation, labels, y_validation = train_test_split(
            x, labels, test_size=self.validation_fraction, stratify=labels, random_state=self._seed
        )  # fmt: skip
        return _Parts(x, labels, x_validation, y_validation)


def _seed(random_state: int | np.random.RandomState | None) -> int:
    """Return a whole number as it is, so that a trainer of the same seed does the same; else draw one."""
    seeds = check_random_state(random_state)
    return int(random_state) if isinstance(random_state, Integral) else int(seeds.randint(2**31))
