"""What a command's exit status means, and the fault of whoever typed it."""

from enum import IntEnum
from typing import Final

from guesthouse.errors import CallerError


class Exit(IntEnum):
    """Exit statuses; scripts may rely on them."""

    WELL = 0
    FUNCTION = 1
    USAGE = 2
    HOST = 3
    INTERRUPTED = 130


EXITS_OF_CHECK: Final = """\
exit status:
  0    the module is accepted
  1    the module is rejected; each problem is printed
  2    the command can't be carried out as given: options, a file that can't be read
  3    the host is at fault: an unfit engine, no memory, a bug in Guesthouse
  130  interrupted (Ctrl-C)
"""

EXITS_OF_RUN: Final = """\
exit status:
  0    the function said done or drop (of every event, in a batch)
  1    it said retry, fail or unsupported (of any event), or broke, or its module is rejected
  2    the command can't be carried out as given: options, a file that can't be read, bad JSON
  3    the host is at fault: an unfit engine, no memory, a bug in Guesthouse
  130  interrupted (Ctrl-C)
"""

EXITS_OF_SERVE: Final = """\
exit status:
  0    stopped as told, by Ctrl-C or SIGTERM
  2    the command can't be carried out as given
  3    the host can't work: the address, the data folder, the engine
"""

EXITS_OF_HOST: Final = """\
exit status:
  0    done
  1    the function is at fault: its module is rejected
  2    the command can't be carried out as given: options, files, names that don't exist, a wrong token
  3    the host is at fault: it can't be reached, or can't do its work
  130  interrupted (Ctrl-C)
"""

EXITS_OF_APPLY: Final = """\
exit status:
  0    the host is as the file says
  1    it isn't: with --dry-run, something would change; without, a module is rejected
  2    the file can't be applied: what is wrong with it is printed, or what the host refuses
  3    the host is at fault: it can't be reached, or can't do its work
  130  interrupted (Ctrl-C)
"""


class BadInput(CallerError):
    """The command line, or a file that it names, can't be used; the message says where and why."""
