import errno
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

RING = "5 5\n1 2 1\n2 3 1\n3 4 1\n4 5 1\n5 1 1\n"


@pytest.fixture
def ring(tmp_path):
    (tmp_path / "ring.txt").write_text(RING)
    return "ring.txt"


def solved(isingeq, *arguments):
    ended = isingeq("solve", *arguments, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_the_answer_says_all_there_is_to_know(isingeq, ring):
    record = solved(isingeq, ring, "--backend", "neal?sweeps=20", "--reads", "9", "--seed", "3")
    assert record["best_energy"] == -3
    assert record["best_cut"] == 4
    assert record["reads"] == 9
    assert record["backend"] == "neal?sweeps=20"
    assert record["stopped"] == "reads"
    assert record["seed"] == 3
    assert record["schedule"]["geometric"][2] == 20
    assert record["provenance"]["kind"] == "simulated"
    assert {
        "mean_energy", "success_probability", "tts99_s", "tts99_s_at_least", "cpu_s", "wall_s", "target",
    } <= record.keys()  # fmt: skip
    assert "states" not in record
    again = solved(isingeq, ring, "--backend", "neal?sweeps=20", "--reads", "9", "--seed", "3")
    assert again["mean_energy"] == record["mean_energy"]


def test_a_target_cut_is_met_and_full_reads_go_on(isingeq, ring):
    options = [ring, "--backend", "neal", "--sweeps", "20", "--target-cut", "4", "--reads", "20"]
    record = solved(isingeq, *options)
    assert (record["stopped"], record["target"], record["target_cut"]) == ("target", -3, 4)
    assert record["backend"] == "neal?sweeps=20"
    whole = solved(isingeq, *options, "--full-reads")
    assert (whole["stopped"], whole["reads"]) == ("reads", 20)


def test_people_get_a_summary_without_the_spins(isingeq, ring):
    ended = isingeq("solve", ring, "--target-cut", "5", "--reads", "5")
    assert ended.code == 0
    assert ended.err == ""
    lines = ended.out.splitlines()
    assert lines[0].startswith("ring.txt: 5 spins, 5 couplings, on ")
    assert lines[1].startswith("best energy -3 (cut 4), mean -")
    assert lines[1].endswith("5 reads; all reads made")
    assert lines[2].startswith("target -5 (cut 5) reached by 0 of 5: probability 0 (0 to 0.522)")
    assert "at least" in lines[3]
    assert len(lines) == 5
    quiet = isingeq("solve", ring, "--reads", "5", "--quiet")
    assert quiet.out.count("\n") == 1


@pytest.mark.parametrize("name", ["found.npz", "found.txt"])
def test_states_go_to_a_file(isingeq, ring, tmp_path, name):
    record = solved(isingeq, ring, "--backend", "exact", "--keep", "3", "--out", name)
    assert record["out"] == name
    if name.endswith("npz"):
        with np.load(tmp_path / name) as file:
            states, energies, labels = (file[k] for k in ("states", "energies", "labels"))
        assert labels.tolist() == [1, 2, 3, 4, 5]
    else:
        rows = np.loadtxt(tmp_path / name)
        energies, states = rows[:, 0], rows[:, 1:]
        assert (tmp_path / name).read_text().startswith("# energy 1 2 3 4 5\n")
    assert energies.tolist() == [-3, -3, -3]
    np.testing.assert_array_equal((states * np.roll(states, 1, axis=1)).sum(axis=1), energies)
    assert len({tuple(s * s[0]) for s in states}) == 3
    assert {path.name for path in tmp_path.iterdir()} >= {name, ring}
    assert not list(tmp_path.glob("*.part"))


def test_tuning_says_what_it_chose_in_words_that_can_be_given_back(isingeq, ring):
    ended = isingeq("solve", ring, "--tune", "0.2", "--target-cut", "4", "--reads", "6")
    assert ended.code == 0, ended.err
    (line,) = (line for line in ended.out.splitlines() if line.startswith("  --schedule '"))
    text = line.split("'")[1]
    record = solved(isingeq, ring, "--schedule", text, "--reads", "6")
    assert record["schedule"] == json.loads(text)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere.txt"], 4, "nowhere.txt is missing"),
        (["loop.txt"], 3, "loop.txt, line 2: spin 1 is joined with itself"),
        (["ring.dat"], 2, "what format is that"),
        (["ring.txt", "--format", "qubo"], 3, "begins with `p qubo"),
        (["ring.txt", "--format", "what"], 2, "format 'what' is not known"),
        (["ring.txt", "--backend", "nothing"], 2, "no backend is called"),
        (["ring.txt", "--backend", "exact", "--sweeps", "9"], 2, "takes no sweeps"),
        (["ring.txt", "--backend", "exact", "--threads", "2"], 2, "takes no threads"),
        (["ring.txt", "--backend", "exact", "--keep", "final"], 2, "takes no keep"),
        (["ring.txt", "--backend", "neal?sweeps=3", "--sweeps", "9"], 2, "says sweeps already"),
        (["ring.txt", "--backend", "neal", "--sweeps", "0"], 2, "sweeps >= 1"),
        (["ring.txt", "--backend", "conjugate"], 5, "conjugate cannot take spin units"),
        (["wide.txt", "--backend", "exact"], 5, "exact cannot take 21 units"),
        (["ring.txt", "--reads", "0"], 2, "reads >= 1"),
        (["ring.txt", "--reads", "-4"], 2, "reads >= 1"),
        (["ring.txt", "--seed", "-1"], 2, "seed >= 0"),
        (["ring.txt", "--budget-s", "0"], 2, "above 0"),
        (["ring.txt", "--budget-s", "nan"], 2, "above 0"),
        (["ring.txt", "--tune", "0"], 2, "above 0"),
        (["ring.txt", "--tune", "1", "--backend", "null"], 2, "nothing to tune"),
        (["ring.txt", "--target-energy", "nan"], 2, "finite"),
        (["ring.txt", "--target-energy", "-3", "--target-cut", "4"], 2, "give one"),
        (["field.coo", "--target-cut", "4"], 2, "has no cut"),
        (["ring.txt", "--keep", "most"], 2, "--keep is best, final or a number"),
        (["ring.txt", "--keep", "0"], 2, "--keep is best, final or a number"),
        (["ring.txt", "--schedule", "{}"], 2, "schedule of kind None"),
        (["ring.txt", "--schedule", "{"], 2, "no schedule"),
        (["ring.txt", "--schedule", "{}", "--tune", "1"], 2, "leave --sweeps and --tune away"),
        (["ring.txt", "--out", "states.csv"], 2, "*.npz or *.txt"),
        (["ring.txt", "--out", "no/where.txt"], 2, "cannot be written"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(isingeq, ring, tmp_path, arguments, code, says):
    (tmp_path / "loop.txt").write_text("2 1\n1 1 1\n")
    (tmp_path / "ring.dat").write_text(RING)
    (tmp_path / "wide.txt").write_text("21 0\n")
    (tmp_path / "field.coo").write_text("# vartype=SPIN\n0 0 1\n")
    ended = isingeq("solve", *arguments)
    assert ended.code == code, ended
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert says in ended.err
    assert "best energy" not in ended.out


def test_a_full_disk_costs_the_file_and_not_the_answer(isingeq, ring, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("isingeq.solving.states.os.fsync", full)
    ended = isingeq("solve", ring, "--out", "found.npz", "--json")
    assert ended.code == 1
    assert "error: found.npz: No space left on device" in ended.err
    record = json.loads(ended.out)
    assert (record["best_energy"], record["out"]) == (-3, None)
    assert {path.name for path in tmp_path.iterdir()} == {"blobs.toml", ring}


def test_a_budget_that_ends_early_says_so(isingeq, tmp_path):
    (tmp_path / "free.txt").write_text("300 1\n1 2 1\n")
    ended = isingeq(
        "solve", "free.txt", "--backend", "neal?sweeps=50", "--reads", "100000000", "--budget-s", "0.05",
    )  # fmt: skip
    assert ended.code == 0
    assert "the budget ended: this is the best so far" in ended.out


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_solve_gives_the_best_so_far(ring, tmp_path, number):
    command = [
        sys.executable,
        "-m",
        "isingeq",
        "solve",
        "ring.txt",
        "--json",
        "--backend",
        "neal",
        "--reads",
        "1000000000",
    ]
    (tmp_path / "ring.txt").write_text(RING)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr.readline().startswith("ring.txt: ")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    record = json.loads(out)
    assert record["stopped"] == "interrupted"
    assert record["best_energy"] == -3
    assert "Traceback" not in err


def test_what_a_board_rounds_to_nothing_is_told(isingeq, tmp_path):
    (tmp_path / "steep.txt").write_text("5 5\n1 2 1000\n2 3 1\n3 4 2\n4 5 900\n5 1 1000\n")
    board = ["steep.txt", "--backend", "model://ref-arm192", "--reads", "4"]
    assert solved(isingeq, *board)["rounded_to_zero"] == {"couplings": 2, "fields": 0}
    ended = isingeq("solve", *board)
    assert ended.code == 0
    assert "rounded to 0 on the way to model://ref-arm192: 2 of 5 couplings, 0 fields" in ended.out
    assert "rounded" not in isingeq("solve", *board, "--quiet").out
    exact = ["steep.txt", "--backend", "neal", "--reads", "4"]
    assert solved(isingeq, *exact)["rounded_to_zero"] == {"couplings": 0, "fields": 0}
    assert "rounded" not in isingeq("solve", *exact).out
