"""The C core as a process: compiled where there is a compiler, spoken to line by line."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import firmware_models

SOURCES = Path(firmware_models.__file__).parent / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")


def missing(reason):
    """Skip for want of a tool; where `ISINGEQ_EVERY_TOOL` is set, as in the whole check, fail instead."""
    (pytest.fail if os.environ.get("ISINGEQ_EVERY_TOOL") else pytest.skip)(reason)


def compiler():
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        missing("the C core needs a C compiler: neither cc nor gcc is on the path")
    return found


def build(folder, *flags, sources=SOURCES):
    """Compile the driver with 255 units and return its path."""
    program = folder / "drive"
    files = [str(sources / name) for name in ("core.c", "drive.c")]
    command = [compiler(), *STRICT, "-O2", "-DCORE_MAX_UNITS=255", *flags, *files, "-o", program]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


def talk(program, lines, *, limit_s=120):
    """Return the numbers of the answer to every line."""
    done = subprocess.run(
        [str(program)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=limit_s,
    )
    assert done.returncode == 0, done.stderr
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def numbers(*values):
    return " ".join(str(int(value)) for value in values)


def told(programme):
    """Return the lines that load a programme."""
    lines = [f"n {programme.num_units}"]
    for command, values in zip(
        "jhc", (programme.couplings, programme.fields, programme.clamps), strict=True
    ):
        lines.append(f"{command} {numbers(0, len(values), *values)}")
    lines.append(f"g {programme.shift}")
    return lines + [f"l {leg.first} {leg.last} {leg.sweeps}" for leg in programme.legs]


def case_lines(case):
    """Return the lines of one case, a run last."""
    lines = told(case.programme)
    fields = case.programme.fields_with(case.deltas)
    lines.append(f"h {numbers(0, len(fields), *fields)}")
    if case.start is not None:
        packed = np.packbits(np.array(case.start) > 0, bitorder="little")
        lines.append(f"s {numbers(len(packed), *packed)}")
    return [*lines, f"r {case.seed} {case.sample} {case.read} {int(case.start is not None)}"]


def spins_of(answer, num_units):
    """Return status, energy and spins of the answer to a run."""
    status, energy, *packed = answer
    bits = np.unpackbits(np.array(packed, np.uint8), bitorder="little")[:num_units]
    return status, energy, tuple((2 * bits.astype(int) - 1).tolist())


def run_all(program, cases, *, limit_s=120):
    """Return energy and spins of every case; every command must be accepted."""
    scripts = [case_lines(case) for case in cases]
    lines = [line for script in scripts for line in script]
    answers = iter(talk(program, lines, limit_s=limit_s))
    results = []
    for case, script in zip(cases, scripts, strict=True):
        mine = [next(answers) for _ in script]
        assert all(answer == [0] for answer in mine[:-1])
        status, energy, spins = spins_of(mine[-1], case.programme.num_units)
        assert status == 0
        results.append((energy, spins))
    return results
