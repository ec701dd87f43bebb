"""From ONNX to OpenVINO's intermediate representation, and to int8 by NNCF."""

import io
import logging
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx

from edge.vision.exported.graph import Floats
from edge.vision.exported.quiet_openvino import openvino

import nncf  # isort: skip - after OpenVINO was silenced

nncf.set_log_level(logging.ERROR)


def to_openvino(model: onnx.ModelProto) -> openvino.Model:
    """Read an ONNX model into OpenVINO; its weights stay in float32."""
    return openvino.Core().read_model(model.SerializeToString(), openvino.Tensor(np.empty(0, np.uint8)))


def quantise(model: openvino.Model, inputs: Iterable[Floats], count: int) -> openvino.Model:
    """Quantise weights and activations to int8, by the ranges that ``count`` inputs show.

    Post-training quantisation of NNCF: weights symmetric and by channel, activations as their distribution
    asks, biases corrected for the mean error.
    """
    with redirect_stdout(io.StringIO()):  # its progress bars
        quantised: openvino.Model = nncf.quantize(
            model, nncf.Dataset(inputs), preset=nncf.QuantizationPreset.MIXED, subset_size=count
        )
    return quantised


def save(model: openvino.Model, file: Path) -> None:
    """Write the model's topology into ``file``, an ``.xml``, and its weights beside it, into a ``.bin``."""
    openvino.save_model(model, file, compress_to_fp16=False)
