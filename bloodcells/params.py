"""The parameters: their types, their limits, and how `params.yaml` is read."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bloodcells.errors import InputError
from bloodcells.labels import CLASSES

Seed = Annotated[int, Field(ge=0, lt=2**31)]  # with a fold's number added, numpy and torch still take it
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rendered(_Section):
    images: int = Field(ge=20)
    seed: Seed


class Clean(_Section):
    folds: int = Field(ge=2)
    seed: Seed
    validation: float = Field(gt=0, le=0.5)
    near_duplicate: float = Field(gt=0, le=1)
    downsample: dict[str, Share]
    oversample: dict[str, Share]

    @field_validator("downsample", "oversample")
    @classmethod
    def _known_classes(cls, rates: dict[str, float]) -> dict[str, float]:
        unknown = [label for label in rates if label not in CLASSES]
        if unknown:
            raise ValueError(f"unknown class {', '.join(unknown)}; known are {', '.join(CLASSES)}")
        return rates


class Image(_Section):
    frame: Literal["cell", "whole"]
    crop: int = Field(ge=16)
    size: int = Field(ge=64)


class Augment(_Section):
    rotate: float = Field(ge=0, le=180)
    zoom: float = Field(ge=0, le=3)
    shift: Share
    colour: float = Field(ge=0, lt=1)


class Train(_Section):
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    warmup: Share
    label_smoothing: float = Field(ge=0, lt=1)
    gradient_clip: float = Field(gt=0)
    augment: Augment
    choose_over: int = Field(ge=1)
    precision: Literal["auto", "32", "bf16"]
    devices: int = Field(ge=1)
    nodes: int = Field(ge=1)
    seed: Seed

    @field_validator("precision", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value)  # YAML reads 32 as a number


class Evaluate(_Section):
    views: Literal[1, 8]
    risk: float = Field(gt=0, lt=1)


class Compare(_Section):
    resamples: int = Field(ge=100)
    seed: Seed


class Review(_Section):
    least_accuracy: Share


class Model(_Section):
    architecture: Name
    weights: str = Field(min_length=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    bccd_epochs_factor: float = Field(gt=0, default=1.0)


class Params(_Section):
    """All of `params.yaml`; every key is needed, and an unknown one refused."""

    dataset: Literal["rendered", "bccd"]
    rendered: Rendered
    clean: Clean
    folds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    image: Image
    train: Train
    evaluate: Evaluate
    compare: Compare
    review: Review
    models: dict[Name, Model] = Field(min_length=1)

    @model_validator(mode="after")
    def _folds_exist(self) -> "Params":
        if len(set(self.folds)) < len(self.folds):
            raise ValueError("folds: each fold once")
        if max(self.folds) >= self.clean.folds:
            raise ValueError(f"folds: {max(self.folds)} is none of 0 to {self.clean.folds - 1} (clean.folds)")
        return self

    def model(self, name: str) -> Model:
        """Give the block of one model. Raises InputError where there is none of that name."""
        if name not in self.models:
            raise InputError(f"no model {name!r} under `models:` (there are {', '.join(self.models)})")
        return self.models[name]


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters.

    Raises:
        InputError: no such file, no YAML, or a wrong value; the message names each key, in one line.
    """
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run this in the root of the project") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: no YAML: {problem or getattr(error, 'reason', error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no keys; it must hold {', '.join(Params.model_fields)}")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        wrong = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            got = "" if item["type"] == "missing" or not key else f" (got {item['input']!r})"
            wrong.append(f"{key + ': ' if key else ''}{item['msg'].removeprefix('Value error, ')}{got}")
        raise InputError(f"{path}: {'; '.join(wrong)}") from None
