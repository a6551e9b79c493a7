#include "crc.h"

#include "flash.h"
#include "protocol.h"

static const uint16_t short_table[16] IN_FLASH = IQP_CRC16_NIBBLES;
static const uint32_t long_table[16] IN_FLASH = IQP_CRC32_NIBBLES;

uint16_t crc16(const uint8_t *bytes, uint16_t count) {
    uint16_t crc = IQP_CRC16_START;
    for (uint16_t k = 0; k < count; k++) {
        crc = (uint16_t)((uint16_t)(crc << 4) ^ FLASH_WORD(&short_table[(crc >> 12) ^ (bytes[k] >> 4)]));
        crc = (uint16_t)((uint16_t)(crc << 4) ^ FLASH_WORD(&short_table[(crc >> 12) ^ (bytes[k] & 15U)]));
    }
    return crc;
}

uint32_t crc32(uint32_t before, const uint8_t *bytes, uint16_t count) {
    uint32_t crc = before ^ IQP_CRC32_START;
    for (uint16_t k = 0; k < count; k++) {
        crc = (crc >> 4) ^ FLASH_LONG(&long_table[(crc ^ bytes[k]) & 15U]);
        crc = (crc >> 4) ^ FLASH_LONG(&long_table[(crc ^ (uint8_t)(bytes[k] >> 4)) & 15U]);
    }
    return crc ^ IQP_CRC32_START;
}
