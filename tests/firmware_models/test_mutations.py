"""Every check of the firmware is one that something would miss: without it, a named test fails."""

import faulthandler
import os
import shutil
import signal
import subprocess
from contextlib import closing

import pytest
from asking import DeviceLine, Host
from native_core import compiler
from programmes import oracle, steep
from test_elf import board_cases, built, greeted, start
from test_fuzz import compiled, fuzzed, sanitizers
from test_native_alike import converse, every_length_alike

from firmware_models import build, native
from firmware_models.native import NativeDevice, build_library
from isingeq.errors import DeviceError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]
LIMIT_S = 120


def mutated(folder, name, old, new):
    """Return a copy of the sources with one edit."""
    sources = folder / "c"
    shutil.copytree(build.SOURCES, sources)
    text = (sources / name).read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    (sources / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return sources


@pytest.fixture
def lenient(monkeypatch):
    """An edit may leave a variable unused."""
    compiler()
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-O0", "-w"))
    monkeypatch.setattr(build, "STRICT", (*build.STRICT, "-w"))


def use(monkeypatch, folder, sources):
    """Make native devices of these sources."""
    calls = {}

    def load(profile, _):
        if profile not in calls:
            calls[profile] = native.calls_of(
                build_library(profile, folder / "built", sources=sources)
            )
        return calls[profile]

    monkeypatch.setattr(native, "_load", load)


def model_agrees():
    """The check that the model answers alike, of test_native_alike; apart, since firmware without a check may crash."""
    child = os.fork()
    if not child:
        wrong = 1
        try:
            faulthandler.disable()
            signal.alarm(LIMIT_S)
            every_length_alike()
            for seed in range(8):
                converse("ref-arm192", seed, 500)
            wrong = 0
        finally:
            os._exit(wrong)
    return os.waitpid(child, 0)[1] == 0


CAUGHT_BY_THE_MODEL = [
    ("link.c", "get32(check) != crc32(0, l->in, size) :", "0 :"),
    ("link.c", "get16(check) != crc16(l->in, size)", "0"),
    ("link.c", "(l->strong || needs_crc32(f->opcode, size))", "l->strong"),
    ("link.c", "(l->strong || needs_crc32(f->opcode, size))", "needs_crc32(f->opcode, size)"),
    ("link.c", "if (l->in[0] >> 4 != IQP_VERSION) return dropped(l);", ""),
    ("link.c", "if (needs_crc32(opcode, size)) strong = 1;", ""),
    ("link.c", "if (code > count - from) return 0;", ""),
    ("link.c", "code <= FULL && from < count", "from < count"),
    ("link.c", "#define FULL 254U", "#define FULL 255U"),
    ("crc.c", "crc >> 12", "crc >> 11 & 15"),
    ("session.c", "if (request_is_pure(f->opcode))", "if (1)"),
    ("session.c", "if (!memo->known) return;", ""),
    ("session.c", "reply(b, f, memo->status, IQP_FLAG_RETRANSMISSION)", "reply(b, f, memo->status, 0)"),
    ("session.c", "behind <= IQP_REPLAY_DEPTH", "behind <= IQP_REPLAY_DEPTH + 1"),
    ("session.c", "b->session == 0 || f->session != b->session", "b->session == 0"),
    ("session.c", "memos[k].known = 0", "memos[k].known &= 1"),
    ("session.c", "    b->tells = 0;\n    b->silence_ms = 0;\n", ""),
    ("session.c", "f->session != b->session || nonce != b->nonce", "1"),
    ("requests.c", "return states >> b->state & 1 ?", "return 1 ?"),
    ("requests.c", "if (!is_offered(opcode, p))", "if (0)"),
    ("requests.c", "if (opcode == IQP_OPCODE_LOAD_LEGS) return more % 6 == 0;", ""),
    ("memory.c", "if (flags & ~IQP_BEGIN_FLAG_KEEP)", "if (0)"),
    ("memory.c", "if (spins != b->core.num_units) b->run = (board_run){0};", ""),
    ("memory.c", "b->fields[k] = 0;", ";"),
    ("memory.c", "if (beyond(offset, count, num_pairs(b)))", "if (0)"),
    ("memory.c", "coupling < PROFILE_COUPLING_LOW ||", ""),
    ("memory.c", "if (!fields_fit(values, width, count)) return", "if (0) return"),
    ("memory.c", "if (packed[k] >> odd) return 0;", ";"),
    ("memory.c", "if (stretch_is_run(b, offset, count, b->core.num_units)) return not_now(b);", ""),
    ("memory.c", "if (get32(p + IQP_AT_COMMIT_DIGEST) != found)", "if (0)"),
    ("memory.c", "width == 1 ? (int8_t)values[k]", "width == 1 ? (uint8_t)values[k]"),
    ("run.c", "if (!was_before(&b->run, &r))", "if (b->run.id == 0)"),
    ("run.c", "before->state == IQP_RUN_STATE_COMPLETE &&", ""),
    ("run.c", "if (r.id == 0 || r.id != b->run.id)", "if (1)"),
    ("run.c", "if (b->legs[leg + k].sweeps == 0) return 0;", ";"),
    ("run.c", "if (bit(b->clamps, i))", "if (0)"),
    ("run.c", "task.sample = r->sample + r->at_slot;", "task.sample = r->sample;"),
    ("run.c", "if (r->thin != 0 && r->at_read != 0)", "if (0)"),
    ("run.c", "uint16_t gain = b->legs[r->leg + r->num_legs - 1].last;", "uint16_t gain = b->legs[r->leg].first;"),
    ("run.c", "task.read = r->at_read;", ""),
    ("run.c", "r->digest = crc32(r->digest, packed, row);", ""),
    ("core.c", "1U << (i % 8)", "0x80U >> (i % 8)"),
    ("core.c", "bits[i / 8] >> (i % 8) & 1", "bits[i / 8] << (i % 8) & 0x80"),
]  # fmt: skip


def test_with_all_its_checks_nothing_is_caught(tmp_path, monkeypatch, lenient):
    use(monkeypatch, tmp_path, build.SOURCES)
    assert model_agrees()


@pytest.mark.parametrize(("name", "old", "new"), CAUGHT_BY_THE_MODEL)
def test_the_model_catches(tmp_path, monkeypatch, lenient, name, old, new):
    use(monkeypatch, tmp_path, mutated(tmp_path, name, old, new))
    assert not model_agrees()


CAUGHT_BY_SANITIZERS = [
    ("requests.c", "n < least || ", ""),
    ("requests.c", "|| !is_whole(opcode,", "|| n > least && !is_whole(opcode,"),
    ("requests.c", "if (count > PROFILE_DESCRIPTOR_BYTES - offset)", "if (0)"),
    ("memory.c", "if (beyond(offset, count, num_fields(b)))", "if (0)"),
    ("memory.c", "if (beyond(slot, slots, num_slots(b)))", "if (0)"),
    ("memory.c", "if (beyond(leg, count, PROFILE_LEGS))", "if (0)"),
    ("memory.c", "if (beyond(offset, count, packed_bytes(b)))", "if (0)"),
    ("memory.c", "return first > size || count > size - first;", "return first + count > size;"),
    ("memory.c", "if (get16(spins + 2 * (uint32_t)k) >= b->core.num_units)", "if (0)"),
    ("memory.c", "spins < 1 || spins > PROFILE_SPINS", "spins < 1"),
    ("run.c", "if (!legs_are_loaded(b, r->leg, r->num_legs))", "if (0)"),
    ("run.c", "rows > PROFILE_ROW_MEMORY / packed_bytes(b)", "0"),
    ("run.c", "if ((uint32_t)r->slot + r->num_slots > num_slots(b))", "if (0)"),
    ("run.c", "row > r->rows || count > r->rows - row", "0"),
    ("link.c", "l->held < LINK_HELD", "1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return sanitizers(tmp_path_factory.mktemp("probe"))


@pytest.mark.parametrize(("name", "old", "new"), CAUGHT_BY_SANITIZERS)
def test_sanitizers_catch(tmp_path, flags, name, old, new):
    sources = mutated(tmp_path, name, old, new)
    program = compiled(tmp_path, "ref-avr64", ["fuzz.c"], *flags, "-w", sources=sources)
    with pytest.raises((AssertionError, subprocess.TimeoutExpired)):
        fuzzed(program, 1, 1_000_000, limit_s=60)


def samples_right(host, cases):
    """The check of programmes bit for bit, of test_native_device and test_elf."""
    return all(host.of_case(case, k) == oracle(case) for k, case in enumerate(cases, 1))


ONLY_WHERE_AN_INT_HAS_16_BITS = [
    ("core.h", "int32_t local[CORE_MAX_UNITS];", "int local[CORE_MAX_UNITS];"),
    ("core.c", "((uint32_t)1 << c->task.shift) >> 1", "(1U << c->task.shift << 1) >> 2"),
    ("core.c", "int32_t f = c->local[i];", "int f = (int)c->local[i];"),
    ("link.c", "(uint32_t)get16(bytes + 2) << 16", "(unsigned)get16(bytes + 2) << 16"),
]


@pytest.mark.parametrize(("name", "old", "new"), ONLY_WHERE_AN_INT_HAS_16_BITS)
def test_simavr_catches_a_cast_that_is_missing(tmp_path, monkeypatch, lenient, name, old, new):
    """It does no harm where an int has 32 bits, so that the native build could not tell."""
    sources = mutated(tmp_path, name, old, new)
    use(monkeypatch, tmp_path, sources)
    cases = board_cases("avr", seed=21) + steep()
    host = Host(DeviceLine(NativeDevice("ref-avr64", uid=0, boot=0)))
    host.hello()
    assert samples_right(host, cases)
    with closing(start("avr", built("avr", tmp_path / "avr.elf", sources))) as emulator:
        try:
            right = samples_right(greeted(emulator), cases)
        except (AssertionError, DeviceError):
            right = False
    assert not right
