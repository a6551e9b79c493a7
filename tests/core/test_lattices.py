import pytest

from isingeq.errors import ConfigError
from isingeq.lattices import lattice


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
    with pytest.raises(ConfigError, match="there are square, kings"):
        lattice("triangular", 2, 2)
    with pytest.raises(ConfigError, match="is empty"):
        lattice("square", 0, 3)
