/* Who is asked by whom, and what has been answered already. */
#include "parts.h"

static void reply_begin(board *b) {
    link_begin(&b->link);
    link_put8(&b->link, IQP_STATUS_OK);
    b->detail = 0;
}

/* Send a reply: what has been put where it is granted, else the refusal alone. */
static void reply(board *b, const frame *f, uint8_t status, uint8_t flags) {
    if (status != IQP_STATUS_OK) {
        link_begin(&b->link);
        link_put8(&b->link, status);
        link_put32(&b->link, b->detail);
    }
    link_send(&b->link, b->line, flags, f->opcode | LINK_REPLY, f->session, f->sequence,
              f->strong || b->link.strong);
}

void event_begin(board *b) { link_begin(&b->link); }

void event_send(board *b, uint8_t event, uint8_t more) {
    uint8_t flags = (uint8_t)(IQP_FLAG_EVENT | (more ? IQP_FLAG_MORE : 0U));
    link_send(&b->link, b->line, flags, event, b->session, b->events++, b->link.strong);
}

uint8_t refused(board *b, uint8_t status, uint32_t detail) {
    b->detail = detail;
    return status;
}

uint8_t out_of_range(board *b, uint32_t position) { return refused(b, IQP_STATUS_OUT_OF_RANGE, position); }

uint8_t not_now(board *b) {
    if (b->state == IQP_STATE_RUNNING) return refused(b, IQP_STATUS_BUSY, b->run.id);
    if (b->state == IQP_STATE_FAULTY) return refused(b, IQP_STATUS_HARDWARE_FAULT, b->faults);
    return refused(b, IQP_STATUS_BAD_STATE, b->state);
}

uint8_t fits(board *b, uint32_t count) {
    if (count <= PROFILE_FRAME - LINK_HEADER - 1U - 4U) return IQP_STATUS_OK;
    return refused(b, IQP_STATUS_TOO_LONG, PROFILE_FRAME);
}

static void open_session(board *b, const frame *f, uint32_t nonce) {
    run_end(b, IQP_RUN_STATE_STOPPED);
    b->run = (board_run){0};
    for (uint8_t k = 0; k < IQP_REPLAY_DEPTH; k++) b->memos[k].known = 0;
    b->tells = 0;
    b->silence_ms = 0;
    b->session = f->session;
    b->nonce = nonce;
    b->expected = (uint16_t)(f->sequence + 1U);
    b->link.strong = (f->payload[IQP_AT_HELLO_OPTIONS] & IQP_HELLO_OPTION_STRONG) != 0;
    if (!b->facts.has_boot) {
        b->facts.boot = nonce;
        b->facts.has_boot = 1;
    }
}

static uint8_t hello(board *b, const frame *f) {
    const uint8_t *p = f->payload;
    if (f->length != IQP_BYTES_HELLO) return refused(b, IQP_STATUS_BAD_LENGTH, IQP_BYTES_HELLO);
    if (p[IQP_AT_HELLO_LOWEST] > IQP_VERSION || p[IQP_AT_HELLO_HIGHEST] < IQP_VERSION)
        return refused(b, IQP_STATUS_BAD_VERSION, IQP_VERSION | IQP_VERSION << 8);
    if (p[IQP_AT_HELLO_OPTIONS] & ~IQP_HELLO_OPTION_STRONG) return out_of_range(b, IQP_AT_HELLO_OPTIONS);
    if (f->session == 0) return out_of_range(b, 0);
    uint32_t nonce = get32(p + IQP_AT_HELLO_NONCE);
    if (f->session != b->session || nonce != b->nonce) open_session(b, f, nonce);
    link_put8(&b->link, IQP_VERSION);
    link_put8(&b->link, b->facts.cause);
    link_put32(&b->link, nonce);
    link_put32(&b->link, b->facts.boot);
    link_put32(&b->link, b->facts.uid_low);
    link_put32(&b->link, b->facts.uid_high);
    link_put16(&b->link, PROFILE_DESCRIPTOR_BYTES);
    link_put32(&b->link, PROFILE_DESCRIPTOR_DIGEST);
    link_put16(&b->link, PROFILE_FRAME);
    link_put16(&b->link, PROFILE_WINDOW);
    return IQP_STATUS_OK;
}

/* Reply once more to what was executed before; what came before the session is not known. */
static void replay(board *b, const frame *f) {
    const board_memo *memo = &b->memos[f->sequence % IQP_REPLAY_DEPTH];
    if (!memo->known) return;
    b->replays += b->replays != UINT32_MAX;
    b->detail = memo->detail;
    if (memo->status == IQP_STATUS_OK && f->opcode == IQP_OPCODE_RUN) {
        link_put32(&b->link, b->facts.boot);
        for (uint8_t k = 0; k < 4; k++) link_put8(&b->link, k < f->length ? f->payload[k] : 0);
        link_put32(&b->link, memo->detail);
    }
    reply(b, f, memo->status, IQP_FLAG_RETRANSMISSION);
}

static void execute(board *b, const frame *f, uint8_t is_new) {
    uint8_t status = request_check(b, f->opcode, f->payload, f->length);
    if (status == IQP_STATUS_OK) status = request_execute(b, f->opcode, f->payload, f->length);
    if (is_new) {
        b->memos[f->sequence % IQP_REPLAY_DEPTH] = (board_memo){1, status, b->detail};
        b->expected = (uint16_t)(f->sequence + 1U);
    }
    reply(b, f, status, 0);
}

static void answer(board *b, const frame *f) {
    reply_begin(b);
    if (f->opcode == IQP_OPCODE_HELLO) {
        uint8_t status = hello(b, f);
        reply(b, f, status, 0);
        return;
    }
    if (b->session == 0 || f->session != b->session) {
        reply(b, f, IQP_STATUS_STALE_SESSION, 0);
        return;
    }
    uint16_t behind = (uint16_t)(b->expected - f->sequence);
    if (behind == 0)
        execute(b, f, 1);
    else if (behind <= IQP_REPLAY_DEPTH) {
        if (request_is_pure(f->opcode))
            execute(b, f, 0);
        else
            replay(b, f);
    } else if (behind > 0x8000U) {
        b->out_of_order += b->out_of_order != UINT32_MAX;
        b->detail = b->expected;
        reply(b, f, IQP_STATUS_OUT_OF_ORDER, 0);
    }
}

void board_take(board *b, uint8_t byte) {
    frame f;
    if (!link_take(&b->link, byte, &f)) return;
    b->heard_ms = b->now_ms;
    answer(b, &f);
    run_tell(b);
}

void board_start(board *b, const board_facts *facts, void *line) {
    uint8_t *bytes = (uint8_t *)b;
    for (uint32_t k = 0; k < sizeof *b; k++) bytes[k] = 0;
    b->facts = *facts;
    b->line = line;
    event_begin(b);
    link_put8(&b->link, facts->cause);
    event_send(b, IQP_EVENT_BOOTED, 0);
}

void board_overrun(board *b, uint32_t count) {
    b->overruns = count > UINT32_MAX - b->overruns ? UINT32_MAX : b->overruns + count;
}

void board_tick(board *b, uint32_t now_ms) {
    b->now_ms = now_ms;
    if (b->silence_ms == 0 || now_ms - b->heard_ms < b->silence_ms) return;
    run_end(b, IQP_RUN_STATE_STOPPED);
    run_tell(b);
}

void board_fail(board *b, uint8_t faults) {
    run_end(b, IQP_RUN_STATE_FAILED);
    b->faults |= faults;
    b->state = IQP_STATE_FAULTY;
    run_tell(b);
    if (!b->tells) return;
    event_begin(b);
    link_put32(&b->link, b->facts.boot);
    link_put8(&b->link, b->faults);
    event_send(b, IQP_EVENT_FAULT, 0);
}
