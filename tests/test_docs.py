"""README, CONTRIBUTING and docs/: every command runs, in the order of the pages, and every name in them exists.

The reader works in a clone with parameters that take seconds, beside the folders that the pages mention. A page runs as
one shell, block after block. A text block after a command block must appear in its output. A block that does not run
says why in a comment above it, and is counted in `NOT_RUN`.
"""

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from bloodcells.core.parameters import read_parameters
from bloodcells.datasets.synthetic.generate import generate
from docs import results
from stages.check_parameters import Parameters
from tests.stages.prepared import prepare
from tests.support import environment, laboratory, project

PAGES = {
    str(path.relative_to(project.ROOT)): path.read_text()
    for path in [*sorted(project.ROOT.glob("*.md")), *sorted((project.ROOT / "docs").glob("*.md"))]
}

FIRST = "docs/gpus-and-clusters.md"
"""Its commands are a whole run, from nothing: that on which the other pages go on."""

AFTER = {"docs/data-versions.md": "docs/your-data.md"}
"""Pages that go on from another one, as they say."""

SMALLER = {"test_folds": [0], "evaluate.tta": 8, "compare.resamples": 200, "review.min_accuracy": 0}

INSTEAD = {
    "make test": "make --dry-run test",  # the tests can't run themselves
    "make speed": "make --dry-run speed",  # minutes, and a measurement needs the machine alone
}

NOT_RUN = {
    "README.md": 1,
    "docs/gpus-and-clusters.md": 5,
    "docs/speed.md": 1,
    "docs/the-original-report.md": 1,
    "docs/your-data.md": 1,
}
"""How many blocks of a page are not run, each for the reason in the comment above it."""

MARK = "@@ next block"

THIS_COPY = 'exec 2>&1; bloodcells() { python -m bloodcells "$@"; }\n'
"""The command `bloodcells` belongs to the project that was set up; here it is to be that of the clone."""

LEFT_OUT = ("grad_cam",)
"""A slow stage that no page tells the reader to run alone, and that no other stage depends on."""

WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Reader"), ("EMAIL", "reader@example.org"))
}


@dataclass(frozen=True)
class Block:
    """Commands of a page, why they are not run (else empty), and what they must print."""

    commands: str
    reason: str
    prints: str


def blocks(page: str) -> list[Block]:
    """Give the blocks of a page in their order."""
    found = re.finditer(
        r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```sh\n(?P<commands>.*?)```\n(?:\n```text\n(?P<prints>.*?)```\n)?",
        PAGES[page],
        re.DOTALL,
    )
    return [Block(match["commands"], match["reason"] or "", match["prints"] or "") for match in found]


@dataclass
class Desk:
    """A reader's clone, and what the commands of the pages walked through so far printed, block by block."""

    clone: Path
    printed: dict[str, list[str]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def walk(self, page: str) -> list[str]:
        """Follow a page from where it starts; a page that was followed is not followed again."""
        if page in self.printed:
            return self.printed[page]
        if page in self.begun:
            pytest.fail(f"{page} did not end well: see its own test")
        self.begun.add(page)
        if page in AFTER:
            self.walk(AFTER[page])
        elif page != FIRST:
            self.walk(FIRST)
            project.done("git", "switch", "--quiet", "--force", "main", cwd=self.clone)
            project.done("git", "clean", "--quiet", "--force", "-d", cwd=self.clone)
            project.done("dvc", "checkout", "--quiet", cwd=self.clone)
        script = "".join(f"echo '{MARK}'\n{_to_run(block)}" for block in blocks(page) if not block.reason)
        said = project.done("bash", "-ec", THIS_COPY + script, cwd=self.clone, **WHO)
        self.printed[page] = said.split(f"{MARK}\n")[1:]
        if page == FIRST:
            project.commit(self.clone, "first run")
        return self.printed[page]


def _to_run(block: Block) -> str:
    return "".join(f"{INSTEAD.get(line, line)}\n" for line in block.commands.splitlines())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    room = tmp_path_factory.mktemp("desk")
    clone = project.copy(room / "bloodcells")
    project.set_params(clone, project.SMALL | SMALLER)
    _without(clone / "params.yaml", "models", "alexnet")
    _without(clone / "dvc.yaml", "stages", *LEFT_OUT)
    for results_of_others in ("metrics", "plots"):
        shutil.rmtree(clone / results_of_others / "rendered")
    project.commit(clone, "small")
    environment.lend(clone)
    _laboratories(room)
    return Desk(clone)


def _without(path: Path, section: str, *keys: str) -> None:
    content = yaml.safe_load(path.read_text())
    for key in keys:
        del content[section][key]
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _laboratories(room: Path) -> None:
    """Write the folders of the page about one's own data."""
    laboratory.second_laboratory(room / "second-lab", images=60)
    laboratory.second_laboratory(room / "new-cells", images=20, seed=4, first=501)
    (room / "hospital").mkdir()
    generate(room / "hospital", images=30, seed=4, progress=False, processes=1)
    for part in ("TRAIN", "TEST"):
        for name in ("healthy", "blast"):
            laboratory.photographs(room / "two-classes" / part / name, [f"{part}-{name}-{i}.png" for i in range(6)])
    names = [f"{number}.png" for number in range(36)]
    labels = laboratory.labels(36, laboratory.FOUR[:3])
    laboratory.photographs(room / "patients", names)
    rows = [(name, f"P{number // 3}", label) for number, (name, label) in enumerate(zip(names, labels, strict=True))]
    laboratory.table(room / "patients" / "cells.csv", ("Image", "Patient ID", "Cell type"), rows)
    laboratory.photographs(room / "boxes", names[:12], size=(200, 150))
    for number, name in enumerate(names[:12]):
        boxes = [("RBC", 1, 1, 20, 20), *((labels[number + k], 60 * k, 50, 60 * k + 50, 100) for k in range(3))]
        laboratory.voc(room / "boxes" / f"{name[:-4]}.xml", boxes)


# ---- the pages followed


@pytest.mark.parametrize("page", [FIRST, *(page for page in PAGES if page != FIRST)])
def test_every_command_of_a_page_ends_well_and_prints_what_the_page_says(desk: Desk, page: str) -> None:
    printed = desk.walk(page)
    followed = [block for block in blocks(page) if not block.reason]
    assert len(printed) == len(followed)
    for block, said in zip(followed, printed, strict=True):
        for line in block.prints.splitlines():
            assert line in said, f"{block.commands} does not print {line!r} but\n{said}"


def test_a_change_of_one_parameter_trains_nothing_and_is_reviewed(desk: Desk) -> None:
    look_round, change = desk.walk("README.md")[1:3]
    assert "abstains" in look_round or any(name in look_round for name in ("neutrophil", "eosinophil"))
    assert "Running stage 'evaluate@resnet'" in change
    assert "Running stage 'train" not in change
    assert "`evaluate.tta` 8 → 1" in change


def test_a_model_that_is_added_is_the_only_one_trained(desk: Desk) -> None:
    said = desk.walk("docs/add-a-model.md")[0]
    assert re.findall(r"Running stage '(train@.+?)'", said) == ["train@mobilenet-0"]
    assert "metrics/rendered/mobilenet.json" in said


def test_a_sweep_has_an_experiment_for_each_value_and_the_chosen_one_is_reviewed(desk: Desk) -> None:
    table, chosen = desk.walk("docs/review.md")[2:4]
    assert re.search(r"rate-1.+ 0\.0005 ", table)
    assert re.search(r"rate-2.+ 0\.002 ", table)
    assert "`models.resnet.learning_rate`" in chosen


def test_a_pull_request_with_one_s_own_data_passes_the_check_of_the_workflow(desk: Desk) -> None:
    desk.walk("docs/your-data.md")
    branch = project.done("git", "branch", "--show-current", cwd=desk.clone).strip()
    project.done("git", "switch", "--quiet", "--force", "our-cells", cwd=desk.clone)
    check = ("python", "-m", "bloodcells", "review", "main", "--no-pictures", "--fail-if", "worse,stale,checks")
    project.done(*check, cwd=desk.clone)
    project.done("git", "switch", "--quiet", "--force", branch, cwd=desk.clone)


def test_a_new_version_of_the_data_shows_in_the_review(desk: Desk) -> None:
    review = desk.walk("docs/data-versions.md")[2]
    assert re.search(r"second.*\d+ cells", review)


# ---- what is not run


def test_what_is_not_run_is_listed_and_has_its_reason() -> None:
    unrun = {page: [block for block in blocks(page) if block.reason] for page in PAGES}
    assert {page: len(found) for page, found in unrun.items() if found} == NOT_RUN
    for page, text in PAGES.items():
        assert text.count("```sh") == len(blocks(page)), f"{page}: a block of commands that no test reads"
        assert text.count("<!-- not run") == NOT_RUN.get(page, 0), page


@pytest.mark.parametrize("page", NOT_RUN)
def test_what_is_not_run_is_understood_all_the_same(page: str, tmp_path: Path) -> None:
    commands = "".join(block.commands for block in blocks(page) if block.reason)
    project.done("bash", "-n", "-c", commands, cwd=tmp_path)
    shutil.copy(project.ROOT / "params.yaml", tmp_path)
    values = re.findall(r"-S '?([\w.]+)=([^\s']+)", commands)
    project.set_params(tmp_path, {key: yaml.safe_load(value) for key, value in values})
    read_parameters(Parameters, tmp_path / "params.yaml")
    for module in re.findall(r" -m ((?:bloodcells|stages|studies)[\w.]*)", commands):
        path = project.ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_torchrun_starts_processes_that_train_together(tmp_path: Path) -> None:
    assert "torchrun " in PAGES["docs/gpus-and-clusters.md"]
    folder = prepare(tmp_path, {"train.epochs": 1, "train.devices": 2})
    two = ("torchrun", "--standalone", "--nproc-per-node=2")
    said = project.done(*two, "-m", "stages.train", "resnet", "0", cwd=folder, PYTHONPATH=str(project.ROOT))
    assert said.count("selected epoch") == 1  # both have trained, and the first has written


# ---- what the pages name


def _anchor(heading: str) -> str:
    """Give the name by which GitHub lets a heading be linked to."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (project.ROOT / page).parent / path if path else project.ROOT / page
        assert target.is_file(), f"{page} links to {link}"
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text())
            assert anchor in map(_anchor, headings), f"{page} links to {link}"


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
def test_every_page_is_led_to(page: str) -> None:
    assert any(f"({os.path.relpath(page, Path(other).parent)}" in text for other, text in PAGES.items())


@pytest.mark.parametrize("page", PAGES)
def test_every_file_parameter_and_make_target_named_is_there(page: str) -> None:
    pipeline = (project.ROOT / "dvc.yaml").read_text()
    makefile = (project.ROOT / "Makefile").read_text()
    sections = "|".join(Parameters.model_fields)
    for name in re.findall(r"`([^`\n]+)`", PAGES[page]):
        if re.fullmatch(r"(bloodcells|stages|studies|tests|docs|locks|datasets|plots|metrics)/[\w./-]*", name):
            declared = re.sub(r"/(DATASET|NAME|bccd|rendered)(?=/)", "/${dataset}", name).rstrip("/")
            made = [re.sub(r"/(DATASET|NAME|bccd)(?=/)", f"/{dataset}", name) for dataset in ("rendered", "bccd")]
            exists = any((project.ROOT / path).exists() for path in (name, *made))
            assert exists or declared in pipeline, f"{page}: {name}"
        if key := re.fullmatch(rf"((?:{sections})\.[\w.]+)(?:: .+|=.+)?", name):
            section, value, *_ = key[1].split(".")
            fields = getattr(Parameters.model_fields[section].annotation, "model_fields", {})
            assert value in fields, f"{page}: {name}"
        if target := re.fullmatch(r"make (\w+)", name):
            assert re.search(rf"(?m)^{target[1]}:", makefile), f"{page}: {name}"


# ---- the figures of the README


def test_the_results_in_the_readme_are_those_of_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (results.README, results.CHART, results.PARAMETERS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project.ROOT / path, tmp_path / path)
    for folder in (Path("datasets"), Path(".dvc", "plots"), results.PATHS.plots):
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder).symlink_to(project.ROOT / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["results"])
    results.main()
    remedy = "run `python -m docs.results`"
    assert results.README.read_text() == PAGES["README.md"], remedy
    made, kept = (np.asarray(Image.open(root / results.CHART).convert("RGB"), int) for root in (tmp_path, project.ROOT))
    assert made.shape == kept.shape, remedy
    assert np.abs(made - kept).max() <= 64, remedy  # other machines may round the edges of letters otherwise
