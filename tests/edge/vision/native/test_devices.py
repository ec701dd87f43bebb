"""What devices tell of themselves."""

import pytest
import torch

from edge.vision.device import DeviceUse
from edge.vision.native.devices import device_use, usable_device
from tests.conftest import skip_or_fail

GPU = torch.device("cuda:0")


def test_a_cpu_has_no_use_to_tell() -> None:
    """Its memory is the machine's, which others watch."""
    assert device_use(usable_device("cpu")) is None


def test_a_gpu_tells_what_is_taken() -> None:
    """A tensor of 64 MiB is seen in the memory in use."""
    if not torch.cuda.is_available():
        skip_or_fail("gpu", "no CUDA device")
    device = usable_device("cuda")
    before = device_use(device)
    held = torch.zeros(64 * 2**20, dtype=torch.uint8, device=device)
    after = device_use(device)
    assert before is not None
    assert after is not None
    assert after.memory_used_bytes >= before.memory_used_bytes
    assert held.numel() <= after.memory_used_bytes <= after.memory_total_bytes


def test_memory_is_told_where_nobody_knows_the_utilization(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NVIDIA's management library, or on a GPU that it does not know, the memory is known still."""

    def unknown(_: torch.device) -> int:
        raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (30, 100))
    monkeypatch.setattr(torch.cuda, "utilization", unknown)
    assert device_use(GPU) == DeviceUse("cuda:0", memory_used_bytes=70, memory_total_bytes=100)
    monkeypatch.setattr(torch.cuda, "utilization", lambda _: 42)
    assert device_use(GPU) == DeviceUse("cuda:0", 70, 100, utilization=0.42)


def test_a_gpu_that_failed_spoils_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of CUDA every call fails; the other metrics are needed all the more."""

    def failed(_: torch.device) -> tuple[int, int]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "mem_get_info", failed)
    assert device_use(GPU) is None
