/* What a board holds: written by LOAD_…, read by READBACK and DIGEST. All is checked before anything is written. */
#include "crc.h"
#include "parts.h"

uint16_t packed_bytes(const board *b) { return core_packed_length(b->core.num_units); }

uint16_t num_slots(const board *b) {
    uint16_t n = b->core.num_units;
    if (n == 0) return 0;
    uint16_t slots = PROFILE_SLOTS, by_fields = (uint16_t)(PROFILE_FIELD_MEMORY / n),
             by_states = (uint16_t)(PROFILE_STATE_MEMORY / packed_bytes(b));
    if (by_fields < slots) slots = by_fields;
    return by_states < slots ? by_states : slots;
}

uint16_t num_pairs(const board *b) {
    uint32_t n = b->core.num_units;
    return n == 0 ? 0 : (uint16_t)(n * (n - 1) / 2);
}

static uint32_t num_fields(const board *b) { return (uint32_t)num_slots(b) * b->core.num_units; }

static uint8_t beyond(uint32_t first, uint32_t count, uint32_t size) {
    return first > size || count > size - first;
}

uint8_t begin(board *b, const uint8_t *p) {
    uint16_t spins = get16(p + IQP_AT_BEGIN_NUM_SPINS);
    uint8_t flags = p[IQP_AT_BEGIN_FLAGS];
    if (spins < 1 || spins > PROFILE_SPINS) return out_of_range(b, IQP_AT_BEGIN_NUM_SPINS);
    if (flags & ~IQP_BEGIN_FLAG_KEEP) return out_of_range(b, IQP_AT_BEGIN_FLAGS);
    if (spins != b->core.num_units) b->run = (board_run){0};
    if (spins != b->core.num_units || !(flags & IQP_BEGIN_FLAG_KEEP)) {
        core_reset(&b->core, spins);
        for (uint16_t k = 0; k < PROFILE_FIELD_MEMORY; k++) b->fields[k] = 0;
    }
    b->state = IQP_STATE_LOADING;
    return IQP_STATUS_OK;
}

uint8_t load_couplings(board *b, const uint8_t *p, uint16_t n) {
    uint32_t offset = get32(p + IQP_AT_LOAD_COUPLINGS_OFFSET);
    const int8_t *values = (const int8_t *)(p + IQP_AT_LOAD_COUPLINGS_VALUES);
    uint16_t count = (uint16_t)(n - IQP_BYTES_LOAD_COUPLINGS);
    if (beyond(offset, count, num_pairs(b))) return out_of_range(b, IQP_AT_LOAD_COUPLINGS_OFFSET);
    for (uint16_t k = 0; k < count; k++) {
        int16_t coupling = values[k];
        if (coupling < PROFILE_COUPLING_LOW || coupling > PROFILE_COUPLING_HIGH)
            return out_of_range(b, IQP_AT_LOAD_COUPLINGS_VALUES);
    }
    core_set_couplings(&b->core, (uint16_t)offset, count, values);
    return IQP_STATUS_OK;
}

/* Value k of a list of `width` bytes each; one byte is extended by its sign. */
static int16_t value(const uint8_t *values, uint8_t width, uint16_t k) {
    return width == 1 ? (int8_t)values[k] : (int16_t)get16(values + 2 * (uint32_t)k);
}

static uint8_t fields_fit(const uint8_t *values, uint8_t width, uint16_t count) {
    for (uint16_t k = 0; k < count; k++) {
        int32_t field = value(values, width, k);
        if (field < PROFILE_FIELD_LOW || field > PROFILE_FIELD_HIGH) return 0;
    }
    return 1;
}

/* Does a stretch of `count` values, `each` to a slot, touch a slot that is being run? */
static uint8_t stretch_is_run(const board *b, uint32_t offset, uint16_t count, uint16_t each) {
    if (count == 0) return 0;
    uint32_t last = offset > UINT32_MAX - count ? UINT32_MAX : offset + count - 1;
    return run_touches(b, offset / each, last / each);
}

uint8_t load_fields(board *b, const uint8_t *p, uint16_t n) {
    uint32_t offset = get32(p + IQP_AT_LOAD_FIELDS_OFFSET);
    uint8_t width = p[IQP_AT_LOAD_FIELDS_WIDTH];
    const uint8_t *values = p + IQP_AT_LOAD_FIELDS_VALUES;
    uint16_t count = (uint16_t)((n - IQP_BYTES_LOAD_FIELDS) / (width ? width : 1));
    if (stretch_is_run(b, offset, count, b->core.num_units)) return not_now(b);
    if (width != 1 && width != 2) return out_of_range(b, IQP_AT_LOAD_FIELDS_WIDTH);
    if (beyond(offset, count, num_fields(b))) return out_of_range(b, IQP_AT_LOAD_FIELDS_OFFSET);
    if (!fields_fit(values, width, count)) return out_of_range(b, IQP_AT_LOAD_FIELDS_VALUES);
    for (uint16_t k = 0; k < count; k++) b->fields[offset + k] = value(values, width, k);
    return IQP_STATUS_OK;
}

uint8_t patch_fields(board *b, const uint8_t *p) {
    uint16_t slot = get16(p + IQP_AT_PATCH_FIELDS_SLOT), slots = get16(p + IQP_AT_PATCH_FIELDS_NUM_SLOTS),
             count = get16(p + IQP_AT_PATCH_FIELDS_NUM_SPINS);
    uint8_t width = p[IQP_AT_PATCH_FIELDS_WIDTH];
    const uint8_t *spins = p + IQP_AT_PATCH_FIELDS_SPINS, *values = spins + 2 * (uint32_t)count;
    if (slots != 0 && run_touches(b, slot, (uint32_t)slot + slots - 1)) return not_now(b);
    if (width != 1 && width != 2) return out_of_range(b, IQP_AT_PATCH_FIELDS_WIDTH);
    if (beyond(slot, slots, num_slots(b))) return out_of_range(b, IQP_AT_PATCH_FIELDS_SLOT);
    for (uint16_t k = 0; k < count; k++)
        if (get16(spins + 2 * (uint32_t)k) >= b->core.num_units) return out_of_range(b, IQP_AT_PATCH_FIELDS_SPINS);
    if (!fields_fit(values, width, (uint16_t)((uint32_t)slots * count)))
        return out_of_range(b, IQP_AT_PATCH_FIELDS_SPINS + 2 * (uint32_t)count);
    uint16_t from = 0;
    for (uint16_t s = 0; s < slots; s++)
        for (uint16_t k = 0; k < count; k++)
            b->fields[(uint32_t)(slot + s) * b->core.num_units + get16(spins + 2 * (uint32_t)k)] =
                    value(values, width, from++);
    return IQP_STATUS_OK;
}

uint8_t copy_slots(board *b, const uint8_t *p) {
    uint16_t slot = get16(p + IQP_AT_COPY_SLOTS_SLOT), slots = get16(p + IQP_AT_COPY_SLOTS_NUM_SLOTS),
             source = get16(p + IQP_AT_COPY_SLOTS_SOURCE), n = b->core.num_units, row = packed_bytes(b);
    if (slots != 0 && run_touches(b, slot, (uint32_t)slot + slots - 1)) return not_now(b);
    if (beyond(slot, slots, num_slots(b))) return out_of_range(b, IQP_AT_COPY_SLOTS_SLOT);
    if (beyond(source, slots, num_slots(b)) || (source < slot + slots && slot < source + slots))
        return out_of_range(b, IQP_AT_COPY_SLOTS_SOURCE);
    for (uint32_t k = 0; k < (uint32_t)slots * n; k++)
        b->fields[(uint32_t)slot * n + k] = b->fields[(uint32_t)source * n + k];
    for (uint32_t k = 0; k < (uint32_t)slots * row; k++)
        b->states[(uint32_t)slot * row + k] = b->states[(uint32_t)source * row + k];
    return IQP_STATUS_OK;
}

/* No bit may stand beyond the last spin; `first` is the place of the first byte in the array of rows. */
static uint8_t spins_fit(const board *b, const uint8_t *packed, uint32_t first, uint16_t count) {
    uint16_t row = packed_bytes(b), odd = b->core.num_units % 8;
    if (odd == 0) return 1;
    uint16_t at = (uint16_t)(first % row);
    for (uint16_t k = 0; k < count; k++) {
        if (++at < row) continue;
        at = 0;
        if (packed[k] >> odd) return 0;
    }
    return 1;
}

uint8_t load_states(board *b, const uint8_t *p, uint16_t n) {
    uint32_t offset = get32(p + IQP_AT_LOAD_STATES_OFFSET);
    const uint8_t *packed = p + IQP_AT_LOAD_STATES_PACKED;
    uint16_t count = (uint16_t)(n - IQP_BYTES_LOAD_STATES);
    if (stretch_is_run(b, offset, count, packed_bytes(b))) return not_now(b);
    if (beyond(offset, count, (uint32_t)num_slots(b) * packed_bytes(b)))
        return out_of_range(b, IQP_AT_LOAD_STATES_OFFSET);
    if (!spins_fit(b, packed, offset, count)) return out_of_range(b, IQP_AT_LOAD_STATES_PACKED);
    for (uint16_t k = 0; k < count; k++) b->states[offset + k] = packed[k];
    return IQP_STATUS_OK;
}

uint8_t load_clamps(board *b, const uint8_t *p, uint16_t n) {
    uint16_t offset = get16(p + IQP_AT_LOAD_CLAMPS_OFFSET), count = (uint16_t)(n - IQP_BYTES_LOAD_CLAMPS);
    const uint8_t *packed = p + IQP_AT_LOAD_CLAMPS_PACKED;
    if (beyond(offset, count, packed_bytes(b))) return out_of_range(b, IQP_AT_LOAD_CLAMPS_OFFSET);
    if (!spins_fit(b, packed, offset, count)) return out_of_range(b, IQP_AT_LOAD_CLAMPS_PACKED);
    for (uint16_t k = 0; k < count; k++) b->clamps[offset + k] = packed[k];
    return IQP_STATUS_OK;
}

#define LEG_BYTES 6U

uint8_t load_legs(board *b, const uint8_t *p, uint16_t n) {
    uint16_t leg = get16(p + IQP_AT_LOAD_LEGS_LEG), count = (uint16_t)((n - IQP_BYTES_LOAD_LEGS) / LEG_BYTES);
    const uint8_t *values = p + IQP_AT_LOAD_LEGS_VALUES;
    if (beyond(leg, count, PROFILE_LEGS)) return out_of_range(b, IQP_AT_LOAD_LEGS_LEG);
    for (uint16_t k = 0; k < count; k++) {
        uint32_t first = get16(values + LEG_BYTES * k), last = get16(values + LEG_BYTES * k + 2),
                 sweeps = get16(values + LEG_BYTES * k + 4);
        if (first > PROFILE_MOST_GAIN || last > PROFILE_MOST_GAIN || sweeps < 1 || sweeps > PROFILE_MOST_SWEEPS)
            return out_of_range(b, IQP_AT_LOAD_LEGS_VALUES);
    }
    for (uint16_t k = 0; k < count; k++, values += LEG_BYTES)
        b->legs[leg + k] = (core_leg){get16(values), get16(values + 2), get16(values + 4)};
    return IQP_STATUS_OK;
}

/* Coupling number k in canonical order, found from i and j of the one before. */
typedef struct {
    uint16_t i, j;
} pair;

static pair pair_at(const board *b, uint32_t k) {
    pair at = {0, 1};
    while (k >= (uint32_t)(b->core.num_units - 1 - at.i)) {
        k -= (uint32_t)(b->core.num_units - 1 - at.i);
        at.i++;
    }
    at.j = (uint16_t)(at.i + 1 + k);
    return at;
}

static int8_t next_coupling(const board *b, pair *at) {
    int8_t coupling = b->core.couplings[at->i][at->j];
    if (++at->j == b->core.num_units) {
        at->i++;
        at->j = (uint16_t)(at->i + 1);
    }
    return coupling;
}

uint32_t couplings_digest(board *b) {
    uint8_t bytes[2] = {(uint8_t)b->core.num_units, (uint8_t)(b->core.num_units >> 8)};
    uint32_t crc = crc32(0, bytes, 2);
    /* Row i of the triangle lies in one piece. */
    for (uint16_t i = 0; i + 1 < b->core.num_units; i++)
        crc = crc32(crc, (const uint8_t *)&b->core.couplings[i][i + 1], (uint16_t)(b->core.num_units - 1 - i));
    return crc;
}

uint8_t commit(board *b, const uint8_t *p) {
    uint32_t found = couplings_digest(b);
    if (get32(p + IQP_AT_COMMIT_DIGEST) != found) return refused(b, IQP_STATUS_BAD_DIGEST, found);
    b->state = IQP_STATE_READY;
    return IQP_STATUS_OK;
}

/* Whether a stretch lies within a memory, and how many bytes one of its values has. */
static uint8_t stretch(board *b, const uint8_t *p, uint8_t *width) {
    uint32_t size;
    *width = 1;
    switch (p[IQP_AT_READBACK_MEMORY]) {
    case IQP_MEMORY_COUPLINGS: size = num_pairs(b); break;
    case IQP_MEMORY_FIELDS: size = num_fields(b), *width = 2; break;
    case IQP_MEMORY_STATES: size = (uint32_t)num_slots(b) * packed_bytes(b); break;
    case IQP_MEMORY_CLAMPS: size = packed_bytes(b); break;
    case IQP_MEMORY_LEGS: size = PROFILE_LEGS, *width = LEG_BYTES; break;
    default: return out_of_range(b, IQP_AT_READBACK_MEMORY);
    }
    if (beyond(get32(p + IQP_AT_READBACK_OFFSET), get32(p + IQP_AT_READBACK_COUNT), size))
        return out_of_range(b, IQP_AT_READBACK_OFFSET);
    return IQP_STATUS_OK;
}

/* The bytes of value k, as they travel; couplings are met in order from `at` on. */
static void value_bytes(const board *b, uint8_t memory, uint32_t k, pair *at, uint8_t *bytes) {
    switch (memory) {
    case IQP_MEMORY_COUPLINGS: bytes[0] = (uint8_t)next_coupling(b, at); break;
    case IQP_MEMORY_STATES: bytes[0] = b->states[k]; break;
    case IQP_MEMORY_CLAMPS: bytes[0] = b->clamps[k]; break;
    case IQP_MEMORY_FIELDS:
        bytes[0] = (uint8_t)b->fields[k];
        bytes[1] = (uint8_t)((uint16_t)b->fields[k] >> 8);
        break;
    default: {
        const core_leg *leg = &b->legs[k];
        uint16_t words[3] = {leg->first, leg->last, leg->sweeps};
        for (uint8_t w = 0; w < 3; w++) {
            bytes[2 * w] = (uint8_t)words[w];
            bytes[2 * w + 1] = (uint8_t)(words[w] >> 8);
        }
    }
    }
}

uint8_t readback(board *b, const uint8_t *p) {
    uint8_t width, bytes[LEG_BYTES], memory = p[IQP_AT_READBACK_MEMORY], status = stretch(b, p, &width);
    uint32_t offset = get32(p + IQP_AT_READBACK_OFFSET), count = get32(p + IQP_AT_READBACK_COUNT);
    if (status == IQP_STATUS_OK) status = fits(b, IQP_BYTES_REPLY_READBACK + count * width);
    if (status != IQP_STATUS_OK) return status;
    link_put8(&b->link, memory);
    link_put32(&b->link, offset);
    pair at = {0, 0};
    if (memory == IQP_MEMORY_COUPLINGS && count != 0) at = pair_at(b, offset);
    for (uint32_t k = 0; k < count; k++) {
        value_bytes(b, memory, offset + k, &at, bytes);
        for (uint8_t w = 0; w < width; w++) link_put8(&b->link, bytes[w]);
    }
    return IQP_STATUS_OK;
}

uint8_t digest(board *b, const uint8_t *p) {
    uint8_t width, bytes[LEG_BYTES], memory = p[IQP_AT_DIGEST_MEMORY], status = stretch(b, p, &width);
    uint32_t offset = get32(p + IQP_AT_DIGEST_OFFSET), count = get32(p + IQP_AT_DIGEST_COUNT), crc = 0;
    if (status != IQP_STATUS_OK) return status;
    pair at = {0, 0};
    if (memory == IQP_MEMORY_COUPLINGS && count != 0) at = pair_at(b, offset);
    for (uint32_t k = 0; k < count; k++) {
        value_bytes(b, memory, offset + k, &at, bytes);
        crc = crc32(crc, bytes, width);
    }
    link_put32(&b->link, crc);
    return IQP_STATUS_OK;
}
