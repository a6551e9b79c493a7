#include "link.h"

#include "crc.h"
#include "protocol.h"

#define FULL 254U /* a piece as long as this is led by 0xFF and stands for no zero */

uint16_t get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] | (uint16_t)(bytes[1] << 8)); }

uint32_t get32(const uint8_t *bytes) { return get16(bytes) | (uint32_t)get16(bytes + 2) << 16; }

/* Long frames need more than CRC-16; so do those that open a conversation, which a strict receiver must not drop. */
static uint8_t needs_crc32(uint8_t opcode, uint16_t size) {
    return size > IQP_SHORT_FRAME || opcode == IQP_OPCODE_HELLO || opcode == (IQP_OPCODE_HELLO | LINK_REPLY) ||
           opcode == IQP_EVENT_BOOTED;
}

/* Undo the stuffing in place, where bytes only move down; returns the bytes there are, 0 where it is broken. */
static uint16_t unstuff(uint8_t *bytes, uint16_t count) {
    uint16_t from = 0, to = 0;
    while (from < count) {
        uint8_t code = bytes[from];
        if (code > count - from) return 0;
        for (uint8_t k = 1; k < code; k++) bytes[to++] = bytes[from + k];
        from = (uint16_t)(from + code);
        if (code <= FULL && from < count) bytes[to++] = 0;
    }
    return to;
}

static uint8_t dropped(link_t *l) {
    l->bad_frames += l->bad_frames != UINT32_MAX;
    return 0;
}

static uint8_t finish(link_t *l, uint16_t stuffed, frame *f) {
    uint16_t size = unstuff(l->in, stuffed);
    if (size < LINK_HEADER + 2) return dropped(l);
    f->strong = (l->in[0] & IQP_FLAG_CRC32) != 0;
    size = (uint16_t)(size - (f->strong ? 4 : 2));
    if (size < LINK_HEADER) return dropped(l);
    const uint8_t *check = l->in + size;
    if (f->strong ? get32(check) != crc32(0, l->in, size) : get16(check) != crc16(l->in, size)) {
        l->bad_checks += l->bad_checks != UINT32_MAX;
        return 0;
    }
    f->opcode = l->in[1];
    /* What a line echoes is no request: an answer would come back, too. */
    if (f->opcode & LINK_REPLY && !l->of_a_host) return dropped(l);
    if (l->in[0] >> 4 != IQP_VERSION) return dropped(l);
    /* Zeros take no room once stuffed: a frame may be too long although its bytes were not too many. */
    if (size + (f->strong ? 4U : 2U) > PROFILE_FRAME) return dropped(l);
    if (!f->strong && (l->strong || needs_crc32(f->opcode, size))) return dropped(l);
    f->session = get16(l->in + 2);
    f->sequence = get16(l->in + 4);
    f->payload = l->in + LINK_HEADER;
    f->length = (uint16_t)(size - LINK_HEADER);
    l->frames += l->frames != UINT32_MAX;
    return 1;
}

uint8_t link_take(link_t *l, uint8_t byte, frame *f) {
    if (byte != 0) {
        if (l->skipping) return 0;
        if (l->held < LINK_HELD) {
            l->in[l->held++] = byte;
            return 0;
        }
        l->skipping = 1;
        return dropped(l);
    }
    uint16_t stuffed = l->held;
    uint8_t skipped = l->skipping;
    l->held = 0;
    l->skipping = 0;
    return stuffed == 0 || skipped ? 0 : finish(l, stuffed, f);
}

void link_begin(link_t *l) { l->used = LINK_HEADER; }

void link_put8(link_t *l, uint8_t value) {
    if (l->used < PROFILE_FRAME) l->out[l->used++] = value;
}

void link_put16(link_t *l, uint16_t value) {
    link_put8(l, (uint8_t)value);
    link_put8(l, (uint8_t)(value >> 8));
}

void link_put32(link_t *l, uint32_t value) {
    link_put16(l, (uint16_t)value);
    link_put16(l, (uint16_t)(value >> 16));
}

static void stuff(const link_t *l, void *line) {
    const uint8_t *piece = l->out;
    uint16_t left = l->used;
    for (;;) {
        uint8_t length = 0;
        while (length < FULL && length < left && piece[length] != 0) length++;
        hal_put(line, (uint8_t)(length + 1));
        for (uint8_t k = 0; k < length; k++) hal_put(line, piece[k]);
        left = (uint16_t)(left - length);
        if (left == 0) break;
        piece += length;
        if (length < FULL) {
            piece++;
            left--;
        }
    }
    hal_put(line, 0);
}

void link_send(link_t *l, void *line, uint8_t flags, uint8_t opcode, uint16_t session, uint16_t sequence,
               uint8_t strong) {
    uint16_t size = l->used;
    if (needs_crc32(opcode, size)) strong = 1;
    l->used = 0;
    link_put8(l, (uint8_t)(IQP_VERSION << 4 | flags | (strong ? IQP_FLAG_CRC32 : 0U)));
    link_put8(l, opcode);
    link_put16(l, session);
    link_put16(l, sequence);
    l->used = size;
    if (strong)
        link_put32(l, crc32(0, l->out, size));
    else
        link_put16(l, crc16(l->out, size));
    stuff(l, line);
}
