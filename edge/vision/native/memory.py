"""Memory of torch's devices: how it is told that it ran out, and how what is cached is given back."""

import torch

# torch has a type for CUDA's allocator alone. The CPU's allocator, and CUDA's libraries where they take
# memory by themselves, tell it in words (c10/core/impl/alloc_cpu.cpp, aten/src/ATen/cuda/Exceptions.h).
_TOLD = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device, or the machine, had no memory left for what was asked."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TOLD)


def free_cache() -> None:
    """Give back what torch keeps of CUDA's memory for later; what is in use stays."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # one of few in torch
        torch.cuda.empty_cache()
