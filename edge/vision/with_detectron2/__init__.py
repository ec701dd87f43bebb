"""The runtime over Detectron2 itself, for the architectures that the native one refuses; an extra."""

import importlib.util

from edge.errors import ModelError


def require_detectron2() -> None:
    """Refuse at once where the library is absent; it is not imported to find out.

    Raises:
        ModelError: says how to install it.
    """
    if importlib.util.find_spec("detectron2") is None:
        raise ModelError(
            "runtime: 'detectron2' needs Detectron2, which is not installed; "
            "install it with: pip install 'stripsight[detectron2]'"
        )
