import typer

from edge.cli.run import run
from edge.configuration.catalogue import node_of
from edge.configuration.names import _FLAG_OF_SETTING, flag_name, variable_name


def test_flags_are_called_as_the_command_line_calls_them() -> None:
    """The flag that an error names is one that the operator can type."""
    app = typer.Typer()
    app.command()(run)
    options = {option for parameter in typer.main.get_command(app).params for option in parameter.opts}
    assert {*_FLAG_OF_SETTING.values(), flag_name("pipeline.max_batch")} <= options


def test_settings_with_a_flag_of_their_own_exist() -> None:
    """No flag belongs to a setting that is gone."""
    assert all(node_of(setting.split(".")) for setting in _FLAG_OF_SETTING)


def test_variable_of_a_camera_keeps_its_id() -> None:
    """Only what is ours is written in capitals."""
    assert variable_name(("cameras", "cam1", "side")) == "STRIPSIGHT_CAMERAS__cam1__SIDE"
    assert variable_name(("kafka", "group_id")) == "STRIPSIGHT_KAFKA__GROUP_ID"
