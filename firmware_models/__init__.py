"""Device side of the wire: models of the firmware that answers a driver."""
