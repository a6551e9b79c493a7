/* An AVR that runs an ELF, its UART 0 on a socket: simhost ELF PART CLOCK_HZ SOCKET_FD [UID]

   This program is linked with libsimavr, which stands under the GNU General Public License, version 3. So a binary of
   it stands under that licence as well. isingeq compiles it on the user's machine, starts it as a process of its own
   and talks to it over a socket; it is no part of what isingeq links or ships as a binary.

   SIGUSR1 pulls the reset pin. It ends when the other end of the socket is closed, so that it never outlives its
   parent. UID, in hexadecimal, stands in the first eight bytes of the EEPROM, lowest byte first. The first byte it
   sends, a zero, says that it is ready. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simavr/avr_eeprom.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_irq.h>

#define LOOK_EVERY 1024 /* instructions between looks at the socket while the part is busy */
#define HELD 4096       /* bytes either way */

static avr_t *part;
static int line;
static volatile sig_atomic_t reset_asked;

static uint8_t in[HELD], out[HELD];
static size_t in_first, in_end, out_end;
static int can_take = 1; /* the part's own receive buffer has room */

static void leave(int code) { _exit(code); }

static void asked(int number) {
    (void)number;
    reset_asked = 1;
}

/* Everything goes out, however long it takes; whoever does not read slows the part down, as a handshake would. */
static void flush(void) {
    size_t first = 0;
    while (first < out_end) {
        ssize_t sent = write(line, out + first, out_end - first);
        if (sent > 0) {
            first += (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd room = {line, POLLOUT, 0};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            leave(0);
        }
    }
    out_end = 0;
}

static void look(void) {
    if (in_first < in_end) return;
    ssize_t got = read(line, in, sizeof in);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) leave(0);
    in_first = 0;
    in_end = got > 0 ? (size_t)got : 0;
}

static void on_output(struct avr_irq_t *irq, uint32_t value, void *unused) {
    (void)irq;
    (void)unused;
    out[out_end++] = (uint8_t)value;
    if (value == 0 || out_end == sizeof out) flush(); /* a zero ends a frame */
}

static void on_room(struct avr_irq_t *irq, uint32_t value, void *room) {
    (void)irq;
    (void)value;
    can_take = room != NULL;
}

/* The part sleeps: wait for bytes no longer than it wants to. Short sleeps are those of its UART and cost nothing. */
static void on_sleep(avr_t *avr, avr_cycle_count_t cycles) {
    uint64_t ms = cycles * 1000u / avr->frequency;
    struct pollfd coming = {line, POLLIN, 0};
    flush();
    if (in_first == in_end && !reset_asked) poll(&coming, 1, ms > 50 ? 50 : (int)ms);
}

int main(int count, char **words) {
    static int yes;
    elf_firmware_t firmware;
    uint32_t flags = 0;
    unsigned look_in = 0;
    struct sigaction on_usr1;

    memset(&on_usr1, 0, sizeof on_usr1);
    on_usr1.sa_handler = asked;
    sigaction(SIGUSR1, &on_usr1, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (count < 5) {
        fprintf(stderr, "simhost ELF PART CLOCK_HZ SOCKET_FD [UID]\n");
        return 2;
    }
    memset(&firmware, 0, sizeof firmware);
    if (elf_read_firmware(words[1], &firmware) != 0) {
        fprintf(stderr, "%s: no ELF for an AVR\n", words[1]);
        return 2;
    }
    snprintf(firmware.mmcu, sizeof firmware.mmcu, "%s", words[2]);
    firmware.frequency = (uint32_t)strtoul(words[3], NULL, 10);
    line = atoi(words[4]);
    part = avr_make_mcu_by_name(firmware.mmcu);
    if (part == NULL) {
        fprintf(stderr, "%s: libsimavr knows no such part\n", words[2]);
        return 2;
    }
    avr_init(part);
    avr_load_firmware(part, &firmware);
    part->log = LOG_NONE;
    part->sleep = on_sleep;
    if (count > 5) {
        uint64_t uid = strtoull(words[5], NULL, 16);
        uint8_t bytes[8];
        avr_eeprom_desc_t cells = {.ee = bytes, .offset = 0, .size = sizeof bytes};
        for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(uid >> (8 * i));
        avr_ioctl(part, AVR_IOCTL_EEPROM_SET, &cells);
    }

    avr_ioctl(part, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POOL_SLEEP);
    avr_ioctl(part, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    avr_irq_register_notify(
        avr_io_getirq(part, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_output, NULL);
    avr_irq_register_notify(
        avr_io_getirq(part, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_room, &yes);
    avr_irq_register_notify(
        avr_io_getirq(part, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_room, NULL);
    avr_irq_t *input = avr_io_getirq(part, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);

    fcntl(line, F_SETFL, O_NONBLOCK);
    out[out_end++] = 0;
    flush();

    for (;;) {
        int state = avr_run(part);
        if (state == cpu_Done || state == cpu_Crashed) break;
        if (reset_asked) {
            reset_asked = 0;
            in_first = in_end = 0;
            can_take = 1;
            avr_reset(part);
        }
        if (state == cpu_Sleeping || look_in-- == 0) {
            look_in = LOOK_EVERY;
            look();
        }
        while (in_first < in_end && can_take) avr_raise_irq(input, in[in_first++]);
    }
    flush();
    return part->state == cpu_Crashed;
}
