"""How many samples each board gets, so that all are done at about the same time.

count_i ∝ 1 / pace_i        pace: seconds per sample, as measured
"""

from collections.abc import Sequence

TOLERANCE = 1.1
"""A split is kept while its slowest board takes at most so much longer than in the best: slots keep their samples."""


def split(count: int, paces: Sequence[float | None]) -> list[int]:
    """Return counts that add up to `count`, by largest remainders; one each at least where there are enough.

    A pace that is not known is taken for the mean of the others.
    """
    filled = _filled(paces)
    total = sum(1 / pace for pace in filled)
    least = 1 if count >= len(filled) else 0
    spare = count - least * len(filled)
    wanted = [max(0.0, count / pace / total - least) for pace in filled]
    scale = spare / sum(wanted) if sum(wanted) else 0.0
    exact = [scale * part for part in wanted]
    counts = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: (counts[k] - exact[k], filled[k], k))
    for k in by_remainder[: spare - sum(counts)]:
        counts[k] += 1
    return [least + part for part in counts]


def is_good(counts: Sequence[int], paces: Sequence[float | None]) -> bool:
    """Return whether a split is about as fast as the best one."""
    filled = _filled(paces)
    best = split(sum(counts), paces)
    now, least = (max(c * p for c, p in zip(part, filled, strict=True)) for part in (counts, best))
    return now <= TOLERANCE * least


def _filled(paces: Sequence[float | None]) -> list[float]:
    known = [max(pace, 1e-9) for pace in paces if pace is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if pace is None else max(pace, 1e-9) for pace in paces]
