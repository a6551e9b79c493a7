/* The parts of a board, among themselves. A part returns a status; its reply is in the link, its detail in the board. */
#ifndef PARTS_H
#define PARTS_H

#include "board.h"

/* Of the problem the board holds. */
uint16_t packed_bytes(const board *b);
uint16_t num_slots(const board *b);
uint16_t num_pairs(const board *b);

uint8_t refused(board *b, uint8_t status, uint32_t detail);
uint8_t out_of_range(board *b, uint32_t position);
/* The refusal that the state gives. */
uint8_t not_now(board *b);
/* OK, or TOO_LONG where a reply with so many bytes after its status does not fit. */
uint8_t fits(board *b, uint32_t count);

/* Loading and reading back (memory.c); `n` is the length of payload `p`, which has been checked. */
uint8_t begin(board *b, const uint8_t *p);
uint8_t load_couplings(board *b, const uint8_t *p, uint16_t n);
uint8_t load_fields(board *b, const uint8_t *p, uint16_t n);
uint8_t patch_fields(board *b, const uint8_t *p);
uint8_t copy_slots(board *b, const uint8_t *p);
uint8_t load_states(board *b, const uint8_t *p, uint16_t n);
uint8_t load_clamps(board *b, const uint8_t *p, uint16_t n);
uint8_t load_legs(board *b, const uint8_t *p, uint16_t n);
uint8_t commit(board *b, const uint8_t *p);
uint8_t readback(board *b, const uint8_t *p);
uint8_t digest(board *b, const uint8_t *p);
uint32_t couplings_digest(board *b);

/* Runs (run.c). */
uint8_t run_start(board *b, const uint8_t *p);
uint8_t run_poll(board *b, const uint8_t *p);
uint8_t run_read(board *b, const uint8_t *p);
uint8_t run_stream(board *b, const uint8_t *p);
uint8_t run_abort(board *b, const uint8_t *p);
void run_end(board *b, uint8_t how);
uint8_t run_touches(const board *b, uint32_t first, uint32_t last);
/* Events that are due. */
void run_tell(board *b);
void run_put_progress(board *b);

/* Requests of a length, capability and state that fit (requests.c). */
uint8_t request_check(board *b, uint8_t opcode, const uint8_t *p, uint16_t n);
uint8_t request_is_pure(uint8_t opcode);
uint8_t request_execute(board *b, uint8_t opcode, const uint8_t *p, uint16_t n);

/* Begin, and send, an event (session.c). */
void event_begin(board *b);
void event_send(board *b, uint8_t event, uint8_t more);

#endif
