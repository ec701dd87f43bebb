"""All settings of the daemon, in one frozen tree.

Sources, the stronger first: command-line flags, environment (``STRIPSIGHT_KAFKA__GROUP_ID``), the TOML file,
the defaults below. How the sources are read, and how a wrong setting is named: ``edge.configuration``.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

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

# Kafka also lets other names begin with a dot; those that are nothing but one or two are what it refuses.
InstanceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")]

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


def _checked_token(token: SecretStr) -> SecretStr:
    """Hold a token to what a header can carry (RFC 6750, 2.1); the message must not tell it."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token.get_secret_value()):
        raise ValueError("a bearer token has letters, digits and -._~+/ alone, and perhaps = at its end")
    return token


# 16 characters of any alphabet are more than can be guessed over a network.
Token = Annotated[SecretStr, Field(min_length=16, max_length=512), AfterValidator(_checked_token)]

Hosts = Annotated[str, Field(pattern=_HOSTS), AfterValidator(_checked_ports)]


def _check_token_url(url: str) -> None:
    """Refuse an address that would tell a secret; it is not quoted, since one may stand in it."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:  # its words may quote a password
        is_whole = False
    if not is_whole:
        raise ValueError("sasl_oauth_token_url is no URL of a token endpoint, such as https://host:port/path")
    if "@" in parts.netloc:
        raise ValueError("sasl_oauth_token_url names a user; that belongs to sasl_username and sasl_password")
    if parts.scheme != "https" and not _is_local_http(parts):
        raise ValueError(
            "sasl_oauth_token_url is not https, which would send the secret in the clear; "
            "http is for this machine alone (localhost, 127.0.0.1, ::1)"
        )


def _is_local_http(parts: SplitResult) -> bool:
    try:
        is_local = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a name
        is_local = False
    return parts.scheme == "http" and is_local


def _check_trace_endpoint(url: str) -> None:
    """Refuse what is no address of a collector; it is not quoted, since a secret may stand in it."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its words may quote a password
        is_whole = False
    if not is_whole or parts.query or parts.fragment:
        raise ValueError(
            "endpoint is no URL of a collector, such as http://host:4318 or https://host/v1/traces"
        )
    if "@" in parts.netloc:
        raise ValueError("endpoint names a user; what logs in belongs to OTEL_EXPORTER_OTLP_HEADERS")


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
    group_instance_id: InstanceId | None = Field(
        default=None,
        description="static membership: a name that no other daemon has; back within session_timeout_ms, "
        "the daemon goes on with the same cameras, and disturbs no other",
    )
    delivery: Literal["at_least_once", "exactly_once"] = Field(
        default="at_least_once",
        description="exactly_once publishes results and commits offsets in one transaction: consumers "
        "that read committed records see each once",
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
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        default="PLAIN", description="how to log in; OAUTHBEARER: with a token, by client credentials"
    )
    sasl_username: str | None = Field(
        default=None, description="of the daemon's account; OAUTHBEARER: the client's id"
    )
    sasl_password: SecretStr | None = Field(
        default=None,
        description="of the daemon's account; OAUTHBEARER: the client's secret; better in the environment "
        "than in the file",
    )
    sasl_oauth_token_url: str | None = Field(
        default=None, description="OAUTHBEARER: where tokens come from; https, or http on this machine"
    )
    sasl_oauth_scope: str | None = Field(
        default=None, description="OAUTHBEARER: what the token is asked for; several are separated by spaces"
    )
    ssl_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that signed the brokers, and the token endpoint; "
        "default: the system's",
    )
    ssl_cert_file: Path | None = Field(
        default=None, description="PEM file of the daemon's own certificate, for brokers that ask for one"
    )
    ssl_key_file: Path | None = Field(default=None, description="PEM file of the key to that certificate")
    ssl_key_password: SecretStr | None = Field(default=None, description="of that key, if it is encrypted")
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

    @model_validator(mode="after")
    def _oauth_is_complete(self) -> "KafkaSettings":
        if self.sasl_oauth_token_url is not None:
            _check_token_url(self.sasl_oauth_token_url)
            if self.sasl_mechanism != "OAUTHBEARER":  # the broker would get the secret of the token endpoint
                raise ValueError(
                    f"sasl_oauth_token_url is for sasl_mechanism OAUTHBEARER, not {self.sasl_mechanism}"
                )
        elif self.sasl_mechanism == "OAUTHBEARER":
            raise ValueError("sasl_mechanism OAUTHBEARER needs sasl_oauth_token_url")
        return self

    @model_validator(mode="after")
    def _certificate_is_complete(self) -> "KafkaSettings":
        if self.ssl_cert_file and not self.ssl_key_file:
            raise ValueError("ssl_cert_file needs ssl_key_file, the key to that certificate")
        if self.ssl_key_file and not self.ssl_cert_file:
            raise ValueError("ssl_key_file needs ssl_cert_file, the certificate of that key")
        if self.ssl_key_password and not self.ssl_key_file:
            raise ValueError("ssl_key_password needs ssl_key_file, which it opens")
        return self

    @model_validator(mode="after")
    def _tls_is_meant(self) -> "KafkaSettings":
        """Who names certificates expects encryption; a token endpoint has it whatever the broker has."""
        is_for_tokens = self.sasl_mechanism == "OAUTHBEARER"
        of_tls = {
            "ssl_cert_file": self.ssl_cert_file,
            "ssl_ca_file": None if is_for_tokens else self.ssl_ca_file,
        }
        for name, file in of_tls.items():
            if file and not self.security_protocol.endswith("SSL"):
                raise ValueError(
                    f"{name} is of no use with security_protocol {self.security_protocol}, which does not "
                    "encrypt; SSL and SASL_SSL do"
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
    stall_exit_s: Annotated[float, Field(ge=0)] = Field(
        default=300.0,
        description="a batch that takes even longer ends the daemon, so that whoever restarts it reads its "
        "frames again; 0 switches this off",
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

    latency_objective_ms: PositiveFloat = Field(
        default=1000.0,
        description="from capture to acknowledged result; frames above it count as late, and alerts watch "
        "how many there are",
    )

    @model_validator(mode="after")
    def _shed_is_complete(self) -> "PipelineSettings":
        if self.overload == "shed" and self.max_frame_age_ms is None:
            raise ValueError("overload shed needs max_frame_age_ms: how old a frame may be")
        return self

    @model_validator(mode="after")
    def _stalls_are_seen_before_they_end_it(self) -> "PipelineSettings":
        if 0 < self.stall_exit_s <= self.stall_timeout_s:
            raise ValueError(
                f"stall_exit_s, {self.stall_exit_s:g}, must be larger than stall_timeout_s, "
                f"{self.stall_timeout_s:g}, or 0"
            )
        return self


class TilingSettings(_Section):
    """How frames are cut that are larger than those the model has learned from."""

    mode: Literal["auto", "off"] = Field(
        default="auto",
        description="auto: frames larger than a tile go through the model in overlapping tiles; off: they go "
        "whole, shrunk to what its config says",
    )
    width_px: PositiveInt | None = Field(
        default=None,
        description="of a tile; default: of the frames that the model has learned from (frame_px of its "
        "model.json); without either there is no tiling",
    )
    height_px: PositiveInt | None = Field(default=None, description="of a tile; likewise")
    overlap_px: Annotated[int, Field(ge=16)] = Field(
        default=64, description="of neighbouring tiles, at least; up to half of a tile"
    )
    max_tiles: PositiveInt = Field(default=8, description="tiles that go through the model at once, at most")

    @model_validator(mode="after")
    def _size_is_complete(self) -> "TilingSettings":
        if (self.width_px is None) != (self.height_px is None):
            raise ValueError("width_px and height_px belong together: both, or neither")
        return self

    @model_validator(mode="after")
    def _overlap_leaves_something(self) -> "TilingSettings":
        if self.width_px and self.height_px and 2 * self.overlap_px > min(self.width_px, self.height_px):
            raise ValueError(
                f"overlap_px, {self.overlap_px}, is more than half of a tile of "
                f"{self.width_px} x {self.height_px} px (width_px, height_px)"
            )
        return self


class ScreenSettings(_Section):
    """A cheap first look at every frame, which lets only suspicious ones through to the model."""

    path: Path | None = Field(
        default=None,
        description="folder of a screen, as stripsight train --stage screen writes it; default: the model "
        "looks at every frame",
    )
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="score from which a frame goes on to the model, instead of the screen's own"
    )


class ModelSettings(_Section):
    """Which model looks at the frames, and how it runs."""

    path: Path | None = Field(
        default=None, description="folder with config.yaml and weights; default: the bundled model"
    )
    runtime: Literal["native", "onnx", "openvino", "detectron2", "fake"] = Field(
        default="native",
        description="native serves R-CNN model folders; onnx and openvino (extras) serve what `stripsight "
        "export` made of one; detectron2 serves any, by the library of that name (an extra); fake finds what "
        "it is told to, for tests",
    )
    imports: list[ImportPath] = Field(
        default=[],
        description="detectron2 runtime: modules to import, whose code is executed, for projects beyond the "
        "library; module:function calls the function with the config",
    )
    device: str = Field(
        default="auto",
        description="auto, cpu, cuda, cuda:1, ...; openvino runtime: cpu, gpu, npu; onnx runtime: openvino",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="of backbone and heads; boxes and scores are always float32; auto measures what this "
        "processor is quickest with; an exported model has the precision that it was exported in",
    )
    threads: PositiveInt | None = Field(
        default=None, description="CPU threads of the model; default: PyTorch's choice"
    )
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="one threshold for every class, instead of the model's own"
    )
    watch: bool = Field(
        default=False, description="exchange the model when the files of its folder have changed"
    )
    exchange_timeout_s: PositiveFloat = Field(
        default=300.0,
        description="how long a new model may take to load, warm up and pass its trial, before it is refused",
    )
    tiling: TilingSettings = TilingSettings()
    screen: ScreenSettings = ScreenSettings()
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
    """Metrics, health and the model on one port."""

    host: str = Field(
        default="127.0.0.1", description="address to listen on; 0.0.0.0 opens it to the network"
    )
    port: Port = Field(default=9108, description="0 takes any free port")
    token: Token | None = Field(
        default=None,
        description="bearer token of whoever may change anything; without one nothing can be changed over "
        "HTTP; better in the environment than in the file",
    )


class ServeSettings(_Section):
    """Frames over HTTP, which `stripsight serve` takes."""

    max_images: PositiveInt = Field(default=16, description="stripsight serve: images of a request at most")
    max_image_bytes: PositiveInt = Field(
        default=16 * MEBIBYTE, description="stripsight serve: largest image, in bytes as encoded"
    )


class LogSettings(_Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least severe that is logged"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON"
    )


class TracingSettings(_Section):
    """Traces by OpenTelemetry, an extra; headers for the collector come from the environment."""

    endpoint: str | None = Field(
        default=None,
        description="where the collector takes OTLP over HTTP, such as http://collector:4318; default: no "
        "tracing",
    )
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="share of the frames without a traceparent that are traced; with one, its sampled flag "
        "decides",
    )
    service_name: Name = Field(default="stripsight", description="how the daemon is called in traces")

    @model_validator(mode="after")
    def _endpoint_is_one(self) -> "TracingSettings":
        if self.endpoint is not None:
            _check_trace_endpoint(self.endpoint)
        return self


class CameraSettings(_Section):
    """What is known of a camera; counts where a frame's own headers are silent."""

    line: Name | None = Field(default=None, description="default: the daemon's line")
    side: Side = Field(default="top", description="side of the strip that it looks at")
    pitch_x_mm: PitchMm | None = Field(default=None, description="mm of strip a pixel, across the strip")
    pitch_y_mm: PitchMm | None = Field(default=None, description="mm of strip a pixel, along the coil")
    offset_mm: PositionMm = Field(default=0.0, description="first column, from the operator-side edge")
    find_strip_edges: Literal["none", "operator", "drive", "both"] = Field(
        default="none",
        description="edges of the strip that it may see, with black beside them: they are looked for on each "
        "frame, the black is not inspected, and the operator-side one, where found, stands in for offset_mm",
    )
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
    serve: ServeSettings = ServeSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    cameras: dict[Name, CameraSettings] = Field(default_factory=dict, description="by camera id")
