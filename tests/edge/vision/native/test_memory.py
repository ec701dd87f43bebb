"""Memory that runs out is told by one type."""

import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edge.errors import ModelMemoryError
from edge.vision.native.memory import is_out_of_memory
from edge.vision.native.runtime import NativeRuntime

FOREVER = 2**50


@pytest.mark.parametrize("allocate", [torch.empty, np.empty, bytearray])
def test_every_allocator_s_refusal_is_known(allocate: Callable[[int], object]) -> None:
    """Torch's own for the CPU, numpy's and Python's; as they refuse here and now."""
    with pytest.raises((RuntimeError, MemoryError)) as refused:
        allocate(FOREVER)
    assert is_out_of_memory(refused.value)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("DefaultCPUAllocator"), False),
    ],
)
def test_what_cuda_s_libraries_say_is_known(error: Exception, is_it: bool) -> None:
    """By type where there is one, else by words."""
    assert is_out_of_memory(error) is is_it


def test_a_model_that_runs_out_of_memory_says_so_and_goes_on(
    model_folder: Callable[..., Path],
    frame: Callable[..., npt.NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the call had taken is free when the error arrives, and a smaller call is answered."""
    runtime = NativeRuntime(model_folder(), device="cpu")
    batch, taken = runtime._model.batch, []

    def batch_too_large(inputs: list[torch.Tensor]) -> object:
        if len(inputs) > 1:
            (tensor := torch.zeros(1)).requires_grad_(False)
            taken.append(weakref.ref(tensor))
            return torch.empty(FOREVER)
        return batch(inputs)

    monkeypatch.setattr(runtime._model, "batch", batch_too_large)
    with pytest.raises(ModelMemoryError, match=r"2 frames on cpu: .*DefaultCPUAllocator") as refused:
        runtime.infer([frame(64, 64), frame(64, 64)])
    assert taken[0]() is None
    assert refused.value.__context__ is None
    assert len(runtime.infer([frame(64, 64)])) == 1


def test_a_limit_of_the_machine_is_met_in_words(model_folder: Callable[..., Path]) -> None:
    """Where memory is limited, a large picture fails by type, and a small one is still answered."""
    program = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from edge.errors import ModelMemoryError
from edge.vision.native.runtime import NativeRuntime
torch.set_num_threads(1)
runtime = NativeRuntime(Path(sys.argv[1]), device="cpu")
runtime.infer([np.zeros((64, 64), np.uint8)])
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 200 * 2**20,) * 2)
try:
    runtime.infer([np.zeros((4096, 4096), np.uint8)])
except ModelMemoryError as error:
    print("memory:", error)
print(len(runtime.infer([np.zeros((64, 64), np.uint8)])))
"""
    folder = model_folder(**{"INPUT.MIN_SIZE_TEST": 0})
    run = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("memory: 1 frames on cpu: ")
    assert run.stdout.splitlines()[-1] == "1"


def test_a_model_that_is_closed_is_gone(model_folder: Callable[..., Path]) -> None:
    """At once, without a garbage collection, though somebody still holds the runtime."""
    runtime = NativeRuntime(model_folder(), device="cpu")
    runtime.warmup()
    weights = weakref.ref(next(runtime._model.parameters()))
    runtime.close()
    assert weights() is None
