"""The C core equals the definition: as it is built for this machine, checked by sanitizers, and broken on purpose."""

import shutil
import subprocess

import numpy as np
import pytest
from native_core import SOURCES, STRICT, build, compiler, missing, numbers, run_all, talk, told
from programmes import corners, hardest, oracle, random_cases, ties

from firmware_models.programme import Programme

OK, BAD_LENGTH, OUT_OF_RANGE, BAD_STATE = 0, 2, 3, 4


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    return build(tmp_path_factory.mktemp("native"))


def test_a_thousand_programmes_bit_for_bit(driver):
    cases = random_cases(1100, seed=6) + corners()
    assert run_all(driver, cases) == [oracle(case) for case in cases]


def test_a_tie_goes_along_with_the_field():
    assert len(ties()) > 10
    for case in ties():
        assert oracle(case)[1] == (-1,)


def test_the_largest_board(driver):
    case = hardest(255)
    assert run_all(driver, [case]) == [oracle(case)]


REFUSALS = [
    ("n 0", OUT_OF_RANGE),
    ("n 256", OUT_OF_RANGE),
    ("n 3", OK),
    ("j 0 3 127 -127 5", OK),
    ("j 1 3 1 2 3", BAD_LENGTH),
    ("j 4 0", BAD_LENGTH),
    ("j 0 1 -128", OUT_OF_RANGE),
    ("j 65535 2 1 1", BAD_LENGTH),
    ("h 0 3 32767 -32767 0", OK),
    ("h 3 1 5", BAD_LENGTH),
    ("h 2 1 -32768", OUT_OF_RANGE),
    ("h 2 1 -1", OK),
    ("c 0 3 0 2 0", OUT_OF_RANGE),
    ("c 0 3 0 0 -2", OUT_OF_RANGE),
    ("c 2 2 0 0", BAD_LENGTH),
    ("s 2 1 1", BAD_LENGTH),
    ("s 0", BAD_LENGTH),
    ("s 1 5", OK),
    ("g 16", OK),
    ("p 1 1 1 0", OUT_OF_RANGE),
    ("g 15", OK),
    ("l 0 0 1", OK),
    ("l 0 0 0", OK),
    ("p 1 1 1 0", OUT_OF_RANGE),
    ("g 15", OK),
    ("l 1 2 3", OK),
    ("k 3 0 0", BAD_LENGTH),
    ("k 0 3 0", BAD_LENGTH),
    ("p 1 1 1 0", OK),
    ("p 1 1 1 0", BAD_STATE),
    ("j 0 1 1", BAD_STATE),
    ("h 0 1 1", BAD_STATE),
    ("c 0 1 1", BAD_STATE),
    ("s 1 5", BAD_STATE),
    ("a", OK),
    ("j 0 1 1", OK),
    ("p 1 1 1 0", OK),
    ("n 2", OK),
    ("j 0 1 9", OK),
]


def refusals_hold(program, *, limit_s=120):
    answers = talk(program, [line for line, _ in REFUSALS], limit_s=limit_s)
    return [answer[0] for answer in answers] == [status for _, status in REFUSALS]


def test_whatever_is_out_of_range_is_refused(driver):
    assert refusals_hold(driver)


def test_a_refused_list_changes_nothing(driver):
    programme = Programme((3, -5, 7), (2, -4, 1), (0, 0, 0), (), 0)
    wrong = ["j 0 3 1 1 -128", "h 0 3 1 1 -32768", "c 0 3 1 1 2", "s 2 0 0"]
    answers = talk(driver, [*told(programme), "s 1 1", *wrong, "r 1 1 1 1"])
    assert answers[-1] == [0, (-3 + 5 + 7) + (2 + 4 - 1), 1]


def test_pairs_may_come_in_pieces(driver):
    n = 9
    values = list(range(1, 37))
    pieces = [
        f"j {first} {count} {numbers(*values[first : first + count])}"
        for first, count in ((20, 16), (0, 1), (1, 7), (8, 12))
    ]
    state = numbers(2, 0b10110101, 1)
    whole = [f"n {n}", f"j 0 36 {numbers(*values)}", f"s {state}", "r 1 1 1 1"]
    split = [f"n {n}", *pieces, f"s {state}", "r 1 1 1 1"]
    assert talk(driver, whole)[-1] == talk(driver, split)[-1]


def test_correlations_of_packed_reads(driver):
    rng = np.random.default_rng(4)
    n, reads = 11, 37
    spins = rng.choice([-1, 1], (reads, n))
    packed = np.packbits(spins > 0, axis=1, bitorder="little").ravel()
    lines = [f"k {i} {j} {numbers(reads, *packed)}" for i in range(n) for j in range(n)]
    answers = talk(driver, [f"n {n}", *lines])[1:]
    assert answers == [[0, int(value)] for value in (spins.T @ spins).ravel()]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("arm-none-eabi-gcc", ("-mcpu=cortex-m3", "-mthumb", "-ffreestanding", "-O2")),
        ("avr-gcc", ("-mmcu=atmega2560", "-Os", "-DCORE_MAX_UNITS=64")),
    ],
)
def test_it_compiles_for_boards_without_a_warning(tmp_path, command, flags):
    if shutil.which(command) is None:
        missing(f"{command} is not installed")
    built = [command, *STRICT, *flags, "-c", str(SOURCES / "core.c"), "-o", tmp_path / "core.o"]
    done = subprocess.run(built, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


MUTATIONS = [
    ("core.c", "if (address >= CORE_ADDRESSES) address = CORE_ADDRESSES - 1;", ""),
    ("core.c", "int32_t f = c->local[i];", "int16_t f = (int16_t)c->local[i];"),
    ("core.c", "uint32_t address = (magnitude", "uint16_t address = (uint16_t)(magnitude"),
    ("core.c", "magnitude * gain + half", "(uint16_t)magnitude * (uint16_t)gain + (int)half"),
    ("core.c", "magnitude * gain + half", "magnitude * gain"),
    ("core.c", "int32_t f = c->fields[i];", "int16_t f = c->fields[i];"),
    ("core.h", "int32_t local[", "int16_t local["),
    ("core.c", "+= (int16_t)row[j] * change", "+= (int8_t)(row[j] * change)"),
    ("core.c", "if (leg->last >= leg->first) return", "return"),
    ("core.c", "(leg->last - leg->first) * t / steps", "(leg->last - leg->first) / steps * t"),
    ("core.c", "(leg->first - leg->last) * t / steps", "(leg->first - leg->last) * t / leg->sweeps"),
    ("core.c", "number < FLASH_WORD", "number <= FLASH_WORD"),
    ("core.c", "if (c->clamps[i]) continue;", ""),
    ("core.c", "if (c->clamps[i]) c->spins[i] = c->clamps[i];", ""),
    ("core.c", "along = f < 0 ?", "along = f <= 0 ?"),
    ("core.c", "if (leg->sweeps == 1) return leg->last;", "if (leg->sweeps == 1) return leg->first;"),
    ("core.c", "next_random(c->random) >> 31", "next_random(c->random) & 1"),
    ("core.c", "+ task->read + GOLDEN", "+ GOLDEN"),
    ("core.c", "count > (uint16_t)(size - first)", "0"),
    ("core.c", "first > size ||", ""),
    ("core.c", "if (running(c)) return CORE_BAD_STATE;\n    if (first", "if (first"),
    ("core.c", "if (values[k] < -CORE_COUPLING_MAX) return CORE_OUT_OF_RANGE;", ";"),
    ("core.c", "values[k] < -CORE_FIELD_MAX", "0"),
    ("core.c", "values[k] < -1 || values[k] > 1", "0"),
    ("core.c", "length != core_packed_length(c->num_units)", "0"),
    ("core.c", "task->legs[k].sweeps < 1", "0"),
    ("core.c", "task->shift > CORE_SHIFT_MAX", "0"),
    ("core.c", "if (i >= c->num_units || j >= c->num_units) return CORE_BAD_LENGTH;", ""),
    ("core.c", "num_units < 1 || num_units > CORE_MAX_UNITS", "0"),
]  # fmt: skip


def is_right(program, cases, expected):
    """True when every answer is right; a crash or a hung program is a wrong answer."""
    try:
        return (
            refusals_hold(program, limit_s=10) and run_all(program, cases, limit_s=10) == expected
        )
    except (AssertionError, StopIteration, subprocess.TimeoutExpired, ValueError):
        return False


@pytest.mark.slow
def test_every_mutation_is_caught(tmp_path, driver):
    cases = random_cases(400, seed=6) + corners()
    expected = [oracle(case) for case in cases]
    assert is_right(driver, cases, expected)
    missed = []
    for k, (name, old, new) in enumerate(MUTATIONS):
        folder = tmp_path / str(k)
        shutil.copytree(SOURCES, folder)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text, old
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        if is_right(build(folder, "-w", sources=folder), cases, expected):
            missed.append((old, new))
    assert missed == []


def babble(count):
    """Commands without sense: any letter, any number, often just beyond what is allowed."""
    rng = np.random.default_rng(12)
    edges = np.array([0, 1, 2, 3, 7, 8, 31, 32, 33, 126, 127, 128, 254, 255, 256, 32767, 65535])
    for _ in range(count):
        command = str(rng.choice(list("njhcsglrpak")))
        few = int(rng.integers(0, 40)) if rng.uniform() < 0.8 else int(rng.choice(edges[:15]))
        first = int(rng.choice(edges))
        values = rng.integers(-70000, 70000, few)
        if command in "jhc":
            yield f"{command} {numbers(first, few, *values)}"
        elif command == "s":
            yield f"s {numbers(few, *values)}"
        elif command == "k":
            yield f"k {numbers(*rng.choice(edges, 2), 0)}"
        elif command == "l":
            yield f"l {numbers(*rng.choice(edges, 2), rng.integers(0, 4))}"
        elif command in "rp":
            yield f"{command} {numbers(*rng.integers(0, 2**32, 3), rng.integers(2))}"
        elif command in "ng":
            yield f"{command} {numbers(rng.choice(edges))}"
        else:
            yield command


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path):
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    linked = subprocess.run(
        [compiler(), *flags, str(probe), "-o", tmp_path / "probe"], capture_output=True
    )
    if linked.returncode != 0:
        missing("the C compiler has no address and undefined-behaviour sanitizers")
    program = build(tmp_path, *flags)
    cases = random_cases(1000, seed=9) + corners() + [hardest(255)]
    assert run_all(program, cases) == [oracle(case) for case in cases]
    assert refusals_hold(program)
    lines = list(babble(30_000))
    assert len(talk(program, lines)) == len(lines)
