"""The model behind mosec: ``python -m tests.bench.with_mosec --port 8000``, JPEG to ``/inference``."""

import mosec

from tests.bench.served import MAX_BATCH, MAX_WAIT_MS, Model


class Worker(mosec.Worker):  # type: ignore[misc, unused-ignore] # an extra, which may not be there
    """One worker calls the model, as there is one model."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Model()

    def deserialize(self, data: bytes) -> bytes:
        """Leave decoding to the batch."""
        return data

    def forward(self, data: list[bytes]) -> list[bytes]:
        """Call the model."""
        return self._model(data)

    def serialize(self, data: bytes) -> bytes:
        """It is JSON already."""
        return data


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Worker, num=1, max_batch_size=MAX_BATCH, max_wait_time=round(MAX_WAIT_MS))
    server.run()
