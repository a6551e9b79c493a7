"""Build the reference firmware: `python -m firmware_models.build [--check]`, in the source tree.

A profile becomes a header: limits, the descriptor as bytes, the time of a sweep. Headers, ELFs and where things lie in
them (`places`) are committed, so that who runs an emulator needs no compiler; `--check` writes nothing and says which
differ from what is built here.
ELFs come out the same wherever they are built with the same compilers: relative paths only, no debug information.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from drivers.descriptor import Descriptor, encode_descriptor
from drivers.profile import load_profile
from drivers.wire.crc import crc32
from firmware_models import programme
from firmware_models.places import Places, places_file, places_text
from isingeq.errors import CapabilityError

SOURCES = Path(__file__).parent / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
FIRMWARE = ("core.c", "crc.c", "link.c", "memory.c", "requests.c", "run.c", "session.c")
SUMS = "elf/SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Target:
    """A part that the firmware is built for.

    Attributes:
        profile: of the board.
        compiler: its command.
        flags: of that compiler.
        files: of the part, beside those of the firmware.
        libraries: at the end of the command.
        reached: an emulator's debugger gets at its memory, so it is written down where things are.
    """

    profile: str
    compiler: str
    flags: tuple[str, ...]
    files: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    reached: bool = False


TARGETS = {
    "lm3s": Target(
        "ref-arm192",
        "arm-none-eabi-gcc",
        ("-mcpu=cortex-m3", "-mthumb", "-ffreestanding", "-O2", "-nostdlib", "-T", "lm3s.ld"),
        ("main.c", "hal_lm3s.c"),
        ("-lgcc",),
        reached=True,
    ),
    "avr": Target(
        "ref-avr64",
        "avr-gcc",
        ("-mmcu=atmega2560", "-DF_CPU=16000000UL", "-Os"),
        ("main.c", "hal_avr.c"),
    ),
}
LINKED = (
    "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,--build-id=none", "-s",
    "-Wl,--print-map",
)  # fmt: skip
_MEMBERS = {
    "num_units": "core.num_units",
    "couplings": "core.couplings",
    **{name: name for name in ("fields", "states", "clamps", "legs")},
}
"""Of a `board` in C, by their names in `Places`."""


def profile_header(name: str, descriptor: Descriptor) -> str:
    """Return `profile.h` of a board.

    Raises:
        CapabilityError: a profile that the reference firmware cannot be.
    """
    check_buildable(name, descriptor)
    text, limits = encode_descriptor(descriptor), descriptor.limits
    schedule, features = descriptor.schedule, descriptor.features
    numbers = {
        "SPINS": descriptor.units.most,
        "COUPLING_LOW": f"({descriptor.coupling.low})",
        "COUPLING_HIGH": descriptor.coupling.high,
        "FIELD_LOW": f"({descriptor.field.low})",
        "FIELD_HIGH": descriptor.field.high,
        "MOST_GAIN": f"{schedule.most_gain}U",
        "MOST_SHIFT": f"{schedule.most_shift}U",
        "MOST_SWEEPS": f"{schedule.most_sweeps}U",
        "LEGS": f"{schedule.legs}U",
        "FRAME": f"{limits.frame}U",
        "WINDOW": f"{limits.window}U",
        "SLOTS": f"{limits.slots}U",
        "FIELD_MEMORY": f"{limits.field_memory}U",
        "STATE_MEMORY": f"{limits.state_memory}U",
        "ROW_MEMORY": f"{limits.row_memory}U",
        "READS": f"{limits.reads}U",
        "CLAMP": int(features.clamp),
        "STREAM": int(features.stream),
        "SHUTDOWN": int(features.shutdown),
        "SWEEP_NS": f"{round(descriptor.latency.sweep_s * 1e9)}ULL",
        "DESCRIPTOR_BYTES": f"{len(text)}U",
        "DESCRIPTOR_DIGEST": f"0x{crc32(text):08X}UL",
    }
    rows = [", ".join(map(str, text[at : at + 24])) for at in range(0, len(text), 24)]
    lines = [
        f"/* Generated from the profile {name} by `python -m firmware_models.build`; not to be edited. */",
        "#ifndef PROFILE_H",
        "#define PROFILE_H",
        "",
        *(f"#define PROFILE_{key} {value}" for key, value in numbers.items()),
        "",
        "/* The descriptor, to be put where a board keeps constants. */",
        "#define PROFILE_DESCRIPTOR \\",
        *(f"    {row}, \\" for row in rows[:-1]),
        f"    {rows[-1]}",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def check_buildable(name: str, descriptor: Descriptor) -> None:
    """Refuse what the reference firmware is not.

    Raises:
        CapabilityError: another update rule, graph, number format or size.
    """
    update, schedule, limits = descriptor.update, descriptor.schedule, descriptor.limits
    wanted = {
        "update of seeded sequential gibbs with xorshift128": (
            update.rule == "sequential gibbs"
            and update.random == "xorshift128"
            and update.seeded
            and update.energy_sign == 1
        ),
        f"at most {programme.MAX_UNITS} spins": descriptor.units.most <= programme.MAX_UNITS,
        "topology all": descriptor.topology.kind == "all",
        "couplings within -127 to 127": (
            descriptor.coupling.bits == 8 and descriptor.coupling.low >= -programme.COUPLING_MAX
        ),
        "fields of 16 bits from -32767 on": (
            descriptor.field.bits == 16 and descriptor.field.low >= -programme.FIELD_MAX
        ),
        "reverse schedules": schedule.reverse,
        "memories below 65536": max(limits.field_memory, limits.state_memory, limits.row_memory)
        < 65536,
        "no sums": limits.sums == 0,
    }
    missing = [what for what, holds in wanted.items() if not holds]
    if missing:
        raise CapabilityError(
            f"profile {name}: the reference firmware has {' and '.join(missing)}; serve it by the model"
        )


def header_of(target: Target) -> str:
    """Return where the header of a board lies, below `c`."""
    return f"profiles/{target.profile}/profile.h"


def command(target: Target, out: str) -> list[str]:
    """Return the command that builds a target, to be run where the sources are."""
    return [
        target.compiler, *STRICT, *target.flags, *LINKED, *sized(target), "-o", out,
        *FIRMWARE, *target.files, *target.libraries,
    ]  # fmt: skip


def sized(target: Target) -> list[str]:
    """Return the options that fit the sources to a board."""
    spins = load_profile(target.profile).units.most
    return [f"-DCORE_MAX_UNITS={spins}", "-I", str(Path(header_of(target)).parent)]


def build_elf(name: str, out: Path, sources: Path = SOURCES) -> None:
    """Build one target, and where its memory is reached, write down beside it where what is.

    Raises:
        CapabilityError: its compiler is missing, or refuses.
    """
    target = TARGETS[name]
    if shutil.which(target.compiler) is None:
        raise CapabilityError(f"{target.compiler} is not on the path; install it to build {name}")
    linked = _compiled(command(target, str(out)), sources)
    if target.reached:
        places_file(out).write_text(
            places_text(_places(target, linked, out.read_bytes(), sources)), encoding="ascii"
        )


def _places(target: Target, linked: str, elf: bytes, sources: Path) -> Places:
    """Return where things are in an ELF, by the map of its link and the compiler's layout of a board."""
    base = re.search(r"\.bss\.the_board\s+(0x[0-9a-f]+)", linked)
    assert base is not None
    offsets = ", ".join(f"offsetof(board, {member})" for member in _MEMBERS.values())
    asked = f'#include <stddef.h>\n#include "board.h"\nconst unsigned long at[] = {{{offsets}}};\n'
    layout = [target.compiler, *target.flags, *sized(target), "-I.", "-S", "-x", "c", "-", "-o", "-"]  # fmt: skip
    words = re.findall(r"\.word\s+(\d+)", _compiled(layout, sources, asked))
    places = {
        name: int(base[1], 16) + int(word) for name, word in zip(_MEMBERS, words, strict=True)
    }
    return Places(sha256=hashlib.sha256(elf).hexdigest(), profile=target.profile, **places)


def _compiled(words: list[str], sources: Path, text: str = "") -> str:
    """Run a compiler where the sources are; return what it says."""
    done = subprocess.run(
        words, cwd=sources, input=text, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise CapabilityError(f"{words[0]} refused the firmware: {done.stderr.strip()}")
    return done.stdout


def sums_text(elves: Path) -> str:
    """Return SHA-256 and name of every ELF in a folder."""
    lines = []
    for name in TARGETS:
        digest = hashlib.sha256((elves / f"{name}.elf").read_bytes()).hexdigest()
        lines.append(f"{digest}  {name}.elf\n")
    return "".join(lines)


def main(arguments: list[str]) -> int:
    """Write headers and ELFs, or with --check say which of them differ; return 0 when all is well."""
    check = "--check" in arguments
    differing = []
    for target in TARGETS.values():
        text = profile_header(target.profile, load_profile(target.profile))
        differing += _put(SOURCES / header_of(target), text.encode("ascii"), check)
    for name in TARGETS:
        # Beside its place: the path of the output is part of no ELF, that of the sources would be.
        elf = SOURCES / "elf" / f"{name}.elf"
        elf.parent.mkdir(exist_ok=True)
        fresh = elf.with_suffix(".elf.new")
        try:
            build_elf(name, fresh)
            differing += _put(elf, fresh.read_bytes(), check)
            if TARGETS[name].reached:
                differing += _put(places_file(elf), places_file(fresh).read_bytes(), check)
        finally:
            fresh.unlink(missing_ok=True)
            places_file(fresh).unlink(missing_ok=True)
    differing += _put(SOURCES / SUMS, sums_text(SOURCES / "elf").encode("ascii"), check)
    for name in differing:
        print(f"{name} {'differs from what is built here' if check else 'written'}")
    return int(bool(differing) and check)


def _put(path: Path, data: bytes, check: bool) -> list[str]:
    if path.is_file() and path.read_bytes() == data:
        return []
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return [str(path.relative_to(SOURCES))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
