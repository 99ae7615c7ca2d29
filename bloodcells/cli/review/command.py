"""The command `bloodcells review`: two revisions in, a page out, and an exit status for a check."""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from bloodcells.cli.arguments import file_to_write
from bloodcells.cli.git import changed_lines, lay_out, merge_base, repository, revision, working_tree
from bloodcells.cli.review.changes import code_changes, parameter_changes, pin_changes
from bloodcells.cli.review.findings import REASONS, Review, compare, failures
from bloodcells.cli.review.lock_status import freshness
from bloodcells.cli.review.page import comment, markdown
from bloodcells.cli.review.snapshot import Snapshot, read_snapshot
from bloodcells.core import parameters as params
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text

OUTPUT = Path("review", "review.md")
"""The page where no other is asked for, in the root of the repository."""

_Section = TypeVar("_Section", bound=BaseModel)

_HELP = """\
Compare two revisions: which models got better or worse, or moved within noise,
what was changed, what it looks like, and whether the committed results belong
to the code. Writes one page of Markdown with its pictures beside it, and
prints it. Ends with status 1 if the lower end of a model's accuracy interval is
below review.min_accuracy in params.yaml, or for what --fail-if names.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("base", nargs="?", help="default: where the head left origin/main, or main")
    parser.add_argument("head", nargs="?", help="default: the working tree, with what is not committed")
    parser.add_argument(
        "--output",
        type=file_to_write,
        metavar="FILE",
        help=f"the page (default: {OUTPUT} in the root of the repository)",
    )
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="text alone, as for a comment")
    parser.add_argument("--html", type=file_to_write, metavar="FILE", help="also one HTML file that holds everything")
    parser.add_argument(
        "--comment", type=file_to_write, metavar="FILE", help="also its text, cut to what a comment may hold"
    )
    parser.add_argument(
        "--fail-if",
        type=_reasons,
        default=(),
        metavar="WHAT",
        help="also fail on any of these, commas between: worse (a model got worse), stale (the results are not "
        "those of the code, or not there), guards (one does not hold, or none is told any more)",
    )


def _reasons(text: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in text.split(","))
    unknown = [part for part in named if part not in REASONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(map(repr, unknown))} is none of {', '.join(REASONS)}")
    return named


def main(arguments: argparse.Namespace) -> None:
    """Write the page and print it.

    Raises:
        InputError: no repository, no such revision, or a file that is none; parameters of the review that are wrong.
        SystemExit: with what failed, after the page is written.
    """
    root = repository(Path.cwd())
    head = working_tree(root) if arguments.head is None else revision(root, arguments.head)
    base = merge_base(root, head) if arguments.base is None else revision(root, arguments.base)
    output: Path = arguments.output or _near(root / OUTPUT)
    with tempfile.TemporaryDirectory(prefix="review-") as scratch:
        trees = Path(scratch, "base"), Path(scratch, "head")
        lay_out(root, base, trees[0])
        lay_out(root, head, trees[1])
        with ThreadPoolExecutor() as pool:
            judged = pool.submit(freshness, trees[1], trees[0], Path(scratch))  # DVC takes seconds: go on meanwhile
            before, after = read_snapshot(trees[0], base.name), read_snapshot(trees[1], head.name)
            least = _section(params.Review, "review", after, head.name).min_accuracy
            by = _section(params.Compare, "compare", after, head.name)
            datasets = compare(before, after, by.resamples, by.seed)
            code = code_changes(changed_lines(*trees), after.stages)
        parameters = parameter_changes(before.params, after.params)
        review = Review(base, head, datasets, parameters, pin_changes(before.pin, after.pin), code, judged.result())
    review = replace(review, failures=failures(review, least, arguments.fail_if))
    if arguments.pictures:
        from bloodcells.cli.review.pictures import draw  # noqa: PLC0415 (half a second, for nothing without pictures)

        drawn = [
            replace(one, pictures=draw(output, one, before.of(one.name), after.of(one.name))) for one in review.datasets
        ]
        review = replace(review, datasets=drawn)
    page = markdown(review)
    write_text(output, page)
    if arguments.html:
        _write_html(arguments.html, page, review, output.parent)
    if arguments.comment:
        write_text(arguments.comment, comment(page))
    where = [str(path) for path in (output, arguments.html, arguments.comment) if path]
    print(f"written: {', '.join(where)}", file=sys.stderr)
    _print(page)
    if review.failures:
        sys.exit("\n".join(f"review fails: {why}" for why in review.failures))


def _section(kind: type[_Section], name: str, of: Snapshot, revision_name: str) -> _Section:
    """Give a section of a revision's parameters; the others may be of another time, and are not looked at.

    Raises:
        InputError: it is not there, or wrong.
    """
    values = {key.removeprefix(f"{name}."): value for key, value in of.params.get("params.yaml", {}).items()}
    try:
        return kind.model_validate({key: values[key] for key in kind.model_fields if key in values})
    except ValidationError as error:
        wrong = "; ".join(f"{name}.{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise InputError(f"{revision_name}: params.yaml: {wrong}: mend it in that revision") from None


def _near(path: Path) -> Path:
    """Give a path as seen from here where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _print(page: str) -> None:
    """Print the page; that a reader has read enough, as in `bloodcells review | head`, changes no verdict."""
    try:
        print(page, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python's last flush fails again


def _write_html(path: Path, page: str, review: Review, folder: Path) -> None:
    from bloodcells.cli.review.web_page import web_page  # noqa: PLC0415 (only who asks for it needs the parser)

    names = [unquote(picture.link) for one in review.datasets for picture in one.pictures]
    write_text(path, web_page(page, {name: (folder / name).read_bytes() for name in names}))
