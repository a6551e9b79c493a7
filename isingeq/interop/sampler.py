"""IsingEqSampler: any backend that has spins, as a sampler of dimod."""

import secrets
from dataclasses import asdict, fields
from enum import StrEnum
from numbers import Integral
from threading import Lock
from typing import Any, Literal

import dimod
import numpy as np
from numpy.typing import NDArray

from calibration import MappingOptions, open_mapped
from isingeq.backend import Backend, Equilibrium, SettleRequest
from isingeq.errors import CapabilityError, ConfigError, ProblemError
from isingeq.interop.bqm import from_bqm
from isingeq.schedule import Schedule, schedule_data

Generator = Literal["random", "tile", "none"]
_INFO = ("provenance", "schedule", "timing")


class IsingEqSampler(dimod.Sampler):  # type: ignore[misc]  # dimod has no types
    """Samples binary quadratic models, of spins or of 0 and 1, on a backend.

    One sample set row stands for one read, in the order drawn. A backend that answers with a distribution over states
    (`exact`) has `num_reads` independent states drawn from it. Models keep their labels and their kind of variable, and
    energies are those of the model asked for, in float64, whatever precision the backend works in.

    A sampler may be called from several threads, as hybrid workflows do; the calls then take turns.
    """

    def __init__(self, backend: str | Backend) -> None:
        """Take a backend.

        Args:
            backend: SPEC of one to open, which `close` closes again, with what `mapping=auto` puts over it; or an
                open one, which stays its owner's to close.

        Raises:
            CapabilityError: the backend has no spins.
            ConfigError: a SPEC that is not understood.
        """
        self._owned = isinstance(backend, str)
        self._backend = (
            open_mapped(backend, options=MappingOptions(headroom=1))
            if isinstance(backend, str)
            else backend
        )
        self._spec = backend if isinstance(backend, str) else backend.name
        self._turn = Lock()
        units = self._backend.capabilities.units
        if "spin" not in units:
            self.close()
            raise CapabilityError(
                f"{self._spec} has no spins, its units are {', '.join(sorted(units)) or 'none'}: "
                "take a backend of spins, or read this one out as spins if it can"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r})"

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Keyword arguments that `sample` takes on this backend, and which properties tell about each."""
        c = self._backend.capabilities
        start = ("initial_states", "initial_states_generator") if c.warm_start else ()
        return {
            "num_reads": [],
            "seed": [],
            **{name: ["warm_start"] for name in start},
            **({"schedule": ["schedules"]} if c.schedules else {}),
        }

    @property
    def properties(self) -> dict[str, object]:
        """Name and capabilities of the backend, as plain data."""
        c = self._backend.capabilities
        return {
            "backend": self._backend.name,
            **{part.name: _plain(getattr(c, part.name)) for part in fields(c)},
        }

    def sample(
        self,
        bqm: dimod.BinaryQuadraticModel,
        *,
        num_reads: int | None = None,
        seed: int | None = None,
        initial_states: Any = None,
        initial_states_generator: Generator = "random",
        schedule: Schedule | None = None,
        **unknown: object,
    ) -> dimod.SampleSet:
        """Return `num_reads` samples of a model; `sample_ising` and `sample_qubo` take the same arguments.

        Args:
            bqm: model of spins or of 0 and 1, with any labels.
            num_reads: samples wanted; as many as there are initial states by default, or 1.
            seed: 0 to 2^63 − 1; None draws one, which `info` shows.
            initial_states: samples-like of dimod, over the model's variables, a row per read. Without them a backend
                starts in its own way. More rows than reads are cut off.
            initial_states_generator: what to do about too few rows: fill up with random states, repeat them from the
                first on ("tile"), or refuse ("none").
            schedule: to settle by; None for the one that the backend suggests.
            **unknown: refused.

        Returns:
            Sample set whose `info` holds the provenance, the schedule run and the seconds taken; all None for a model
            without variables, whose one state nobody has to look for.

        Raises:
            ConfigError: an argument that is not known, or out of its range.
            CapabilityError: the backend cannot hold the model, take a start or follow the schedule.
            ProblemError: a model or initial states that make no sense.
            BackendError: the backend failed, or is closed.
        """
        if unknown:
            raise ConfigError(
                f"{self!r} takes no {', '.join(sorted(unknown))}; it takes {', '.join(self.parameters)}, "
                "and the options of the backend in its SPEC"
            )
        if seed is None:
            seed = secrets.randbits(32)
        given = None if initial_states is None else _states(initial_states, bqm)
        num_given = 0 if given is None else len(given)
        reads = max(1, num_given) if num_reads is None else num_reads
        for name, value, least in (("num_reads", reads, 1), ("seed", seed, 0)):
            if not isinstance(value, Integral) or not least <= int(value) < 2**63:
                raise ConfigError(f"{name} must be a whole number >= {least}, got {value!r}")
        reads, seed = int(reads), int(seed)
        start = _start(given, initial_states_generator, (reads, bqm.num_variables), seed)
        up, info = np.zeros((reads, 0), np.bool_), dict.fromkeys(_INFO)
        if bqm.num_variables:
            problem, _ = from_bqm(bqm)
            with self._turn:
                schedule = schedule or self._backend.suggest_schedule(problem)
                result = self._backend.settle(
                    SettleRequest(problem, reads=reads, schedule=schedule, seed=seed, initial=start)
                )
            up = _drawn(result) > 0
            told = result.provenance.as_dict(), schedule_data(schedule), asdict(result.timing)
            info = dict(zip(_INFO, told, strict=True))
        samples = up.astype(np.int8)
        if bqm.vartype is dimod.SPIN:
            samples = 2 * samples - 1
        energies = np.asarray(bqm.energies((samples, bqm.variables)), np.float64)
        return dimod.SampleSet.from_samples(
            (samples, bqm.variables), bqm.vartype, energy=energies, info=info, sort_labels=False
        )

    def close(self) -> None:
        """Close the backend, if the sampler opened it."""
        if self._owned:
            self._backend.close()


def _states(given: object, bqm: dimod.BinaryQuadraticModel) -> NDArray[np.float32]:
    """Return initial states as spins (rows, n), in the order of the model's variables.

    Raises:
        ProblemError: no samples, of other variables, or of other values than −1 and 1 or 0 and 1.
    """
    try:
        samples, labels = dimod.as_samples(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"initial states are not samples-like: {error}") from error
    column = {variable: place for place, variable in enumerate(labels)}
    if column.keys() != set(bqm.variables):
        raise ProblemError(
            f"initial states have {len(column)} variables, of which the model has "
            f"{len(column.keys() & set(bqm.variables))} of its {bqm.num_variables}: give each variable a state"
        )
    # Up is 1 in both kinds, so samples of either kind are good for a model of either kind.
    low = -1 if (samples < 0).any() else 0
    if not np.isin(samples, (low, 1)).all():
        raise ProblemError("initial states are -1 and 1, or 0 and 1, these are not: choose one")
    ordered = samples[:, [column[variable] for variable in bqm.variables]]
    return np.where(ordered > 0, np.float32(1), np.float32(-1))


def _start(
    given: NDArray[np.float32] | None, generator: Generator, shape: tuple[int, int], seed: int
) -> NDArray[np.float32] | None:
    """Return one state per read (1, reads, n), shape being the last two; None where the backend is to find its own.

    Raises:
        ConfigError: too few states for the generator, or no such generator.
    """
    num_given = 0 if given is None else len(given)
    needed = {"random": 0, "tile": 1, "none": shape[0]}
    if generator not in needed:
        raise ConfigError(
            f"initial_states_generator must be one of {', '.join(needed)}, got {generator!r}"
        )
    if num_given < needed[generator]:
        raise ConfigError(
            f"initial_states_generator={generator!r} needs {needed[generator]} or more initial states for "
            f"{shape[0]} reads, got {num_given}: give them, or have them drawn by 'random'"
        )
    if given is None:
        return None
    if generator != "random":
        return np.resize(given, (1, *shape))
    # A read's random state depends on its place alone, not on how many states were given.
    random = np.random.Generator(np.random.Philox(seed))
    states = random.integers(0, 2, (1, *shape), np.int8).astype(np.float32) * 2 - 1
    states[0, :num_given] = given[: shape[0]]
    return states


def _drawn(result: Equilibrium) -> NDArray[np.floating]:
    """Return the states read (reads, n), or as many drawn by the weights where states have weights."""
    if result.weights is None:
        return result.states[0]
    random = np.random.Generator(np.random.Philox(result.request.seed))
    sums = result.weights[0].cumsum()
    uniform = random.random(result.request.reads) * sums[-1]
    return result.states[0, np.searchsorted(sums, uniform, side="right")]


def _plain(value: Any) -> object:
    """Return a capability as what JSON can hold: sets of names or classes as sorted names."""
    if isinstance(value, frozenset):
        return sorted(part if isinstance(part, str) else part.__name__ for part in value)
    return value.value if isinstance(value, StrEnum) else value
