import errno

import pytest

from bloodcells.core.errors import InputError, run


def raising(error: BaseException) -> str:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(main)
    return str(ended.value.code)


def test_what_the_user_can_mend_is_a_plain_message() -> None:
    assert raising(InputError("labels.csv, line 3: mend it")) == "error: labels.csv, line 3: mend it"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_what_was_written_and_what_to_do(number: int) -> None:
    message = raising(OSError(number, "No space left on device", "cells.csv"))
    assert "the disk is full while writing cells.csv" in message
    assert "free some space" in message
    assert raising(OSError(number, "No space left on device")).startswith("error: the disk is full; ")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_file_that_may_not_be_touched_is_named(number: int) -> None:
    assert "plots/rendered" in raising(OSError(number, "not allowed", "plots/rendered"))


def test_an_interrupt_says_how_to_go_on() -> None:
    assert "run the same command again" in raising(KeyboardInterrupt())


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.EIO, "ours"), KeyError("ours")])
def test_a_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)):
        run(main)
