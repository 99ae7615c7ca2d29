"""An error that its reader can mend, and how a command ends with one."""

import errno
import sys
from collections.abc import Callable


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
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        sys.exit(f"error: the disk is full{where}; free some space (`dvc gc -w` helps) and run again")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
