/* The firmware as a library: the line is a buffer, time an argument, and there may be as many boards as there is room for. */
#include "board.h"

typedef struct {
    board board;
    board_facts facts;
    uint8_t off;
    uint32_t used; /* bytes that wait to be fetched */
    uint8_t out[PROFILE_ROW_MEMORY * 4 + 8 * PROFILE_FRAME];
} native;

void hal_put(void *line, uint8_t byte) {
    native *n = line;
    if (n->used < sizeof n->out) n->out[n->used++] = byte;
}

uint32_t native_size(void) { return (uint32_t)sizeof(native); }

/* The bytes that went out since this was last asked; they stay where they are until the next call. */
const uint8_t *native_fetch(native *n, uint32_t *count) {
    *count = n->used;
    n->used = 0;
    return n->out;
}

void native_start(native *n, uint64_t uid, uint32_t boot, uint32_t resets, uint8_t cause) {
    n->facts = (board_facts){(uint32_t)uid, (uint32_t)(uid >> 32), boot, 1, cause, resets};
    n->off = 0;
    board_start(&n->board, &n->facts, n);
}

/* Take bytes up to and including the first that got something going; returns how many. */
uint32_t native_feed(native *n, const uint8_t *bytes, uint32_t count, uint32_t now_ms) {
    n->board.now_ms = now_ms;
    for (uint32_t k = 0; k < count && !n->off; k++) {
        board_take(&n->board, bytes[k]);
        if (n->board.wish == BOARD_END) n->off = 1;
        if (n->board.wish == BOARD_RESTART) {
            n->facts.boot++;
            n->facts.resets++;
            n->facts.cause = IQP_RESET_CAUSE_COMMAND;
            board_start(&n->board, &n->facts, n);
        }
        if (n->used != 0) return k + 1;
    }
    return count;
}

uint8_t native_busy(const native *n) { return !n->off && n->board.state == IQP_STATE_RUNNING; }
uint16_t native_spins(const native *n) { return n->board.core.num_units; }
uint32_t native_boot(const native *n) { return n->facts.boot; }
uint32_t native_resets(const native *n) { return n->facts.resets; }

/* Do up to `sweeps` sweeps of the run under way, fewer where something goes out; returns how many. */
uint32_t native_work(native *n, uint32_t sweeps) {
    uint32_t done = 0;
    while (done < sweeps && native_busy(n) && n->used == 0) done += board_work(&n->board);
    return done;
}

void native_tick(native *n, uint32_t now_ms) {
    if (!n->off) board_tick(&n->board, now_ms);
}

void native_fail(native *n, uint8_t faults) { board_fail(&n->board, faults); }

/* Where byte `offset` of a memory lies, bytes counted as READBACK gives them; modulo its size, 0 where it is empty. */
static uint8_t *byte_at(board *b, uint8_t memory, uint32_t offset) {
    uint32_t n = b->core.num_units, row = (n + 7) / 8, slots = 0;
    if (n != 0) {
        slots = PROFILE_FIELD_MEMORY / n < PROFILE_STATE_MEMORY / row ? PROFILE_FIELD_MEMORY / n
                                                                      : PROFILE_STATE_MEMORY / row;
        if (slots > PROFILE_SLOTS) slots = PROFILE_SLOTS;
    }
    uint32_t sizes[] = {n == 0 ? 0 : n * (n - 1) / 2, 2 * slots * n, slots * row, row, sizeof b->legs};
    if (memory >= sizeof sizes / sizeof *sizes || sizes[memory] == 0) return 0;
    offset %= sizes[memory];
    switch (memory) {
    case IQP_MEMORY_FIELDS: return (uint8_t *)b->fields + offset;
    case IQP_MEMORY_STATES: return b->states + offset;
    case IQP_MEMORY_CLAMPS: return b->clamps + offset;
    case IQP_MEMORY_LEGS: return (uint8_t *)b->legs + offset;
    default: break;
    }
    uint32_t i = 0;
    for (; offset >= n - 1 - i; i++) offset -= n - 1 - i;
    return (uint8_t *)&b->core.couplings[i][i + 1 + offset];
}

/* Flip bits of a memory, as a supply that dips does. */
void native_corrupt(native *n, uint8_t memory, uint32_t offset, uint8_t flips) {
    core *c = &n->board.core;
    uint8_t *byte = byte_at(&n->board, memory, offset);
    if (byte == 0) return;
    *byte ^= flips;
    if (memory != IQP_MEMORY_COUPLINGS) return;
    /* A coupling is held twice and rots once. */
    uint32_t at = (uint32_t)((int8_t *)byte - &c->couplings[0][0]);
    c->couplings[at % CORE_MAX_UNITS][at / CORE_MAX_UNITS] = (int8_t)*byte;
}
