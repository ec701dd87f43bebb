"""Training: losses, solver and loop, by Detectron2's config."""
