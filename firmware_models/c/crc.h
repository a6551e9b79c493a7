/* Checks of frames and digests of memories, four bits at a time. */
#ifndef CRC_H
#define CRC_H

#include <stdint.h>

/* CRC-16/IBM-3740 of `count` bytes. */
uint16_t crc16(const uint8_t *bytes, uint16_t count);

/* CRC-32/ISO-HDLC, taken on by bytes: `before` is that of the bytes before, 0 where there are none. */
uint32_t crc32(uint32_t before, const uint8_t *bytes, uint16_t count);

#endif
