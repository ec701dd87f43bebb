"""Detectron2's models in PyTorch and torchvision operators alone; Detectron2 itself is not needed."""
