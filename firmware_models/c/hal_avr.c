/* ATmega2560 at 16 MHz, 8 KB of RAM: USART 0 at BAUD, timer 1 for the time.

   Register names are those of avr-libc. simavr plays this part; it keeps a sleeping part with interrupts off for ended. */
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "hal.h"

#ifndef BAUD
#define BAUD 1000000UL /* which 16 MHz divide to exactly; 115200 they miss by 2 % */
#endif
#define COUNTS (F_CPU / 1024) /* of timer 1 in a second */
#define UID ((const uint32_t *)0) /* first eight bytes of the EEPROM, lowest first; blank ones are no number */

/* One more than the window, since a full ring would look like an empty one. */
#define RING (PROFILE_WINDOW + 1U)

static volatile uint8_t ring[RING];
static volatile uint16_t ring_head, lost;
static uint16_t ring_tail; /* the interrupt looks at it, too: changed with interrupts off */

/* Not cleared at start: what a warm reset leaves. */
#define KEPT 0x49515031UL
static struct {
    uint32_t mark, resets;
    uint8_t by_command;
} kept __attribute__((section(".noinit")));
static uint8_t causes __attribute__((section(".noinit")));

/* Before anything else: a watchdog that has fired stays on. */
void before_main(void) __attribute__((naked, used, section(".init3")));
void before_main(void) {
    causes = MCUSR;
    MCUSR = 0;
    wdt_disable();
}

ISR(USART0_RX_vect) {
    uint8_t overrun = UCSR0A & _BV(DOR0), byte = UDR0;
    uint16_t next = ring_head + 1U == RING ? 0U : ring_head + 1U;
    if (overrun) lost++;
    if (next == ring_tail) {
        lost++;
        return;
    }
    ring[ring_head] = byte;
    ring_head = next;
}

static uint8_t cause(void) {
    if (kept.by_command) return IQP_RESET_CAUSE_COMMAND;
    if (causes & _BV(PORF)) return IQP_RESET_CAUSE_POWER;
    if (causes & _BV(BORF)) return IQP_RESET_CAUSE_BROWN_OUT;
    if (causes & _BV(WDRF)) return IQP_RESET_CAUSE_WATCHDOG;
    return causes & _BV(EXTRF) ? IQP_RESET_CAUSE_PIN : IQP_RESET_CAUSE_UNKNOWN;
}

board_facts hal_start(void) {
    if (kept.mark == KEPT) {
        kept.resets++;
    } else {
        kept.resets = 0;
        kept.by_command = 0;
    }
    kept.mark = KEPT;
    board_facts facts = {.cause = cause(), .resets = kept.resets};
    kept.by_command = 0;
    facts.uid_low = eeprom_read_dword(UID);
    facts.uid_high = eeprom_read_dword(UID + 1);
    if (facts.uid_low == UINT32_MAX && facts.uid_high == UINT32_MAX) facts.uid_low = facts.uid_high = 0;
    UCSR0A = _BV(U2X0); /* ahead of the rate: simavr looks at it when that is written */
    UBRR0 = (uint16_t)(F_CPU / 8 / BAUD - 1);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
    TCCR1B = _BV(CS12) | _BV(CS10);
    SMCR = SLEEP_MODE_IDLE;
    sei();
    return facts;
}

uint8_t hal_get(uint8_t *byte) {
    cli();
    uint8_t there = ring_tail != ring_head;
    if (there) {
        *byte = ring[ring_tail];
        ring_tail = ring_tail + 1U == RING ? 0U : ring_tail + 1U;
    }
    sei();
    return there;
}

uint16_t hal_overruns(void) {
    cli();
    uint16_t count = lost;
    lost = 0;
    sei();
    return count;
}

void hal_put(void *line, uint8_t byte) {
    (void)line;
    while (!(UCSR0A & _BV(UDRE0))) continue;
    /* Done is told anew for each byte, for whoever waits for the last one. */
    UCSR0A = _BV(U2X0) | _BV(TXC0);
    UDR0 = byte;
}

uint32_t hal_milliseconds(void) {
    static uint16_t before;
    static uint32_t thousandths, milliseconds;
    uint16_t now = TCNT1;
    thousandths += (uint32_t)(uint16_t)(now - before) * 1000U;
    before = now;
    milliseconds += thousandths / COUNTS;
    thousandths %= COUNTS;
    return milliseconds;
}

void hal_sleep(void) {
    cli();
    if (ring_tail == ring_head) {
        sleep_enable();
        /* The instruction after sei is still executed before any interrupt: none is slept through. */
        sei();
        sleep_cpu();
        sleep_disable();
    }
    sei();
}

static void drain(void) {
    for (uint16_t k = 0; k < 50000U && !(UCSR0A & _BV(TXC0)); k++) continue;
}

void hal_restart(void) {
    drain();
    cli();
    kept.by_command = 1;
    wdt_enable(WDTO_15MS);
    for (;;) continue;
}

void hal_end(void) {
    drain();
    cli();
    sleep_enable();
    for (;;) sleep_cpu();
}
