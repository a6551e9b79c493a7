"""How replicas are cut into tiles: every one once, no thread without work, few lanes idle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.kernels.lanes import LANES
from isingeq.machines.tiles import tiles


def widths(batch, reads, threads):
    return [lanes.width for lanes in tiles(np.arange(batch), reads, threads)]


@given(st.integers(1, 9), st.integers(1, 300), st.integers(1, 4))
def test_every_replica_is_in_one_tile_in_order(batch, reads, threads):
    cut = tiles(np.arange(batch), reads, threads)
    found = np.concatenate(
        [lanes.samples[: lanes.count] * reads + lanes.reads[: lanes.count] for lanes in cut]
    )
    np.testing.assert_array_equal(found, np.arange(batch * reads))
    for lanes in cut[:-1]:
        assert lanes.count == lanes.width
    last = cut[-1]
    assert last.width == LANES or last.count > last.width // 2
    assert (last.samples[last.count :] == batch - 1).all()
    assert (last.reads[last.count :] == reads - 1).all()


@pytest.mark.parametrize(
    ("reads", "threads", "expected"),
    [
        (64, 1, [64]),
        (64, 2, [32, 32]),
        (128, 2, [64, 64]),
        (63, 2, [16, 16, 16, 16]),
        (100, 2, [32, 32, 32, 16]),
        (40, 1, [32, 16]),
        (16, 4, [16]),
    ],
)
def test_every_thread_gets_a_tile_as_wide_as_that_allows(reads, threads, expected):
    assert widths(1, reads, threads) == widths(reads, 1, threads) == expected
