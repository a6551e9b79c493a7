/* A board: everything of docs/protocol.md between bytes that come and bytes that go. No heap, no clock, no input or output.

   One board is one `board`, zeroed by its owner before the first board_start. What it sends goes out through hal_put. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#include "core.h"
#include "link.h"
#include "profile.h"
#include "protocol.h"

/* What only the part knows, at each start. */
typedef struct {
    uint32_t uid_low, uid_high; /* 0 where it has no number */
    uint32_t boot;              /* another one at each start; */
    uint8_t has_boot;           /* where it has none, the nonce of the first HELLO serves */
    uint8_t cause;              /* IQP_RESET_CAUSE_… */
    uint32_t resets;            /* since power came on */
} board_facts;

/* What a board wants of its part once its reply is out. */
enum { BOARD_GO_ON, BOARD_RESTART, BOARD_END };

typedef struct {
    uint8_t known; /* since HELLO */
    uint8_t status;
    uint32_t detail;
} board_memo;

typedef struct {
    uint32_t id, seed, sample, estimate_us;
    uint32_t digest;       /* of the rows ready */
    uint32_t couplings_digest; /* after the last row; 0 before */
    uint32_t stream_from;  /* next row to be sent as an event */
    uint32_t stream_to;    /* where sending ends */
    uint16_t rows, ready;  /* of all, so far */
    uint16_t slot, num_slots, reads, thin, leg, num_legs;
    uint16_t at_slot, at_read; /* what comes next, both counted from 0 */
    uint8_t start, flags, shift, state;
    uint8_t reading;    /* the core is within a read */
    uint8_t end_untold; /* ENDED is due */
} board_run;

typedef struct {
    void *line; /* handed to hal_put */
    board_facts facts;
    link_t link;
    uint8_t wish; /* BOARD_… */
    uint8_t state, faults;
    uint32_t detail; /* of the status about to be replied */

    uint16_t session; /* 0: none */
    uint16_t expected, events;
    uint32_t nonce;
    board_memo memos[IQP_REPLAY_DEPTH];
    uint32_t silence_ms;
    uint8_t tells; /* parameter EVENTS */
    uint32_t heard_ms, now_ms;
    uint32_t overruns, replays, out_of_order;

    board_run run;
    core_leg legs[PROFILE_LEGS];
    core_leg last_leg; /* of a read that goes on from the one before */
    uint8_t clamps[(PROFILE_SPINS + 7) / 8];
    int16_t fields[PROFILE_FIELD_MEMORY];
    uint8_t states[PROFILE_STATE_MEMORY];
    uint8_t rows[PROFILE_ROW_MEMORY];
    core core; /* couplings are here; num_units is 0 before BEGIN */
} board;

/* Switch on, with every memory zero; sends BOOTED. */
void board_start(board *b, const board_facts *facts, void *line);

/* Take one byte from the line; answers when it completes a request. */
void board_take(board *b, uint8_t byte);

/* The receiver had no room for a byte. */
void board_overrun(board *b, uint32_t count);

/* Tell the time, in milliseconds that wrap. */
void board_tick(board *b, uint32_t now_ms);

/* Do one sweep of the run under way; returns 0 where there is none. */
uint8_t board_work(board *b);

/* Something is wrong with the board: bits of IQP_FAULT_BIT_… */
void board_fail(board *b, uint8_t faults);

#endif
