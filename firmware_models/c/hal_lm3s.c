/* Stellaris LM3S6965, a Cortex-M3 with 64 KB of RAM: vectors, start-up, UART0 at 115,200 baud, SysTick for the time.

   Register addresses and bits are those of the data sheet. QEMU plays this part as lm3s6965evb. */
#include <stddef.h>

#include "hal.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RESC REGISTER(0x400FE05CU) /* causes of resets, kept until written */
#define RIS REGISTER(0x400FE050U)
#define RCC REGISTER(0x400FE060U)
#define RCGC1 REGISTER(0x400FE104U)
#define RCGC2 REGISTER(0x400FE108U)
#define USER0 REGISTER(0x400FE1E0U) /* the board's MAC address, three bytes in each: its number */
#define USER1 REGISTER(0x400FE1E4U)
#define PORT_A_AFSEL REGISTER(0x40004420U)
#define PORT_A_DEN REGISTER(0x4000451CU)
#define UART_DATA REGISTER(0x4000C000U)
#define UART_FLAGS REGISTER(0x4000C018U)
#define UART_INTEGER_BAUD REGISTER(0x4000C024U)
#define UART_FRACTION_BAUD REGISTER(0x4000C028U)
#define UART_LINE REGISTER(0x4000C02CU)
#define UART_CONTROL REGISTER(0x4000C030U)
#define UART_INTERRUPTS REGISTER(0x4000C038U)
#define UART_CLEAR REGISTER(0x4000C044U)
#define SYSTICK_CONTROL REGISTER(0xE000E010U)
#define SYSTICK_RELOAD REGISTER(0xE000E014U)
#define SYSTICK_NOW REGISTER(0xE000E018U) /* counts down, 24 bits */
#define NVIC_ENABLE REGISTER(0xE000E100U)
#define AIRCR REGISTER(0xE000ED0CU)

#define CLOCK_HZ 50000000UL
#define BAUD 115200UL
#define RX_EMPTY 0x10U
#define TX_FULL 0x20U
#define TX_BUSY 0x08U
#define RX_INTERRUPTS 0x50U /* bytes came, and: bytes came and no more */
#define UART0_NUMBER 5U

/* One more than the window, since a full ring would look like an empty one. */
#define RING (PROFILE_WINDOW + 1U)

static volatile uint8_t ring[RING];
static volatile uint16_t ring_head, ring_tail, lost;

/* Not cleared at start: what a warm reset leaves. */
#define KEPT 0x49515031UL
static struct {
    uint32_t mark, resets, by_command;
} kept __attribute__((section(".noinit")));

extern uint32_t data_in_flash[], data_begin[], data_end[], bss_begin[], bss_end[], stack_end[];
int main(void);

void *memcpy(void *to, const void *from, size_t count) {
    uint8_t *t = to;
    const uint8_t *f = from;
    while (count--) *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t count) {
    uint8_t *t = to;
    while (count--) *t++ = (uint8_t)value;
    return to;
}

static void on_reset(void) {
    for (uint32_t *to = data_begin, *from = data_in_flash; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_begin; to < bss_end;) *to++ = 0;
    main();
}

static void restart(void) {
    AIRCR = 0x05FA0004U;
    for (;;) continue;
}

/* A fault of the processor: only a reset helps. */
static void on_fault(void) { restart(); }

static void on_uart(void) {
    /* Before the bytes are taken: one that comes meanwhile asks again. */
    UART_CLEAR = RX_INTERRUPTS;
    while (!(UART_FLAGS & RX_EMPTY)) {
        uint32_t data = UART_DATA;
        uint16_t next = (uint16_t)(ring_head + 1U == RING ? 0U : ring_head + 1U);
        /* Bit 11: the part itself lost a byte. */
        if (data & 0x800U) lost++;
        if (next == ring_tail) {
            lost++;
            continue;
        }
        ring[ring_head] = (uint8_t)data;
        ring_head = next;
    }
}

typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[] = {
        (handler)(uintptr_t)stack_end,
        on_reset,
        on_fault,
        on_fault,
        on_fault,
        on_fault,
        on_fault,
        0,
        0,
        0,
        0,
        on_fault,
        on_fault,
        0,
        on_fault,
        0,
        0,
        0,
        0,
        0,
        0,
        on_uart, /* 16 + UART0_NUMBER */
};

static uint8_t cause(void) {
    uint32_t causes = RESC;
    RESC = 0;
    if (kept.by_command) return IQP_RESET_CAUSE_COMMAND;
    if (causes & 0x02U) return IQP_RESET_CAUSE_POWER;
    if (causes & 0x04U) return IQP_RESET_CAUSE_BROWN_OUT;
    if (causes & 0x08U) return IQP_RESET_CAUSE_WATCHDOG;
    return causes & 0x01U ? IQP_RESET_CAUSE_PIN : IQP_RESET_CAUSE_UNKNOWN;
}

/* The 8 MHz crystal, by the PLL, 200 MHz divided by four. */
static void start_clock(void) {
    RCC = (RCC | 0x800U) & ~0x400000U; /* past the PLL while it starts */
    RCC = (RCC & ~0x7C033F1U) | 0x1C00380U;
    for (uint32_t k = 0; k < 100000U && !(RIS & 0x40U); k++) continue;
    RCC &= ~0x800U;
}

static void start_uart(void) {
    RCGC1 |= 1U;
    RCGC2 |= 1U;
    (void)RCGC2; /* three clocks until a port may be touched */
    (void)RCGC2;
    PORT_A_AFSEL |= 3U;
    PORT_A_DEN |= 3U;
    UART_CONTROL = 0;
    UART_INTEGER_BAUD = CLOCK_HZ / (16U * BAUD);
    UART_FRACTION_BAUD = (CLOCK_HZ * 4U / BAUD) % 64U;
    UART_LINE = 0x70U; /* 8 bits, FIFOs */
    UART_CONTROL = 0x301U;
    UART_INTERRUPTS = RX_INTERRUPTS;
    NVIC_ENABLE = 1U << UART0_NUMBER;
}

board_facts hal_start(void) {
    if (kept.mark == KEPT)
        kept.resets++;
    else
        kept.resets = kept.by_command = 0;
    kept.mark = KEPT;
    board_facts facts = {.cause = cause(), .resets = kept.resets};
    kept.by_command = 0;
    /* Blank registers read as ones: such a board has no number. */
    if (USER0 >> 24 == 0) {
        /* The address as it is written, first byte highest: that byte is even in all that are not multicast. */
        facts.uid_high = (USER0 & 0xFFU) << 8 | (USER0 >> 8 & 0xFFU);
        facts.uid_low = (USER0 & 0xFF0000U) << 8 | (USER1 & 0xFFU) << 16 | (USER1 & 0xFF00U) | (USER1 >> 16 & 0xFFU);
    }
    start_clock();
    SYSTICK_RELOAD = 0xFFFFFFU;
    SYSTICK_CONTROL = 5U; /* on, by the clock of the core, no interrupt */
    start_uart();
    return facts;
}

uint8_t hal_get(uint8_t *byte) {
    if (ring_tail == ring_head) return 0;
    *byte = ring[ring_tail];
    ring_tail = (uint16_t)(ring_tail + 1U == RING ? 0U : ring_tail + 1U);
    return 1;
}

uint16_t hal_overruns(void) {
    __asm__ volatile("cpsid i");
    uint16_t count = lost;
    lost = 0;
    __asm__ volatile("cpsie i");
    return count;
}

void hal_put(void *line, uint8_t byte) {
    (void)line;
    while (UART_FLAGS & TX_FULL) continue;
    UART_DATA = byte;
}

uint32_t hal_milliseconds(void) {
    static uint32_t before = 0xFFFFFFU, cycles, milliseconds;
    uint32_t now = SYSTICK_NOW;
    cycles += (before - now) & 0xFFFFFFU;
    before = now;
    milliseconds += cycles / (CLOCK_HZ / 1000U);
    cycles %= CLOCK_HZ / 1000U;
    return milliseconds;
}

void hal_sleep(void) {
    /* With interrupts off a byte cannot come between the look and the sleep; one that is pending still wakes. */
    __asm__ volatile("cpsid i");
    if (ring_tail == ring_head) __asm__ volatile("wfi");
    __asm__ volatile("cpsie i");
}

static void drain(void) {
    while (UART_FLAGS & TX_BUSY) continue;
}

void hal_restart(void) {
    drain();
    kept.by_command = 1;
    restart();
}

void hal_end(void) {
    drain();
    /* Semihosting: exit, all is well. */
    register uint32_t operation __asm__("r0") = 0x18U;
    register uint32_t reason __asm__("r1") = 0x20026U;
    __asm__ volatile("bkpt 0xAB" : : "r"(operation), "r"(reason) : "memory");
    for (;;) continue;
}
