"""OpenVINO as it is imported here: it tells nobody about its use.

On import it otherwise reports to Google Analytics, by a package that it requires, unless someone on the
machine has opted out before; so does NNCF. Both do without that package where it is absent, as it is for this
process from here on.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # how Python marks what cannot be imported

import openvino  # noqa: E402 - after that

__all__ = ["openvino"]
