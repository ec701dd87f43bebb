"""Stripsight: the daemon that inspects steel strip beside the line."""

from importlib.metadata import version

__version__ = version("stripsight")
