"""The rules of the house that no linter knows."""

import ast
import functools
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import isingeq
from drivers import errors as faults
from isingeq import errors
from isingeq.backend import Backend, Capabilities
from isingeq.registry import names

ROOT = Path(__file__).parents[2]
PACKAGES = ("isingeq", "drivers", "firmware_models", "calibration")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
OTHERS = ("tests", "benchmarks", "examples", "docs")
EVERY = sorted([*SOURCES, *(path for folder in OTHERS for path in (ROOT / folder).rglob("*.py"))])
MOST_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "tools"}


def named(path):
    return str(path.relative_to(ROOT))


@functools.cache
def trees():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


@functools.cache
def classes():
    return [
        (path, node)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]


def test_there_is_something_to_look_at():
    assert len(SOURCES) > 50
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(PACKAGES)


def test_no_file_is_long():
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in EVERY}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_modules_are_named_by_their_subject():
    vague = [
        named(path) for path in SOURCES if set(path.relative_to(ROOT).with_suffix("").parts) & VAGUE
    ]
    assert vague == []


def test_classes_are_named_by_what_they_are():
    endings = ("Manager", "Handler", "Base", "Impl", "Helper", "Utils")
    vague = [
        f"{named(path)}: {node.name}" for path, node in classes() if node.name.endswith(endings)
    ]
    assert vague == []


def is_stub(node):
    """A member of a protocol that says its type alone."""
    constants = (part.value for part in node.body if isinstance(part, ast.Expr))
    dots = [c for c in constants if isinstance(c, ast.Constant) and c.value is ...]
    return isinstance(node, ast.FunctionDef) and len(dots) == len(node.body)


def undocumented(tree, prefix=""):
    for node in tree.body:
        if not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not is_stub(node):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node, f"{prefix}{node.name}.")


def test_everything_public_says_what_it_does():
    assert [f"{named(path)}: {name}" for path, tree in trees() for name in undocumented(tree)] == []


def test_nothing_inherits_an_implementation():
    """Errors make a tree; all else is protocols, functions and plain data."""
    own = {node.name for _, node in classes()}
    own -= {name for name in (*vars(errors), *vars(faults)) if name.endswith("Error")}
    heirs = [
        f"{named(path)}: {node.name}({ast.unparse(base)})"
        for path, node in classes()
        for base in node.bases
        if ast.unparse(base).split(".")[-1].split("[")[0] in own
    ]
    assert heirs == []


def test_nothing_is_left_to_do_in_the_code():
    marks = ("TO" + "DO", "FIX" + "ME", "X" * 3)
    found = [
        named(path)
        for path in EVERY
        if any(mark in path.read_text(encoding="utf-8") for mark in marks)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()
    assert (ROOT / package / "__init__.py").is_file()


def test_the_wheel_holds_the_four_packages_and_nothing_else():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)


def run(code):
    """Return what Python prints when it runs a line of code on its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


HEAVY = ("numba", "llvmlite", "sklearn", "scipy", "dimod", "matplotlib", "numpy")


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, isingeq; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code) == "[]"


def test_the_seam_imports_no_compiler():
    heavy = ("numba", "llvmlite", "sklearn", "dimod")
    code = f"import sys, isingeq.backend, isingeq.registry; print([n for n in {heavy} if n in sys.modules])"
    assert run(code) == "[]"


def test_the_package_itself_offers_its_version_alone():
    modules = type(isingeq)
    public = [
        k for k, v in vars(isingeq).items() if not k.startswith("_") and not isinstance(v, modules)
    ]
    assert public == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isingeq.__version__ == project["version"]


def test_the_seam_is_as_narrow_as_it_says():
    assert {name for name in vars(Backend) if not name.startswith("_")} == {
        "name", "capabilities", "suggest_schedule", "settle", "close",
    }  # fmt: skip
    assert set(Capabilities.__slots__) == {
        "units", "couplings", "claim", "terms", "schedules", "max_units", "field_range", "coupling_range", "field_step",
        "coupling_step", "coupling_levels", "connectivity", "warm_start", "split_invariant", "complex_nudging",
        "displacements", "traces", "concurrent",
    }  # fmt: skip


def test_backends_that_ship_are_entry_points():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = set(project["entry-points"]["isingeq.backends"])
    assert declared >= {"hopfield", "conjugate", "neal", "exact", "null"}
    assert declared <= set(names())


def test_exit_codes_tell_errors_apart():
    codes = {
        "ConfigError": 2, "ProblemError": 3, "DataError": 4, "CapabilityError": 5, "BackendError": 6,
        "DivergenceError": 6, "CheckpointError": 7, "DeviceError": 8, "CalibrationError": 9,
    }  # fmt: skip
    tree = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, errors.IsingeqError)
        and kind is not errors.IsingeqError
    }
    assert tree == codes
    assert issubclass(errors.DivergenceError, errors.BackendError)
    for name, code in codes.items():
        row = next(line for line in errors.__doc__.splitlines() if f" {name} " in line)
        assert str(code) in row.split()
