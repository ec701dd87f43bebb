"""The images of a request, one as its body or several as parts of a form, read within limits."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from edge.contracts.frame import RawFrame
from edge.contracts.image_header import JPEG, MONO8, PNG, UNKNOWN
from edge.errors import MalformedRequestError, RequestTooLargeError, RequestTypeError
from edge.serving.http_frame import HEADER_NAMES, raw_frame
from edge.settings import ServeSettings

IMAGE_TYPES = (JPEG, PNG, MONO8, UNKNOWN)
FORM = "multipart/form-data"

# Whatever else software calls JPEG; and what it says where it does not know: curl's --data-binary takes any
# file for a form.
_ALIASES = {"image/jpg": JPEG, "image/pjpeg": JPEG, "": UNKNOWN, "application/x-www-form-urlencoded": UNKNOWN}
_SHOWN_CHARACTERS = 80

# What aiohttp raises of bodies that are not sent as they say, and of forms that are none.
_NO_BODY = (web.RequestPayloadError, HttpProcessingError)
_NO_FORM = (*_NO_BODY, ValueError, LookupError, AssertionError)


@dataclass(frozen=True, slots=True)
class Images:
    """The frames of a request, and whether they came in a form: then the answer is a list."""

    frames: Sequence[RawFrame]
    is_form: bool


async def read_images(request: web.Request, limits: ServeSettings, take_place: Callable[[], None]) -> Images:
    """Read all images of a request.

    Args:
        request: of which nothing was read yet.
        limits: of each image, and of their number.
        take_place: called before an image is read; what it raises is passed on.

    Raises:
        RequestTooLargeError: an image is too large, or there are too many.
        RequestTypeError: an image is of a type that is not taken.
        MalformedRequestError: the body is not packed as it says, no form although it says so, or a form
            without images.
    """
    if request.content_type.startswith("multipart/"):
        return Images([frame async for frame in _parts(request, limits, take_place)], is_form=True)
    kind = _kind(request.headers.get("Content-Type", ""))
    if request.content_length is not None and request.content_length > limits.max_image_bytes:
        raise _too_large(limits)
    take_place()
    try:
        image = await _bounded(request.content.readany, limits)
    except _NO_BODY as error:
        raise MalformedRequestError(f"the body cannot be read: {_in_one_line(error)}") from None
    return Images([raw_frame(image, request.headers.items(), content_type=kind)], is_form=False)


async def _parts(
    request: web.Request, limits: ServeSettings, take_place: Callable[[], None]
) -> AsyncIterator[RawFrame]:
    said = [(name, value) for name, value in request.headers.items() if name.lower() in HEADER_NAMES]
    count = 0
    try:
        reader = MultipartReader(request.headers, request.content)
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise _bad_form("it holds another form")
            kind = _kind(part.headers.get("Content-Type", ""))
            count += 1
            if count > limits.max_images:
                raise RequestTooLargeError(
                    f"there are more than {limits.max_images} images (serve.max_images)"
                )
            take_place()
            image = await _bounded(part.read_chunk, limits)
            yield raw_frame(image, [*said, *part.headers.items()], content_type=kind)
    except _NO_FORM as error:
        raise _bad_form(_in_one_line(error)) from None
    if not count:
        raise _bad_form("it holds no image")


async def _bounded(read: Callable[[], Awaitable[bytes]], limits: ServeSettings) -> bytes:
    """Read to the end, unless it is too far; a body that says it is small may be large when unpacked."""
    image = bytearray()
    while chunk := await read():
        image += chunk
        if len(image) > limits.max_image_bytes:
            raise _too_large(limits)
    return bytes(image)


def _kind(content_type: str) -> str:
    said = content_type.partition(";")[0].strip().lower()
    kind = _ALIASES.get(said, said)
    if kind not in IMAGE_TYPES:
        raise RequestTypeError(
            f"content type {said[:_SHOWN_CHARACTERS]!r} is not one of {', '.join(IMAGE_TYPES)}, {FORM}"
        )
    return kind


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _too_large(limits: ServeSettings) -> RequestTooLargeError:
    return RequestTooLargeError(
        f"an image has more than {limits.max_image_bytes} bytes (serve.max_image_bytes)"
    )


def _bad_form(why: str) -> MalformedRequestError:
    return MalformedRequestError(f"the form cannot be read: {why}")
