"""From annotated frames to a model folder that the daemon serves."""
