"""Charts: the Vega-Lite templates of `dvc plots`, drawn to files or bundled into a page, without a network."""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.visualization.style import write_png

TEMPLATES = Path(".dvc", "plots")
"""One definition per chart; `dvc plots` uses the same."""

VERSION = "5.21"
"""The Vega-Lite that draws, one of those in vl_convert; the templates are written for version 5."""

_SCALE = 1.5

# 'self' is the page's own server, if it has one. Vega compiles the expressions of a chart, which is a kind of eval.
_NOTHING_FROM_OUTSIDE = (
    "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)


def page_scripts() -> str:
    """Return what the head of a page needs to draw charts: a rule against fetching anything, and Vega (0.9 MB)."""
    rule = f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">'
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VERSION)
    # in a scope of its own: its short names must not mix with those of the page's scripts
    return f"{rule}\n<script>(() => {{{bundle}}})();</script>"


def fill_template(
    name: str, rows: Iterable[Mapping[str, object]], title: str | None = None, folder: Path = TEMPLATES
) -> dict[str, Any]:
    """Fill a chart template with rows, as DVC does.

    Args:
        name: of the template, without `.json`.
        rows: of a table; all values become text. A column `rev` names the revision, if there are several.
        title: replaces the template's own.
        folder: of the templates.

    Raises:
        InputError: there is no such template.
    """
    path = folder / f"{name}.json"
    try:
        spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: `git checkout {path}` restores it") from None
    values = [{"rev": "workspace"} | {key: str(value) for key, value in row.items()} for row in rows]
    spec["data"] = {"values": values}
    if title is not None:
        spec["title"] = {**spec["title"], "text": title}
    return hide_single_revision(spec)


def hide_single_revision(spec: dict[str, Any]) -> dict[str, Any]:
    """Remove the legends and headers of revisions from a chart that shows only one."""
    if len({row.get("rev") for row in spec["data"]["values"]}) < 2:
        _hide(spec)
    return spec


def _hide(part: Any) -> None:
    if isinstance(part, dict):
        if part.get("field") == "rev":
            part |= {key: None for key in ("legend",) if key in part}
            part |= {key: {"labels": False} for key in ("header",) if key in part}
        for key, value in part.items():
            if key != "data":
                _hide(value)
    elif isinstance(part, list):
        for value in part:
            _hide(value)


def draw_chart(
    name: str,
    rows: Iterable[Mapping[str, object]],
    path: Path,
    title: str | None = None,
    folder: Path = TEMPLATES,
) -> None:
    """Draw a template with rows (see `fill_template`) into a file: SVG if its name says so, otherwise PNG."""
    draw_spec(json.dumps(fill_template(name, rows, title, folder)), path)


def draw_spec(spec: str, path: Path) -> None:
    """Draw a Vega-Lite chart, given as JSON, into a file: SVG if its name says so, otherwise PNG."""
    if path.suffix == ".svg":
        write_text(path, str(vl_convert.vegalite_to_svg(spec, vl_version=VERSION)))
    else:
        png = vl_convert.vegalite_to_png(spec, vl_version=VERSION, scale=_SCALE)
        write_png(path, Image.open(io.BytesIO(bytes(png))).convert("RGB"))
