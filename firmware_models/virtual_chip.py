"""Virtual chips: a machine of `isingeq` behind the graph, the ranges and the imperfections of a profile.

A chip settles J' and h' of `analog`, in its own units, on its physics. Noise is one more field for each read. A stuck
spin is a field on its neighbours. A spin without any coupling, field or nudge of its own is not simulated: it feels
its offset alone, and is drawn from that at the last beta of the schedule (it follows its field where there are no
betas). Spins beyond those of a problem are switched off.

The clock of a chip, by which it drifts, is that of its profile: programming whenever couplings change, then settle,
readout and delay for each read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from time import perf_counter
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from firmware_models.analog import Drift, Imperfections, Mismatch, noise_key
from firmware_models.chip_clock import Clock
from firmware_models.chip_options import chip_with
from firmware_models.chip_profile import ChipProfile
from firmware_models.readout import idle_spins, keys_of, misread, normals
from firmware_models.wired import Nudge, Wired, nudge_of
from firmware_models.wires import Wires
from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.errors import BackendError, ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.schedule import Annealing, Schedule
from isingeq.spins import held_spins
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term
from isingeq.units import Layer, Spin

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(eq=False)
class VirtualChip:
    """One chip of a kind, told from others by its seed.

    Attributes:
        profile: of its kind.
        imperfections: that its kind has.
        seed: number of the chip.
        assumed: what of all this was assumed, and why.
        name: SPEC.
        physics: settles what the chip makes of a problem.
        wires: couplers.
        mismatch: how it is made: the truth, which no measurement sees.
    """

    profile: ChipProfile
    imperfections: Imperfections
    seed: int = 0
    assumed: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    physics: Backend = field(init=False, repr=False)
    wires: Wires = field(init=False, repr=False)
    mismatch: Mismatch = field(init=False, repr=False)
    _adviser: Backend = field(init=False, repr=False)
    _drift: Drift = field(init=False, repr=False)
    _key: int = field(init=False, repr=False)
    _clock: Clock = field(init=False, repr=False)
    _wired: Wired | None = field(default=None, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        p, wrong = self.profile, self.imperfections
        self.name = self.name or f"profile:{p.name}"
        if self.seed < 0:
            raise ConfigError(f"{self.name}: chips are counted from 0, got seed={self.seed}")
        self.wires = Wires.of(p.topology, p.units.most)
        if not self.wires.n and not self.ideal:
            raise ConfigError(
                f"{self.name} has no number of spins, and imperfections need one: add units=…"
            )
        self._clock = Clock(p.timing)
        if wrong.drift_s is not None and p.timing.settle_s is None:
            raise ConfigError(
                f"{self.name} drifts by its own clock, and its timing is not known: add settle_s=…"
            )
        uid = crc32(p.name.encode())
        self.mismatch = Mismatch.draw(wrong, self.wires, uid=uid, seed=self.seed)
        self._drift = Drift(wrong, self.mismatch.field_offset, uid=uid, seed=self.seed)
        self._key = noise_key(uid, self.seed)
        # One settles what the chip has, one is asked for schedules of what it was told: each keeps its own prepared.
        self.physics, self._adviser = (open_backend(p.physics.spec) for _ in range(2))
        if unfit := self._unfit():
            self.close()
            raise ConfigError(f"{self.name}: {unfit}")

    def _unfit(self) -> str:
        """Say why the physics is not one of a chip like this; empty where it is."""
        spec, c = self.profile.physics.spec, self.physics.capabilities
        if "spin" not in c.units or LinearNudge not in c.terms:
            return f"the physics of a chip settles spins, {spec} has {', '.join(sorted(c.units)) or 'no'} units"
        if self._weighs and self.imperfections.readout_error:
            return f"{spec} weighs states, and readout errors are of states drawn: add draw=true or readout_error=0"
        return ""

    @property
    def ideal(self) -> bool:
        """True where nothing is imperfect."""
        return self.imperfections == Imperfections()

    @cached_property
    def capabilities(self) -> Capabilities:
        """Spins in the ranges and steps of the profile; the claim of the physics where the chip is ideal, else none."""
        below, p = self.physics.capabilities, self.profile
        return Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=below.claim if self.ideal else Claim.NONE,
            terms=frozenset({LinearNudge, QuadraticNudge}) | (below.terms & {Clamp}),
            schedules=below.schedules,
            max_units=self.wires.n or below.max_units,
            connectivity=self.wires.connectivity,
            field_range=p.field.range,
            coupling_range=p.coupling.range,
            field_step=p.field.spacing,
            coupling_step=p.coupling.spacing,
            coupling_levels=p.coupling.levels if p.coupling.spacing is None else None,
            warm_start=below.warm_start,
            split_invariant=below.split_invariant and self.imperfections.drift_s is None,
        )

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the physics suggests for the couplings that the chip is told."""
        return self._adviser.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle what the chip makes of a problem; see `Backend.settle`.

        Raises:
            CapabilityError: a nudged field out of its range or between its steps.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        if self._closed:
            raise BackendError(f"{self.name} is closed: open it again")
        problem, reads, sigma = request.problem, request.reads, self.imperfections.noise_sigma
        (b, n), schedule = problem.fields.shape, request.schedule or self.suggest_schedule(problem)
        nudge = nudge_of(self.name, self.capabilities, request)
        held, _ = held_spins(problem, request.terms)
        wired = self._wired_of(problem)
        used = wired.coupled | held
        if nudge is not None:
            used[nudge.units] = True
        active = self._active(problem, used)
        h: Floats = self._real_fields(problem, wired)
        pull = None if nudge is None else self._real_force(problem, nudge)
        keys = keys_of(self._key, request.seed, samples=b, reads=reads)
        if sigma:  # every read has fields of its own: to the physics it is a sample
            h = np.repeat(h, reads, axis=0) + normals(keys, n, sigma)
        below = Problem(
            (Layer("chip", int(active.sum()), Spin()),), wired.among(active), _columns(h, active)
        )
        initial = None if request.initial is None else _columns(request.initial, active)
        if initial is not None and sigma:
            initial = initial.reshape(b * reads, 1, -1)
        found = self.physics.settle(
            SettleRequest(
                below, _terms(request, pull, active, reads if sigma else 1), 1 if sigma else reads, schedule,
                request.seed, initial, request.tolerance, request.max_steps, request.precision,
            )
        )  # fmt: skip
        states = found.states.reshape(b, -1, below.n)
        rows = states.shape[1]
        if rows != reads:  # the physics weighs all states
            keys = keys_of(self._key, request.seed, samples=b, reads=rows)
        if below.n < n:
            idle = np.flatnonzero(~active)
            # Told nothing, an idle spin has its offset in all samples, unless something else comes to it.
            own = h[:, idle] if sigma or self.imperfections.crosstalk else h[:1, idle]
            rest = idle_spins(own, self._stuck(n)[idle], idle, keys, _last_beta(schedule))
            states = _joined(states, active, rest.reshape(b, rows, -1))
        if self.imperfections.readout_error:
            states = misread(states, self.imperfections.readout_error, keys, held)
        details = {**found.provenance.details, **self._identity}
        weights, steps = found.weights, found.steps
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(self.name, "simulated", request.seed, details),
            weights=None if weights is None else (weights * (b / len(weights))).reshape(b, rows),
            steps=None if steps is None else steps.reshape(b, rows),
            timing=Timing(
                host_s=perf_counter() - started,
                device_s=self._clock.work(problem.version, b * reads),
            ),
        )

    def close(self) -> None:
        """Close the physics."""
        self._closed = True
        self.physics.close()
        self._adviser.close()

    @cached_property
    def _identity(self) -> dict[str, object]:
        """What tells the chip, and what is known of it, in every provenance."""
        p, ideal = self.profile, asdict(Imperfections())
        made = crc32(repr((p, self.imperfections)).encode())
        return {
            "profile": p.name,
            "vendor": p.maker.vendor,
            "device": p.maker.model,
            "chip": self.seed,
            "uid": f"{made:#010x}-{self.seed}",
            "physics": p.physics.spec,
            "imperfections": {k: v for k, v in asdict(self.imperfections).items() if v != ideal[k]},
            "assumed": dict(self.assumed),
            "energy_per_settle_j": p.energy_per_settle_j,
        }

    @property
    def _weighs(self) -> bool:
        """True where the physics returns every state with its weight."""
        return not getattr(self.physics, "draw", True)

    def _wired_of(self, problem: Problem) -> Wired:
        """Return the couplings as the chip has them, made when they change."""
        key = (problem.structure, problem.version)
        if self._wired is None or self._wired.key != key:
            mismatch = None if self.ideal else self.mismatch
            self._wired = Wired.of(problem, self.wires, mismatch, self.name)
        return self._wired

    def _real_fields(self, problem: Problem, wired: Wired) -> Floats:
        """Return h' of the fields without nudges (b, n)."""
        if self.ideal:
            return problem.fields
        n = problem.n
        h = self.mismatch.response(problem.fields, self.wires)
        h += (self._drift.to(self._clock.now_s)[:n] + wired.from_stuck).astype(h.dtype)
        h[:, self.mismatch.dead_units[:n]] = 0
        return h

    def _real_force(self, problem: Problem, nudge: Nudge) -> Floats:
        """Return the force of a nudge on all spins (b, n), as the chip has it."""
        force: Floats = np.zeros(problem.fields.shape)
        force[:, nudge.units] = nudge.force
        if self.ideal:
            return force
        if self.mismatch.crosstalk:
            force = self.mismatch.response(force, self.wires)
        else:
            force[:, nudge.units] *= 1 + self.mismatch.field_gain[nudge.units]
        force[:, self.mismatch.dead_units[: problem.n]] = 0
        return force

    def _stuck(self, n: int) -> NDArray[np.int8]:
        """Return −1 or +1 where one of the first n spins is stuck, else 0."""
        return np.zeros(n, np.int8) if self.ideal else self.mismatch.stuck[:n]

    def _active(self, problem: Problem, used: Mask) -> Mask:
        """Return which spins are simulated (n,), those used and those under fields; at least one."""
        n = problem.n
        stuck = self._stuck(n) != 0
        if self._weighs:
            return ~stuck
        rest = np.flatnonzero(~used)
        active = used.copy()
        if rest.size:
            active[rest] = problem.fields[:, rest].any(axis=0)
        if not self.ideal:
            active &= ~(stuck | self.mismatch.dead_units[:n])
        if not active.any():
            active[np.argmin(stuck)] = True
        return active


def _last_beta(schedule: Schedule | None) -> float:
    """Return the inverse temperature at the end, infinite where a schedule has none."""
    return schedule.betas[-1] if isinstance(schedule, Annealing) else np.inf


def _joined(states: Floats, active: Mask, rest: NDArray[np.int8]) -> Floats:
    """Return states (b, r, n) of the spins simulated and of the rest."""
    full = np.empty((*states.shape[:2], active.size), states.dtype)
    full[..., active] = states
    full[..., ~active] = rest
    return full


def _columns(values: Floats, active: Mask) -> Floats:
    return values if active.all() else np.ascontiguousarray(values[..., active])


def _rows(values: Floats, times: int) -> Floats:
    return values if times == 1 else np.repeat(values, times, axis=0)


def _terms(
    request: SettleRequest, pull: Floats | None, active: Mask, times: int
) -> tuple[Term, ...]:
    """Return nudges as the chip has them, and clamps, on the spins simulated; `times` rows for each sample."""
    terms: list[Term] = []
    if pull is not None:
        terms.append(LinearNudge(_rows(_columns(pull, active), times)))
    for term in request.terms:
        if isinstance(term, Clamp):
            terms.append(Clamp(term.mask[active], _rows(_columns(term.values, active), times)))
    return tuple(terms)


_NO_OPTIONS = ("argument", "physics_options")


def profile(
    argument: str, *, seed: int = 0, ideal: bool = False, physics: str | None = None, units: int | None = None,
    rows: int | None = None, columns: int | None = None, bits: int | None = None, field_bits: int | None = None,
    coupling_range: float | None = None, field_range: float | None = None, gain_sigma: float | None = None,
    coupling_offset_sigma: float | None = None, field_gain_sigma: float | None = None,
    offset_sigma: float | None = None, noise_sigma: float | None = None, crosstalk: float | None = None,
    drift_s: float | None = None, readout_error: float | None = None, stuck_rate: float | None = None,
    dead_spin_rate: float | None = None, dead_coupler_rate: float | None = None,
    programming_s: float | None = None, settle_s: float | None = None, readout_s: float | None = None,
    delay_s: float | None = None, threads: int | None = None, **physics_options: str,
) -> VirtualChip:  # fmt: skip
    """Open a virtual chip; SPEC `profile:kings-256?seed=3&bits=4&gain_sigma=0.05`, `profile:my-chip.toml?ideal`.

    Args:
        argument: name of a profile that ships, or path of one.
        seed: number of the chip.
        ideal: leave imperfections out; those given as options stay.
        physics: a machine instead of that of the profile.
        units: spins, of a chip that couples every pair.
        rows: of a lattice.
        columns: of a lattice.
        bits: of couplings, over their range.
        field_bits: of fields, over their range.
        coupling_range: largest coupling of either sign.
        field_range: largest field of either sign.
        gain_sigma: this and what follows, in place of the profile's: see `analog.Imperfections`.
        coupling_offset_sigma: as above.
        field_gain_sigma: as above.
        offset_sigma: as above.
        noise_sigma: as above.
        crosstalk: as above.
        drift_s: as above.
        readout_error: as above.
        stuck_rate: as above.
        dead_spin_rate: as above.
        dead_coupler_rate: as above.
        programming_s: seconds of the chip, in place of the profile's.
        settle_s: as above.
        readout_s: as above.
        delay_s: as above.
        threads: of the physics, where it takes threads.
        physics_options: of the physics, as in sweeps=50.

    Raises:
        ConfigError: no such profile, or values that make no sense.
    """
    given = {k: v for k, v in locals().items() if v is not None and k not in _NO_OPTIONS}
    del given["seed"], given["ideal"]
    shown = {"seed": seed or None, "ideal": ideal or None, **given, **physics_options}
    shown.pop("threads", None)  # answers do not depend on them
    query = "&".join(k if v is True else f"{k}={v}" for k, v in shown.items() if v is not None)
    made, imperfections, assumed = chip_with(
        argument, given, ideal=ideal, physics_options=physics_options
    )
    name = f"profile:{argument}" + f"?{query}" * bool(query)
    return VirtualChip(made, imperfections, seed, assumed, name)
