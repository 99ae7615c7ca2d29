"""An error that its reader can mend, and how a command ends with one."""

import errno
import os
import sys
from collections.abc import Callable

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when there is no room for what is written."""

_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class InputError(Exception):
    """Something that the user can mend: the message says what, where, and what to do."""


def run(main: Callable[[], None]) -> None:
    """Run a command's `main`; end with status 1 and a plain message on what a user can mend.

    Anything else is a fault of ours and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno in _CLOSED and error.filename:
            sys.exit(f"error: {os.fsdecode(error.filename)}: {error.strerror}; change its rights and run again")
        if error.errno not in FULL:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        sys.exit(f"error: the disk is full{where}; free some space (`dvc gc -w` helps) and run again")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
