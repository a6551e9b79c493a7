#include "core.h"
#include "flash.h"

#define GOLDEN 0x9E3779B9UL

static const uint16_t chances[CORE_ADDRESSES] IN_FLASH = {CORE_CHANCES};

ASSERT_AT_BUILD(boards_have_at_most_255_units, CORE_MAX_UNITS >= 1 && CORE_MAX_UNITS <= 255);
ASSERT_AT_BUILD(local_field_times_gain_fits_32_bits,
                (CORE_FIELD_MAX + (CORE_MAX_UNITS - 1) * 1ULL * CORE_COUPLING_MAX) * CORE_GAIN_MAX +
                        (1ULL << CORE_SHIFT_MAX) / 2 <=
                    0xFFFFFFFFULL);

static uint8_t running(const core *c) { return c->leg < c->task.num_legs; }

static core_status writable(const core *c, uint16_t first, uint16_t count, uint16_t size) {
    if (running(c)) return CORE_BAD_STATE;
    if (first > size || count > (uint16_t)(size - first)) return CORE_BAD_LENGTH;
    return CORE_OK;
}

static uint16_t num_pairs(const core *c) {
    return (uint16_t)((uint32_t)c->num_units * (uint32_t)(c->num_units - 1) / 2);
}

core_status core_reset(core *c, uint16_t num_units) {
    if (num_units < 1 || num_units > CORE_MAX_UNITS) return CORE_OUT_OF_RANGE;
    c->num_units = num_units;
    core_abort(c);
    for (uint16_t i = 0; i < num_units; i++) {
        c->fields[i] = 0;
        c->clamps[i] = 0;
        c->spins[i] = 1;
        for (uint16_t j = 0; j < num_units; j++) c->couplings[i][j] = 0;
    }
    return CORE_OK;
}

core_status core_set_couplings(core *c, uint16_t first, uint16_t count, const int8_t *values) {
    core_status status = writable(c, first, count, num_pairs(c));
    if (status != CORE_OK) return status;
    for (uint16_t k = 0; k < count; k++)
        if (values[k] < -CORE_COUPLING_MAX) return CORE_OUT_OF_RANGE;
    uint16_t i = 0, j = first;
    for (uint16_t k = 0; k < count; k++, j++) {
        /* j counts from the first pair of row i. */
        while (j >= c->num_units - 1 - i) {
            j = (uint16_t)(j - (c->num_units - 1 - i));
            i++;
        }
        c->couplings[i][i + 1 + j] = c->couplings[i + 1 + j][i] = values[k];
    }
    return CORE_OK;
}

core_status core_set_fields(core *c, uint16_t first, uint16_t count, const int16_t *values) {
    core_status status = writable(c, first, count, c->num_units);
    if (status != CORE_OK) return status;
    for (uint16_t k = 0; k < count; k++)
        if (values[k] < -CORE_FIELD_MAX) return CORE_OUT_OF_RANGE;
    for (uint16_t k = 0; k < count; k++) c->fields[first + k] = values[k];
    return CORE_OK;
}

core_status core_set_clamps(core *c, uint16_t first, uint16_t count, const int8_t *values) {
    core_status status = writable(c, first, count, c->num_units);
    if (status != CORE_OK) return status;
    for (uint16_t k = 0; k < count; k++)
        if (values[k] < -1 || values[k] > 1) return CORE_OUT_OF_RANGE;
    for (uint16_t k = 0; k < count; k++) c->clamps[first + k] = values[k];
    return CORE_OK;
}

uint16_t core_packed_length(uint16_t num_units) { return (uint16_t)((num_units + 7U) / 8U); }

static int8_t packed_spin(const uint8_t *bits, uint16_t i) { return bits[i / 8] >> (i % 8) & 1 ? 1 : -1; }

core_status core_set_spins(core *c, uint16_t length, const uint8_t *bits) {
    if (running(c)) return CORE_BAD_STATE;
    if (length != core_packed_length(c->num_units)) return CORE_BAD_LENGTH;
    for (uint16_t i = 0; i < c->num_units; i++) c->spins[i] = packed_spin(bits, i);
    return CORE_OK;
}

core_status core_get_spins(const core *c, uint16_t length, uint8_t *bits) {
    if (length != core_packed_length(c->num_units)) return CORE_BAD_LENGTH;
    for (uint16_t k = 0; k < length; k++) bits[k] = 0;
    for (uint16_t i = 0; i < c->num_units; i++)
        if (c->spins[i] > 0) bits[i / 8] = (uint8_t)(bits[i / 8] | 1U << (i % 8));
    return CORE_OK;
}

static uint32_t mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7FEB352DUL;
    x = (x ^ (x >> 15)) * 0x846CA68BUL;
    return x ^ (x >> 16);
}

static uint32_t next_random(uint32_t *r) {
    uint32_t t = r[0] ^ (r[0] << 11);
    r[0] = r[1];
    r[1] = r[2];
    r[2] = r[3];
    r[3] = r[3] ^ (r[3] >> 19) ^ t ^ (t >> 8);
    return r[3];
}

static int32_t local_field(const core *c, uint16_t i) {
    int32_t f = c->fields[i];
    for (uint16_t j = 0; j < c->num_units; j++) f += (int16_t)c->couplings[i][j] * c->spins[j];
    return f;
}

core_status core_begin(core *c, const core_task *task) {
    if (running(c)) return CORE_BAD_STATE;
    if (task->shift > CORE_SHIFT_MAX) return CORE_OUT_OF_RANGE;
    for (uint16_t k = 0; k < task->num_legs; k++)
        if (task->legs[k].sweeps < 1) return CORE_OUT_OF_RANGE;
    c->random[0] = mix(task->seed + GOLDEN);
    c->random[1] = mix(c->random[0] + task->sample + GOLDEN);
    c->random[2] = mix(c->random[1] + task->read + GOLDEN);
    c->random[3] = mix(c->random[2] + GOLDEN);
    /* Else the first two numbers of all reads of a sample would differ by the same bits. */
    c->random[0] = mix(c->random[0] + c->random[3] + GOLDEN);
    c->random[1] = mix(c->random[1] + c->random[2] + GOLDEN);
    for (uint16_t i = 0; i < c->num_units; i++) {
        if (task->start == CORE_START_RANDOM) c->spins[i] = next_random(c->random) >> 31 ? 1 : -1;
        if (c->clamps[i]) c->spins[i] = c->clamps[i];
    }
    for (uint16_t i = 0; i < c->num_units; i++) c->local[i] = local_field(c, i);
    c->task = *task;
    c->leg = 0;
    c->sweep = 0;
    return CORE_OK;
}

static uint16_t gain_now(const core *c) {
    const core_leg *leg = &c->task.legs[c->leg];
    uint32_t t = c->sweep;
    if (leg->sweeps == 1) return leg->last;
    uint32_t steps = (uint32_t)leg->sweeps - 1;
    /* Magnitudes, so that both directions round towards the first gain. */
    if (leg->last >= leg->first) return (uint16_t)(leg->first + (uint32_t)(leg->last - leg->first) * t / steps);
    return (uint16_t)(leg->first - (uint32_t)(leg->first - leg->last) * t / steps);
}

static void flip(core *c, uint16_t i) {
    const int8_t *row = c->couplings[i];
    c->spins[i] = (int8_t)-c->spins[i];
    int8_t change = (int8_t)(2 * c->spins[i]);
    for (uint16_t j = 0; j < c->num_units; j++) c->local[j] += (int16_t)row[j] * change;
}

uint8_t core_sweep(core *c) {
    if (!running(c)) return 0;
    uint32_t gain = gain_now(c), half = ((uint32_t)1 << c->task.shift) >> 1;
    for (uint16_t i = 0; i < c->num_units; i++) {
        uint16_t number = (uint16_t)(next_random(c->random) >> 16);
        if (c->clamps[i]) continue;
        int32_t f = c->local[i];
        uint32_t magnitude = f < 0 ? (uint32_t)-f : (uint32_t)f;
        uint32_t address = (magnitude * gain + half) >> c->task.shift;
        if (address >= CORE_ADDRESSES) address = CORE_ADDRESSES - 1;
        int8_t along = f < 0 ? 1 : -1;
        int8_t spin = number < FLASH_WORD(&chances[address]) ? (int8_t)-along : along;
        if (spin != c->spins[i]) flip(c, i);
    }
    if (++c->sweep == c->task.legs[c->leg].sweeps) {
        c->sweep = 0;
        c->leg++;
    }
    return running(c);
}

void core_abort(core *c) { c->leg = c->task.num_legs; }

int32_t core_energy(const core *c) {
    /* Every pair is met twice, every field once more by hand. */
    int32_t twice = 0;
    for (uint16_t i = 0; i < c->num_units; i++) twice += (local_field(c, i) + c->fields[i]) * c->spins[i];
    return twice / 2;
}

core_status core_correlation(const core *c, const uint8_t *reads, uint16_t num_reads, uint16_t i, uint16_t j,
                             int32_t *sum) {
    if (i >= c->num_units || j >= c->num_units) return CORE_BAD_LENGTH;
    uint16_t length = core_packed_length(c->num_units);
    *sum = 0;
    for (uint16_t r = 0; r < num_reads; r++, reads += length)
        *sum += packed_spin(reads, i) == packed_spin(reads, j) ? 1 : -1;
    return CORE_OK;
}
