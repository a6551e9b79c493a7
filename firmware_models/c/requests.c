/* One request: is it of a known opcode, a length that fits, offered by this board and taken in its state? Then do it. */
#include "flash.h"
#include "parts.h"

#define ANY_MORE 0x80U /* a list follows the fixed part */
#define PURE 0x80U     /* changes nothing, may be executed again */
#define IN(state) (1U << IQP_STATE_##state)
#define LOADED (IN(LOADING) | IN(READY))
#define ENDED (IN(READY) | IN(RUNNING) | IN(FAULTY))
#define ALWAYS (IN(EMPTY) | LOADED | ENDED)

/* Opcode; bytes of the fixed part and ANY_MORE; states that take it and PURE. */
static const uint8_t rules[][3] IN_FLASH = {
        {IQP_OPCODE_DESCRIBE, IQP_BYTES_DESCRIBE, ALWAYS | PURE},
        {IQP_OPCODE_ECHO, IQP_BYTES_ECHO | ANY_MORE, ALWAYS | PURE},
        {IQP_OPCODE_STATUS, IQP_BYTES_STATUS, ALWAYS | PURE},
        {IQP_OPCODE_SET_PARAMETER, IQP_BYTES_SET_PARAMETER, ALWAYS},
        {IQP_OPCODE_GET_PARAMETER, IQP_BYTES_GET_PARAMETER, ALWAYS | PURE},
        {IQP_OPCODE_COUNTERS, IQP_BYTES_COUNTERS, ALWAYS | PURE},
        {IQP_OPCODE_BEGIN, IQP_BYTES_BEGIN, LOADED | IN(EMPTY)},
        {IQP_OPCODE_LOAD_COUPLINGS, IQP_BYTES_LOAD_COUPLINGS | ANY_MORE, IN(LOADING)},
        {IQP_OPCODE_LOAD_FIELDS, IQP_BYTES_LOAD_FIELDS | ANY_MORE, LOADED | IN(RUNNING)},
        {IQP_OPCODE_COMMIT, IQP_BYTES_COMMIT, IN(LOADING)},
        {IQP_OPCODE_READBACK, IQP_BYTES_READBACK, LOADED | ENDED | PURE},
        {IQP_OPCODE_LOAD_STATES, IQP_BYTES_LOAD_STATES | ANY_MORE, LOADED | IN(RUNNING)},
        {IQP_OPCODE_LOAD_CLAMPS, IQP_BYTES_LOAD_CLAMPS | ANY_MORE, LOADED},
        {IQP_OPCODE_LOAD_LEGS, IQP_BYTES_LOAD_LEGS | ANY_MORE, LOADED | IN(EMPTY)},
        {IQP_OPCODE_PATCH_FIELDS, IQP_BYTES_PATCH_FIELDS | ANY_MORE, LOADED | IN(RUNNING)},
        {IQP_OPCODE_COPY_SLOTS, IQP_BYTES_COPY_SLOTS, LOADED | IN(RUNNING)},
        {IQP_OPCODE_DIGEST, IQP_BYTES_DIGEST, LOADED | ENDED | PURE},
        {IQP_OPCODE_RUN, IQP_BYTES_RUN, IN(READY)},
        {IQP_OPCODE_POLL, IQP_BYTES_POLL, ENDED | PURE},
        {IQP_OPCODE_READ, IQP_BYTES_READ, ENDED | PURE},
        {IQP_OPCODE_STREAM, IQP_BYTES_STREAM, IN(READY) | IN(RUNNING)},
        {IQP_OPCODE_ABORT, IQP_BYTES_ABORT, IN(READY) | IN(RUNNING)},
        {IQP_OPCODE_CORRELATE, IQP_BYTES_CORRELATE, ENDED | PURE},
        {IQP_OPCODE_RESET, IQP_BYTES_RESET, ALWAYS},
        {IQP_OPCODE_SHUTDOWN, IQP_BYTES_SHUTDOWN, ALWAYS},
};
#define NUM_RULES (sizeof rules / sizeof *rules)

static const uint8_t descriptor[] IN_FLASH = {PROFILE_DESCRIPTOR};
ASSERT_AT_BUILD(a_descriptor_is_as_long_as_it_says, sizeof descriptor == PROFILE_DESCRIPTOR_BYTES);

/* Place of an opcode in the table; NUM_RULES where it is not known. */
static uint8_t rule_of(uint8_t opcode) {
    uint8_t k = 0;
    while (k < NUM_RULES && FLASH_BYTE(&rules[k][0]) != opcode) k++;
    return k;
}

uint8_t request_is_pure(uint8_t opcode) {
    uint8_t k = rule_of(opcode);
    return k < NUM_RULES && (FLASH_BYTE(&rules[k][2]) & PURE);
}

static uint8_t a_width(uint8_t width) { return width == 1 || width == 2; }

/* Is what follows the fixed part a whole number of values? A width that means nothing is for later. */
static uint8_t is_whole(uint8_t opcode, const uint8_t *p, uint16_t more) {
    if (opcode == IQP_OPCODE_LOAD_LEGS) return more % 6 == 0;
    if (opcode == IQP_OPCODE_LOAD_FIELDS) {
        uint8_t width = p[IQP_AT_LOAD_FIELDS_WIDTH];
        return !a_width(width) || more % width == 0;
    }
    if (opcode == IQP_OPCODE_PATCH_FIELDS) {
        uint8_t width = p[IQP_AT_PATCH_FIELDS_WIDTH];
        uint32_t spins = get16(p + IQP_AT_PATCH_FIELDS_NUM_SPINS), slots = get16(p + IQP_AT_PATCH_FIELDS_NUM_SLOTS);
        /* A list that is there is short, so that the product cannot wrap. */
        return more >= 2 * spins && (!a_width(width) || more - 2 * spins == spins * slots * width);
    }
    return 1;
}

static uint8_t is_offered(uint8_t opcode, const uint8_t *p) {
    switch (opcode) {
    case IQP_OPCODE_LOAD_CLAMPS: return PROFILE_CLAMP;
    case IQP_OPCODE_READBACK:
    case IQP_OPCODE_DIGEST: return PROFILE_CLAMP || p[IQP_AT_READBACK_MEMORY] != IQP_MEMORY_CLAMPS;
    case IQP_OPCODE_STREAM: return PROFILE_STREAM;
    case IQP_OPCODE_SHUTDOWN: return PROFILE_SHUTDOWN;
    case IQP_OPCODE_CORRELATE: return 0;
    case IQP_OPCODE_RUN:
        return !(p[IQP_AT_RUN_FLAGS] & IQP_RUN_FLAG_CORRELATE) &&
               (PROFILE_STREAM || !(p[IQP_AT_RUN_FLAGS] & IQP_RUN_FLAG_STREAM));
    default: return 1;
    }
}

uint8_t request_check(board *b, uint8_t opcode, const uint8_t *p, uint16_t n) {
    uint8_t k = rule_of(opcode);
    if (k == NUM_RULES) return refused(b, IQP_STATUS_UNKNOWN_OPCODE, 0);
    uint8_t bytes = FLASH_BYTE(&rules[k][1]), states = FLASH_BYTE(&rules[k][2]);
    uint8_t least = bytes & (uint8_t)~ANY_MORE;
    if (n < least || (n > least && !(bytes & ANY_MORE)) || !is_whole(opcode, p, (uint16_t)(n - least)))
        return refused(b, IQP_STATUS_BAD_LENGTH, least);
    if (!is_offered(opcode, p)) return refused(b, IQP_STATUS_NOT_CAPABLE, 0);
    uint8_t looks = opcode == IQP_OPCODE_READBACK || opcode == IQP_OPCODE_DIGEST;
    if (looks && p[IQP_AT_READBACK_MEMORY] == IQP_MEMORY_LEGS) return IQP_STATUS_OK;
    return states >> b->state & 1 ? IQP_STATUS_OK : not_now(b);
}

static uint8_t describe(board *b, const uint8_t *p) {
    uint16_t offset = get16(p + IQP_AT_DESCRIBE_OFFSET), count = get16(p + IQP_AT_DESCRIBE_COUNT);
    if (offset > PROFILE_DESCRIPTOR_BYTES) return out_of_range(b, IQP_AT_DESCRIBE_OFFSET);
    if (count > PROFILE_DESCRIPTOR_BYTES - offset) count = (uint16_t)(PROFILE_DESCRIPTOR_BYTES - offset);
    uint8_t status = fits(b, IQP_BYTES_REPLY_DESCRIBE + (uint32_t)count);
    if (status != IQP_STATUS_OK) return status;
    link_put16(&b->link, offset);
    for (uint16_t k = 0; k < count; k++) link_put8(&b->link, FLASH_BYTE(&descriptor[offset + k]));
    return status;
}

static uint8_t echo(board *b, const uint8_t *p, uint16_t n) {
    uint8_t status = fits(b, n);
    for (uint16_t k = 0; status == IQP_STATUS_OK && k < n; k++) link_put8(&b->link, p[k]);
    return status;
}

static uint8_t status_now(board *b) {
    link_put32(&b->link, b->facts.boot);
    link_put8(&b->link, b->state);
    link_put8(&b->link, b->faults);
    link_put32(&b->link, b->run.id);
    link_put32(&b->link, b->run.ready);
    link_put16(&b->link, b->core.num_units);
    link_put32(&b->link, couplings_digest(b));
    return IQP_STATUS_OK;
}

static uint8_t set_parameter(board *b, const uint8_t *p) {
    uint8_t parameter = p[IQP_AT_SET_PARAMETER_PARAMETER];
    uint32_t value = get32(p + IQP_AT_SET_PARAMETER_VALUE);
    if (parameter != IQP_PARAMETER_EVENTS && parameter != IQP_PARAMETER_SILENCE_MS)
        return out_of_range(b, IQP_AT_SET_PARAMETER_PARAMETER);
    if (value > (parameter == IQP_PARAMETER_EVENTS ? 1 : INT32_MAX))
        return out_of_range(b, IQP_AT_SET_PARAMETER_VALUE);
    if (parameter == IQP_PARAMETER_EVENTS)
        b->tells = (uint8_t)value;
    else
        b->silence_ms = value;
    return IQP_STATUS_OK;
}

static uint8_t get_parameter(board *b, const uint8_t *p) {
    uint8_t parameter = p[IQP_AT_GET_PARAMETER_PARAMETER];
    if (parameter != IQP_PARAMETER_EVENTS && parameter != IQP_PARAMETER_SILENCE_MS)
        return out_of_range(b, IQP_AT_GET_PARAMETER_PARAMETER);
    link_put8(&b->link, parameter);
    link_put32(&b->link, parameter == IQP_PARAMETER_EVENTS ? b->tells : b->silence_ms);
    return IQP_STATUS_OK;
}

static uint8_t counters(board *b) {
    link_put32(&b->link, b->facts.boot);
    link_put32(&b->link, b->link.frames);
    link_put32(&b->link, b->link.bad_checks);
    link_put32(&b->link, b->link.bad_frames);
    link_put32(&b->link, b->overruns);
    link_put32(&b->link, b->replays);
    link_put32(&b->link, b->out_of_order);
    link_put32(&b->link, b->facts.resets);
    return IQP_STATUS_OK;
}

static uint8_t guarded(board *b, const uint8_t *p, uint32_t magic, uint8_t wish) {
    if (get32(p + IQP_AT_RESET_MAGIC) != magic) return out_of_range(b, IQP_AT_RESET_MAGIC);
    b->wish = wish;
    return IQP_STATUS_OK;
}

uint8_t request_execute(board *b, uint8_t opcode, const uint8_t *p, uint16_t n) {
    switch (opcode) {
    case IQP_OPCODE_DESCRIBE: return describe(b, p);
    case IQP_OPCODE_ECHO: return echo(b, p, n);
    case IQP_OPCODE_STATUS: return status_now(b);
    case IQP_OPCODE_SET_PARAMETER: return set_parameter(b, p);
    case IQP_OPCODE_GET_PARAMETER: return get_parameter(b, p);
    case IQP_OPCODE_COUNTERS: return counters(b);
    case IQP_OPCODE_BEGIN: return begin(b, p);
    case IQP_OPCODE_LOAD_COUPLINGS: return load_couplings(b, p, n);
    case IQP_OPCODE_LOAD_FIELDS: return load_fields(b, p, n);
    case IQP_OPCODE_COMMIT: return commit(b, p);
    case IQP_OPCODE_READBACK: return readback(b, p);
    case IQP_OPCODE_LOAD_STATES: return load_states(b, p, n);
    case IQP_OPCODE_LOAD_CLAMPS: return load_clamps(b, p, n);
    case IQP_OPCODE_LOAD_LEGS: return load_legs(b, p, n);
    case IQP_OPCODE_PATCH_FIELDS: return patch_fields(b, p);
    case IQP_OPCODE_COPY_SLOTS: return copy_slots(b, p);
    case IQP_OPCODE_DIGEST: return digest(b, p);
    case IQP_OPCODE_RUN: return run_start(b, p);
    case IQP_OPCODE_POLL: return run_poll(b, p);
    case IQP_OPCODE_READ: return run_read(b, p);
    case IQP_OPCODE_STREAM: return run_stream(b, p);
    case IQP_OPCODE_ABORT: return run_abort(b, p);
    case IQP_OPCODE_RESET: return guarded(b, p, IQP_RESET_MAGIC, BOARD_RESTART);
    default: return guarded(b, p, IQP_SHUTDOWN_MAGIC, BOARD_END);
    }
}
