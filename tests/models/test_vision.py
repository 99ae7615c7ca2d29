import subprocess
import sys

SCRIPT = """
import sys
import torch
from bloodcells.networks import build
from bloodcells.vision import torchvision
build("resnet18", 4, 64)
assert "torch._dynamo" not in sys.modules, "the compiler is loaded"
boxes = torch.tensor([[0.0, 0, 0, 4, 4]])
print(torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), boxes, 2).sum().item())
print(sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu"))
print("optimize" in vars(sys.modules["torch._dynamo"]))
"""


def test_torchvision_works_without_the_compiler_until_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["4.0", "True", "True"]
