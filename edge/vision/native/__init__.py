"""Detectron2's models in PyTorch and torchvision operators alone; Detectron2 itself is not needed."""

import os

# Before torch is loaded: OpenMP's threads otherwise spin while they wait for each other, and whatever else runs
# on the edge computer keeps them from meeting. Measured on two cores, one of them busy with something else:
# 2,300 ms a frame when they spin, 107 ms when they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
