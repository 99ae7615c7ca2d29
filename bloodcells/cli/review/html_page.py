"""The review as one HTML file that contains its pictures and opens offline."""

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bloodcells.cli.review.verdicts import SIGNS, Judgment
from bloodcells.reporting.pages import render

_TINTED = {
    SIGNS[judgment]: name
    for judgment, name in ((Judgment.BETTER, "better"), (Judgment.WORSE, "worse"), (Judgment.NOISE, "noise"))
}


def web_page(markdown: str, pictures: Mapping[str, bytes]) -> str:
    """Return the page as HTML; the Markdown is trusted, because `escape` has escaped all foreign text in it.

    Args:
        markdown: the page that `markdown_page.markdown` returned.
        pictures: the PNG of each picture, by the name of its file.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                _embed(child, pictures)
    _tint(tokens)
    title = next((token.content for token in tokens if token.type == "inline"), "Review").replace("`", "")
    body = parser.renderer.render(tokens, parser.options, {})
    return render("page.html.j2", "bloodcells.cli.review", title=title, body=body)


def _embed(image: Token, pictures: Mapping[str, bytes]) -> None:
    name = unquote(str(image.attrGet("src")))
    if name in pictures:
        image.attrSet("src", f"data:image/png;base64,{base64.b64encode(pictures[name]).decode()}")


def _tint(tokens: Sequence[Token]) -> None:
    """Give table cells and bold text that begin with a judgment's sign a CSS class."""
    for opening, content in pairwise(tokens):
        if opening.type in ("td_open", "strong_open") and content.content[:1] in _TINTED:
            opening.attrSet("class", _TINTED[content.content[:1]])
        _tint(opening.children or ())
