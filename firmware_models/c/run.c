/* Runs: started, worked on sweep by sweep, told of, read, ended. */
#include "crc.h"
#include "parts.h"

#define LEAST_BYTES 128U

uint8_t run_touches(const board *b, uint32_t first, uint32_t last) {
    const board_run *r = &b->run;
    return b->state == IQP_STATE_RUNNING && first < (uint32_t)r->slot + r->num_slots && last >= r->slot;
}

static uint32_t sweeps_of_legs(const board *b, uint16_t leg, uint16_t num_legs) {
    uint32_t sweeps = 0;
    for (uint16_t k = 0; k < num_legs; k++) sweeps += b->legs[leg + k].sweeps;
    return sweeps;
}

/* Time from sweeps; as many as rows allow, they fit 64 bits with their nanoseconds. */
static uint32_t estimate_us(const board *b, const board_run *r) {
    uint64_t sweeps = sweeps_of_legs(b, r->leg, r->num_legs);
    sweeps = r->thin ? sweeps + (uint64_t)(r->reads - 1U) * r->thin : sweeps * r->reads;
    uint64_t us = r->num_slots * sweeps * b->core.num_units * PROFILE_SWEEP_NS / 1000U;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static uint8_t legs_are_loaded(const board *b, uint16_t leg, uint16_t num_legs) {
    if (leg > PROFILE_LEGS || num_legs > PROFILE_LEGS - leg) return 0;
    for (uint16_t k = 0; k < num_legs; k++)
        if (b->legs[leg + k].sweeps == 0) return 0;
    return 1;
}

static board_run decoded(const uint8_t *p) {
    return (board_run){
            .id = get32(p + IQP_AT_RUN_RUN),
            .seed = get32(p + IQP_AT_RUN_SEED),
            .sample = get32(p + IQP_AT_RUN_SAMPLE),
            .slot = get16(p + IQP_AT_RUN_SLOT),
            .num_slots = get16(p + IQP_AT_RUN_NUM_SLOTS),
            .reads = get16(p + IQP_AT_RUN_READS),
            .thin = get16(p + IQP_AT_RUN_THIN),
            .leg = get16(p + IQP_AT_RUN_LEG),
            .num_legs = get16(p + IQP_AT_RUN_NUM_LEGS),
            .start = p[IQP_AT_RUN_START],
            .flags = p[IQP_AT_RUN_FLAGS],
            .shift = p[IQP_AT_RUN_SHIFT],
            .state = IQP_RUN_STATE_PENDING,
    };
}

static uint8_t check_ranges(board *b, const board_run *r) {
    uint32_t rows = (uint32_t)r->num_slots * r->reads, reads = r->reads, thin = r->thin;
    if (r->id == 0) return out_of_range(b, IQP_AT_RUN_RUN);
    if ((uint32_t)r->slot + r->num_slots > num_slots(b)) return out_of_range(b, IQP_AT_RUN_SLOT);
    if (r->num_slots == 0) return out_of_range(b, IQP_AT_RUN_NUM_SLOTS);
    if (reads < 1 || reads > PROFILE_READS || rows > PROFILE_ROW_MEMORY / packed_bytes(b))
        return out_of_range(b, IQP_AT_RUN_READS);
    if (thin > PROFILE_MOST_SWEEPS) return out_of_range(b, IQP_AT_RUN_THIN);
    if (r->start > IQP_START_GIVEN) return out_of_range(b, IQP_AT_RUN_START);
    if (r->flags & ~(IQP_RUN_FLAG_CORRELATE | IQP_RUN_FLAG_ANNOUNCE | IQP_RUN_FLAG_STREAM))
        return out_of_range(b, IQP_AT_RUN_FLAGS);
    if (!legs_are_loaded(b, r->leg, r->num_legs)) return out_of_range(b, IQP_AT_RUN_LEG);
    if (r->num_legs == 0) return out_of_range(b, IQP_AT_RUN_NUM_LEGS);
    if (r->shift > PROFILE_MOST_SHIFT) return out_of_range(b, IQP_AT_RUN_SHIFT);
    return IQP_STATUS_OK;
}

static uint8_t was_before(const board_run *before, const board_run *r) {
    return before->id != 0 && before->state == IQP_RUN_STATE_COMPLETE && r->slot >= before->slot &&
           (uint32_t)r->slot + r->num_slots <= (uint32_t)before->slot + before->num_slots;
}

static void copy(uint8_t *to, const uint8_t *from, uint16_t count) {
    for (uint16_t k = 0; k < count; k++) to[k] = from[k];
}

/* The last row of each slot becomes its start state. */
static void take_last_rows(board *b, const board_run *r) {
    uint16_t row = packed_bytes(b);
    for (uint16_t k = 0; k < r->num_slots; k++) {
        uint16_t slot = (uint16_t)(r->slot + k);
        uint32_t last = (uint32_t)(slot - b->run.slot + 1U) * b->run.reads - 1U;
        copy(b->states + (uint32_t)slot * row, b->rows + last * row, row);
    }
}

static void put_accepted(board *b) {
    link_put32(&b->link, b->facts.boot);
    link_put32(&b->link, b->run.id);
    link_put32(&b->link, b->run.estimate_us);
    b->detail = b->run.estimate_us;
}

uint8_t run_start(board *b, const uint8_t *p) {
    board_run r = decoded(p);
    if (r.id == 0 || r.id != b->run.id) {
        uint8_t status = check_ranges(b, &r);
        if (status != IQP_STATUS_OK) return status;
        if (r.start == IQP_START_LAST) {
            if (!was_before(&b->run, &r)) return refused(b, IQP_STATUS_BAD_STATE, b->state);
            take_last_rows(b, &r);
        }
        r.rows = (uint16_t)(r.num_slots * r.reads);
        r.estimate_us = estimate_us(b, &r);
        if (r.flags & IQP_RUN_FLAG_STREAM) r.stream_to = r.rows;
        b->run = r;
        b->state = IQP_STATE_RUNNING;
    }
    put_accepted(b);
    return IQP_STATUS_OK;
}

static uint8_t bit(const uint8_t *packed, uint16_t i) { return packed[i / 8] >> (i % 8) & 1; }

/* Give the core the next read: fields, clamps and start of its slot, or the row before to go on from. */
static void begin_read(board *b) {
    board_run *r = &b->run;
    uint16_t slot = (uint16_t)(r->slot + r->at_slot), n = b->core.num_units;
    const uint8_t *start = b->states + (uint32_t)slot * packed_bytes(b);
    core_task task = {.legs = b->legs + r->leg, .num_legs = r->num_legs, .shift = r->shift};
    task.start = r->start == IQP_START_RANDOM ? CORE_START_RANDOM : CORE_START_CURRENT;
    task.seed = r->seed;
    task.sample = r->sample + r->at_slot;
    task.read = r->at_read;
    if (r->thin != 0 && r->at_read != 0) {
        uint16_t gain = b->legs[r->leg + r->num_legs - 1].last;
        b->last_leg = (core_leg){gain, gain, r->thin};
        task.legs = &b->last_leg;
        task.num_legs = 1;
        task.start = CORE_START_CURRENT;
    } else {
        core_set_fields(&b->core, 0, n, b->fields + (uint32_t)slot * n);
        core_set_spins(&b->core, packed_bytes(b), start);
        for (uint16_t i = 0; i < n; i++) {
            int8_t clamp = 0;
            if (bit(b->clamps, i)) clamp = bit(start, i) ? 1 : -1;
            core_set_clamps(&b->core, i, 1, &clamp);
        }
    }
    core_begin(&b->core, &task);
    r->state = IQP_RUN_STATE_ACTIVE;
    r->reading = 1;
}

static void end_read(board *b) {
    board_run *r = &b->run;
    uint16_t row = packed_bytes(b);
    uint8_t *packed = b->rows + (uint32_t)r->ready * row;
    core_get_spins(&b->core, row, packed);
    r->digest = crc32(r->digest, packed, row);
    r->ready++;
    r->reading = 0;
    if (++r->at_read == r->reads) {
        r->at_read = 0;
        r->at_slot++;
    }
}

uint8_t board_work(board *b) {
    if (b->state != IQP_STATE_RUNNING) return 0;
    if (!b->run.reading) begin_read(b);
    if (!core_sweep(&b->core)) {
        end_read(b);
        if (b->run.ready == b->run.rows) {
            b->run.couplings_digest = couplings_digest(b);
            run_end(b, IQP_RUN_STATE_COMPLETE);
        }
        run_tell(b);
    }
    return 1;
}

void run_end(board *b, uint8_t how) {
    if (b->state != IQP_STATE_RUNNING) return;
    core_abort(&b->core);
    b->run.reading = 0;
    b->run.state = how;
    b->run.end_untold = (b->run.flags & IQP_RUN_FLAG_ANNOUNCE) != 0;
    b->state = IQP_STATE_READY;
}

static uint8_t is_known(board *b, uint32_t id) {
    if (b->run.id != 0 && b->run.id == id) return IQP_STATUS_OK;
    return refused(b, IQP_STATUS_UNKNOWN_RUN, b->run.id);
}

void run_put_progress(board *b) {
    link_put32(&b->link, b->facts.boot);
    link_put32(&b->link, b->run.id);
    link_put8(&b->link, b->run.state);
    link_put32(&b->link, b->run.ready);
    link_put32(&b->link, b->run.digest);
    link_put32(&b->link, b->run.couplings_digest);
}

uint8_t run_poll(board *b, const uint8_t *p) {
    uint8_t status = is_known(b, get32(p + IQP_AT_POLL_RUN));
    if (status == IQP_STATUS_OK) run_put_progress(b);
    return status;
}

static void put_packed(board *b, uint32_t row, uint16_t count) {
    uint16_t width = packed_bytes(b);
    const uint8_t *packed = b->rows + row * width;
    for (uint16_t k = 0; k < count * width; k++) link_put8(&b->link, packed[k]);
}

static void put_rows(board *b, uint32_t row, uint16_t count) {
    link_put32(&b->link, b->facts.boot);
    link_put32(&b->link, b->run.id);
    link_put32(&b->link, row);
    link_put16(&b->link, count);
    put_packed(b, row, count);
}

uint8_t run_read(board *b, const uint8_t *p) {
    const board_run *r = &b->run;
    uint32_t row = get32(p + IQP_AT_READ_ROW);
    uint16_t count = get16(p + IQP_AT_READ_NUM_ROWS);
    uint8_t status = is_known(b, get32(p + IQP_AT_READ_RUN));
    if (status != IQP_STATUS_OK) return status;
    if (row > r->rows || count > r->rows - row) return out_of_range(b, IQP_AT_READ_ROW);
    if (row + count > r->ready)
        return refused(b, b->state == IQP_STATE_RUNNING ? IQP_STATUS_NOT_READY : IQP_STATUS_ABORTED, r->ready);
    status = fits(b, IQP_BYTES_REPLY_READ + (uint32_t)count * packed_bytes(b));
    if (status == IQP_STATUS_OK) put_rows(b, row, count);
    return status;
}

uint8_t run_stream(board *b, const uint8_t *p) {
    board_run *r = &b->run;
    uint32_t row = get32(p + IQP_AT_STREAM_ROW), credit = get32(p + IQP_AT_STREAM_CREDIT);
    uint8_t status = is_known(b, get32(p + IQP_AT_STREAM_RUN));
    if (status != IQP_STATUS_OK) return status;
    if (row > r->rows) return out_of_range(b, IQP_AT_STREAM_ROW);
    r->stream_from = row;
    r->stream_to = credit > r->rows - row ? r->rows : row + credit;
    return IQP_STATUS_OK;
}

uint8_t run_abort(board *b, const uint8_t *p) {
    if (b->state == IQP_STATE_RUNNING) {
        uint8_t status = is_known(b, get32(p + IQP_AT_ABORT_RUN));
        if (status != IQP_STATUS_OK) return status;
        run_end(b, IQP_RUN_STATE_STOPPED);
    }
    return IQP_STATUS_OK;
}

/* Rows that fit into an event with so many bytes before them. */
static uint16_t most_rows(const board *b, uint16_t head) {
    return (uint16_t)((PROFILE_FRAME - LINK_HEADER - 4U - head) / packed_bytes(b));
}

void run_tell(board *b) {
    board_run *r = &b->run;
    uint8_t due = r->end_untold;
    r->end_untold = 0;
    if (!b->tells || r->id == 0) return;
    uint32_t to = r->stream_to < r->ready ? r->stream_to : r->ready;
    uint32_t left = to > r->stream_from ? to - r->stream_from : 0;
    /* A few rows are not worth a frame; the last ones go with the end. */
    if (b->state == IQP_STATE_RUNNING && to < r->stream_to && left * packed_bytes(b) < LEAST_BYTES) return;
    uint32_t held = due ? most_rows(b, IQP_BYTES_EVENT_ENDED) : 0;
    uint16_t most = most_rows(b, IQP_BYTES_EVENT_ROWS);
    while (left > held) {
        uint16_t count = left > most ? most : (uint16_t)left;
        event_begin(b);
        put_rows(b, r->stream_from, count);
        r->stream_from += count;
        left -= count;
        event_send(b, IQP_EVENT_ROWS, r->stream_from < r->stream_to);
    }
    if (!due) return;
    event_begin(b);
    run_put_progress(b);
    link_put32(&b->link, r->stream_from);
    put_packed(b, r->stream_from, (uint16_t)left);
    r->stream_from += left;
    event_send(b, IQP_EVENT_ENDED, 0);
}
