"""Pages of Markdown from templates: all sentences are in `templates/`, all numbers in tables.

In a template, `{% call paragraph() %}…{% endcall %}` wraps a paragraph, and `item` wraps an item of a list.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from bloodcells.reporting import markdown


def render(template: str, folder: str = "bloodcells.reporting", **values: Any) -> str:
    """Render a template of a package's folder `templates`; an undefined name is an error."""
    return _environment(folder).get_template(template).render(**values)


def _environment(package: str) -> Environment:
    templates = files(package) / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown of our own numbers)
    )
    environment.globals |= {
        "paragraph": _wrapped(markdown.paragraph),
        "item": _wrapped(markdown.item),
        "table": markdown.table,
        "interval": markdown.interval,
    }
    environment.filters |= {
        "percent": markdown.percent,
        "p_value": markdown.p_value,
        "join_words": markdown.join,
        "plain": markdown.plain,
        "code": markdown.code,
    }
    return environment


def _wrapped(wrap: Callable[[str], str]) -> Callable[[Callable[[], str]], str]:
    """Make a block for `{% call %}` that joins its lines and wraps them."""
    return lambda caller: wrap(" ".join(caller().split()))
