"""Errors that the user can fix, and how a command ends with one."""

import errno
import os
import sys
from collections.abc import Callable

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk or an exhausted quota."""

_NOT_PERMITTED = (errno.EACCES, errno.EPERM, errno.EROFS)


class InputError(Exception):
    """Something that the user can fix: the message names what is wrong, where, and the remedy."""


def run(main: Callable[[], None]) -> None:
    """Run a command's `main`; on an error that the user can fix, print one line and exit with status 1.

    Any other exception is a bug and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno in _NOT_PERMITTED and error.filename:
            sys.exit(f"error: {os.fsdecode(error.filename)}: {error.strerror}; change its permissions and run again")
        if error.errno not in DISK_FULL:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        sys.exit(f"error: the disk is full{where}; free some space (`dvc gc -w` helps) and run again")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to resume")
