"""In which precision parts of the network compute."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs

from edge.errors import SettingsError
from edge.vision.native import precision_trial
from edge.vision.native.config import parse_config
from edge.vision.native.precision import cast, check_precision, describe, parts_of
from edge.vision.native.precision_trial import choose_precision
from edge.vision.native.rcnn import GeneralizedRCNN, build_model

Raw = Callable[..., dict[str, Any]]
ALL = ["backbone", "proposal_generator.rpn_head", "roi_heads.box_head", "roi_heads.mask_head"]
CASCADE = {"MODEL.ROI_HEADS.NAME": "CascadeROIHeads", "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True}


@pytest.fixture
def model(raw_config: Raw) -> GeneralizedRCNN:
    """The tiny model with random weights."""
    return build_model(parse_config(raw_config())).eval().requires_grad_(False)


def _detect(model: GeneralizedRCNN) -> Any:
    with torch.inference_mode():
        return model(model.batch([torch.zeros(1, 64, 96, dtype=torch.uint8)]))[0]


def test_an_unknown_precision_is_refused_by_name() -> None:
    """With those that there are."""
    with pytest.raises(
        SettingsError, match="precision: 'half' is unknown; allowed: auto, float32, bfloat16, f"
    ):
        check_precision("half")


def test_a_model_without_masks_has_a_part_less(raw_config: Raw) -> None:
    """Parts are those that are there."""
    model = build_model(parse_config(raw_config(**{"MODEL.MASK_ON": False})))
    assert parts_of(model) == ALL[:3]


@pytest.mark.parametrize("name", ALL)
def test_each_part_can_compute_in_another_precision_than_its_neighbours(
    model: GeneralizedRCNN, name: str
) -> None:
    """What comes in is cast; boxes and scores stay float32."""
    for part in ALL:
        cast(model.get_submodule(part), "bfloat16" if part == name else "float32")
    raw = _detect(model)
    assert len(raw.found.scores) > 0
    assert (raw.found.boxes.dtype, raw.found.scores.dtype) == (torch.float32, torch.float32)
    assert raw.masks.dtype == torch.float32


def test_all_stages_of_a_cascade_are_cast(raw_config: Raw) -> None:
    """Each is called by itself."""
    model = build_model(parse_config(raw_config(**CASCADE))).eval().requires_grad_(False)
    cast(model.get_submodule("roi_heads.box_head"), "bfloat16")
    assert {weights.dtype for weights in model.roi_heads.box_head.parameters()} == {torch.bfloat16}
    assert _detect(model).found.boxes.dtype == torch.float32


@pytest.mark.parametrize(
    ("precisions", "told"),
    [
        (dict.fromkeys(ALL, "float32"), "float32"),
        (dict.fromkeys(ALL, "bfloat16"), "bfloat16"),
        (dict.fromkeys(ALL, "bfloat16") | {"backbone": "float32"}, "bfloat16, but float32 in backbone"),
        (
            dict.fromkeys(ALL, "float32") | {ALL[3]: "float16"},
            "float16, but float32 in backbone, rpn_head, box_head",
        ),
    ],
)
def test_what_differs_is_told(precisions: dict[str, str], told: str) -> None:
    """In one label of bounded length."""
    assert describe(precisions) == told


class _Clock:
    """A clock by which a call takes as long as it is told: turns of float32 and of the lower precision."""

    def __init__(self, seconds: dict[str, tuple[float, float]]) -> None:
        self._durations = [
            duration
            for pair in seconds.values()
            for _ in range(1 + precision_trial.TURNS)
            for duration in pair
        ]
        self._now = 0.0
        self._is_running = False

    def __call__(self) -> float:
        if self._is_running:
            self._now += self._durations.pop(0)
        self._is_running = not self._is_running
        return self._now


@pytest.mark.parametrize("changes", [{}, CASCADE], ids=["standard", "cascade"])
def test_only_parts_that_become_quicker_lose_digits(
    raw_config: Raw, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slower, as quick, or hardly quicker: they stay in float32. The log says what was measured."""
    model = build_model(parse_config(raw_config(**changes))).eval().requires_grad_(False)
    clock = _Clock({"backbone": (1.0, 3.0), "rpn": (2.0, 1.0), "box": (1.0, 1.0), "mask": (1.05, 1.0)})
    monkeypatch.setattr(precision_trial, "_clock", lambda _: clock)
    with capture_logs() as logs:
        chosen = choose_precision(model)
    assert chosen == "bfloat16, but float32 in backbone, box_head, mask_head"
    dtypes = {name: next(model.get_submodule(name).parameters()).dtype for name in parts_of(model)}
    assert dtypes == dict.fromkeys(ALL, torch.float32) | {ALL[1]: torch.bfloat16}
    assert logs[0]["event"] == "precision chosen"
    assert logs[0]["rpn_head"] == "2000.0 ms, bfloat16 1000.0 ms"
    assert len(_detect(model).found.scores) > 0


def test_a_real_trial_ends_with_a_model_that_answers(model: GeneralizedRCNN) -> None:
    """Whatever this processor is quickest with."""
    told = choose_precision(model)
    assert told.startswith(("float32", "bfloat16"))
    assert _detect(model).found.boxes.dtype == torch.float32
