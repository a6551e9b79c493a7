"""Problem files: what each format says, and that what makes no sense is refused where it stands."""

import gzip
import json

import dimod
import dimod.serialization.coo
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.errors import ConfigError, DataError, ProblemError
from isingeq.problem import lower
from isingeq.solving import from_networkx, read_problem
from isingeq.solving.files import FORMATS, read_labelled

RUDY = "4 3\n1 2 1\n4 2 -2\n3 4 1\n"
QUBO = "c by hand\np qubo 0 3 2 1\nc linear\n0 0 2.5\n2 2 -1\nc pairs\n0 2 4\n"
COO = "# vartype=SPIN\n0 0 0.5\n0 2 -1\n2 1 3\n"


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def table(problem):
    edges = lower(problem)
    return {
        (i, j): w
        for i, j, w in zip(edges.i.tolist(), edges.j.tolist(), edges.J.tolist(), strict=True)
    }


def every_energy(problem):
    bits = np.arange(2**problem.n)[:, None] >> np.arange(problem.n) & 1
    return problem.energy(2.0 * bits[None] - 1)[0], bits


def test_a_max_cut_file(tmp_path):
    problem = read_problem(write(tmp_path, "a.txt", RUDY))
    assert problem.n == 4
    assert table(problem) == {(0, 1): 1, (1, 3): -2, (2, 3): 1}
    assert not problem.fields.any()
    assert lower(problem).J.dtype == np.float32


def test_weights_that_single_precision_would_round_are_kept(tmp_path):
    problem = read_problem(write(tmp_path, "a.txt", "2 1\n1 2 0.1\n"))
    assert table(problem) == {(0, 1): 0.1}


@pytest.mark.parametrize("name", ["a.txt.gz", "G22.gz", "b.mc.gz"])
def test_a_packed_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(RUDY.encode()))
    assert table(read_problem(path)) == {(0, 1): 1, (1, 3): -2, (2, 3): 1}


@pytest.mark.parametrize("text", ["3 0\n", "1 0\n", "1 0"])
def test_no_edges_are_no_energy(tmp_path, text):
    problem = read_problem(write(tmp_path, "a.txt", text))
    energies, _ = every_energy(problem)
    assert problem.n == int(text[0])
    assert not energies.any()


def test_a_qubo_counts_ones(tmp_path):
    problem = read_problem(write(tmp_path, "a.qubo", QUBO))
    energies, x = every_energy(problem)
    expected = 2.5 * x[:, 0] - x[:, 2] + 4 * x[:, 0] * x[:, 2]
    np.testing.assert_allclose(energies, expected, atol=1e-12)


def test_a_coordinate_file_is_what_dimod_reads(tmp_path):
    for text in (COO, COO.replace("SPIN", "BINARY"), COO + "2 0 5\n1 1 1\n0 0 1\n"):
        model = dimod.serialization.coo.loads(text)
        problem = read_problem(write(tmp_path, "a.coo", text))
        energies, bits = every_energy(problem)
        states = 2 * bits - 1 if "SPIN" in text else bits
        np.testing.assert_allclose(energies, model.energies((states, range(3))), atol=1e-12)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**31), st.sampled_from(["SPIN", "BINARY"]))
def test_a_file_of_dimod_keeps_energies_and_labels(tmp_path_factory, n, seed, kind):
    rng = np.random.default_rng(seed)
    names = [f"v{k}" for k in rng.permutation(n)]
    model = dimod.BinaryQuadraticModel(kind)
    for k, name in enumerate(names):
        model.add_linear(name, rng.normal())
        for other in names[:k]:
            if rng.random() < 0.7:
                model.add_quadratic(name, other, rng.normal())
    model.offset = rng.normal()
    path = tmp_path_factory.mktemp("bqm") / "a.bqm"
    with model.to_file() as file:
        path.write_bytes(file.read())
    problem, labels = read_labelled(path)
    energies, bits = every_energy(problem)
    states = 2 * bits - 1 if kind == "SPIN" else bits
    np.testing.assert_allclose(energies, model.energies((states, labels)), atol=1e-12)


def arrays(**changed):
    out = {"n": 3, "i": np.array([0, 2]), "j": np.array([1, 1]), "w": np.array([1.5, -1.0])}
    out |= changed
    return {name: value for name, value in out.items() if value is not None}


def test_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(h=np.array([0.0, 1.0, -2.0])))
    problem = read_problem(tmp_path / "a.npz")
    assert table(problem) == {(0, 1): 1.5, (1, 2): -1.0}
    assert problem.fields.tolist() == [[0, 1, -2]]
    np.savez(
        tmp_path / "b.npz", **arrays(i=np.array([0, 2], np.uint8), w=np.array([1, -1], np.int8))
    )
    assert table(read_problem(tmp_path / "b.npz")) == {(0, 1): 1, (1, 2): -1}


def graph():
    out = nx.Graph()
    out.add_node("c", h=-0.5)
    out.add_edge("a", "b", weight=2.0)
    out.add_edge("c", "a")
    return out


def of_graph(problem, labels):
    pairs = {tuple(sorted((labels[i], labels[j]))): w for (i, j), w in table(problem).items()}
    return pairs, dict(zip(labels, problem.fields[0].tolist(), strict=True))


def test_graphs_of_networkx(tmp_path):
    wanted = {("a", "b"): 2.0, ("a", "c"): 1.0}, {"a": 0.0, "b": 0.0, "c": -0.5}
    assert of_graph(*from_networkx(graph())) == wanted
    nx.write_graphml(graph(), tmp_path / "a.graphml")
    assert of_graph(*read_labelled(tmp_path / "a.graphml")) == wanted
    for key in ("edges", "links"):
        path = write(tmp_path, "a.json", json.dumps(nx.node_link_data(graph(), edges=key)))
        assert of_graph(*read_labelled(path)) == wanted
    path = write(tmp_path, "a.edges", "# two\na b 2\n\nc a # one\n")
    assert of_graph(*read_labelled(path)) == (wanted[0], dict.fromkeys("abc", 0.0))


def test_a_format_said_stands_above_the_name(tmp_path):
    assert read_problem(write(tmp_path, "a.dat", RUDY), form="rudy").n == 4
    with pytest.raises(ConfigError, match=r"a\.dat: what format is that\?.*--format rudy"):
        read_problem(tmp_path / "a.dat")
    with pytest.raises(ConfigError, match="format 'rud' is not known"):
        read_problem(tmp_path / "a.dat", form="rud")


RUDY_FAULTS = [
    ("", "line 1: a max-cut file begins"),
    ("4\n", "line 1: a max-cut file begins"),
    ("4 3 2\n", "line 1: a max-cut file begins"),
    ("4.0 3\n", "line 1: '4.0' is no whole number"),
    ("0 0\n", "line 1: there are no spins"),
    ("-3 0\n", "line 1: there are no spins"),
    ("9999999999 1\n1 2 1\n", "line 1: 9999999999 is beyond"),
    ("4 2\n1 2 1\n", "line 1: 2 edges are promised, 1 follow"),
    ("4 2\n", "line 1: 2 edges are promised, 0 follow"),
    ("4 1\n1 2 1\n3 4 1\n", "line 1: 1 edges are promised, 2 follow"),
    ("4 2\n1 2 1\n3 3 1\n", "line 3: spin 3 is joined with itself"),
    ("4 2\n1 2 1\n\n0 3 1\n", "line 4: there is no spin 0: spins are 1 to 4"),
    ("4 2\n1 2 1\n5 3 1\n", "line 3: there is no spin 5: spins are 1 to 4"),
    ("4 2\n1 2 1\n1 2 1\n", "line 3: the pair 1 2 is listed twice"),
    ("4 3\n3 4 1\n1 2 1\n2 1 1\n", "line 4: the pair 1 2 is listed twice"),
    ("4 1\n1 2 nan\n", "line 2: the weight is nan"),
    ("4 1\n1 2 -inf\n", "line 2: the weight is -inf"),
    ("4 1\n1 2 1e999\n", "line 2: the weight is inf"),
    ("4 1\n1 2\n", "line 2: a row has 3 numbers, i j w, this one 2"),
    ("4 2\n1 2 1\n3 4 1 1\n", "line 3: a row has 3 numbers, i j w, this one 4"),
    ("4 1\n1.5 2 1\n", "line 2: '1.5' is no whole number"),
    ("4 1\n1.0 2 1\n", "line 2: '1.0' is no whole number"),
    ("4 1\n1 two 1\n", "line 2: 'two' is no whole number"),
    ("4 1\n1 2 w\n", "line 2: 'w' is no number"),
    ("4 1\n1 99999999999 1\n", "line 2: 99999999999 is beyond"),
    ("4 1\n1,2,1\n", "line 2: a row has 3 numbers"),
    ("\x00\x01\xff", "line 1"),
]
QUBO_FAULTS = [
    ("", "begins with `p qubo"),
    ("0 0 1\n", "begins with `p qubo"),
    ("p qubo 0 3 1\n0 0 1\n", "begins with `p qubo"),
    ("p qubo 0 3 1.5 0\n0 0 1\n", "line 1: '1.5' is no whole number"),
    ("p qubo 0 0 0 0\n", "there are no spins"),
    ("c\np qubo 0 3 2 0\n0 0 1\n", "line 2: 2 diagonal and 0 other elements are promised, 1 and 0"),
    ("p qubo 0 3 0 1\n0 0 1\n", "0 diagonal and 1 other elements are promised, 1 and 0"),
    ("p qubo 0 3 1 1\nc\n0 0 1\nc x\n1 3 1\n", "line 5: there is no spin 3: spins are 0 to 2"),
    ("p qubo 0 3 2 0\n0 0 1\n0 0 1\n", "line 3: the diagonal element is listed twice"),
    ("p qubo 0 3 1 0\n3 3 1\n", "line 2: there is no such variable"),
    ("p qubo 0 3 1 0\n2 2 nan\n", "line 2: the weight has to be finite"),
    ("p qubo 0 3 0 2\n0 1 1\n1 0 1\n", "line 3: the pair 0 1 is listed twice"),
]
COO_FAULTS = [
    ("0 1 1\n", "says `# vartype=SPIN`"),
    ("# vartype=TRITS\n0 1 1\n", "says `# vartype=SPIN`"),
    ("# vartype=SPIN\n# vartype=BINARY\n0 1 1\n", "says `# vartype=SPIN`"),
    ("# vartype=SPIN\n", "there are no variables"),
    ("# vartype=SPIN\n0 -1 1\n", "line 2: variables are counted from 0"),
    ("# vartype=SPIN\n0 1 nan\n", "line 2: the bias has to be finite"),
    ("# vartype=SPIN\n0 a 1\n", "line 2: 'a' is no whole number"),
]
GRAPH_FAULTS = [
    ("a.edges", "a b 1\nb a 2\n", "line 2 lists b a again"),
    ("a.edges", "a b 1 2\n", "line 1 has 4 words"),
    ("a.edges", "a a 1\n", "joined with itself"),
    ("a.edges", "a b nan\n", "the weight is nan"),
    ("a.edges", "a b x\n", "could not convert"),
    ("a.edges", "", "there are no spins"),
    ("a.json", "{", "is no node-link JSON"),
    ("a.json", "[1]", "is no node-link JSON"),
    ("a.json", '{"nodes": [{"id": 1}, {"id": 2}], "edges": [{"source": 1, "target": 2}, '
     '{"source": 2, "target": 1}]}', "an edge is listed twice"),
    ("a.json", '{"directed": true, "nodes": [{"id": 1}], "edges": []}', "is directed"),
    ("a.json", '{"nodes": [{"id": 1}, {"id": 2}], "edges": [{"source": 1, "target": 2, '
     '"weight": "x"}]}', "is no number"),
    ("a.json", '{"nodes": [{"id": 1, "h": NaN}], "edges": []}', "a field is NaN"),
    ("a.graphml", "<x/>", "is no GraphML"),
    ("a.bqm", "DIMOD", "is no file of dimod"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        *(("a.txt", *fault) for fault in RUDY_FAULTS),
        *(("a.qubo", *fault) for fault in QUBO_FAULTS),
        *(("a.coo", *fault) for fault in COO_FAULTS),
        *GRAPH_FAULTS,
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(tmp_path, name, text, says):
    path = write(tmp_path, name, text)
    with pytest.raises(ProblemError) as refusal:
        read_problem(path)
    assert str(refusal.value).startswith(str(path))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"w": None}, "no array w"),
        ({"n": np.array([3, 3])}, "one whole number"),
        ({"n": 3.0}, "one whole number"),
        ({"i": np.array([0.0, 2.0])}, "one whole number"),
        ({"i": np.array([0])}, "of one length"),
        ({"w": np.array([1j, 1])}, "real and of one length"),
        ({"w": np.array([1.0, np.nan])}, "edge 1 (from 0): the weight is nan"),
        ({"j": np.array([1, 2])}, "edge 1 (from 0): spin 2 is joined with itself"),
        ({"i": np.array([0, 3])}, "edge 1 (from 0): there is no spin 3"),
        ({"i": np.array([-1, 0])}, "edge 0 (from 0): there is no spin -1"),
        ({"i": np.array([2**40, 0])}, "edge 0 (from 0): there is no spin"),
        ({"i": np.array([0, 0])}, "edge 1 (from 0): the pair 0 1 is listed twice"),
        ({"n": 0, **dict.fromkeys("ij", np.zeros(0, int)), "w": np.zeros(0)}, "there are no spins"),
        ({"h": np.zeros(4)}, "one field per spin"),
        ({"h": np.array([0, np.inf, 0])}, "the field of spin 1 is inf"),
        ({"h": np.array(["a", "b", "c"])}, "h is real"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(tmp_path, changed, says):
    np.savez(tmp_path / "a.npz", **arrays(**changed))
    with pytest.raises(ProblemError) as refusal:
        read_problem(tmp_path / "a.npz")
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    "name", ["a.txt", "a.qubo", "a.coo", "a.npz", "a.bqm", "a.json", "a.edges"]
)
def test_a_missing_file_and_a_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="is missing"):
        read_problem(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="is no file"):
        read_problem(tmp_path / name)


def test_damaged_files_are_refused(tmp_path):
    packed = gzip.compress(("3 1\n" + "\n" * 5000 + "1 2 1\n").encode())
    for name, data in (
        ("a.txt.gz", packed[:-20]),
        ("b.txt.gz", b"plain"),
        ("c.npz", b"PK\x03\x04 and no more"),
        ("d.npz", b""),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="cannot be read"):
            read_problem(tmp_path / name)


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(w=np.array([print, print])))
    with pytest.raises(DataError, match="cannot be read"):
        read_problem(tmp_path / "a.npz")


def test_graphs_need_networkx_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(ConfigError, match="networkx, which is not there"):
        read_problem(write(tmp_path, "a.edges", "a b\n"))


@pytest.mark.parametrize("make", [nx.DiGraph, nx.MultiGraph])
def test_graphs_of_another_kind_are_refused(make):
    with pytest.raises(ProblemError, match="directed or has parallel edges"):
        from_networkx(make([(0, 1)]))


def test_every_format_has_a_reader_of_its_own():
    assert len(set(FORMATS.values())) == len(FORMATS) == 8
