/* A board that is told anything at all: program SEED FRAMES, on the machine that compiles it, under sanitizers.

   Most frames are requests of a right length and in the right order, with numbers at and beyond every limit; some are
   bent afterwards, and some are noise. Whatever the board sends must be a frame. It prints how many requests were
   granted and refused, which shows how deep the frames went. */
#include <stdio.h>
#include <stdlib.h>

#include "crc.h"
#include "parts.h"

static board the_board;
static link_t host, ear;
static uint8_t wire[4 * LINK_HELD];
static uint16_t wire_used;
static uint16_t session = 0x1234, sequence;
static uint32_t granted, denied;
static uint8_t told;

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static uint32_t words[4] = {1, 2, 3, 4};

static uint32_t number(void) {
    uint32_t t = words[0] ^ (words[0] << 11);
    words[0] = words[1];
    words[1] = words[2];
    words[2] = words[3];
    words[3] = words[3] ^ (words[3] >> 19) ^ t ^ (t >> 8);
    return words[3];
}

static uint8_t one_in(uint32_t count) { return number() % count == 0; }

/* Up to a limit most of the time; else at it, just beyond, or anywhere. */
static uint32_t about(uint32_t limit) {
    switch (number() % 64) {
    case 0: return limit;
    case 1: return limit + 1;
    case 2: return number();
    case 3: return 0U - number() % 3;
    default: return number() % (limit + 1);
    }
}

/* What is put goes to the wire where the host speaks, and to its ear where the board does. */
void hal_put(void *line, uint8_t byte) {
    frame f;
    if (line == &host) {
        wire[wire_used++] = byte;
        return;
    }
    uint32_t good = ear.frames;
    uint16_t held = ear.held;
    link_take(&ear, byte, &f);
    if (byte != 0) return;
    if (held == 0 || ear.frames != good + 1) fail("the board sent what is no frame");
    if (!(f.opcode & LINK_REPLY)) {
        told++;
        return;
    }
    if (f.length == 0 || (f.payload[0] != IQP_STATUS_OK && f.length != 5)) fail("the board sent what is no reply");
    if (f.payload[0] == IQP_STATUS_OK)
        granted++;
    else
        denied++;
}

static void put_any(uint32_t count) {
    while (count--) link_put8(&host, (uint8_t)number());
}

/* So many values as fit, the most seldom. */
static uint32_t few(uint32_t most) { return one_in(30) ? most : number() % ((most < 24 ? most : 24) + 1); }

#define ROOM (PROFILE_FRAME - 64U)

static void put_stretch(void) {
    uint8_t memory = (uint8_t)about(4);
    link_put8(&host, memory);
    uint32_t sizes[5] = {2000, PROFILE_FIELD_MEMORY, PROFILE_STATE_MEMORY, 24, PROFILE_LEGS};
    uint32_t size = memory < 5 ? sizes[memory] : 9;
    link_put32(&host, about(one_in(2) ? 9 : size));
    link_put32(&host, about(one_in(2) ? 9 : size));
}

static void put_patch(void) {
    uint16_t spins = (uint16_t)few(4), slots = (uint16_t)few(5);
    uint8_t width = (uint8_t)(1 + number() % 2);
    link_put16(&host, (uint16_t)about(4));
    link_put16(&host, one_in(50) ? (uint16_t)number() : slots);
    link_put8(&host, one_in(50) ? (uint8_t)number() : width);
    link_put16(&host, one_in(50) ? (uint16_t)number() : spins);
    for (uint16_t k = 0; k < spins; k++) link_put16(&host, (uint16_t)about(4));
    put_any((uint32_t)slots * spins * width);
}

static void put_run(void) {
    link_put32(&host, one_in(30) ? 0 : 1 + number() % 3);
    link_put32(&host, number());
    link_put32(&host, number());
    link_put16(&host, (uint16_t)(one_in(2) ? 0 : about(3)));
    link_put16(&host, (uint16_t)(one_in(20) ? about(3) : 1 + number() % 3));
    link_put16(&host, (uint16_t)about(one_in(20) ? PROFILE_ROW_MEMORY : 3));
    link_put16(&host, (uint16_t)about(2));
    link_put8(&host, one_in(2) ? IQP_START_RANDOM : (uint8_t)about(2));
    link_put8(&host, !one_in(8) ? IQP_RUN_FLAG_ANNOUNCE : (uint8_t)about(3));
    link_put16(&host, (uint16_t)(one_in(8) ? about(PROFILE_LEGS) : 0));
    link_put16(&host, (uint16_t)(one_in(8) ? about(PROFILE_LEGS) : 1));
    link_put8(&host, (uint8_t)about(15));
}

static void put_known_run(void) { link_put32(&host, one_in(8) ? number() % 4 : the_board.run.id); }

static void put_legs(void) {
    uint32_t legs = few(PROFILE_LEGS);
    link_put16(&host, (uint16_t)(one_in(2) ? 0 : about(PROFILE_LEGS)));
    for (uint32_t k = 0; k < legs && host.used < PROFILE_FRAME - 12; k++) {
        put_any(4);
        link_put16(&host, (uint16_t)(one_in(40) ? number() % 3 : 1 + number() % 3));
    }
}

/* The payload of a request; bytes of the right number, and numbers about right. */
static void put_request(uint8_t opcode) {
    switch (opcode) {
    case IQP_OPCODE_HELLO:
        link_put8(&host, (uint8_t)(one_in(20) ? number() : 1));
        link_put8(&host, (uint8_t)(one_in(20) ? number() : 1));
        link_put8(&host, (uint8_t)(one_in(9) ? about(1) : 0));
        link_put32(&host, number() % 8);
        break;
    case IQP_OPCODE_DESCRIBE:
        link_put16(&host, (uint16_t)about(PROFILE_DESCRIPTOR_BYTES));
        link_put16(&host, (uint16_t)about(64));
        break;
    case IQP_OPCODE_ECHO: put_any(few(PROFILE_FRAME - LINK_HEADER - 4)); break;
    case IQP_OPCODE_SET_PARAMETER:
        link_put8(&host, (uint8_t)about(3));
        link_put32(&host, about(1));
        break;
    case IQP_OPCODE_GET_PARAMETER: link_put8(&host, (uint8_t)about(3)); break;
    case IQP_OPCODE_BEGIN:
        link_put16(&host, (uint16_t)(one_in(8) ? about(PROFILE_SPINS) : 1 + number() % 6));
        link_put8(&host, (uint8_t)about(1));
        break;
    case IQP_OPCODE_LOAD_COUPLINGS:
        link_put32(&host, about(one_in(2) ? 4 : 2000));
        for (uint32_t k = few(ROOM); k > 0; k--) link_put8(&host, (uint8_t)(number() % (one_in(50) ? 256 : 127)));
        break;
    case IQP_OPCODE_LOAD_FIELDS:
        link_put32(&host, about(one_in(2) ? 4 : PROFILE_FIELD_MEMORY));
        link_put8(&host, (uint8_t)(1 + number() % 2));
        put_any(few(ROOM));
        break;
    case IQP_OPCODE_LOAD_STATES:
        link_put32(&host, about(one_in(2) ? 4 : PROFILE_STATE_MEMORY));
        for (uint32_t k = few(ROOM); k > 0; k--) link_put8(&host, one_in(40) ? (uint8_t)number() : number() & 1);
        break;
    case IQP_OPCODE_LOAD_CLAMPS:
        link_put16(&host, (uint16_t)about(2));
        for (uint32_t k = few(3); k > 0; k--) link_put8(&host, one_in(40) ? (uint8_t)number() : number() & 1);
        break;
    case IQP_OPCODE_COMMIT: link_put32(&host, 0); break;
    case IQP_OPCODE_READBACK:
    case IQP_OPCODE_DIGEST: put_stretch(); break;
    case IQP_OPCODE_LOAD_LEGS: put_legs(); break;
    case IQP_OPCODE_PATCH_FIELDS: put_patch(); break;
    case IQP_OPCODE_COPY_SLOTS:
        for (uint8_t k = 0; k < 3; k++) link_put16(&host, (uint16_t)(one_in(8) ? about(PROFILE_SLOTS) : about(4)));
        break;
    case IQP_OPCODE_RUN: put_run(); break;
    case IQP_OPCODE_POLL:
    case IQP_OPCODE_ABORT: put_known_run(); break;
    case IQP_OPCODE_READ:
        put_known_run();
        link_put32(&host, about(3));
        link_put16(&host, (uint16_t)about(2));
        break;
    case IQP_OPCODE_STREAM:
        put_known_run();
        link_put32(&host, about(9));
        link_put32(&host, about(9));
        break;
    case IQP_OPCODE_CORRELATE: put_any(10); break;
    case IQP_OPCODE_RESET: link_put32(&host, one_in(20) ? IQP_RESET_MAGIC : 5); break;
    case IQP_OPCODE_SHUTDOWN: link_put32(&host, one_in(20) ? IQP_SHUTDOWN_MAGIC : 5); break;
    default: break;
    }
}

static const uint8_t opcodes[] = {
        IQP_OPCODE_DESCRIBE, IQP_OPCODE_ECHO, IQP_OPCODE_STATUS, IQP_OPCODE_SET_PARAMETER, IQP_OPCODE_GET_PARAMETER,
        IQP_OPCODE_COUNTERS, IQP_OPCODE_BEGIN, IQP_OPCODE_LOAD_COUPLINGS, IQP_OPCODE_LOAD_COUPLINGS,
        IQP_OPCODE_LOAD_FIELDS, IQP_OPCODE_LOAD_FIELDS, IQP_OPCODE_COMMIT, IQP_OPCODE_LOAD_COUPLINGS,
        IQP_OPCODE_READBACK, IQP_OPCODE_LOAD_STATES, IQP_OPCODE_LOAD_CLAMPS, IQP_OPCODE_LOAD_LEGS,
        IQP_OPCODE_PATCH_FIELDS, IQP_OPCODE_PATCH_FIELDS, IQP_OPCODE_COPY_SLOTS, IQP_OPCODE_DIGEST, IQP_OPCODE_RUN, IQP_OPCODE_RUN,
        IQP_OPCODE_RUN, IQP_OPCODE_RUN, IQP_OPCODE_POLL, IQP_OPCODE_READ, IQP_OPCODE_READ, IQP_OPCODE_STREAM,
        IQP_OPCODE_ABORT, IQP_OPCODE_CORRELATE, IQP_OPCODE_RESET, IQP_OPCODE_SHUTDOWN,
};

/* COMMIT says 0 first; the refusal tells the digest, which nobody else knows better than the board. */
static void put_digest(void) {
    uint32_t digest = the_board.core.num_units;
    uint8_t bytes[2] = {(uint8_t)digest, (uint8_t)(digest >> 8)};
    digest = crc32(0, bytes, 2);
    for (uint16_t i = 0; i + 1 < the_board.core.num_units; i++)
        digest = crc32(digest, (const uint8_t *)&the_board.core.couplings[i][i + 1],
                       (uint16_t)(the_board.core.num_units - 1 - i));
    host.used = LINK_HEADER;
    link_put32(&host, digest);
}

/* Puts a request into what the host sends next, and returns its opcode. */
static uint8_t make_request(void) {
    uint8_t opcode = opcodes[number() % sizeof opcodes];
    if (one_in(200)) opcode = (uint8_t)number();
    if (the_board.session == 0 || one_in(400)) opcode = IQP_OPCODE_HELLO;
    link_begin(&host);
    put_request(opcode);
    if (opcode == IQP_OPCODE_COMMIT && !one_in(10)) put_digest();
    if (one_in(99)) put_any(1 + number() % 3);
    if (one_in(99) && host.used > LINK_HEADER) host.used = (uint16_t)(LINK_HEADER + number() % (host.used - LINK_HEADER));
    if (host.used > PROFILE_FRAME - 4) host.used = PROFILE_FRAME - 4;
    return opcode;
}

static void send_request(uint8_t opcode) {
    uint8_t flags = one_in(9) ? IQP_FLAG_RETRANSMISSION : 0;
    uint16_t next = one_in(99) ? (uint16_t)(sequence - number() % 12) : ++sequence;
    if (one_in(500)) next = (uint16_t)number();
    if (opcode == IQP_OPCODE_HELLO) sequence = next;
    link_send(&host, &host, flags, opcode, one_in(200) ? (uint16_t)number() : session, next,
              the_board.link.strong && !one_in(50));
}

/* Past the link, in memory of its own: a look beyond its end is a look too far. */
static void hand_over(uint8_t opcode) {
    uint16_t length = (uint16_t)(host.used - LINK_HEADER);
    uint8_t *payload = malloc(length);
    if (payload == 0) fail("no memory");
    for (uint16_t k = 0; k < length; k++) payload[k] = host.out[LINK_HEADER + k];
    link_begin(&the_board.link);
    link_put8(&the_board.link, IQP_STATUS_OK);
    uint8_t status = request_check(&the_board, opcode, payload, length);
    if (status == IQP_STATUS_OK) status = request_execute(&the_board, opcode, payload, length);
    if (status == IQP_STATUS_OK)
        granted++;
    else
        denied++;
    free(payload);
    run_tell(&the_board);
}

static void make_noise(void) {
    for (uint32_t count = 1 + few(sizeof wire - 2); count > 0; count--) wire[wire_used++] = (uint8_t)number();
    wire[wire_used++] = 0;
}

static void bend(void) {
    for (uint32_t times = 1 + number() % 3; times > 0; times--) wire[number() % wire_used] ^= (uint8_t)(1U << number() % 8);
    if (one_in(3)) wire_used = (uint16_t)(1 + number() % wire_used);
}

static void settle(void) {
    static const board_facts facts = {7, 0, 9, 1, IQP_RESET_CAUSE_POWER, 0};
    if (the_board.wish != BOARD_GO_ON) board_start(&the_board, &facts, &the_board);
    if (one_in(2000)) board_fail(&the_board, (uint8_t)number());
    if (the_board.state == IQP_STATE_FAULTY && one_in(20)) board_start(&the_board, &facts, &the_board);
    for (uint32_t sweeps = number() % 6; sweeps > 0 && board_work(&the_board); sweeps--) continue;
    board_tick(&the_board, the_board.now_ms + number() % 3);
    if (sequence != (uint16_t)(the_board.expected - 1U) && one_in(4)) sequence = (uint16_t)(the_board.expected - 1U);
}

int main(int count, char **arguments) {
    if (count != 3) fail("give SEED FRAMES");
    words[0] += (uint32_t)strtoul(arguments[1], 0, 10);
    ear.of_a_host = 1;
    static const board_facts facts = {7, 0, 9, 1, IQP_RESET_CAUSE_POWER, 0};
    board_start(&the_board, &facts, &the_board);
    for (unsigned long frames = strtoul(arguments[2], 0, 10); frames > 0; frames--) {
        wire_used = 0;
        if (one_in(25)) {
            make_noise();
        } else {
            uint8_t opcode = make_request();
            if (the_board.session != 0 && opcode != IQP_OPCODE_HELLO && one_in(3)) {
                hand_over(opcode);
                settle();
                continue;
            }
            send_request(opcode);
        }
        if (one_in(25)) bend();
        for (uint16_t k = 0; k < wire_used; k++) board_take(&the_board, wire[k]);
        settle();
    }
    printf("%lu granted, %lu refused\n", (unsigned long)granted, (unsigned long)denied);
    return 0;
}
