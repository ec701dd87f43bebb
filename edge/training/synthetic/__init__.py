"""A procedural steel strip with ground truth, after the statistics of Severstal's data."""

from edge.training.synthetic.sizes import BALANCED_COMBINATIONS, NATURAL_COMBINATIONS
from edge.training.synthetic.strip import GroundTruth, SyntheticFrame, SyntheticStrip

__all__ = [
    "BALANCED_COMBINATIONS",
    "NATURAL_COMBINATIONS",
    "GroundTruth",
    "SyntheticFrame",
    "SyntheticStrip",
]
