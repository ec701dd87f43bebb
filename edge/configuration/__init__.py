"""Reading the settings: flags over environment over the TOML file over the defaults.

In the environment a setting is called ``STRIPSIGHT_`` and its path with ``__`` between the parts, for example
``STRIPSIGHT_KAFKA__GROUP_ID``. Sections and settings may be written in upper or lower case. Camera ids are
kept exactly as they are spelled, since topics are: ``STRIPSIGHT_CAMERAS__cam1__PITCH_X_MM`` belongs to
``cam1``, ``STRIPSIGHT_CAMERAS__CAM1__PITCH_X_MM`` to another camera. An id that no shell allows in a name
(``cam-1``) is given as JSON: ``STRIPSIGHT_CAMERAS='{"cam-1": {"pitch_x_mm": 0.5}}'``. Any section may be
given as JSON; lists are JSON or comma separated.
"""

from edge.configuration.loader import LoadedSettings, load, load_settings
from edge.configuration.names import dotted, flag_name

__all__ = ["LoadedSettings", "dotted", "flag_name", "load", "load_settings"]
