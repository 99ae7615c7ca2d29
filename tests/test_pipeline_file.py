"""The pipeline files against the code: what a stage imports and reads is what it depends on, no less and no more."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bloodcells.core.parameters import Params

ROOT = Path(__file__).parents[1]
PIPELINES = {path: yaml.safe_load((ROOT / path).read_text()) for path in ("dvc.yaml", "original/dvc.yaml")}
STAGES: dict[str, dict[str, Any]] = {  # as DVC names them: those of the root's file by their names alone
    name if path == "dvc.yaml" else f"{path}:{name}": block
    for path, pipeline in PIPELINES.items()
    for name, block in pipeline["stages"].items()
}
PACKAGES = ("bloodcells", "stages")
WITHOUT_TORCH = (
    "download",
    "clean",
    "explore",
    "prepare",
    "compare",
    "calibrate",
    "doubt",
    "original/dvc.yaml:faulty_split",
    "original/dvc.yaml:flattery",
)


def stage(name: str) -> dict[str, Any]:
    """Give what a stage does, or what each of a matrix does."""
    return STAGES[name]


def module(name: str) -> Path:
    """Give the module that a stage's command runs."""
    command = stage(name)["cmd"]
    found = re.match(r"python -m (stages\.\w+)", command)
    assert found, f"{name}: {command}"
    return Path(*found[1].split(".")).with_suffix(".py")


def dependencies(name: str) -> list[str]:
    """Give the paths of a stage's `deps`; a `dep` with options is a mapping of one path."""
    return [next(iter(dep)) if isinstance(dep, dict) else dep for dep in stage(name)["deps"]]


# ---- what the code imports and reads


def _file(dotted: str, root: Path) -> Path | None:
    """Give the file of a module of the project, relative to its root."""
    path = Path(*dotted.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if (root / file).is_file():
            return file
    return None


@cache
def imports(file: Path, root: Path = ROOT) -> frozenset[Path]:
    """Give the project's modules that a file imports, at its top or within functions."""
    found = set()
    for node in ast.walk(ast.parse((root / file).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: write imports out, relative ones aren't followed"
            names = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {_file(name, root) for name in names if name.split(".")[0] in PACKAGES}
    return frozenset(path for path in found if path)


def reached(start: Path, root: Path = ROOT) -> set[Path]:
    """Give a module and all modules of the project that it imports, directly or through others.

    Packages' `__init__` hold nothing, which a test checks, so they are left out.
    """
    seen, waiting = set(), [start]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imports(file, root)
    return {file for file in seen if file.name != "__init__.py"}


def data_files(modules: set[Path], root: Path = ROOT) -> set[str]:
    """Give the paths of data in the project that modules name as `Path("bloodcells", …)`."""
    found = set()
    for file in modules:
        for node in ast.walk(ast.parse((root / file).read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Path":
                parts = [part.value for part in node.args if isinstance(part, ast.Constant)]
                if len(parts) == len(node.args) and parts and parts[0] in PACKAGES:
                    found.add("/".join(map(str, parts)))
    return found


def sections(file: Path, root: Path = ROOT) -> set[str]:
    """Give the sections of the parameters that a stage's own module reads from what it calls `params`."""
    tree = ast.parse((root / file).read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
            found |= {"models" if node.attr == "model" else node.attr} - {"model_dump"}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "params.model_dump":
            include = [word.value for word in node.keywords if word.arg == "include"]
            assert include, f"{file}: dumps all parameters, so that any change would run it again"
            found |= set(ast.literal_eval(include[0]))
    return found


def declared(name: str) -> set[str]:
    return {key.split(".")[0] for key in stage(name)["params"]}


# ---- the checks


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_it_imports_and_on_no_other(name: str) -> None:
    code = {path for path in dependencies(name) if path.startswith(PACKAGES) and path.endswith(".py")}
    expected = {path.as_posix() for path in reached(module(name))}
    missing, idle = sorted(expected - code), sorted(code - expected)
    assert not missing, f"{name}: add to deps: {', '.join(missing)}"
    assert not idle, f"{name}: not imported, take out of deps: {', '.join(idle)}"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_data_of_the_package_that_it_reads(name: str) -> None:
    data = {path for path in dependencies(name) if path.startswith(PACKAGES) and not path.endswith(".py")}
    assert data == data_files(reached(module(name)))
    assert all((ROOT / path).is_file() for path in data)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_parameters_it_reads_and_no_others(name: str) -> None:
    read = sections(module(name))
    assert read <= set(Params.model_fields), f"{module(name)} reads what is no parameter"
    missing, idle = sorted(read - declared(name)), sorted(declared(name) - read)
    assert not missing, f"{name}: add to params: {', '.join(missing)}"
    assert not idle, f"{name}: not read, take out of params: {', '.join(idle)}"


def test_every_module_of_stages_is_a_stage_of_its_name() -> None:
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert {name.rpartition(":")[2] for name in STAGES} == modules
    assert all(module(name).stem == name.rpartition(":")[2] for name in STAGES)


def test_every_stage_runs_in_the_root() -> None:
    """Its paths are meant from there."""
    for path, pipeline in PIPELINES.items():
        for name, block in pipeline["stages"].items():
            assert (ROOT / path).parent.joinpath(block.get("wdir", ".")).resolve() == ROOT.resolve(), f"{path}: {name}"


def test_packages_run_nothing_of_their_own() -> None:
    """Importing a module runs its package's `__init__` too, which is among no stage's deps."""
    for package in PACKAGES:
        body = ast.parse((ROOT / package / "__init__.py").read_text()).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def test_imports_and_reads_are_found_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "bloodcells").mkdir()
    (tmp_path / "stages").mkdir()
    sources = {
        "stages/a.py": "import numpy\nfrom bloodcells import one\n"
        "def main():\n    import bloodcells.two as two\n    params = read()\n"
        "    return params.clean.n_splits, params.model('x'), params.model_dump(include={'train'}), other.image",
        "bloodcells/one.py": "from bloodcells.three import thing\nBOXES = Path('bloodcells', 'set', 'boxes.csv')\n",
        "bloodcells/two.py": "",
        "bloodcells/three.py": "from bloodcells import one\n",
        "bloodcells/four.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    start = Path("stages/a.py")
    assert {path.as_posix() for path in reached(start, tmp_path)} == {
        "stages/a.py",
        "bloodcells/one.py",
        "bloodcells/two.py",
        "bloodcells/three.py",
    }
    assert data_files(reached(start, tmp_path), tmp_path) == {"bloodcells/set/boxes.csv"}
    assert sections(start, tmp_path) == {"clean", "models", "train"}


def test_stages_that_need_no_torch_do_not_import_it() -> None:
    code = "\n".join(
        [
            "import sys",
            *(f"import stages.{module(name).stem}" for name in WITHOUT_TORCH),
            "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'torchvision', 'lightning'}))",
        ]
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
    for name in WITHOUT_TORCH:  # nor within functions
        for file in reached(module(name)):
            tree = ast.parse((ROOT / file).read_text())
            names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            heavy = {n for n in names if n.split(".")[0] in ("torch", "torchvision", "lightning", "dvclive")}
            assert not heavy, f"{name} imports {file}, which imports {', '.join(heavy)}"
