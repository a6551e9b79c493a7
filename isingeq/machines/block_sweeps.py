"""Replicas of one graph swept side by side: what the machines share whose spins decide block by block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.backend import Trace
from isingeq.kernels.blocks import CAN_LOOK_UP
from isingeq.kernels.colours import Rows, Tables
from isingeq.kernels.lanes import LANES
from isingeq.kernels.replica_random import draw_spins, replica_keys
from isingeq.kernels.sweeps import Chances, Replicas, sweep_rows, sweep_tables
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.schedule import Annealing

Floats = NDArray[np.floating]
Order = Literal["coloured", "sequential", "synchronous"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Couplings as the sweeps read them.

    Attributes:
        net: rows of neighbours, or tables of what they add up to.
        order: of the spins.
        colours: blocks of spins that decide at once; as many as spins where they go one by one.
    """

    net: Rows | Tables
    order: Order
    colours: int


def plan(graph: Graph, order: Order, *, tables: bool) -> Plan:
    """Return how to sweep a graph, which keeps what was made for it: the phases of a training step share it.

    Args:
        graph: the couplings.
        order: colour by colour, spin by spin, or all at once.
        tables: tables may be used, where they are faster and the processor can look them up.
    """
    if order != "coloured":
        return Plan(graph.rows, order, graph.n if order == "sequential" else 1)
    count = int(graph.colour.max(initial=-1)) + 1
    found = graph.tables if tables and CAN_LOOK_UP else None
    return Plan(graph.coloured_rows if found is None else found, order, count)


def suggest_betas(graph: Graph, h: Floats, sweeps: int) -> Annealing:
    """Return geometric betas, in units of the fields' spread: they follow the scale of the energies.

    With σ_i² = Σ_j J_ij² + the largest h_i² of the batch, the square of the field on spin i while the others are
    random, they run from 0.2 / max σ, where all is loose, to 6 / min σ, where the weakest spin is all but fixed,
    or to 30 / max σ if that is hotter.
    """
    squares = np.concatenate([[0.0], np.cumsum(graph.values.astype(np.float64) ** 2)])
    square = (h.astype(np.float64) ** 2).max(axis=0, initial=0.0)
    sigma = np.sqrt(square + squares[graph.starts[1:]] - squares[graph.starts[:-1]])
    if not sigma.any():
        return Annealing.constant(1.0, sweeps)
    most, least = float(sigma.max()), float(sigma[sigma > 0].min())
    return Annealing.geometric(0.2 / most, min(6 / least, 30 / most), sweeps)


def betas_of(task: Task, *, reverse: float) -> tuple[NDArray[np.float64], dict[str, object]]:
    """Return the betas to run (sweeps,) and what the provenance says of them.

    A nudged task with a start anneals in reverse from there, turning at `reverse` of its schedule; 1 keeps the schedule
    as it is.
    """
    schedule = task.schedule
    assert isinstance(schedule, Annealing)
    turn = None
    if task.nudged and task.start is not None and reverse < 1:
        schedule = schedule.reverse(reverse)
        turn = schedule.betas[len(schedule.betas) // 2]
    betas = schedule.array
    return betas, {
        "sweeps": betas.size,
        "betas": [float(betas[0]), float(betas[-1])],
        "turn_beta": turn,
    }


def run_sweeps(task: Task, plan: Plan, chances: Chances, *, lookup: bool = False) -> Outcome:
    """Sweep all replicas of a task.

    Args:
        task: what to run; its schedule has become `chances`.
        plan: of its graph.
        chances: how spins decide, one scale per sweep.
        lookup: spins decide by the table.
    """
    h, reads = np.ascontiguousarray(task.h, np.float64), task.reads
    keys = replica_keys(np.uint64(task.seed % 2**64), np.arange(len(h)), reads)
    spins = np.empty((len(keys), task.graph.n), np.int8)
    if task.start is None:
        task.pool.split(len(keys), lambda a, b: draw_spins(keys, a, b, spins), least=64)
    else:
        spins[:] = task.start.reshape(spins.shape)

    def sweep(chances: Chances, number: int) -> None:
        replicas = Replicas(h, spins, keys, reads, number)

        def work(first: int, last: int) -> None:
            rows = LANES * first, min(LANES * last, len(spins))
            if isinstance(plan.net, Tables):
                sweep_tables(*rows, plan.net, chances, replicas)
            else:
                sweep_rows(*rows, plan.net, chances, replicas, plan.order == "synchronous", lookup)

        task.pool.split(-(-len(spins) // LANES), work, least=4)

    trace = None
    if task.trace:
        trace = _traced(task, h, spins, chances, sweep)
    else:
        sweep(chances, 0)
    details = {
        "representation": "tables" if isinstance(plan.net, Tables) else "rows",
        "colours": plan.colours,
    }
    return Outcome(spins.reshape(len(h), reads, -1), details, trace)


def _traced(
    task: Task,
    h: NDArray[np.float64],
    spins: NDArray[np.int8],
    chances: Chances,
    sweep: Callable[[Chances, int], None],
) -> Trace:
    """Sweep one by one and write down energy, lowest energy so far, share of flips and magnetisation."""
    graph, shape = task.graph, (len(h), task.reads, task.graph.n)
    J = sparse.csr_array(
        (graph.values.astype(np.float64), graph.neighbours, graph.starts), shape=(graph.n, graph.n)
    )
    steps = (chances.scales.size, len(h))
    energy, best, flips, mean = np.zeros((4, *steps))
    lowest = np.full(len(h), np.inf)
    for t in range(steps[0]):
        before = spins.copy()
        sweep(chances._replace(scales=chances.scales[t : t + 1]), t)
        s = spins.astype(np.float64)
        field = 0.5 * (J @ s.T).T.reshape(shape) + h[:, None]
        energies = (field * s.reshape(shape)).sum(axis=2)
        lowest = np.minimum(lowest, energies.min(axis=1))
        energy[t], best[t] = energies.mean(axis=1), lowest
        if graph.n:
            flips[t] = (before != spins).reshape(shape).mean(axis=(1, 2))
            mean[t] = s.reshape(shape).mean(axis=(1, 2))
    return Trace(energy, details={"best_energy": best, "flips": flips, "magnetisation": mean})
