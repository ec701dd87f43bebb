"""The file that goes into the archive: TorchServe takes the one class that is defined in it."""

from edge.serving.torchserve.handler import Handler


class StripsightHandler(Handler):
    """Serves the model folder of its archive."""
