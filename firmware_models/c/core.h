/* The integer core of the reference boards: sequential p-bits on whole numbers. firmware_models/core.py defines every step.

   Portable C99, nothing on a heap, no I/O. One board is one `core`, which the caller owns; core_reset makes it valid.
   Every function that takes a count checks it before it writes anything. */
#ifndef CORE_H
#define CORE_H

#include <stdint.h>

#include "chances.h"

#ifndef CORE_MAX_UNITS
#define CORE_MAX_UNITS 192
#endif

/* The numbers are those of the wire. */
typedef enum {
    CORE_OK = 0,
    CORE_BAD_LENGTH = 2,   /* beyond the units or pairs there are */
    CORE_OUT_OF_RANGE = 3, /* a value that the board does not take */
    CORE_BAD_STATE = 4     /* not while a run is under way */
} core_status;

typedef enum { CORE_START_RANDOM = 0, CORE_START_CURRENT = 1 } core_start;

typedef struct {
    uint16_t first, last, sweeps;
} core_leg;

/* One read. The legs stay the caller's and must not change while the run is under way. */
typedef struct {
    const core_leg *legs;
    uint16_t num_legs;
    uint8_t shift;
    core_start start;
    uint32_t seed, sample, read;
} core_task;

typedef struct {
    uint16_t num_units;
    core_task task;
    uint16_t leg, sweep; /* which one is next; a run is over at leg == task.num_legs */
    uint32_t random[4];
    int32_t local[CORE_MAX_UNITS]; /* h + J s, kept up to date while a run is under way */
    int16_t fields[CORE_MAX_UNITS];
    int8_t clamps[CORE_MAX_UNITS];
    int8_t spins[CORE_MAX_UNITS];
    int8_t couplings[CORE_MAX_UNITS][CORE_MAX_UNITS];
} core;

/* A new programme of num_units units: no couplings, fields or clamps, every spin +1. Ends a run. */
core_status core_reset(core *c, uint16_t num_units);

/* J_ij of `count` pairs i < j, row after row, from pair `first` on. */
core_status core_set_couplings(core *c, uint16_t first, uint16_t count, const int8_t *values);

/* Fields, those of one sample after the other. */
core_status core_set_fields(core *c, uint16_t first, uint16_t count, const int16_t *values);

/* -1 or +1 where a unit is held, 0 where it is free. */
core_status core_set_clamps(core *c, uint16_t first, uint16_t count, const int8_t *values);

/* All spins, eight to a byte, lowest bit first, a set bit is +1; length must be core_packed_length. */
core_status core_set_spins(core *c, uint16_t length, const uint8_t *bits);
core_status core_get_spins(const core *c, uint16_t length, uint8_t *bits);
uint16_t core_packed_length(uint16_t num_units);

/* Begin a read; then call core_sweep until it returns 0. */
core_status core_begin(core *c, const core_task *task);

/* Update every unit once; returns 1 while there are sweeps left. A caller may look at its link in between. */
uint8_t core_sweep(core *c);

/* End a run where it is. */
void core_abort(core *c);

/* E of the spins, with fields and couplings as they are. */
int32_t core_energy(const core *c);

/* Sum of s_i s_j over packed reads that lie one after the other; i == j counts the reads. */
core_status core_correlation(const core *c, const uint8_t *reads, uint16_t num_reads, uint16_t i, uint16_t j,
                             int32_t *sum);

#endif
