"""`dvc.yaml` and the rooms against the code: stages depend on what they import, and imports go one way."""

import ast
import importlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]
ROOMS = [
    "core",
    "datasets",
    "imaging",
    "splits",
    "models",
    "training",
    "inference",
    "evaluation",
    "visualization",
    "reporting",
    "cli",
]
"""From the bottom to the top: a room imports from itself and from those before it."""
WITH_TORCH = ("train", "evaluate", "grad_cam", "check_models")


def dependencies(name: str) -> list[str]:
    return [next(iter(dep)) if isinstance(dep, dict) else dep for dep in STAGES[name]["deps"]]


def code_dependencies(name: str) -> set[str]:
    return {path for path in dependencies(name) if path.startswith(("bloodcells", "stages"))}


def _file(dotted: str, root: Path) -> Path | None:
    """Return the file of a module of the project, relative to its root."""
    path = Path(*dotted.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if (root / file).is_file()), None)


@cache
def imports(file: Path, root: Path = ROOT) -> frozenset[Path]:
    """Return the project's modules that a file imports, at its top or within functions."""
    found = set()
    for node in ast.walk(ast.parse((root / file).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: write imports out, relative ones are not followed"
            names = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {_file(name, root) for name in names if name.split(".")[0] in ("bloodcells", "stages")}
    return frozenset(path for path in found if path)


def reached(start: Path, root: Path = ROOT) -> set[Path]:
    """Return a module and all modules of the project that it imports, directly or through others."""
    seen, waiting = set[Path](), [start]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imports(file, root)
    return {file for file in seen if file.name != "__init__.py"}


def folders(start: Path, root: Path = ROOT) -> set[str]:
    """Return what a stage must depend on: its own file, and the rooms of everything that it imports."""
    return {"/".join(file.parts[:2]) for file in reached(start, root)}


def modules(folder: str) -> Iterator[Path]:
    return (path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_its_own_file_and_on_the_rooms_it_imports(name: str) -> None:
    assert re.match(rf"python -m stages\.{name}\b", STAGES[name]["cmd"])
    expected, declared = folders(Path("stages", f"{name}.py")), code_dependencies(name)
    missing, idle = sorted(expected - declared), sorted(declared - expected)
    assert not missing, f"{name}: add to deps: {', '.join(missing)}"
    assert not idle, f"{name}: not imported, remove from deps: {', '.join(idle)}"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_parameters_that_its_schema_reads(name: str) -> None:
    schema = importlib.import_module(f"stages.{name}").Parameters
    if STAGES[name]["params"] == [{"params.yaml": None}]:  # the whole file
        assert schema.model_config["extra"] == "forbid"
        return
    declared = {key.split(".")[0] for key in STAGES[name]["params"]}
    assert declared == set(schema.model_fields)


def test_training_depends_on_three_rooms_at_most() -> None:
    assert len(code_dependencies("train") - {"stages/train.py"}) <= 3


def test_every_module_of_stages_is_a_stage() -> None:
    assert set(STAGES) == {path.stem for path in modules("stages")} - {"__init__"}


def test_a_stage_explains_itself() -> None:
    assert all(stage.get("desc") for stage in STAGES.values())


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_answers_help(name: str, tmp_path: Path) -> None:
    """In a folder without parameters, where running it would fail."""
    command = [sys.executable, "-m", f"stages.{name}", "--help"]
    result = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"usage: python -m stages.{name}")
    assert not list(tmp_path.iterdir())


# ---- the rooms


def test_every_module_is_in_a_room() -> None:
    assert {path.name for path in (ROOT / "bloodcells").glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {file.parts[1] for file in modules("bloodcells") if len(file.parts) > 2} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room: str) -> None:
    below = {*ROOMS[: ROOMS.index(room) + 1]}
    for file in modules(f"bloodcells/{room}"):
        for other in imports(file):
            assert other.parts[0] == "bloodcells", f"{file} imports {other}"
            assert other.parts[1] in below | {"__init__.py"}, f"{file} imports {other}, which is above it"


def test_a_room_says_what_it_holds_and_runs_nothing() -> None:
    """Importing a module runs the `__init__` of its packages as well."""
    for file in modules("bloodcells"):
        if file.name == "__init__.py":
            body = ast.parse((ROOT / file).read_text()).body
            assert [type(node) for node in body] == [ast.Expr], f"{file} must be one docstring"


@pytest.mark.parametrize("folder", ["bloodcells", "stages"])
def test_no_code_is_about_one_data_set(folder: str) -> None:
    """What is known of a data set is in its record; `rendered` is a word, too: it counts alone or in a path."""
    for file in modules(folder):
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"\bbccd|(^|/)rendered(/|$)", node.value, re.IGNORECASE), f"{file}: {node.value!r}"


def test_commands_do_not_import_each_other() -> None:
    for file in modules("bloodcells/cli"):
        for other in imports(file):
            shared = len(other.parts) == 3 or other.parts[1] != "cli"
            assert shared or len(file.parts) == 3 or other.parts[2] == file.parts[2], f"{file} imports {other}"


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    sources = {
        "stages/a.py": "import numpy\nfrom bloodcells.one import x\ndef main():\n    import bloodcells.two.y as y\n",
        "bloodcells/one/x.py": "from bloodcells.three.z import thing\n",
        "bloodcells/two/y.py": "",
        "bloodcells/three/z.py": "from bloodcells.one import x\n",
        "bloodcells/four/w.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    start = Path("stages/a.py")
    assert folders(start, tmp_path) == {"stages/a.py", "bloodcells/one", "bloodcells/two", "bloodcells/three"}


def test_stages_that_need_no_torch_do_not_import_it() -> None:
    heavy = ("torch", "torchvision", "lightning", "dvclive")
    light = ", ".join(f"stages.{name}" for name in STAGES if name not in WITH_TORCH)
    code = f"import sys\nimport {light}\n"
    code += f"print(sorted({{name.split('.')[0] for name in sys.modules}} & set({heavy})))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


# ---- parameters


def _keys(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key)
            yield from _keys(value)


def test_no_parameter_bears_a_name_that_dvc_s_run_cache_ignores() -> None:
    """DVC's run cache ignores the values of keys of these names: https://github.com/treeverse/dvc/issues/10296."""
    assert not {"size", "nfiles"} & set(_keys(yaml.safe_load((ROOT / "params.yaml").read_text())))


def _closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which stage comes before which, at any distance."""
    reached = set(edges)
    while more := {(a, d) for a, b in reached for c, d in reached if b == c} - reached:
        reached |= more
    return reached


def _parts(text: str) -> set[str]:
    """Return the stages of one step of a Mermaid chain: `a & b["label<br>x"]` gives a and b."""
    return {re.match(r"\w+", part.strip())[0] for part in text.split("&")}  # type: ignore[index]


def test_the_drawing_in_the_readme_has_the_order_of_the_pipeline() -> None:
    drawing = (ROOT / "README.md").read_text().split("```mermaid", 1)[1].split("```", 1)[0]
    drawn = set[tuple[str, str]]()
    for line in drawing.splitlines():
        steps = [_parts(step) for step in line.split("-->")] if "-->" in line else []
        drawn |= {(a, b) for one, other in itertools.pairwise(steps) for a in one for b in other}
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "dag", "--mermaid"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    name = {node: label.split("@")[0] for node, label in re.findall(r'(node\d+)\["(.*?)"\]', shown)}
    edges = {(name[a], name[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", shown)}
    actual = {edge for edge in _closure(edges) if "check_parameters" not in edge}
    assert {edge for edge in _closure(drawn) if edge[0] != "pin"} == actual
