"""The description of ``POST /v1/inspect``: OpenAPI 3.1, from the types that are answered."""

from functools import cache
from typing import Any

import msgspec

from edge import __version__
from edge.contracts.cloudevents import HEADER_OF_FIELD
from edge.contracts.frame import FrameHeaders
from edge.contracts.header_schema import frame_headers_schema
from edge.contracts.image_header import JPEG, MONO8, PNG
from edge.serving.answer import PROBLEM_CONTENT_TYPE, InspectedFrame, InspectedFrames, Problem
from edge.serving.bodies import FORM, IMAGE_TYPES
from edge.serving.http_frame import HEADER_NAMES
from edge.settings import ServeSettings

Document = dict[str, Any]

_REFUSALS = {
    "401": "The bearer token is missing or wrong.",
    "408": "The body did not come in time.",
    "413": "An image is too large, or there are too many.",
    "415": "The body is neither an image of a type that is decoded, nor a form.",
    "422": "No image can be inspected, a header is wrong, or the form cannot be read.",
    "500": "The model failed on the image.",
    "503": "The model is still being loaded, the service is stopping, or too many images wait.",
}
_BINARY = {"type": "string", "format": "binary"}


def describe(limits: ServeSettings, *, needs_token: bool) -> Document:
    """Return the description; what is refused without a token says so."""
    operation: Document = {
        "operationId": "inspect",
        "summary": "Inspect images",
        "description": "One image as the body, or several as parts of a form, whose own headers count over "
        f"the request's. At most {limits.max_images} images of {limits.max_image_bytes} bytes each.",
        "parameters": _parameters(),
        "requestBody": {"required": True, "content": _bodies(limits)},
        "responses": _responses(needs_token=needs_token),
    }
    components: Document = {"schemas": _schemas()}
    if needs_token:
        operation["security"] = [{"bearer": []}]
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stripsight",
            "version": __version__,
            "description": "Inspects pictures of rolled steel strip.",
        },
        "paths": {"/v1/inspect": {"post": operation}},
        "components": components,
    }


def _parameters() -> list[Document]:
    """Headers that say where on the strip an image lies, as on Kafka; none is required."""
    of_kafka = frame_headers_schema()["properties"]
    by_field = {field.name: field for field in msgspec.structs.fields(FrameHeaders)}
    names = {header: field for field, header in HEADER_OF_FIELD.items()}
    parameters = []
    for name in HEADER_NAMES:
        kafka_name = name.replace("-", "_", 1)
        value = _schema_of(by_field[names[kafka_name]].type)
        parameters.append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": of_kafka[kafka_name]["description"],
                "schema": value,
            }
        )
    return parameters


def _schema_of(annotation: Any) -> Document:
    """The value itself: its absence needs no null."""
    schema = msgspec.json.schema(annotation)
    branches = schema.get("anyOf", [schema])
    value: Document = next(branch for branch in branches if branch.get("type") != "null")
    return value


def _bodies(limits: ServeSettings) -> Document:
    images = {"type": "array", "items": _BINARY, "minItems": 1, "maxItems": limits.max_images}
    form = {"type": "object", "properties": {"image": images}}
    types = f"{JPEG}, {PNG}, {MONO8}"
    return {
        **{kind: {"schema": _BINARY} for kind in IMAGE_TYPES},
        FORM: {"schema": form, "encoding": {"image": {"contentType": types}}},
    }


def _responses(*, needs_token: bool) -> Document:
    one_or_many = {"anyOf": [_reference(InspectedFrame), _reference(InspectedFrames)]}
    inspected = {
        "description": "The inspection of the image and its defects; of a form, a list of them, in which "
        "images may have failed alone.",
        "content": {"application/json": {"schema": one_or_many}},
    }
    content = {PROBLEM_CONTENT_TYPE: {"schema": _reference(Problem)}}
    refusals = {
        status: {"description": text, "content": content}
        for status, text in _REFUSALS.items()
        if needs_token or status != "401"
    }
    return {"200": inspected} | refusals


def _reference(record: type[msgspec.Struct]) -> Document:
    return {"$ref": f"#/components/schemas/{record.__name__}"}


@cache
def _schemas() -> Document:
    _, schemas = msgspec.json.schema_components(
        [InspectedFrame, InspectedFrames, Problem], ref_template="#/components/schemas/{name}"
    )
    return schemas
