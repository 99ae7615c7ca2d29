"""Reading `params.yaml`.

Each room declares the section that it uses (`TrainParameters` in `bloodcells.training.parameters`, say), and each stage
the sections that it reads. A new key therefore concerns only the stages that declare its section.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bloodcells.core.errors import InputError
from bloodcells.core.paths import DatasetPaths

PARAMETERS = Path("params.yaml")

Seed = Annotated[int, Field(ge=0, lt=2**31)]
"""A seed that NumPy and PyTorch accept, also after a fold number is added."""

Proportion = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
"""The name of a folder in `datasets/` that holds a record."""

TestFolds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]

ModelNames = Annotated[dict[Name, Any], Field(min_length=1)]
"""The `models` section of a stage that needs the names alone."""

_Schema = TypeVar("_Schema", bound=BaseModel)
_Value = TypeVar("_Value")


class Section(BaseModel):
    """A section of `params.yaml`: every key is required, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StageParameters(BaseModel):
    """The parameters that one stage reads; it ignores the other sections of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    dataset: DatasetName

    @property
    def paths(self) -> DatasetPaths:
        """The paths of the chosen data set."""
        return DatasetPaths(self.dataset)


class ImageParameters(Section):
    """What of an image the networks see; see `image` in `params.yaml`."""

    input: Literal["crop", "full"]
    crop: int = Field(ge=16)
    side: int = Field(ge=64)


def read_parameters(schema: type[_Schema], path: Path = PARAMETERS) -> _Schema:
    """Read and check the parameters that a schema declares.

    Raises:
        InputError: the file is missing or not YAML, or a value is wrong. The message names every wrong key, in one
            line.
    """
    content = read_yaml(path)
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {'; '.join(map(describe_error, error.errors()))}") from None


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a YAML file that holds keys.

    Raises:
        InputError: the file is missing, can't be read, is not YAML, holds no keys, or a key twice.
    """
    try:
        content = yaml.load(path.read_bytes(), _Loader)  # noqa: S506  (a safe loader)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run this in the root of the project") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or an impossible date
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: not YAML: {problem or getattr(error, 'reason', error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no keys")
    return content


class _Loader(yaml.SafeLoader):
    """A loader that refuses a key that is there twice, of which PyYAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping of different keys."""
        self.flatten_mapping(node)
        content = super().construct_mapping(node, deep)
        if len(content) < len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), keys[0] if keys else "")
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is there twice", node.start_mark)
        return content


def select_model(models: Mapping[str, _Value], name: str) -> _Value:
    """Return the entry of one model.

    Raises:
        InputError: there is no model of that name.
    """
    if name not in models:
        close = difflib.get_close_matches(name, models, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"no model {name!r} under `models:` in params.yaml (it has {', '.join(models)}){hint}")
    return models[name]


def describe_error(error: Mapping[str, Any]) -> str:
    """Describe one of Pydantic's errors in a few words: the key, what is wrong, and the value."""
    key = ".".join(str(part) for part in error["loc"])
    got = "" if error["type"] == "missing" or not key else f" (got {error['input']!r})"
    return f"{key + ': ' if key else ''}{error['msg'].removeprefix('Value error, ')}{got}"
