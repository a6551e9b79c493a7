/* The firmware as a process: program [FD [UID]]. The line is a descriptor, standard input and output where none is named.

   It ends when the line is closed, and after SHUTDOWN. RESET starts the board anew, as a part would. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hal.h"

#define CHUNK 4096U

static int line_in, line_out = 1;
static uint8_t in[CHUNK], out[CHUNK];
static size_t in_at, in_end, out_end;
static uint64_t uid;
static uint32_t resets;
static jmp_buf started;
int firmware(void);

/* Whatever is out goes: whoever does not read slows the board down, as a handshake would. */
static void flush(void) {
    size_t at = 0;
    while (at < out_end) {
        ssize_t sent = write(line_out, out + at, out_end - at);
        if (sent > 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd room = {line_out, POLLOUT, 0};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            _exit(0);
        }
    }
    out_end = 0;
}

board_facts hal_start(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (board_facts){
            .uid_low = (uint32_t)uid,
            .uid_high = (uint32_t)(uid >> 32),
            .boot = (uint32_t)now.tv_sec * 1000003U + (uint32_t)now.tv_nsec + (uint32_t)getpid(),
            .has_boot = 1,
            .cause = resets ? IQP_RESET_CAUSE_COMMAND : IQP_RESET_CAUSE_POWER,
            .resets = resets,
    };
}

uint8_t hal_get(uint8_t *byte) {
    if (in_at == in_end) {
        ssize_t got = read(line_in, in, sizeof in);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            flush();
            _exit(0);
        }
        in_at = 0;
        in_end = got > 0 ? (size_t)got : 0;
        if (in_end == 0) return 0;
    }
    *byte = in[in_at++];
    return 1;
}

uint16_t hal_overruns(void) { return 0; }

void hal_put(void *line, uint8_t byte) {
    (void)line;
    out[out_end++] = byte;
    if (byte == 0 || out_end == sizeof out) flush();
}

uint32_t hal_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U);
}

void hal_sleep(void) {
    struct pollfd coming = {line_in, POLLIN, 0};
    poll(&coming, 1, 10);
}

void hal_restart(void) {
    flush();
    resets++;
    longjmp(started, 1);
}

void hal_end(void) {
    flush();
    _exit(0);
}

int main(int count, char **words) {
    if (count > 1) line_in = line_out = atoi(words[1]);
    if (count > 2) uid = strtoull(words[2], 0, 16);
    fcntl(line_in, F_SETFL, fcntl(line_in, F_GETFL) | O_NONBLOCK);
    (void)setjmp(started);
    return firmware();
}
