"""Detectron2's models in PyTorch and torchvision operators alone; Detectron2 itself is not needed."""

import os

# Before torch is loaded: OpenMP's threads otherwise spin while they wait for each other, and any other busy
# process keeps them from meeting. Measured on two cores, one of them busy: 2,300 ms a frame with threads that
# spin, 107 ms with threads that sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Before memory is first asked for: large tensors in huge pages. Otherwise every tensor of a frame costs a
# page fault each 4 kB, a fifth of a small model's time. Where the system grants none, nothing changes.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
