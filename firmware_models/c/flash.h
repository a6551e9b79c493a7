/* Constants that stay in flash. An AVR keeps code and data apart: what is const is still copied to RAM unless it says so. */
#ifndef FLASH_H
#define FLASH_H

#ifdef __AVR__
#include <avr/pgmspace.h>
#define IN_FLASH PROGMEM
#define FLASH_BYTE(address) pgm_read_byte(address)
#define FLASH_WORD(address) pgm_read_word(address)
#define FLASH_LONG(address) pgm_read_dword(address)
#else
#define IN_FLASH
#define FLASH_BYTE(address) (*(address))
#define FLASH_WORD(address) (*(address))
#define FLASH_LONG(address) (*(address))
#endif

/* C99 has no static assertion; an array of negative size does not compile. */
#define ASSERT_AT_BUILD(name, claim) typedef char name[(claim) ? 1 : -1]

#endif
