"""Every failure that Stripsight knows by name.

StripsightError
├── ConfigurationError          something the operator can mend; the daemon does not start
│   ├── SettingsError           a setting: which, from where, what is allowed
│   ├── ModelError              a model folder that cannot be served
│   │   ├── ModelFileError          a file is missing or unreadable
│   │   ├── UnsupportedModelError   a config key that this runtime does not implement
│   │   └── ModelMismatchError      config and weights do not fit each other
│   ├── DatasetError            a labelled set that cannot be read: which file and line
│   │   └── RunsError               the text of a mask is no list of runs within its picture
│   ├── ImageSourceError        images to publish or inspect: none there, or one that is no image
│   ├── MissingTopicError       a topic that neither exists nor may be created
│   ├── AuthenticationError     the broker or its token endpoint refuses us, or we its certificate
│   └── PortInUseError          the HTTP port is taken
├── FrameError                  one frame is bad; its neighbours go on; reason "bad_frame" if none below
│   ├── UnreadableRecordError       reason "unreadable_record"
│   ├── HeaderError                 reason "bad_header"
│   ├── UnknownCameraError          reason "unknown_camera"
│   ├── ContentTypeError            reason "unsupported_content_type"
│   ├── EmptyFrameError             reason "empty"
│   ├── CorruptImageError           reason "corrupt_image"
│   ├── FrameSizeError              reason "bad_size"
│   └── InferenceError              reason "inference_failed"
│       └── ModelMemoryError            reason "out_of_memory"
├── ExchangeError               the model was not exchanged; the one before looks on
│   ├── ExchangeBusyError           another exchange is under way, or the first model still loads; retriable
│   └── ModelRefusedError           the new model cannot be served; the message says why
├── ExportRefusedError          an exported model answers otherwise than the native one; it was not written
├── RequestError                a request over HTTP that is not taken; its reason labels the problem
│   ├── StrangerError               reason "unauthorized"
│   ├── RequestTooLargeError        reason "too_large"
│   ├── RequestTypeError            reason "unsupported_content_type"
│   ├── MalformedRequestError       reason "malformed_request"
│   ├── SlowRequestError            reason "too_slow"
│   ├── OverloadedError             reason "overloaded"; retriable
│   └── NotReadyError               reason "not_ready"; retriable
├── TrainingDivergedError       the loss is not finite; the message names iteration and frames
├── BrokenModelError            the model fails on everything; the daemon ends, its frames uncommitted
├── StalledModelError           the model is at one batch for too long; the daemon ends likewise
├── DrainTimeoutError           the daemon stopped with frames in flight; they are read again
├── RecordError                 a result record that is not what its schema says
├── OutputError                 a file of results could not be written
└── BusError                    Kafka
    ├── BrokerUnreachableError      retriable
    ├── OffsetError                 the ledger was asked to go backwards: a defect of ours
    └── PublishError                the broker refused a record for good
"""

from typing import ClassVar

_DETAIL_CHARACTERS = 1000  # an error may quote what it stumbled over


class StripsightError(Exception):
    """Root of the tree; ``retriable`` tells whether the same call may succeed later."""

    retriable: ClassVar[bool] = False


class ConfigurationError(StripsightError):
    """The installation needs mending before the daemon can start."""


class SettingsError(ConfigurationError):
    """A setting is wrong; the message names it, its source and what is allowed."""


class ModelError(ConfigurationError):
    """A model folder cannot be served."""


class ModelFileError(ModelError):
    """A file of the model folder is missing or unreadable."""


class UnsupportedModelError(ModelError):
    """The config asks for something this runtime does not implement; the message names the key."""


class ModelMismatchError(ModelError):
    """Config and weights do not fit each other; the message names key and shapes."""


class DatasetError(ConfigurationError):
    """A labelled set cannot be read; the message names file and line, or annotation."""


class RunsError(DatasetError):
    """The text of a mask is no list of runs within its picture; whoever knows file and line adds them."""


class ImageSourceError(ConfigurationError):
    """There are no images at a place, or a file is none; the message names it."""


class MissingTopicError(ConfigurationError):
    """A topic does not exist and may not be created."""


class AuthenticationError(ConfigurationError):
    """Broker and daemon do not accept each other; the message says who refused what, never a secret."""


class PortInUseError(ConfigurationError):
    """The HTTP port is taken."""


class FrameError(StripsightError):
    """One frame cannot be inspected; ``reason`` labels its dead letter and its inspection record."""

    reason: ClassVar[str] = "bad_frame"

    @property
    def detail(self) -> str:
        """The message as records tell it: not endless, and of characters that UTF-8 can tell."""
        return str(self)[:_DETAIL_CHARACTERS].encode(errors="replace").decode()


class UnreadableRecordError(FrameError):
    """Kafka's client cannot read the record; its bytes are lost."""

    reason = "unreadable_record"


class HeaderError(FrameError):
    """A header is not what the frame contract says; the message names it."""

    reason = "bad_header"


class UnknownCameraError(FrameError):
    """Neither headers nor settings tell what is needed to locate this camera's frames."""

    reason = "unknown_camera"


class ContentTypeError(FrameError):
    """The value is of a type that is not decoded here."""

    reason = "unsupported_content_type"


class EmptyFrameError(FrameError):
    """The value is empty."""

    reason = "empty"


class CorruptImageError(FrameError):
    """The value is not a complete image of its type."""

    reason = "corrupt_image"


class FrameSizeError(FrameError):
    """The image is 0 pixels wide or high, or larger than the limit."""

    reason = "bad_size"


class InferenceError(FrameError):
    """The model failed on this frame."""

    reason = "inference_failed"


class ModelMemoryError(InferenceError):
    """The model ran out of memory, of its device or of the machine; alone with a frame, on this frame."""

    reason = "out_of_memory"


def frame_error_reasons() -> list[str]:
    """Return the reason of every kind of `FrameError`, sorted."""
    kinds = [FrameError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return sorted({kind.reason for kind in kinds})


class ExchangeError(StripsightError):
    """The model was not exchanged; the one before looks at the frames as it did."""


class ExchangeBusyError(ExchangeError):
    """Another exchange is under way, or the first model is still being loaded."""

    retriable = True


class ModelRefusedError(ExchangeError):
    """The new model cannot be served; the message says why."""


class ExportRefusedError(StripsightError):
    """An exported model answers otherwise than the native one, and was not written; the message says what."""


class RequestError(StripsightError):
    """A request over HTTP is not taken; ``reason`` labels the problem that is answered."""

    reason: ClassVar[str] = "refused"


class StrangerError(RequestError):
    """The request does not show the bearer token."""

    reason = "unauthorized"


class RequestTooLargeError(RequestError):
    """An image is larger than the limit, or there are more of them; the message names the setting."""

    reason = "too_large"


class RequestTypeError(RequestError):
    """The body is said to be something else than an image, or a form of images."""

    reason = "unsupported_content_type"


class MalformedRequestError(RequestError):
    """The body is not the form that it says it is."""

    reason = "malformed_request"


class SlowRequestError(RequestError):
    """The body takes longer to come than any may."""

    reason = "too_slow"


class OverloadedError(RequestError):
    """As many images as may wait are waiting already."""

    reason = "overloaded"
    retriable = True


class NotReadyError(RequestError):
    """The model is still being loaded, or the service is stopping."""

    reason = "not_ready"
    retriable = True


class TrainingDivergedError(StripsightError):
    """The loss is not finite; the message names iteration, losses and frames."""


class BrokenModelError(StripsightError):
    """The model fails on every input, as after a fault of its device; a restart may mend it."""


class StalledModelError(StripsightError):
    """The model has been at one batch for longer than any batch may take; a restart may mend it."""


class DrainTimeoutError(StripsightError):
    """What was in flight at a stop was not finished within the deadline."""


class RecordError(StripsightError):
    """A result record cannot be read; the message names topic, partition and offset where known."""


class OutputError(StripsightError):
    """A file of results could not be written; the message names file, reason and the flag that chose it."""


class BusError(StripsightError):
    """Kafka did not do what was asked."""


class BrokerUnreachableError(BusError):
    """No broker answers at the bootstrap address."""

    retriable = True


class OffsetError(BusError):
    """An offset was marked that is not in flight, or lies before what is already done."""


class PublishError(BusError):
    """The broker refused a record and will refuse it again."""
