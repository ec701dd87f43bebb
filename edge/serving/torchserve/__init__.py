"""TorchServe: an archive of a model folder, and the handler that serves it.

TorchServe is archived upstream and gets no security patches. docs/serving.md says what this is good for.
"""

import importlib.util

from edge.errors import ModelError


def require_archiver() -> None:
    """Refuse at once where torch-model-archiver is absent.

    Raises:
        ModelError: says how to install it.
    """
    if importlib.util.find_spec("model_archiver") is None:
        raise ModelError(
            "package torchserve needs torch-model-archiver, which is not installed; "
            "install it with: pip install 'stripsight[torchserve]'"
        )
