"""The errors that end a program with one clear line, in one tree.

    SolarEdgeError          exit code 1: something at run time
    +-- UsageError          exit code 2: the command line
    +-- InputError          input that is missing, unreadable or not what it should be
    |   +-- NotCaptureError     a file that is no packet capture at all
    |   +-- NoMessageError      a sound input without a message: told, but no failure
    +-- OutputError         output that cannot be opened or written
    +-- KeyFileError        a key file that holds no key; its text never shows the key
    +-- DataError           what cannot be decoded, where the user asked to halt on it (-x)
    +-- DeviceError         a serial port or network interface that cannot be used
    +-- CommandError        a command that no inverter answered

Whoever raises one writes the whole sentence, naming the file, option or device; the programs
print it behind their name and end with its exit code.
"""


class SolarEdgeError(Exception):
    """Ends a program: one line on stderr and `exit_code`."""

    exit_code = 1


class UsageError(SolarEdgeError):
    """The command line cannot be meant as it stands."""

    exit_code = 2


class InputError(SolarEdgeError):
    """An input is missing, unreadable or not what it should be."""


class NotCaptureError(InputError):
    """An input is no packet capture, neither whole nor damaged."""


class NoMessageError(InputError):
    """An input is sound and holds no message; that is worth a line, but no failure."""

    exit_code = 0


class OutputError(SolarEdgeError):
    """An output cannot be opened or written."""


class KeyFileError(SolarEdgeError):
    """A key file cannot be read or holds no key."""


class DataError(SolarEdgeError):
    """Something cannot be decoded, and the user asked to halt on that."""


class DeviceError(SolarEdgeError):
    """A serial port or a network interface cannot be used."""


class CommandError(SolarEdgeError):
    """A command was not answered."""
