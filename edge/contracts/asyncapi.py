"""AsyncAPI 3.0 description of the daemon: which topics it reads and writes, and what lies on them."""

from typing import Any

Document = dict[str, Any]

VERSION = "1.0.0"
_KAFKA_BINDING = "0.5.0"
_DESCRIPTION = (
    "Camera frames of rolled steel strip in, inspections and defects in millimetres of strip out. "
    "Within a major version fields are only ever added; readers pass over unknown ones. "
    "Ids come from the frame's topic, partition and offset: a frame inspected twice yields the same ids."
)


def asyncapi() -> Document:
    """Return the document. It refers to the schema files beside it; topics have their default names."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:stripsight:edge",
        "info": {
            "title": "Stripsight edge daemon",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def _channels() -> Document:
    return {
        "frames": {
            "address": "frames.{camera}",
            "title": "Camera frames",
            "description": "One topic a camera, keyed by camera, so that its frames keep their order.",
            "parameters": {"camera": {"description": "Id of the camera.", "examples": ["cam1"]}},
            "messages": _messages_of("frame"),
        },
        "inspections": {
            "address": "inspections",
            "title": "Inspections",
            "description": "The audit trail: exactly one record for every frame taken in.",
            "messages": _messages_of("inspection"),
        },
        "defects": {
            "address": "defects",
            "title": "Defects",
            "description": "Every defect found.",
            "messages": _messages_of("defect"),
        },
        "deadLetters": {
            "address": "frames.dead-letter",
            "title": "Dead letters",
            "description": "Frames that could not be inspected, as they came unless the broker refuses that.",
            "messages": _messages_of("deadLetter"),
        },
    }


def _operations() -> Document:
    return {
        "receiveFrame": _operation("receive", "frames", "Take a frame in."),
        "sendInspection": _operation("send", "inspections", "Tell what became of a frame."),
        "sendDefect": _operation("send", "defects", "Tell a defect."),
        "sendDeadLetter": _operation("send", "deadLetters", "Set a frame aside."),
    }


def _messages() -> Document:
    image = {"type": "string", "format": "binary", "description": "The encoded image itself."}
    result_key = "The coil, so that its results keep their order; the camera where the coil is not known."
    trace = {
        "type": "object",
        "properties": {
            "traceparent": {
                "type": "string",
                "description": "W3C trace context of the frame's span; absent while tracing is off.",
            }
        },
    }
    return {
        "frame": {
            "name": "frame",
            "title": "Frame",
            "summary": "An image in JPEG, PNG or raw Mono8 (image/x-mono8), as `content-type` says.",
            "contentType": "image/jpeg",
            "headers": {"$ref": "./frame-headers.schema.json"},
            "payload": image,
            "bindings": _key("The camera."),
        },
        "inspection": {
            "name": "inspection",
            "title": "Inspection",
            "summary": "What became of one frame.",
            "contentType": "application/json",
            "headers": trace,
            "payload": {"$ref": "./inspection.schema.json"},
            "bindings": _key(result_key),
        },
        "defect": {
            "name": "defect",
            "title": "Defect",
            "summary": "One defect, in pixels of its frame and in millimetres of strip.",
            "contentType": "application/json",
            "headers": trace,
            "payload": {"$ref": "./defect.schema.json"},
            "bindings": _key(result_key),
        },
        "deadLetter": {
            "name": "deadLetter",
            "title": "Dead letter",
            "summary": "A frame that could not be inspected.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "./dead-letter-headers.schema.json"},
            "payload": image,
            "bindings": _key("The frame's own."),
        },
    }


def _messages_of(name: str) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"}}


def _operation(action: str, channel: str, summary: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _key(description: str) -> Document:
    key = {"type": "string", "description": description}
    return {"kafka": {"key": key, "bindingVersion": _KAFKA_BINDING}}
