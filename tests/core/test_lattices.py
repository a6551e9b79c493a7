import numpy as np
import pytest

from isingeq.couplings import Window
from isingeq.errors import ConfigError
from isingeq.lattices import lattice, stacked, windowed, with_leaps, with_shortcuts


def neighbours(kind, a, b, columns):
    down, right = abs(a // columns - b // columns), abs(a % columns - b % columns)
    return down + right == 1 if kind == "square" else max(down, right) == 1


@pytest.mark.parametrize("kind", ["square", "kings"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (4, 1), (3, 4), (5, 2)])
def test_sites_are_coupled_to_their_neighbours_alone(kind, rows, columns):
    found, n = lattice(kind, rows, columns), rows * columns
    wanted = [(a, b) for a in range(n) for b in range(a + 1, n) if neighbours(kind, a, b, columns)]
    assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == wanted
    assert (found.n, found.kind, found.shape) == (n, kind, (rows, columns))


def test_what_is_no_lattice_is_refused():
    with pytest.raises(ConfigError, match="there are square, kings, complete"):
        lattice("triangular", 2, 2)
    with pytest.raises(ConfigError, match="is empty"):
        lattice("square", 0, 3)


def pairs(graph):
    return list(zip(graph.i.tolist(), graph.j.tolist(), strict=True))


def test_a_complete_lattice_couples_all():
    assert lattice("complete", 2, 3).num_edges == 15


@pytest.mark.parametrize("leaps", [(2,), (3,), (2, 3)])
def test_leaps_are_along_rows_and_columns(leaps):
    found = set(pairs(with_leaps(lattice("square", 4, 5), leaps)))
    wanted = {
        (a, b)
        for a in range(20)
        for b in range(a + 1, 20)
        if sorted((abs(a // 5 - b // 5), abs(a % 5 - b % 5))) in [[0, k] for k in (1, *leaps)]
    }
    assert found == wanted


@pytest.mark.parametrize("leap", [1, 5])
def test_leaps_that_do_not_fit_are_refused(leap):
    with pytest.raises(ConfigError, match=f"a leap of {leap} does not fit"):
        with_leaps(lattice("square", 4, 5), (leap,))


def test_shortcuts_are_new_pairs_that_follow_the_seed():
    bare = lattice("square", 4, 4)
    one, other = with_shortcuts(bare, 6, 1), with_shortcuts(bare, 6, 2)
    assert set(pairs(one)) > set(pairs(bare))
    assert one.num_edges == bare.num_edges + 6
    assert pairs(one) == pairs(with_shortcuts(bare, 6, 1)) != pairs(other)
    with pytest.raises(ConfigError, match="96 pairs are left"):
        with_shortcuts(bare, 97, 0)


def test_sheets_are_linked_to_the_sites_near_by():
    bare = lattice("square", 3, 4)
    found = set(pairs(stacked(bare, 3, 3)))
    wanted = {(a + 12 * k, b + 12 * k) for a, b in pairs(bare) for k in range(3)}
    for k in range(2):
        for a in range(12):
            for b in range(12):
                if max(abs(a // 4 - b // 4), abs(a % 4 - b % 4)) <= 1:
                    wanted.add((12 * k + a, 12 * (k + 1) + b))
    assert found == wanted
    assert stacked(bare, 2, 1).num_edges == 2 * bare.num_edges + 12
    with pytest.raises(ConfigError, match="an odd window"):
        stacked(bare, 2, 2)


@pytest.mark.parametrize(("stride", "padding", "channels"), [(1, 0, 1), (2, 1, 2)])
def test_windows_without_shared_weights_see_what_shared_ones_see(stride, padding, channels):
    window = Window((5, 7, 2), channels, 3, stride=stride, padding=padding)
    source, result = windowed(window)
    rows, columns, _ = window.target
    wanted = []
    for y in range(rows):
        for x in range(columns):
            for o in range(channels):
                for dy in range(3):
                    for dx in range(3):
                        r, c = y * stride + dy - padding, x * stride + dx - padding
                        if 0 <= r < 5 and 0 <= c < 7:
                            unit = (y * columns + x) * channels + o
                            wanted += [((r * 7 + c) * 2 + k, unit) for k in range(2)]
    assert list(zip(source.tolist(), result.tolist(), strict=True)) == wanted


def test_the_windows_of_mnist_have_19044_couplings():
    source, result = windowed(Window((28, 28, 1), 1, 6))
    assert source.size == 19_044
    assert (np.bincount(result) == 36).all()
    assert result[-1] == 23 * 23 - 1


def test_windows_that_pool_share_their_weights():
    with pytest.raises(ConfigError, match="have no pools"):
        windowed(Window((6, 6, 1), 1, 3, pool=2))
