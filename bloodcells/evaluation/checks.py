"""A check: a value found in the files of a run, and what it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("check", "description", "value", "allowed", "passed")
"""The columns of `check_table`."""


@dataclass(frozen=True)
class Check:
    """One value that a check found.

    Attributes:
        name: of the check; several values may belong to one.
        description: what the value counts or measures.
        value: a count if it is whole, otherwise rounded.
        allowed: what the value may be, in words; empty if it only informs.
        passed: whether it is that.
        remedy: what to do if it is not.
    """

    name: str
    description: str
    value: float
    allowed: str = ""
    passed: bool = True
    remedy: str = ""


def none_allowed(name: str, description: str, count: int, remedy: str) -> Check:
    """Return the check of a fault that must not occur once."""
    return Check(name, description, count, "0", count == 0, remedy)


def check_table(checks: Sequence[Check]) -> list[tuple[str, str, str, str, str]]:
    """Return a row per check for `COLUMNS`; allowed and passed are empty where a value only informs."""
    return [
        (one.name, one.description, str(one.value), one.allowed, ("yes" if one.passed else "no") if one.allowed else "")
        for one in checks
    ]


def failure(checks: Sequence[Check]) -> str:
    """Return what is wrong with the first check that failed, and its remedy; empty if all passed."""
    failed = [one for one in checks if not one.passed]
    if not failed:
        return ""
    first, more = failed[0], f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{first.description}: found {first.value}, allowed {first.allowed}{more}; {first.remedy}"
