"""All settings of the daemon, in one frozen tree.

Sources, the stronger first: command-line flags, environment (``STRIPSIGHT_KAFKA__GROUP_ID``), the TOML file,
the defaults below. How the sources are read, and how a wrong setting is named: ``edge/configuration.py``.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from edge.contracts.frame import Side

Port = Annotated[int, Field(ge=0, le=65535)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]

MEBIBYTE = 2**20


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class KafkaSettings(_Section):
    """Where the broker is, and the names of the topics."""

    bootstrap_servers: str = Field("localhost:9092", min_length=1, description="host:port, comma separated")
    client_id: str = "stripsight"
    group_id: str = Field("stripsight", min_length=1, description="consumer group that shares the cameras")
    frame_topics: list[Topic] | None = Field(None, description="exact frame topics, instead of the pattern")
    frame_topic_pattern: str = Field(
        r"^frames\.(?!dead-letter$).+", description="regular expression of the frame topics"
    )
    defects_topic: Topic = "defects"
    inspections_topic: Topic = "inspections"
    dead_letter_topic: Topic = "frames.dead-letter"
    create_topics: bool = Field(True, description="create result topics that are missing")
    max_message_bytes: PositiveInt = Field(16 * MEBIBYTE, description="largest frame, in bytes as encoded")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority that signed the brokers")
    request_timeout_ms: PositiveInt = 40_000

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
        return self


class PipelineSettings(_Section):
    """Batching, bounds and deadlines between intake and commit."""

    max_batch: PositiveInt = Field(8, description="frames a batch at most")
    max_wait_ms: Annotated[float, Field(ge=0)] = Field(
        20.0, description="how long a batch waits for more after its first frame"
    )
    queue_frames: PositiveInt = Field(32, description="frames taken in and not yet inferred, at most")
    decode_threads: PositiveInt = 2
    max_pixels: PositiveInt = Field(64 * MEBIBYTE, description="largest frame, in pixels")
    commit_interval_ms: PositiveFloat = 200.0
    drain_timeout_s: PositiveFloat = Field(
        20.0, description="after a stop signal: time to finish what is in flight"
    )


class ModelSettings(_Section):
    """Which model looks at the frames, and how it runs."""

    path: Path | None = Field(None, description="folder with config.yaml and weights; default: the bundled model")
    runtime: Literal["native", "fake"] = "native"
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, ...")
    threads: PositiveInt | None = Field(None, description="CPU threads of the model; default: PyTorch's choice")
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="one threshold for every class, instead of the model's own"
    )
    fake_delay_ms: Annotated[float, Field(ge=0)] = Field(0.0, description="fake runtime: time a batch takes")
    fake_defects: Annotated[int, Field(ge=0)] = Field(1, description="fake runtime: defects on every frame")


class HttpSettings(_Section):
    """Metrics and health on one port."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 opens it to the network")
    port: Port = Field(9108, description="0 takes any free port")


class LogSettings(_Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")


class CameraSettings(_Section):
    """What is known of a camera; counts where a frame's own headers are silent."""

    line: str | None = Field(None, description="default: the daemon's line")
    side: Side = "top"
    pitch_x_mm: PositiveFloat | None = Field(None, description="mm of strip a pixel, across the strip")
    pitch_y_mm: PositiveFloat | None = Field(None, description="mm of strip a pixel, along the coil")
    offset_mm: float = Field(0.0, description="first column, from the operator-side edge")
    content_type: str | None = Field(None, description="default: told from the first bytes")
    width_px: PositiveInt | None = Field(None, description="of raw frames")
    height_px: PositiveInt | None = Field(None, description="of raw frames")


class Settings(_Section):
    """The whole tree."""

    line: str = Field("line-1", min_length=1, description="name of the rolling line")
    kafka: KafkaSettings = KafkaSettings()
    pipeline: PipelineSettings = PipelineSettings()
    model: ModelSettings = ModelSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    cameras: dict[str, CameraSettings] = Field(default_factory=dict, description="by camera id")
