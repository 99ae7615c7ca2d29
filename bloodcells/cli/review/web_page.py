"""The review as one HTML file that contains its pictures and opens offline."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bloodcells.cli.review.verdicts import SIGNS, Judgement

_TINTED = {
    SIGNS[judgement]: name
    for judgement, name in ((Judgement.BETTER, "better"), (Judgement.WORSE, "worse"), (Judgement.NOISE, "noise"))
}

_NOTHING_FROM_OUTSIDE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #6a6a6a; --line: #d6d6d6; --shade: #f4f5f6;
        --better: #00694c; --worse: #b00020 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #16181b; --faint: #a2a2a2; --line: #3a3d41; --shade: #212429;
          --better: #4fd1a5; --worse: #ff8a8a } }
body { max-width: 54rem; margin: 2rem auto; padding: 0 1rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.2rem; margin-top: 2.2rem }
h1, h2 { border-bottom: 1px solid var(--line); padding-bottom: .3rem }
code { font: .88em ui-monospace, monospace; background: var(--shade); padding: .1em .3em; border-radius: 4px;
       overflow-wrap: anywhere }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto;
        font-variant-numeric: tabular-nums }
th, td { border: 1px solid var(--line); padding: .3rem .7rem } th { background: var(--shade) }
summary { cursor: pointer; color: var(--faint) } details { margin: .6rem 0 }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 8px; margin: 1rem 0 }
.better { color: var(--better); font-weight: 600 } .worse { color: var(--worse); font-weight: 600 }
.noise { color: var(--faint) }
"""


def web_page(markdown: str, pictures: Mapping[str, bytes]) -> str:
    """Return the page as HTML.

    Args:
        markdown: the page that `page.markdown` returned.
        pictures: the PNG of each picture, by the name of its file.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                _embed(child, pictures)
    _tint(tokens)
    title = next((token.content for token in tokens if token.type == "inline"), "Review")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">\n'
        f"<title>{escape(title.replace('`', ''))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{parser.renderer.render(tokens, parser.options, {})}</body>\n</html>\n"
    )


def _embed(image: Token, pictures: Mapping[str, bytes]) -> None:
    name = unquote(str(image.attrGet("src")))
    if name in pictures:
        image.attrSet("src", f"data:image/png;base64,{base64.b64encode(pictures[name]).decode()}")


def _tint(tokens: Sequence[Token]) -> None:
    """Give table cells and bold text that begin with a judgement's sign a CSS class."""
    for opening, content in pairwise(tokens):
        if opening.type in ("td_open", "strong_open") and content.content[:1] in _TINTED:
            opening.attrSet("class", _TINTED[content.content[:1]])
        _tint(opening.children or ())
