"""The command `bloodcells review`: compare two revisions, write a page, and end with a status for a check."""

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
from bloodcells.cli.review.findings import REASONS, Review, compare, external_changes, failures
from bloodcells.cli.review.lock_status import lock_status
from bloodcells.cli.review.markdown_page import comment, markdown
from bloodcells.cli.review.snapshot import Snapshot, read_snapshot
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.evaluation.parameters import CompareParameters, ReviewParameters

OUTPUT = Path("review", "review.md")
"""The default page, in the root of the repository."""

_Section = TypeVar("_Section", bound=BaseModel)

_HELP = """\
Compare two revisions: which models got better or worse or changed within noise,
what was changed, and whether the committed results belong to the code. Writes a
page of Markdown, with its pictures beside it, and prints it. Ends with status 1
if the lower bound of a model's accuracy is below review.min_accuracy in
params.yaml, or if something that --fail-if names is the case.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("base", nargs="?", help="default: the point where the head left origin/main, or main")
    parser.add_argument("head", nargs="?", help="default: the working tree, including uncommitted changes")
    parser.add_argument(
        "--output",
        type=file_to_write,
        metavar="FILE",
        help=f"the page (default: {OUTPUT} in the root of the repository)",
    )
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="text only")
    parser.add_argument("--html", type=file_to_write, metavar="FILE", help="also write one HTML file with everything")
    parser.add_argument(
        "--comment", type=file_to_write, metavar="FILE", help="also write its text, cut to the size of a GitHub comment"
    )
    parser.add_argument(
        "--fail-if",
        type=_reasons,
        default=(),
        metavar="WHAT",
        help="also fail on any of these, separated by commas: worse (a model got worse), stale (results don't belong "
        "to the code, or are missing), checks (a check failed, or is missing)",
    )


def _reasons(text: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in text.split(","))
    unknown = [part for part in named if part not in REASONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(map(repr, unknown))} not among {', '.join(REASONS)}")
    return named


def main(arguments: argparse.Namespace) -> None:
    """Write the page and print it.

    Raises:
        InputError: there is no repository or no such revision, or a file or a parameter of the review is malformed.
        SystemExit: the check failed; raised after the page is written.
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
            locks = pool.submit(lock_status, trees[1], trees[0], Path(scratch))  # DVC takes seconds
            before, after = read_snapshot(trees[0], base.name), read_snapshot(trees[1], head.name)
            least = _section(ReviewParameters, "review", after, head.name).min_accuracy
            by = _section(CompareParameters, "compare", after, head.name)
            datasets = compare(before, after, by.resamples, by.seed)
            code = code_changes(changed_lines(*trees), after.stages)
        parameters = parameter_changes(before.params, after.params)
        review = Review(base, head, datasets, parameters, pin_changes(before.pins, after.pins), code, locks.result())
    review = replace(
        review, failures=failures(review, least, arguments.fail_if), external=external_changes(before, after)
    )
    if arguments.pictures:
        from bloodcells.cli.review.pictures import draw  # noqa: PLC0415 (only if requested)

        drawn = [
            replace(one, pictures=draw(output, root, one, before.of(one.name), after.of(one.name)))
            for one in review.datasets
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
    """Return a section of a revision's parameters; the other sections may be of another version, and are ignored.

    Raises:
        InputError: it is missing or wrong.
    """
    values = {key.removeprefix(f"{name}."): value for key, value in of.params.get("params.yaml", {}).items()}
    try:
        return kind.model_validate({key: values[key] for key in kind.model_fields if key in values})
    except ValidationError as error:
        wrong = "; ".join(f"{name}.{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise InputError(f"{revision_name}: params.yaml: {wrong}: correct it in that revision") from None


def _near(path: Path) -> Path:
    """Return a path relative to the current folder if it is inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _print(page: str) -> None:
    """Print the page; a closed pipe, as in `bloodcells review | head`, changes no verdict."""
    try:
        print(page, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush succeeds


def _write_html(path: Path, page: str, review: Review, folder: Path) -> None:
    from bloodcells.cli.review.html_page import web_page  # noqa: PLC0415 (only if requested)

    names = [unquote(picture.link) for one in review.datasets for picture in one.pictures]
    write_text(path, web_page(page, {name: (folder / name).read_bytes() for name in names}))
