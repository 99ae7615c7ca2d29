"""torchvision, imported without torch's compiler, which takes longer to import than all else together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch  # noqa: F401 (before the stand-in)


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Keep `torch._dynamo` from being loaded by what is imported meanwhile.

    torchvision's RoI align takes one function from `torch._dynamo.utils`, and with it comes the whole compiler: 60 % of
    what `import torch, torchvision` takes. That function is called only where the compiler is used. So a stand-in
    takes the place of the package for so long; the function that it gives loads the real one when it is called.
    If the compiler or torchvision is there already, this does nothing that an import would not.
    """
    names = ("torch._dynamo", "torch._dynamo.utils")
    if any(name in sys.modules for name in names):
        yield
        return
    package, utils = (ModuleType(name) for name in names)
    package.__path__ = []
    utils.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    sys.modules.update(zip(names, (package, utils), strict=True))
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported  # noqa: PLC0415 (the stand-in is gone by now)

    return bool(is_compile_supported(device))


with _without_compiler():
    import torchvision

__all__ = ["torchvision"]
