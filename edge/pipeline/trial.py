"""A model shows what it can do before it looks at the strip."""

from collections.abc import Callable, Sequence

import numpy as np

from edge.errors import ModelRefusedError
from edge.pipeline.answers import check_answer, check_count
from edge.pipeline.decode import Image
from edge.vision.runtime import Runtime

_SIDE_PX = 256


def drawn_picture() -> Image:
    """Return a (256, 256) grey picture with brighter and darker places, for want of a real frame."""
    random = np.random.default_rng(0)
    coarse = random.integers(64, 192, (8, 8)).repeat(_SIDE_PX // 8, axis=0).repeat(_SIDE_PX // 8, axis=1)
    return (coarse + random.integers(-32, 32, (_SIDE_PX, _SIDE_PX))).astype(np.uint8)


def try_out(runtime: Runtime, images: Sequence[Image] = ()) -> None:
    """Warm a model up and let it look at images, or at a drawn picture when there are none.

    Raises:
        InferenceError: its answers cannot be right; and whatever else a model raises.
    """
    runtime.warmup()
    batch = images or [drawn_picture()]
    answers = runtime.infer(batch)
    check_count(answers, batch)
    for answer, image in zip(answers, batch, strict=True):
        check_answer(answer, image, runtime.class_names)


def load_and_try(load: Callable[[], Runtime], images: Sequence[Image] = ()) -> Runtime:
    """Return a model that is loaded, warm, and has passed its trial.

    Raises:
        ModelError: it cannot be loaded.
        ModelRefusedError: it does not pass, and was let go.
    """
    runtime = load()
    try:
        try_out(runtime, images)
    except Exception as error:
        runtime.close()
        raise ModelRefusedError(
            f"model {runtime.model_name} {runtime.model_version} does not pass its trial: "
            f"{type(error).__name__}: {error}"
        ) from error
    return runtime
