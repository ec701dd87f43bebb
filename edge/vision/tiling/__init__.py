"""Frames that are larger than those a model knows: cut into tiles, and what is found on them put together."""
