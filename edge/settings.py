"""All settings of the daemon, in one frozen tree.

Sources, the stronger first: command-line flags, environment (``STRIPSIGHT_KAFKA__GROUP_ID``), the TOML file,
the defaults below. How the sources are read, and how a wrong setting is named: ``edge.configuration``.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from edge.contracts.frame import LARGEST_PITCH_MM, LARGEST_POSITION_MM, Side

_LARGEST_PORT = 65535
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _without_controls(name: str) -> str:
    """Hold names to what records allow: readers refuse the others."""
    if _CONTROL_CHARACTER.search(name):
        raise ValueError("it has control characters")
    return name


Port = Annotated[int, Field(ge=0, le=_LARGEST_PORT)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
PitchMm = Annotated[float, Field(gt=0, le=LARGEST_PITCH_MM)]
PositionMm = Annotated[float, Field(ge=-LARGEST_POSITION_MM, le=LARGEST_POSITION_MM)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_controls)]
TOPIC_PATTERN = r"^[A-Za-z0-9._-]{1,249}$"
Topic = Annotated[str, Field(pattern=TOPIC_PATTERN)]

ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?$")]

MEBIBYTE = 2**20

MASK = str(SecretStr("any"))
"""What is shown in place of a secret."""

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?"
_HOSTS = rf"^\s*{_HOST}(\s*,\s*{_HOST})*\s*$"


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


def _checked_ports(hosts: str) -> str:
    for port in re.findall(r":(\d+)\s*(?:,|$)", hosts):
        if not 1 <= int(port) <= _LARGEST_PORT:
            raise ValueError(f"there is no port {port}; ports go from 1 to {_LARGEST_PORT}")
    return hosts


Hosts = Annotated[str, Field(pattern=_HOSTS), AfterValidator(_checked_ports)]

RegularExpression = Annotated[
    str, Field(json_schema_extra={"format": "regex"}), AfterValidator(_checked_pattern)
]


class _Section(BaseModel):
    # TOML knows nan and inf; no setting here means anything by them.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class KafkaSettings(_Section):
    """Where the broker is, and the names of the topics."""

    bootstrap_servers: Hosts = Field(default="localhost:9092", description="host:port, comma separated")
    client_id: str = Field(default="stripsight", description="how the daemon is called in the broker's logs")
    group_id: str = Field(
        default="stripsight", min_length=1, description="consumer group that shares the cameras"
    )
    frame_topics: list[Topic] | None = Field(
        default=None, description="exact frame topics, instead of the pattern"
    )
    frame_topic_pattern: RegularExpression = Field(
        default=r"^frames\.(?!dead-letter$).+", description="regular expression of the frame topics"
    )
    defects_topic: Topic = Field(default="defects", description="where defects go")
    inspections_topic: Topic = Field(
        default="inspections", description="where the inspection records go, one for every frame"
    )
    dead_letter_topic: Topic = Field(
        default="frames.dead-letter", description="where frames go that cannot be inspected"
    )
    create_topics: bool = Field(default=True, description="create result topics that are missing")
    max_message_bytes: PositiveInt = Field(
        default=16 * MEBIBYTE, description="largest frame, in bytes as encoded"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="encryption and login"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="how to log in"
    )
    sasl_username: str | None = Field(default=None, description="of the daemon's account")
    sasl_password: SecretStr | None = Field(
        default=None, description="of the daemon's account; better in the environment than in the file"
    )
    ssl_ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the brokers"
    )
    session_timeout_ms: Annotated[int, Field(ge=1000)] = Field(
        default=10_000, description="after so long without a heartbeat a daemon's cameras go to another one"
    )
    request_timeout_ms: PositiveInt = Field(
        default=40_000, description="how long a request to the broker may take"
    )

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(
                f"security_protocol {self.security_protocol} needs sasl_username and sasl_password"
            )
        return self


class PipelineSettings(_Section):
    """Batching, bounds and deadlines between intake and commit."""

    max_batch: PositiveInt = Field(default=8, description="frames a batch at most")
    max_wait_ms: Annotated[float, Field(ge=0)] = Field(
        default=20.0, description="how long a batch waits for more after its first frame"
    )
    queue_frames: PositiveInt = Field(
        default=32,
        description="frames taken in that wait for the model, at most (under shed no more than two batches); "
        "its batch comes on top",
    )
    max_decoded_bytes: PositiveInt = Field(
        default=512 * MEBIBYTE, description="memory for decoded frames; fewer wait when they are large"
    )
    stall_timeout_s: PositiveFloat = Field(
        default=60.0, description="a batch that takes longer turns /healthz and /readyz red"
    )
    decode_threads: PositiveInt = Field(default=2, description="threads that decode images")
    max_pixels: PositiveInt = Field(default=64 * MEBIBYTE, description="largest frame, in pixels")
    commit_interval_ms: PositiveFloat = Field(default=200.0, description="how often offsets are committed")
    drain_timeout_s: PositiveFloat = Field(
        default=20.0, description="after a stop signal: time to finish what is in flight"
    )
    overload: Literal["block", "shed"] = Field(
        default="block",
        description="when the model is slower than the cameras: block lets frames wait at the broker, shed "
        "skips those that are too old",
    )
    max_frame_age_ms: PositiveFloat | None = Field(
        default=None, description="shed: frames older than this, from their capture, are skipped"
    )
    target_p99_ms: PositiveFloat | None = Field(
        default=None,
        description="from intake to result for 99 of 100 frames; batch and wait are then chosen from the "
        "model's measured time, up to max_batch and max_wait_ms",
    )

    @model_validator(mode="after")
    def _shed_is_complete(self) -> "PipelineSettings":
        if self.overload == "shed" and self.max_frame_age_ms is None:
            raise ValueError("overload shed needs max_frame_age_ms: how old a frame may be")
        return self


class ModelSettings(_Section):
    """Which model looks at the frames, and how it runs."""

    path: Path | None = Field(
        default=None, description="folder with config.yaml and weights; default: the bundled model"
    )
    runtime: Literal["native", "detectron2", "fake"] = Field(
        default="native",
        description="native serves R-CNN model folders; detectron2 serves any, by the library of that name "
        "(an extra); fake finds what it is told to, for tests",
    )
    imports: list[ImportPath] = Field(
        default=[],
        description="detectron2 runtime: modules to import, whose code is executed, for projects beyond the "
        "library; module:function calls the function with the config",
    )
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:1, ...")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of the convolutions; boxes and scores are always float32"
    )
    threads: PositiveInt | None = Field(
        default=None, description="CPU threads of the model; default: PyTorch's choice"
    )
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="one threshold for every class, instead of the model's own"
    )
    fake_delay_ms: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="fake runtime: time a batch takes"
    )
    fake_delay_per_frame_ms: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="fake runtime: time that each frame of a batch adds"
    )
    fake_defects: Annotated[int, Field(ge=0)] = Field(
        default=1, description="fake runtime: defects on every frame"
    )


class HttpSettings(_Section):
    """Metrics and health on one port."""

    host: str = Field(
        default="127.0.0.1", description="address to listen on; 0.0.0.0 opens it to the network"
    )
    port: Port = Field(default=9108, description="0 takes any free port")


class LogSettings(_Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least severe that is logged"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON"
    )


class CameraSettings(_Section):
    """What is known of a camera; counts where a frame's own headers are silent."""

    line: Name | None = Field(default=None, description="default: the daemon's line")
    side: Side = Field(default="top", description="side of the strip that it looks at")
    pitch_x_mm: PitchMm | None = Field(default=None, description="mm of strip a pixel, across the strip")
    pitch_y_mm: PitchMm | None = Field(default=None, description="mm of strip a pixel, along the coil")
    offset_mm: PositionMm = Field(default=0.0, description="first column, from the operator-side edge")
    content_type: Name | None = Field(default=None, description="default: told from the first bytes")
    width_px: PositiveInt | None = Field(default=None, description="of raw frames")
    height_px: PositiveInt | None = Field(default=None, description="of raw frames")


class Settings(_Section):
    """The whole tree."""

    line: Name = Field(default="line-1", description="name of the rolling line")
    kafka: KafkaSettings = KafkaSettings()
    pipeline: PipelineSettings = PipelineSettings()
    model: ModelSettings = ModelSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    cameras: dict[Name, CameraSettings] = Field(default_factory=dict, description="by camera id")
