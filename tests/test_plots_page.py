"""The page of `dvc plots` in a clone that is set up for it, read as it is written and as a browser without a network
draws it; and the same charts as files."""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from PIL import Image

from bloodcells.cli.main import main
from bloodcells.visualization.vega import VERSION
from tests.support.browser import FLAGS, find_browser
from tests.support.project import copy, done
from tests.support.workplace import error_of

EXCHANGED = {"resnet": "alexnet", "alexnet": "resnet"}
VIRTUAL_TIME = "--virtual-time-budget=30000"  # of the page's own clock, which runs ahead while the page waits


@dataclass(frozen=True)
class Pages:
    """A clone and two pages of it: before the set-up and after it."""

    clone: Path
    before: Path
    after: Path

    @property
    def charts(self) -> dict[str, str]:
        """Each chart on the page after the set-up, by the id of its place."""
        found = re.findall(r'<div id = "([^"]+)">\s*<script[^>]*>\s*var spec = (.+);\n', self.after.read_text())
        return {place: chart for place, chart in found if json.loads(chart)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Two revisions whose tables differ, of one the last commit's and of the other with two models exchanged."""
    clone = copy(tmp_path_factory.mktemp("clone"))
    results = clone / "plots" / "rendered"
    predictions = [results / "predictions" / f"{model}.csv" for model in ("resnet", "alexnet")]
    for path, content in zip(predictions, [path.read_bytes() for path in reversed(predictions)], strict=True):
        path.write_bytes(content)
    for name in ("accuracy", "roc", "class_scores", "reliability", "pointing_game"):
        path = results / f"{name}.csv"
        path.write_text(re.sub(r"(?m)^(resnet|alexnet)\b", lambda m: EXCHANGED[m[0]], path.read_text()))
    (results / "mistakes").mkdir(exist_ok=True)
    Image.new("RGB", (30, 20)).save(results / "mistakes" / "resnet.png")

    done("dvc", "plots", "show", "plots/rendered/accuracy.csv", cwd=clone)
    elsewhere = clone / "stages"
    done("python", "-m", "bloodcells", "plots", "offline", cwd=elsewhere, PYTHONPATH=str(clone))
    done("dvc", "plots", "diff", "HEAD", cwd=elsewhere)
    return Pages(clone, *(folder / "dvc_plots" / "index.html" for folder in (clone, elsewhere)))


@pytest.fixture(scope="module")
def browser() -> str:
    return find_browser()


def svg(chart: str) -> str:
    """Draw a chart without a browser."""
    return str(vl_convert.vegalite_to_svg(chart, vl_version=VERSION))


def seen(browser: str, page: Path, scratch: Path) -> tuple[str, list[str]]:
    """Open a page where no name resolves; give its document once drawn, and the addresses that it asked for."""
    log = scratch / "requests.json"
    profile = f"--user-data-dir={scratch / 'profile'}"
    dom = done(browser, *FLAGS, VIRTUAL_TIME, profile, f"--log-net-log={log}", "--dump-dom", page.as_uri(), cwd=scratch)
    asked = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # what the browser itself is about has no origin
    return dom, [one["url"] for one in asked if "url" in one and one.get("initiator", "not an origin") == "null"]


def test_every_chart_is_drawn_and_nothing_is_asked_for(browser: str, pages: Pages, tmp_path: Path) -> None:
    dom, asked = seen(browser, pages.after, tmp_path)
    assert asked == []
    told = re.sub(r"<.*?>", "", dom[dom.index("<header>") : dom.index("<nav>")])
    assert "Data: rendered. Synthetic smears say nothing about blood." in told
    assert "Revisions: workspace (the files as they are now), HEAD." in told
    drawn = dict(re.findall(r'<div id="([^"]+)" class="vega-embed(.*?)(?=<div id="|</section>)', dom, re.DOTALL))
    assert drawn.keys() == pages.charts.keys()
    assert len(drawn) >= 14
    for place, chart in pages.charts.items():
        marks = [part.count('role="graphics-symbol"') for part in (drawn[place], svg(chart))]
        assert marks[0] == marks[1] > 0, place  # as many as without a browser
        assert "NaN" not in drawn[place]
        assert {"workspace", "HEAD"} <= set(re.findall(r"<text[^>]*>([^<]+)</text>", drawn[place])), place
    headings = re.findall(r"<h2>(.+?)</h2>", dom[dom.index("<body>") :])
    assert headings[:3] == ["Which model is best", "Confusion matrices", "Class by class"]
    assert "Other plots" not in headings


def test_where_vega_does_not_come_the_page_says_what_to_do(browser: str, pages: Pages, tmp_path: Path) -> None:
    dom, asked = seen(browser, pages.before, tmp_path)
    assert len(asked) == 3
    assert {re.sub(r"@.*", "", url) for url in asked} == {
        f"https://cdn.jsdelivr.net/npm/{name}" for name in ("vega", "vega-lite", "vega-embed")
    }
    assert re.search(r'<p id="no-vega" class="alarm">There are no charts', dom)
    assert "<code>bloodcells plots offline</code>" in dom


class Outside(HTMLParser):
    """What a page refers to: addresses in attributes and styles; and its rule about what may be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.rule = ""
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.in_style = tag == "style"
        self.addresses += [given[key] for key in ("src", "srcset", "href", "data", "action", "poster") if key in given]
        self.addresses += re.findall(r"url\(([^)]+)\)", given.get("style", ""))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.rule = given["content"]

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self.addresses += re.findall(r"url\(.*|@import.*", data)


def test_the_page_refers_to_nothing_but_its_own_pictures(pages: Pages) -> None:
    found = Outside()
    found.feed(pages.after.read_text())
    assert found.addresses  # the picture
    assert {Path(address).parent for address in found.addresses} == {Path("static")}
    assert all((pages.after.parent / address).is_file() for address in found.addresses)
    rule = dict(part.split(maxsplit=1) for part in found.rule.split("; "))
    assert rule["default-src"] == "'none'"
    assert "http" not in found.rule
    assert "*" not in found.rule


def test_git_sees_nothing_of_the_set_up(pages: Pages) -> None:
    changed = done("git", "status", "--porcelain", "--", ".dvc", cwd=pages.clone)
    assert changed == ""


def test_a_second_set_up_mends_what_is_broken_and_keeps_other_settings(pages: Pages) -> None:
    made, config = pages.clone / ".dvc" / "page.html", pages.clone / ".dvc" / "config.local"
    content = made.read_bytes()
    made.write_text("an old one")
    config.write_text("[cache]\n    dir = /elsewhere\n" + config.read_text())
    done("python", "-m", "bloodcells", "plots", "offline", cwd=pages.clone)
    assert made.read_bytes() == content
    settings = [line.split() for line in config.read_text().splitlines() if "=" in line]
    assert settings == [["dir", "=", "/elsewhere"], ["html_template", "=", "page.html"]]


def test_the_charts_of_two_revisions_are_drawn_into_files(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pages.clone)
    main(["plots", "pictures", str(tmp_path), "HEAD", "--svg"])
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(written) == len(pages.charts)
    assert sorted(tmp_path.iterdir()) == sorted(written)
    confusion = (tmp_path / "plots-rendered-predictions-resnet.svg").read_text()
    assert "Confusion: resnet" in confusion
    assert ">HEAD</text>" in confusion
    assert ">workspace</text>" in confusion


def test_a_chart_is_drawn_as_png_unless_svg_is_asked_for(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = pages.charts["___plots_rendered_predictions_resnet_csv"]
    monkeypatch.setattr("bloodcells.cli.plots.command.charts", lambda root, revisions: {"plots/a b/resnet.csv": chart})
    monkeypatch.chdir(pages.clone)
    main(["plots", "pictures", str(tmp_path)])
    with Image.open(tmp_path / "plots-a-b-resnet.png") as picture:
        size = picture.size
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    drawn = re.search(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"', svg(chart))
    assert drawn
    assert size == pytest.approx([1.5 * float(side) for side in drawn.groups()], abs=2)
    assert (pixels[:, :, 2] > pixels[:, :, 0] + 60).mean() > 0.05  # the blue of the diagonal


def test_what_cannot_be_drawn_is_said(pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pages.clone)
    assert "nowhere" in error_of(lambda: main(["plots", "pictures", str(tmp_path), "nowhere"]))
    monkeypatch.chdir(tmp_path)
    assert "not in a git repository" in error_of(lambda: main(["plots", "offline"]))
    assert not list(tmp_path.iterdir())
