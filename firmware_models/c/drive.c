/* The core as a program, for tests on the machine that compiles it: one command a line on stdin, one answer a line.

   n UNITS | j FIRST COUNT VALUES… | h FIRST COUNT VALUES… | c FIRST COUNT VALUES… | s LENGTH BYTES…
                                     answer: a status
   g SHIFT                           a new schedule without legs; answer: 0
   l FIRST LAST SWEEPS               one more leg; answer: 0, or 2 where the table is full
   r SEED SAMPLE READ START          run to the end; answer: status, energy, packed spins
   p SEED SAMPLE READ START          one sweep and no more; answer: status
   a                                 abort; answer: 0
   k I J COUNT BYTES…                correlation over COUNT reads of the packed length; answer: status, sum

   Values are taken modulo their type, as bytes from a line are; a count may be anything up to what LIST holds. */
#include <inttypes.h>
#include <stdio.h>

#include "core.h"

#define LIST 40000

static core board;
static core_leg legs[CORE_MAX_LEGS];
static uint16_t num_legs;
static uint8_t shift;
static int8_t bytes[LIST];
static int16_t words[LIST];
static uint8_t bits[LIST];

static long long number(void) {
    long long value = 0;
    if (scanf("%lld", &value) != 1) value = 0;
    return value;
}

/* Reads `count` values into the list of their type; returns 0 where they do not fit. */
static int list(char kind, long count) {
    if (count < 0 || count > LIST) return 0;
    for (long k = 0; k < count; k++) {
        long long value = number();
        if (kind == 'b') bytes[k] = (int8_t)value;
        if (kind == 'w') words[k] = (int16_t)value;
        if (kind == 'u') bits[k] = (uint8_t)value;
    }
    return 1;
}

static void answer_read(core_status status) {
    uint16_t length = core_packed_length(board.num_units);
    printf("%d", (int)status);
    if (status == CORE_OK) {
        while (core_sweep(&board)) {
        }
        core_get_spins(&board, length, bits);
        printf(" %" PRId32, core_energy(&board));
        for (uint16_t k = 0; k < length; k++) printf(" %u", (unsigned)bits[k]);
    }
    printf("\n");
}

static core_status ranged(char command) {
    uint16_t first = (uint16_t)number(), count = (uint16_t)number();
    if (!list(command == 'j' || command == 'c' ? 'b' : 'w', count)) return CORE_BAD_LENGTH;
    if (command == 'j') return core_set_couplings(&board, first, count, bytes);
    if (command == 'c') return core_set_clamps(&board, first, count, bytes);
    return core_set_fields(&board, first, count, words);
}

static core_status begin(void) {
    core_task task = {.legs = legs, .num_legs = num_legs, .shift = shift};
    task.seed = (uint32_t)number();
    task.sample = (uint32_t)number();
    task.read = (uint32_t)number();
    task.start = number() ? CORE_START_CURRENT : CORE_START_RANDOM;
    return core_begin(&board, &task);
}

static core_status schedule(void) {
    shift = (uint8_t)number();
    num_legs = 0;
    core_abort(&board);
    return CORE_OK;
}

static core_status leg(void) {
    core_leg next;
    next.first = (uint16_t)number();
    next.last = (uint16_t)number();
    next.sweeps = (uint16_t)number();
    if (num_legs == CORE_MAX_LEGS) return CORE_BAD_LENGTH;
    legs[num_legs++] = next;
    return CORE_OK;
}

static void correlation(void) {
    uint16_t i = (uint16_t)number(), j = (uint16_t)number(), reads = (uint16_t)number();
    int32_t sum = 0;
    core_status status = CORE_BAD_LENGTH;
    if (list('u', (long)reads * core_packed_length(board.num_units)))
        status = core_correlation(&board, bits, reads, i, j, &sum);
    printf("%d %" PRId32 "\n", (int)status, sum);
}

static core_status packed(void) {
    uint16_t length = (uint16_t)number();
    return list('u', length) ? core_set_spins(&board, length, bits) : CORE_BAD_LENGTH;
}

static core_status one_sweep(void) {
    core_status status = begin();
    if (status == CORE_OK) core_sweep(&board);
    return status;
}

int main(void) {
    char command;
    core_reset(&board, 1);
    while (scanf(" %c", &command) == 1) {
        if (command == 'n') printf("%d\n", (int)core_reset(&board, (uint16_t)number()));
        else if (command == 's') printf("%d\n", (int)packed());
        else if (command == 'g') printf("%d\n", (int)schedule());
        else if (command == 'l') printf("%d\n", (int)leg());
        else if (command == 'p') printf("%d\n", (int)one_sweep());
        else if (command == 'r') answer_read(begin());
        else if (command == 'k') correlation();
        else if (command == 'a') core_abort(&board), printf("0\n");
        else printf("%d\n", (int)ranged(command));
    }
    return 0;
}
