"""Host side of the wire: devices on a serial line as backends."""
