"""A pool: several boards as one backend, each with a share of the batch and a thread of its own.

Sample k draws the same random numbers whichever board it lands on, so a pool of boards that are alike and seeded
answers as one of them does, bit for bit. A phase that goes on from the one before (a nudged one, of b samples or
several times b) sends every sample to the board that has its state. Boards get samples by how fast they were.

A board that fails is left out, and the others take its samples at once. When its pause is over it is tried again, in
its own thread, and takes part again once it answers. An error is raised only when no board is left.

The time of a settle is that of the board which was last, on the boards' own clocks.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from drivers.agreement import common_capabilities, kind_of, weakest_kind
from drivers.descriptor import Descriptor
from drivers.job import Job
from drivers.member import Member, Outcome
from drivers.split import is_good, split
from isingeq.backend import (
    Capabilities,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.errors import BackendError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, schedule_data

Numbers = NDArray[np.intp]


@dataclass(eq=False)
class Pool:
    """Settles problems on several boards.

    Attributes:
        name: SPEC.
        members: the boards.
        capabilities: what all of them have.
    """

    name: str
    members: Sequence[Member]
    capabilities: Capabilities = field(init=False, repr=False)
    _owners: Numbers | None = field(default=None, init=False, repr=False)
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.capabilities = common_capabilities([member.backend for member in self.members])

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return what the board suggests that goes least cold."""
        suggested = (member.backend.suggest_schedule(problem) for member in self.members)
        return min(suggested, key=lambda schedule: schedule.betas[-1])

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem, its samples spread over the boards that answer; see `Backend.settle`.

        Raises:
            DeviceError: no board is left.
        """
        used = thread_time()
        check_request(self.name, self.capabilities, request)
        if self._closed:
            raise BackendError(f"{self.name} is closed: open it again")
        wanted = request.schedule or self.suggest_schedule(request.problem)
        schedule = self.members[0].backend.schedule_of(replace(request, schedule=wanted))
        shape = (request.problem.batch, request.reads, request.problem.n)
        work = _Work(self.members, self._jobs(request, schedule), np.empty(shape, np.int8))
        self._muster()
        owners = self._assign(request)
        work.run(owners)
        if request.initial is None:
            self._owners = owners
        return Equilibrium(
            request=request,
            states=work.spins.astype(request.precision),
            provenance=self._provenance(request, schedule, owners),
            steps=np.full(shape[:2], len(schedule.betas)),
            timing=work.timing(thread_time() - used),
        )

    def close(self) -> None:
        """Let go of all boards, of each even if another one makes trouble."""
        self._closed = True
        with ExitStack() as stack:
            for member in self.members:
                stack.callback(member.close)

    def _jobs(self, request: SettleRequest, schedule: Annealing) -> list[tuple[Job, ...]]:
        """Return the batch as each board takes it, made once for boards that are alike."""
        made: dict[Descriptor, tuple[Job, ...]] = {}
        for member in self.members:
            lowering = member.backend.lowering
            if lowering.descriptor not in made:
                made[lowering.descriptor] = lowering.jobs(request, schedule)
        return [made[member.backend.lowering.descriptor] for member in self.members]

    def _muster(self) -> None:
        """See which boards are there; where none is, ask all of them."""
        for member in self.members:
            member.look()
        if all(member.absent for member in self.members):
            for member in self.members:
                member.try_again()
            for member in self.members:
                member.look(wait=True)
        if all(member.absent for member in self.members):
            raise self.members[0].error

    def _assign(self, request: SettleRequest) -> Numbers:
        """Return which board gets each sample (b,): the one that has its state, where it goes on from there."""
        batch, kept = request.problem.batch, self._owners
        present = _present(self.members)
        paces = [self.members[k].pace for k in present]
        if request.initial is not None and kept is not None and batch % len(kept) == 0:
            owners = np.tile(kept, batch // len(kept))
            lost = ~np.isin(owners, present)
            owners[lost] = _dealt(present, split(int(lost.sum()), paces))
            return owners
        if kept is not None and len(kept) == batch:
            counts = [int(np.count_nonzero(kept == k)) for k in present]
            if sum(counts) == batch and is_good(counts, paces):
                return _dealt(present, counts)
        return _dealt(present, split(batch, paces))

    def _provenance(
        self, request: SettleRequest, schedule: Annealing, owners: Numbers
    ) -> Provenance:
        backends = [member.backend for member in self.members]
        details = {
            "schedule": schedule_data(schedule),
            "schedule_deviation": max(b.lowering.legs(schedule).deviation for b in backends),
            "boards": [
                {
                    "name": member.backend.name,
                    "kind": kind_of(member.backend),
                    **member.backend.identity(),
                    "samples": int(np.count_nonzero(owners == k)),
                    "drops": member.drops,
                    "link": member.backend.link(),
                }
                for k, member in enumerate(self.members)
            ],
        }
        return Provenance(self.name, weakest_kind(backends), request.seed, details)


def _present(members: Sequence[Member]) -> list[int]:
    return [k for k, member in enumerate(members) if not member.absent]


def _dealt(boards: Sequence[int], counts: Sequence[int]) -> Numbers:
    """Return a board for each sample, neighbours to one board."""
    return np.repeat(np.array(boards, np.intp), counts)


@dataclass(slots=True, eq=False)
class _Work:
    """One settle under way.

    Attributes:
        members: the boards.
        jobs: the batch as each of them takes it.
        spins: (b, r, n), filled in as parts are done.
    """

    members: Sequence[Member]
    jobs: Sequence[Sequence[Job]]
    spins: NDArray[np.int8]
    _under_way: dict[Future[Outcome], tuple[int, Numbers, float]] = field(default_factory=dict)
    _done_at: list[float] = field(default_factory=list)
    _device_s: list[float] = field(default_factory=list)
    _host_s: float = 0.0

    def run(self, owners: Numbers) -> None:
        """Settle every sample; `owners` (b,) says where, and afterwards where it really was."""
        self._done_at = [0.0] * len(self.members)
        self._device_s = [0.0] * len(self.members)
        try:
            for k in range(len(self.members)):
                self._hand(k, np.flatnonzero(owners == k), 0.0)
            while self._under_way:
                for future in wait(self._under_way, return_when=FIRST_COMPLETED).done:
                    self._take(future, owners)
        except BaseException:
            self._halt()
            raise

    def timing(self, own_s: float) -> Timing:
        """Return the time of the board that was last, and the host's over all threads."""
        last = max(range(len(self.members)), key=self._done_at.__getitem__)
        device_s = self._device_s[last]
        return Timing(own_s + self._host_s, max(0.0, self._done_at[last] - device_s), device_s)

    def _hand(self, k: int, samples: Numbers, after: float) -> None:
        """Give samples to a board that it could not have begun before `after`."""
        if samples.size:
            future = self.members[k].settle(self.jobs[k], samples)
            self._under_way[future] = (k, samples, after)

    def _take(self, future: Future[Outcome], owners: Numbers) -> None:
        """Take what a board did, or give it to the others."""
        k, samples, after = self._under_way.pop(future)
        outcome = future.result()
        self._done_at[k] = max(self._done_at[k], after) + outcome.seconds
        if outcome.part is not None:
            self.spins[samples] = outcome.part.spins
            self._device_s[k] += outcome.part.device_s
            self._host_s += outcome.part.host_s
            return
        error = outcome.error
        assert error is not None
        self.members[k].drop(error)
        left = _present(self.members)
        if not left:
            raise error
        owners[samples] = _dealt(left, split(len(samples), [self.members[i].pace for i in left]))
        for i in left:
            self._hand(i, samples[owners[samples] == i], self._done_at[k])

    def _halt(self) -> None:
        busy: dict[int, list[Future[Outcome]]] = {}
        for future, (k, _, _) in self._under_way.items():
            busy.setdefault(k, []).append(future)
        for k, futures in busy.items():
            self.members[k].halt(futures)
