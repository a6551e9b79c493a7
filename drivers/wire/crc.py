"""Checks of frames and digests of memories.

CRC-16/IBM-3740 (polynomial 0x1021, start 0xFFFF, not reflected; of "123456789" 0x29B1) for short frames,
CRC-32/ISO-HDLC (the one of Ethernet and zlib; 0xCBF43926) for long frames and digests.
"""

import binascii
import zlib

from drivers.wire.constants import CRC16_START


def crc16(data: bytes) -> int:
    """Return CRC-16/IBM-3740."""
    return binascii.crc_hqx(data, CRC16_START)


def crc32(data: bytes, before: int = 0) -> int:
    """Return CRC-32/ISO-HDLC; `before` is that of the bytes that came earlier."""
    return zlib.crc32(data, before)


def couplings_digest(num_spins: int, values: bytes) -> int:
    """Return the digest that COMMIT compares: over the number of spins (u16) and every coupling."""
    return crc32(values, crc32(num_spins.to_bytes(2, "little")))
