"""Vega-Lite, which draws the charts, out of an installed package: as a script for a page, and as a painter."""

import vl_convert

VERSION = "5.21"
"""The version of Vega-Lite that draws, of those that vl_convert holds; the plot templates are written for 5."""

_ZOOM = 1.5

# 'self' is the page's own server where it has one. Vega compiles a chart's expressions, which is a kind of eval.
_NOTHING_FROM_OUTSIDE = (
    "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)


def scripts() -> str:
    """Give what a page's head needs to draw charts: a rule by which nothing is fetched, and Vega itself (0.9 MB)."""
    rule = f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">'
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VERSION)
    # in a scope of its own, or its short names would stand among those of the page's scripts
    return f"{rule}\n<script>(() => {{{bundle}}})();</script>"


def svg(chart: str) -> str:
    """Draw a Vega-Lite chart, given as JSON, as SVG."""
    return str(vl_convert.vegalite_to_svg(chart, vl_version=VERSION))


def png(chart: str) -> bytes:
    """Draw a Vega-Lite chart, given as JSON, as PNG, one and a half times as large as on a page."""
    return bytes(vl_convert.vegalite_to_png(chart, vl_version=VERSION, scale=_ZOOM))
