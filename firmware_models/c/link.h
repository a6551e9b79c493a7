/* Frames: bytes from the line become frames in place, frames become bytes for the line. */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

#include "profile.h"

#define LINK_HEADER 6U
#define LINK_REPLY 0x80U
/* The longest frame, stuffed; its closing zero is not held. */
#define LINK_HELD (PROFILE_FRAME + PROFILE_FRAME / 254U + 1U)

/* A frame that came, checked; the payload stays valid until the next byte is taken. */
typedef struct {
    uint8_t strong; /* its check was CRC-32 */
    uint8_t opcode;
    uint16_t session, sequence;
    const uint8_t *payload;
    uint16_t length;
} frame;

typedef struct {
    uint16_t held;    /* bytes of the frame that is coming in */
    uint16_t used;    /* bytes of the frame that is going out */
    uint8_t skipping; /* up to the next zero: it was too long */
    uint8_t strong;   /* drop frames without CRC-32 */
    uint8_t of_a_host; /* take replies, too */
    uint32_t frames, bad_checks, bad_frames;
    uint8_t in[LINK_HELD];
    uint8_t out[PROFILE_FRAME]; /* header, payload, check */
} link_t;

/* Given by whoever owns the line: takes one byte that goes out. */
void hal_put(void *line, uint8_t byte);

/* Take one byte from the line; returns 1 when it completes a good frame. */
uint8_t link_take(link_t *l, uint8_t byte, frame *f);

/* Begin a frame; then put its payload, which the caller knows to fit; then send it. */
void link_begin(link_t *l);
void link_put8(link_t *l, uint8_t value);
void link_put16(link_t *l, uint16_t value);
void link_put32(link_t *l, uint32_t value);

/* Flags without CRC32, which `strong` and the rules of the protocol set. */
void link_send(link_t *l, void *line, uint8_t flags, uint8_t opcode, uint16_t session, uint16_t sequence,
               uint8_t strong);

uint16_t get16(const uint8_t *bytes);
uint32_t get32(const uint8_t *bytes);

#endif
