"""Every error that isingeq raises on purpose.

::

    IsingeqError                 exit code
    ├── ProblemError        3    a problem or network that makes no sense
    ├── ConfigError         2    an experiment, option or key that is not understood
    ├── DataError           4    a data set that is missing, corrupt or not what was promised
    ├── CapabilityError     5    a backend is asked for what it does not have
    ├── BackendError        6    a backend failed while it worked
    │   └── DivergenceError 6    the dynamics ran away; says at which step and what to change
    ├── CheckpointError     7    a checkpoint that cannot be read, written or resumed
    ├── DeviceError         8    the link to a device, or the device, failed
    └── CalibrationError    9    a calibration that failed, is stale or belongs to another device

A message says what came, what is allowed and what to do next, on one line.
"""


class IsingeqError(Exception):
    """Root of the tree; never raised itself."""

    exit_code = 1


class ProblemError(IsingeqError):
    """A problem or network that makes no sense: shapes, NaN, units out of range."""

    exit_code = 3


class ConfigError(IsingeqError):
    """An experiment, option or key that is not understood."""

    exit_code = 2


class DataError(IsingeqError):
    """A data set that is missing, corrupt or not what was promised."""

    exit_code = 4


class CapabilityError(IsingeqError):
    """A backend is asked for what it does not have: units, size, range, terms, schedule."""

    exit_code = 5


class BackendError(IsingeqError):
    """A backend failed while it worked."""

    exit_code = 6


class DivergenceError(BackendError):
    """The dynamics ran away: a state, gradient or loss is no longer finite."""


class CheckpointError(IsingeqError):
    """A checkpoint that cannot be read, written or resumed."""

    exit_code = 7


class DeviceError(IsingeqError):
    """The link to a device, or the device itself, failed."""

    exit_code = 8


class CalibrationError(IsingeqError):
    """A calibration that failed, is stale or belongs to another device."""

    exit_code = 9
