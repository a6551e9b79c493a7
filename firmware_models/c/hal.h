/* What a part gives to the firmware: seven functions, and hal_put (link.h). README.md says how to write them. */
#ifndef HAL_H
#define HAL_H

#include "board.h"

/* Clocks, UART, timer and interrupts; returns what only the part knows. */
board_facts hal_start(void);

/* The oldest byte that the receiver has; returns 0 where there is none. */
uint8_t hal_get(uint8_t *byte);

/* Bytes that were lost since this was last asked, because the receiver had no room. */
uint16_t hal_overruns(void);

/* Milliseconds; they wrap, steps of ten are fine, and while the part sleeps they may stand still. */
uint32_t hal_milliseconds(void);

/* Wait for an interrupt, unless a byte is there already. */
void hal_sleep(void);

/* Start anew; and, where the part is emulated, end. Both wait until what was put has gone, and do not return. */
void hal_restart(void);
void hal_end(void);

#endif
