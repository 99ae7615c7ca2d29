"""Importing torchvision without torch's compiler, which takes longer to import than all else together."""

import sys
from types import ModuleType


def import_torchvision() -> None:
    """Import torchvision in a fraction of its time.

    One function of its RoI align is imported from `torch._dynamo.utils`, and with it the whole compiler: 60 % of
    what `import torch, torchvision` takes. That function is called only where the compiler is used. So for the
    time of the import a stand-in takes the place of that package; the function that it gives loads the real one when it
    is called. If the compiler or torchvision is there already, this does nothing that an import would not.
    """
    import torch  # noqa: F401, PLC0415 (not before it is needed)

    names = ("torch._dynamo", "torch._dynamo.utils")
    if any(name in sys.modules for name in names):
        return
    package, utils = (ModuleType(name) for name in names)
    package.__path__ = []
    utils.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    sys.modules.update(zip(names, (package, utils), strict=True))
    try:
        import torchvision  # noqa: F401, PLC0415
    finally:
        for name in names:
            del sys.modules[name]


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported  # noqa: PLC0415 (the stand-in is gone by now)

    return bool(is_compile_supported(device))
