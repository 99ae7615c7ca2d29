"""The workflows: when each job runs, which may write, and their commands, run as GitHub would run them.

`make lint` checks their syntax, and with zizmor pinned actions, permissions and injected expressions.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from bloodcells.core.files import write_csv
from bloodcells.datasets.corrections import COLUMNS as CHANGE_COLUMNS
from bloodcells.evaluation.checks import COLUMNS, check_table, none_allowed
from tests.cli.review.committed import CELLS, MODELS, git, predictions, results
from tests.support import environment, project

FOLDER = project.ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = {name: job for workflow in WORKFLOWS.values() for name, job in workflow["jobs"].items()}
ON = True  # so YAML 1.1, and with it PyYAML, reads the key `on`
HERE, PAGE = "us/bloodcells", "https://github.example/us/bloodcells/actions/runs/1/artifacts/2"


def steps(job: str, action: str) -> list[Mapping[str, Any]]:
    return [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith(f"actions/{action}@")]


def context(event: str, head: str = HERE, base: str = "main") -> dict[str, Any]:
    """Return what expressions read of an event; `head` is a pull request's repository, `base` its target branch."""
    of_request = {"pull_request": {"head": {"repo": {"full_name": head}}}, "number": 7}
    about = {"event_name": event, "repository": HERE, "token": "t", "event": of_request if event != "push" else {}}
    about["base_ref"] = base
    return {"github": about, "steps": {"page": {"outputs": {"artifact-url": PAGE}}}}


def looked_up(name: str, values: Any) -> Any:
    for key in name.split("."):
        values = values.get(key, {})
    return values or ""


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Fill in the expressions of a text; only names occur in these."""
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: str(looked_up(found[1], values)), text)


def holds(condition: str, values: Mapping[str, Any]) -> bool:
    text = re.sub(r"github(\.\w+)+", lambda found: repr(looked_up(found[0], values)), condition.strip("${} "))
    return bool(eval(text.replace("!cancelled()", "True").replace("&&", "and").replace("||", "or")))


# ---- what runs, and what it may do


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write() -> None:
    assert [workflow["permissions"] for workflow in WORKFLOWS.values()] == [{}] * len(WORKFLOWS)
    may = {name: job["permissions"] for name, job in JOBS.items()}
    assert may.pop("comment") == {"pull-requests": "write"}
    assert [*may.values()] == [{"contents": "read"}] * len(may)
    assert not steps("comment", "checkout")
    (script,) = (step["run"] for step in JOBS["comment"]["steps"] if "run" in step)
    programs = set(re.findall(r"(?:^|[;{|(])\s*([a-z][\w./]*)(?= )", script, re.MULTILINE))
    assert programs == {"echo", "cat", "gh", "sed", "if"}


@pytest.mark.parametrize(
    ("event", "branch", "head", "expected"),
    [
        ("push", "main", "", {"tests", "pipeline"}),
        ("push", "faster", "", {"tests"}),
        ("pull_request", "main", HERE, {"review", "comment", "pipeline"}),
        ("pull_request", "main", "them/bloodcells", {"tests", "review", "pipeline"}),
    ],
)
def test_each_event_runs_its_jobs_once_and_a_fork_gets_no_comment(
    event: str, branch: str, head: str, expected: set[str]
) -> None:
    running = set()
    for workflow in WORKFLOWS.values():
        for name, job in workflow["jobs"].items():
            wanted = event in workflow[ON] and branch in ((workflow[ON][event] or {}).get("branches") or [branch])
            if wanted and holds(job.get("if", "True"), context(event, head)):
                running.add(name)
    assert running == expected


# ---- a base branch, changes on top of it, and the clone that a runner would have of each


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with made-up results on `main`, and a lock file that belongs to them."""
    folder = project.copy(tmp_path_factory.mktemp("upstream"))
    for name in ("locks", "metrics", "plots"):
        shutil.rmtree(folder / name)
    write(folder, range(10))
    (folder / "plots" / "rendered" / "report" / "comparison.md").write_text("the comparison\n")
    write_csv(folder / "plots" / "rendered" / "label_changes.csv", (*CHANGE_COLUMNS, "file"), [])
    index = Repo(str(folder)).index
    pipeline = [stage for stage in index.stages if not stage.is_data_source]
    paths = {Path(item.fs_path) for stage in pipeline for item in (*stage.outs, *stage.deps)}
    for path in sorted(paths, key=lambda path: -len(path.parts)):  # a folder is there once a file in it is
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}\n" if path.suffix == ".json" else f"{path.name}\n")
    keep(folder, "results")
    return folder


def write(folder: Path, wrong: Collection[int], cells: int = CELLS, labels: Mapping[int, int] | None = None) -> None:
    """Write what a run leaves in git; the first model misclassifies the cells `wrong`, the others 0 to 7."""
    results(folder, {m: predictions(range(8) if n else wrong, range(cells), labels) for n, m in enumerate(MODELS)})
    path = folder / "plots" / "rendered" / "report" / "checks.csv"
    write_csv(path, COLUMNS, check_table([none_allowed("overlap", "cells in training and test", 0, "")]))


def keep(folder: Path, message: str) -> None:
    """Commit the files as those of a run."""
    project.done("dvc", "commit", "--quiet", "--force", "dvc.yaml", cwd=folder)
    project.commit(folder, message)


def change(folder: Path, name: str) -> None:
    """Commit a change, as in the branch of a pull request."""
    if name == "better":
        write(folder, ())
    elif name == "worse":
        write(folder, range(26))
    elif name == "noise":
        write(folder, range(3, 13))
    elif name == "data":
        write(folder, range(10), CELLS - 4, {40: 3})
    if name == "stale":
        project.set_params(folder, {"models.resnet.learning_rate": 0.0005})
        project.commit(folder, name)
    else:
        keep(folder, name)


def merged(upstream: Path, folder: Path, branch: str, base: str = "main") -> Path:
    """Clone as actions/checkout does for a pull request: the base with the branch merged into it, on no branch."""
    project.done("git", "clone", "--quiet", str(upstream), str(folder), cwd=upstream)
    git(folder, "checkout", "--quiet", "--detach", f"origin/{base}")
    git(folder, "merge", "--quiet", "--no-ff", "--message", "merge", f"origin/{branch}")
    environment.lend(folder)
    return folder


class Runner:
    """A machine that runs the commands of a job, and notes which files the job uploads."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.summary = folder.with_name(f"{folder.name}-summary.md")
        self.failed, self.output, self.uploads = False, "", list[Path]()
        self._folder, self._variables = folder, {"GITHUB_STEP_SUMMARY": str(self.summary), **variables}

    def run(self, job: str, base: str = "main") -> "Runner":
        values = context("pull_request", base=base)
        for step in JOBS[job]["steps"]:
            if self.failed and "!cancelled()" not in step.get("if", ""):
                continue
            if "run" in step:
                set_here = {key: filled(text, values) for key, text in step.get("env", {}).items()}
                ended = self._bash(step["run"], self._variables | set_here)
                self.failed |= ended.returncode != 0
                self.output += ended.stdout + ended.stderr
            elif step["uses"].startswith("actions/upload-artifact@"):
                self.uploads.append(self._folder / step["with"]["path"])
        return self

    def _bash(self, script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a script as GitHub does with `shell: bash`."""
        return project.command(
            "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script, cwd=self._folder, **variables
        )


@pytest.mark.parametrize(
    ("name", "fails", "expected"),
    [
        ("better", "", ["resnet (+12.5 points) **▲ better**", "**Up to date**"]),
        ("worse", "resnet on rendered got worse", ["resnet (−20.0 points) **▼ worse**", "**Up to date**"]),
        ("noise", "", ["resnet ≈ within noise", "**Up to date**"]),
        ("data", "", ["rendered is tested on 4 cells fewer and has 1 cell relabeled and 3 counts", "**Up to date**"]),
        (
            "stale",
            "the committed results of rendered don't belong to this code",
            ["`models.resnet.learning_rate` 0.001 → 0.0005", "**Stale**"],
        ),
    ],
)
def test_a_pull_request_gets_its_verdict(
    upstream: Path, tmp_path: Path, name: str, fails: str, expected: list[str]
) -> None:
    git(upstream, "switch", "--quiet", "--create", name, "main")
    change(upstream, name)
    done = Runner(merged(upstream, tmp_path / "clone", name)).run("review")
    assert done.failed == bool(fails), done.output
    assert fails in done.output
    summary = " ".join(done.summary.read_text().split())
    for words in (*expected, f"[With pictures]({PAGE})"):
        assert words in summary
    page, comment = done.uploads
    assert comment.read_text() == done.summary.read_text()
    assert "](review-" not in comment.read_text()  # a picture file, which a comment can't show
    assert ("data:image/png" in page.read_text()) == (name in ("better", "worse", "noise"))


def test_a_pull_request_into_another_branch_is_compared_with_that(upstream: Path, tmp_path: Path) -> None:
    base = "release-$(touch${IFS}x)"  # a name that a shell would run
    git(upstream, "switch", "--quiet", "--create", base, "main")
    write(upstream, ())
    keep(upstream, "released")
    git(upstream, "switch", "--quiet", "--create", "words")
    (upstream / "docs" / "more.md").write_text("more\n")
    project.commit(upstream, "words")
    clone = merged(upstream, tmp_path / "clone", "words", base)
    done = Runner(clone).run("review", base)
    assert not done.failed, done.output
    assert "**rendered**: no result changed." in done.summary.read_text()
    assert not (clone / "x").exists()


GH = """#!{python}
import json, os, subprocess, sys
from pathlib import Path

assert os.environ["GH_TOKEN"] == "t" and sys.argv[1] == "api"
store = Path("{store}")
comments = json.loads(store.read_text())
(path,) = (word for word in sys.argv if word.startswith("repos/us/bloodcells/issues/"))
if "--jq" in sys.argv:
    assert path.endswith("/7/comments") and "--paginate" in sys.argv
    for page in (comments[:2], comments[2:]):
        jq = ["jq", "--raw-output", sys.argv[sys.argv.index("--jq") + 1]]
        print(subprocess.run(jq, input=json.dumps(page), capture_output=True, text=True, check=True).stdout, end="")
else:
    body = Path(sys.argv[-1].removeprefix("body=@")).read_text()
    if "PATCH" in sys.argv:
        (one,) = (one for one in comments if path.endswith("/issues/comments/" + str(one["id"])))
        one["body"] = body
    else:
        assert path.endswith("/7/comments")
        comments.append(dict(id=100 + len(comments), user=dict(login="github-actions[bot]"), body=body))
    store.write_text(json.dumps(comments))
"""
"""A stand-in for `gh` whose comments are a file."""


@pytest.mark.skipif(not shutil.which("jq"), reason="the stand-in for gh needs jq, which gh has built in")
def test_one_comment_is_updated_and_those_of_others_are_left_alone(tmp_path: Path) -> None:
    program, store = tmp_path / "bin" / "gh", tmp_path / "comments.json"
    program.parent.mkdir()
    program.write_text(GH.format(python=sys.executable, store=store))
    program.chmod(0o755)
    mark = "<!-- bloodcells review -->"
    others = [
        {"id": 1, "user": {"login": "someone"}, "body": f"{mark} quoted"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "of another workflow"},
    ]
    store.write_text(json.dumps(others))
    runner = Runner(tmp_path, PATH=f"{program.parent}:{os.environ['PATH']}")
    for text in ("first", "second"):
        (tmp_path / "comment.md").write_text(f"{text}\n")
        assert not runner.run("comment").failed, runner.output
        before, ours = json.loads(store.read_text())[:2], json.loads(store.read_text())[2:]
        assert before == others
        assert [one["body"] for one in ours] == [f"{mark}\n\n{text}\n"]


def test_the_pipeline_uses_the_cache_and_prints_its_result(upstream: Path, tmp_path: Path) -> None:
    clone = merged(upstream, tmp_path / "clone", "main")
    (cache,) = (step["with"]["path"] for step in steps("pipeline", "cache") if not step["with"]["path"].startswith("~"))
    shutil.copytree(upstream / cache, clone / cache)
    done = Runner(clone).run("pipeline")
    assert not done.failed, done.output
    assert "Running stage" not in done.output
    assert "the comparison" in done.output
    assert "**rendered**: no result changed." in done.summary.read_text()


@pytest.mark.parametrize("step", [step["run"] for step in JOBS["tests"]["steps"] if "run" in step])
def test_the_commands_of_the_tests_workflow_exist(step: str) -> None:
    assert project.done(*step.split(), "--dry-run", cwd=project.ROOT)
