"""``--engine detectron2``: the same config and frames for Detectron2's own DefaultTrainer."""
