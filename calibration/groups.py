"""Reads of one settle spread over several: each group under another programming of the same problem."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from isingeq.backend import Equilibrium, SettleRequest, Timing


def split(request: SettleRequest, most: int, stream: int) -> list[SettleRequest]:
    """Return requests for the reads in groups, as even as they come, as many groups as reads at the most.

    Args:
        request: to split.
        most: groups.
        stream: number of the layer that splits, so that no two draw the same seeds. The first group keeps the seed.
    """
    count = min(most, request.reads)
    if count == 1:
        return [request]
    ends = [request.reads * k // count for k in range(count + 1)]
    parts = []
    for k, (first, last) in enumerate(pairwise(ends)):
        words = np.random.SeedSequence([request.seed, stream, k]).generate_state(1)
        start = None if request.initial is None else request.initial[:, first:last]
        seed = int(words[0]) if k else request.seed
        parts.append(replace(request, reads=last - first, initial=start, seed=seed))
    return parts


def in_turn(count: int, loaded: int) -> list[int]:
    """Return the order to settle groups in: the one that is loaded first, so that it is not loaded again."""
    first = loaded if 0 <= loaded < count else 0
    return [first, *(k for k in range(count) if k != first)]


def merged(
    parts: Sequence[SettleRequest], loaded: int, ask: Callable[[int], Equilibrium]
) -> Equilibrium:
    """Settle groups in turn and return their answers as one, reads in the order of the groups.

    Args:
        parts: what `split` returned.
        loaded: group whose couplings are programmed.
        ask: settle a group.
    """
    answers = {k: ask(k) for k in in_turn(len(parts), loaded)}
    found = [answers[k] for k in range(len(parts))]
    if len(found) == 1:
        return found[0]
    reads = sum(part.reads for part in parts)
    weights = None
    if all(answer.weights is not None for answer in found):
        shares = [
            answer.weights * (part.reads / reads)  # type: ignore[operator]
            for part, answer in zip(parts, found, strict=True)
        ]
        weights = np.concatenate(shares, axis=1)
    return replace(
        found[0],
        states=np.concatenate([answer.states for answer in found], axis=1),
        weights=weights,
        residual=None,
        steps=_all([answer.steps for answer in found]),
        two_cycle=_all([answer.two_cycle for answer in found]),
        timing=Timing(*(sum(part) for part in zip(*map(_seconds, found), strict=True))),
    )


def _seconds(answer: Equilibrium) -> tuple[float, float, float]:
    return answer.timing.host_s, answer.timing.link_s, answer.timing.device_s


def _all(columns: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Return per-read columns (b, r) side by side, None where one is missing."""
    known = [column for column in columns if column is not None]
    return np.concatenate(known, axis=1) if len(known) == len(columns) else None
