/* The firmware of a part: bytes first, then one sweep, and asleep where there is nothing to do. */
#include "hal.h"

/* A process has a main of its own. */
#ifdef FIRMWARE_IN_A_PROCESS
int firmware(void);
#define main firmware
#endif

static board the_board;

int main(void) {
    board *b = &the_board;
    board_facts facts = hal_start();
    board_start(b, &facts, 0);
    for (;;) {
        uint8_t byte;
        b->now_ms = hal_milliseconds();
        while (hal_get(&byte)) {
            board_take(b, byte);
            if (b->wish == BOARD_RESTART) hal_restart();
            if (b->wish == BOARD_END) hal_end();
        }
        board_overrun(b, hal_overruns());
        board_tick(b, b->now_ms);
        if (!board_work(b)) hal_sleep();
    }
}
