"""The model behind LitServe: ``python -m tests.bench.with_litserve 8000``, JPEG by POST to ``/predict``."""

import sys
from typing import Annotated

import litserve
from fastapi import Body, Response

from tests.bench.served import MAX_BATCH, MAX_WAIT_MS, Model

Jpeg = Annotated[bytes, Body(media_type="application/octet-stream")]


class Api(litserve.LitAPI):  # type: ignore[misc, unused-ignore] # an extra, which may not be there
    """One worker calls the model, as there is one model."""

    def setup(self, device: object) -> None:
        """Load the model, in the worker."""
        del device
        self._model = Model()

    def decode_request(self, request: Jpeg) -> bytes:
        """Leave decoding to the batch."""
        return request

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """Leave a batch as a list."""
        return inputs

    def predict(self, values: list[bytes]) -> list[bytes]:
        """Call the model."""
        return self._model(values)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """It is a list already."""
        return output

    def encode_response(self, output: bytes) -> Response:
        """It is JSON already."""
        return Response(output, media_type="application/json")


if __name__ == "__main__":
    api = Api(max_batch_size=MAX_BATCH, batch_timeout=MAX_WAIT_MS / 1000)
    litserve.LitServer(api, accelerator="cpu", timeout=False).run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        generate_client_file=False,
        pretty_logs=False,
    )
