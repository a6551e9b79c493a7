"""What an experiment is made of, as it stands in a TOML file.

A file has the keys `name`, `seed` and `threads` and the tables `data`, `network`, `machine`, `mapping` and
`learning`; elsewhere a key is written with its table, as in `learning.nudging`. Everything is
checked before any work, and a key that is not known is refused.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, Field(pattern="^[^&]*$")]  # & parts the options of a SPEC
Option = bool | int | float | Text

CLOSED = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
_TUPLE = Field(strict=False)  # TOML has arrays, not tuples
NotNegativeCount = Annotated[int, Field(ge=0)]
OneOrMany = Count | Annotated[tuple[Count, ...], _TUPLE]
Pooling = Literal["max", "average", "soft"]


class Data(BaseModel):
    """Which examples, and how many.

    Attributes:
        name: of the data set.
        train_size: training examples; None for all that validation leaves.
        validation_size: taken out of the training part; None for a tenth of it.
        test_size: test examples; None for all.
        balanced: as many training examples of each class.
        seed: draws training and validation examples.
    """

    model_config = CLOSED

    name: str
    train_size: Count | None = None
    validation_size: Annotated[int, Field(ge=0)] | None = None
    test_size: Count | None = None
    balanced: bool = False
    seed: Seed = 0


class Network(BaseModel):
    """Layers between the inputs and the classes.

    Attributes:
        kind: of forces: those of an energy, or rates along links that lead one way.
        activation: of rate networks: what is seen of a unit.
        backward: of rate networks: no weights back (feedforward), weights of their own, or the same as forward.
        recurrent: of rate networks: every unit leads to every unit, in place of links between layers.
        skew: of rate networks: spectral norm of a fixed skew coupling of all units; 0 for none.
        fed: of rate networks: how many of the first layers the inputs reach.
        channels: of each layer of convolutions, the first over the images of the data set; none if left out.
        kernel: rows and columns of their windows; one for all or one per layer, as are the four that follow.
        stride: places that a window moves on.
        padding: zeros around the images.
        pool: rows and columns of the squares that are pooled; 1 for none.
        pooling: what a square comes to: its largest, its mean, or the logarithm of its mean exponential.
        sharpness: of soft pooling.
        skips: pairs of convolutions, numbered from 1, that are coupled beside those that follow one another.
        shared: all windows of a channel have the same weights; else every place of the image has its own.
        hidden: units of each dense hidden layer; without convolutions, one of 128 if left out.
        lattice: with sites, couples neighbouring units alone, outputs among the hidden ones (complete: all units);
            with channels, couples neighbours within each channel of a layer of images too; None for layers.
        sites: rows and columns of the lattice, with a unit at each.
        leaps: couple sites so many steps apart along a row or column of the lattice, too.
        shortcuts: couplings added between sites drawn at random.
        shortcut_seed: draws them.
        sheets: copies of the lattice, one upon the other; sites that lie within `kernel` of each other are coupled
            from sheet to sheet.
        inputs: site of every input, which is held there and acts on its neighbours alone; sites are numbered row by
            row from 0. Empty for inputs that act on all hidden units.
        outputs: site of every output unit; empty to have them spread.
        lateral: on a lattice, couple hidden units among themselves too, and not to outputs alone.
        unit: kind of the hidden units.
        output: kind of the output units: without walls, in the box [0, 1], spins, phases, or quartic.
        stiffness: of amplitudes, one for all layers or one per layer, outputs last; where it falls from layer to
            layer, a layer hears less from the one behind it.
        replicas: output units per class.
        single: two classes on one output unit, by its sign.
        cost: squared error (of the cosines of phases), cross-entropy with a readout of its own on the last hidden
            layer, or the logarithm of cosines of phases.
        gains: of the initial weights, one for all or one per weight matrix, input first.
        mean: of initial weights, drawn normally in place of by gains; None for gains.
        spread: standard deviation of these.
        field: size of the initial biases, their directions drawn at random.
        field_spread: standard deviation of these directions about 0, in radians; None for all directions alike.
        field_limit: input fields are cut to ± this, and counted; None for no limit.
        pump: of quartic units, the amplitudes of a coherent Ising machine.
        injection: second harmonic that phases start with, trained from there; None for none.
    """

    model_config = CLOSED

    kind: Literal["energy", "rate"] = "energy"
    activation: Literal["tanh", "logistic", "hard", "identity"] = "tanh"
    backward: Literal["none", "own", "tied"] = "none"
    recurrent: bool = False
    skew: NotNegative = 0.0
    fed: Count = 1
    channels: Annotated[tuple[Count, ...], _TUPLE] = ()
    kernel: OneOrMany = 3
    stride: OneOrMany = 1
    padding: NotNegativeCount | Annotated[tuple[NotNegativeCount, ...], _TUPLE] = 0
    pool: OneOrMany = 1
    pooling: Pooling | Annotated[tuple[Pooling, ...], _TUPLE] = "max"
    sharpness: Positive = 4.0
    skips: Annotated[tuple[Annotated[tuple[Count, Count], _TUPLE], ...], _TUPLE] = ()
    shared: bool = True
    hidden: Annotated[tuple[Count, ...] | None, _TUPLE] = None
    lattice: Literal["kings", "square", "complete"] | None = None
    sites: Annotated[tuple[Count, Count] | None, _TUPLE] = None
    leaps: Annotated[tuple[Count, ...], _TUPLE] = ()
    shortcuts: NotNegativeCount = 0
    shortcut_seed: Seed = 0
    sheets: Count = 1
    inputs: Annotated[tuple[NotNegativeCount, ...], _TUPLE] = ()
    outputs: Annotated[tuple[NotNegativeCount, ...], _TUPLE] = ()
    lateral: bool = True
    unit: Literal["amplitude", "spin", "logistic", "phase", "quartic"] = "amplitude"
    output: Literal["linear", "box", "spin", "phase", "quartic"] = "linear"
    stiffness: Annotated[tuple[Positive, ...], _TUPLE, Field(min_length=1)] = (1.0,)
    replicas: Count = 1
    single: bool = False
    cost: Literal["squared_error", "cross_entropy", "log_cosine"] = "squared_error"
    gains: Annotated[tuple[NotNegative, ...], _TUPLE, Field(min_length=1)] = (1.0,)
    mean: float | None = None
    spread: NotNegative = 0.0
    field: NotNegative = 0.0
    field_spread: NotNegative | None = None
    field_limit: Positive | None = None
    pump: float = 0.0
    injection: float | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of each dense hidden layer, where there are layers."""
        if self.hidden is None:
            return () if self.channels else (128,)
        return self.hidden


class Machine(BaseModel):
    """Where to settle: a SPEC, and more of its options, whatever the backend takes.

    Attributes:
        backend: SPEC.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Option] = Field(init=False)

    backend: str = "conjugate"

    @property
    def options(self) -> dict[str, Option]:
        """Options beside the SPEC."""
        return dict(self.__pydantic_extra__)

    @property
    def spec(self) -> str:
        """The SPEC with all options in its query."""
        texts = [
            f"{key}={str(value).lower() if isinstance(value, bool) else value}"
            for key, value in self.options.items()
        ]
        if not texts:
            return self.backend
        return f"{self.backend}{'&' if '?' in self.backend else '?'}{'&'.join(texts)}"


class Mapped(BaseModel):
    """What stands between the network and the machine; see `calibration.mapped`.

    Attributes:
        layers: auto adds what the capabilities of the backend ask for, none refuses what does not fit.
        calibration: file or folder of `isingeq calibrate`, to correct by; None for none.
        max_age_h: hours since that was made beyond which it is refused; None for any age.
        headroom: range over largest value, at the least, where no limits are known beforehand.
        rounding: to steps or levels: to the nearest, or by chance with the right mean.
        programmings: of a settle, reads spread over them; more than 1 needs stochastic rounding.
        chain_strength: of embedded units, in units of the network's couplings; None for a rule.
        gauges: spin reversals that the reads of a settle are spread over; 0 for none.
        copies: of the network on the chip, each a read of its own.
        check_every: settles from one check for drift to the next; 0 for none.
        drift_reserve: by how much offsets may drift, as a share of the end of the range of fields.
        seed: of stochastic rounding, gauges, checks and searches for embeddings.
    """

    model_config = CLOSED

    layers: Literal["auto", "none"] = "auto"
    calibration: str | None = None
    max_age_h: Positive | None = None
    headroom: Annotated[float, Field(ge=1)] = 2.0
    rounding: Literal["nearest", "stochastic"] = "nearest"
    programmings: Count = 1
    chain_strength: Positive | None = None
    gauges: Annotated[int, Field(ge=0)] = 0
    copies: Count = 1
    check_every: Annotated[int, Field(ge=0)] = 0
    drift_reserve: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: Seed = 0


class Learning(BaseModel):
    """How equilibria become updates, and for how long; see `Estimator`, `Optimizer` and `Course`.

    Attributes:
        estimator: kind of contrast; or a baseline: recurrent backprop, the same unrolled (bptt), or plain backprop.
            Of rate networks: asymmetric, dyadic, vector_field, plain, or the exact adjoint.
        nudging: strength of the nudge.
        points: nudged phases of the holomorphic estimator.
        free_steps: most steps of the free phase.
        nudged_steps: most steps of a nudged phase.
        tolerance: residual at which a phase stops.
        precision: of the arithmetic of settles.
        displacements: settle nudged phases as displacements from the free state, to a tolerance times the nudging: a
            nudge may then be as small as one likes. Simulators of amplitudes alone, without noise.
        reads: states per sample.
        select: contrast the mean over reads, or the read of lowest energy.
        tangent: nudge by the cost's slope at the free state as a constant force, and not by the cost itself.
        skip_correct: leave out samples whose output is right already.
        reject: leave out reads in which a unit moved further than this when nudged, and count them; None keeps all.
        kolen_pollack: of rate networks: weights there and back both get the mean of their gradients.
        homeostasis: of rate networks: strength of a penalty ½ ‖J − Jᵀ‖² on the Jacobian of the forces; 0 for none.
        optimizer: sgd or adam.
        rate: learning rate.
        rates: factor on the rate for each weight matrix, input first, and for the biases of the layer that it leads
            to; empty for 1.
        bias_rate: one more factor on the rate for biases.
        momentum: of sgd, or first-moment decay of adam.
        second: second-moment decay of adam.
        decay: weight decay.
        anneal: how the rate falls over the run.
        final_rate: share of the rate left at the end.
        warmup: share of the run in which the rate first rises from 0 on a straight line.
        clip_norm: gradients that are longer are scaled down to this length, and counted; None for no limit.
        weight_limit: parameters are kept in ± this; None for no limit.
        epochs: after each there is a validation, a line of metrics and a checkpoint.
        passes: over the training part in an epoch.
        batch_size: samples per update.
        shift: training images move by up to so many pixels along each axis, anew every time.
        flip: training images are mirrored left to right half of the time, where their classes allow it.
        warm_start: free phases start from the free states of the epoch before.
        patience: epochs without a better validation accuracy after which to stop; None for never.
        stop_cost: mean training cost of an epoch at which to stop; None for never.
        test_starts: settle every test example from so many starts of its own, each judged for itself; None judges the
            reads together.
        keep_best: use the parameters of the best validation accuracy instead of the last ones.
        renew_every: updates after which the schedule of a relaxing machine is found anew.
        checkpoint_every_s: seconds between checkpoints inside an epoch.
    """

    model_config = CLOSED

    estimator: Literal[
        "centred", "positive", "negative", "holomorphic", "coupled", "recurrent", "bptt", "backprop",
        "asymmetric", "dyadic", "vector_field", "plain", "adjoint",
    ] = "centred"  # fmt: skip
    nudging: Positive = 0.1
    points: Annotated[int, Field(ge=2)] = 2
    free_steps: Count = 100
    nudged_steps: Count = 50
    tolerance: NotNegative = 1e-3
    precision: Literal["float32", "float64"] = "float32"
    displacements: bool = False
    reads: Count = 1
    select: Literal["mean", "best"] = "mean"
    tangent: bool = False
    skip_correct: bool = False
    reject: Positive | None = None
    kolen_pollack: bool = False
    homeostasis: NotNegative = 0.0
    optimizer: Literal["sgd", "adam"] = "adam"
    rate: NotNegative = 1e-3
    rates: Annotated[tuple[NotNegative, ...], _TUPLE] = ()
    bias_rate: NotNegative = 1.0
    momentum: Share = 0.9
    second: Share = 0.999
    decay: NotNegative = 0.0
    anneal: Literal["constant", "linear", "cosine"] = "constant"
    final_rate: NotNegative = 0.0
    warmup: Share = 0.0
    clip_norm: Positive | None = None
    weight_limit: Positive | None = None
    epochs: Count = 10
    passes: Count = 1
    batch_size: Count = 32
    shift: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    warm_start: bool = False
    patience: Count | None = None
    stop_cost: float | None = None
    test_starts: Count | None = None
    keep_best: bool = False
    renew_every: Count = 200
    checkpoint_every_s: NotNegative = 300.0


class Experiment(BaseModel):
    """A whole experiment.

    Attributes:
        name: of the experiment, first part of its run folders' names.
        seed: of initial weights, order of the samples and settles.
        threads: of kernels and matrix products.
        data: examples.
        network: layers.
        machine: backend.
        mapping: layers on it.
        learning: estimator, optimizer and course.
    """

    model_config = CLOSED

    name: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")]
    seed: Seed = 0
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    data: Data
    network: Network = Network()
    machine: Machine = Machine()
    mapping: Mapped = Mapped()
    learning: Learning = Learning()

    @property
    def settled_on(self) -> str:
        """SPEC of the backend that gives the gradients; backprop settles nowhere."""
        return "backprop" if self.learning.estimator == "backprop" else self.machine.spec
