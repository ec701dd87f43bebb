import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from edge.configuration import load_settings
from edge.errors import SettingsError

Given = Mapping[str, Any]

NOTHING: Given = {}
SECRET = "hunter2"  # noqa: S105 # it is what must not show


def refused(text: str = "", environ: Given = NOTHING, flags: Given = NOTHING) -> SettingsError:
    """Load settings that are wrong."""
    Path("stripsight.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load_settings(None, flags, {f"STRIPSIGHT_{name}": value for name, value in environ.items()})
    return raised.value


def complaint(text: str = "", environ: Given = NOTHING, flags: Given = NOTHING) -> str:
    """Load settings that are wrong, and return what is said about them."""
    return str(refused(text, environ, flags))


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_wrong_setting_is_named_at_once() -> None:
    """One error lists all problems with name, source, value and what is allowed."""
    message = complaint(
        "[pipeline]\nmax_wait_ms = -1\n",
        {"LOG__LEVEL": "loud", "PIPELINE__MAX_BATCH": "many"},
        {"http.port": 99999},
    )
    choices, number = "debug, info, warning, error", "a whole number of at least 1"
    max_batch = "pipeline.max_batch (environment STRIPSIGHT_PIPELINE__MAX_BATCH)"
    assert message.splitlines() == [
        "4 settings are wrong:",
        "  http.port (flag --http-port): 99999 is not allowed; allowed: a whole number from 0 to 65535",
        f'  log.level (environment STRIPSIGHT_LOG__LEVEL): "loud" is not allowed; allowed: one of {choices}',
        f'  {max_batch}: "many" is not allowed; allowed: {number}',
        "  pipeline.max_wait_ms (stripsight.toml line 2): -1 is not allowed; allowed: a number of at least 0",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[kafka]\ndefects_topic = "a b"',
            '"a b" is not allowed; allowed: text that matches ^[A-Za-z0-9._-]',
        ),
        ('[kafka]\nframe_topics = ["a",\n"b c"]', 'kafka.frame_topics.1 (stripsight.toml line 2): "b c"'),
        ('[kafka]\nframe_topics = "a"', '"a" is not allowed; allowed: a list, each text that matches'),
        ('[kafka]\nframe_topic_pattern = "("', '"(" is not allowed: not a regular expression: missing )'),
        (
            '[kafka]\nbootstrap_servers = "a:9092, [::1]:65536"',
            '"a:9092, [::1]:65536" is not allowed: there is no port 65536; ports go from 1 to 65535',
        ),
        ('[kafka]\nbootstrap_servers = "a:0,b:9092"', "there is no port 0; ports go from 1 to 65535"),
        ('[kafka]\ngroup_id = ""', '"" is not allowed; allowed: text that is not empty'),
        ("[kafka]\nssl_ca_file = 3", "3 is not allowed; allowed: a path"),
        ("[kafka]\ncreate_topics = 3", "3 is not allowed; allowed: true or false"),
        ("[model]\nscore_threshold = 2.5", "2.5 is not allowed; allowed: a number from 0 to 1"),
        ("[cameras.c]\npitch_x_mm = 0", "allowed: a number greater than 0 and at most 1000.0"),
        ("[cameras.c]\noffset_mm = nan", "NaN is not allowed; allowed: a number"),
        ("line = ''", '"" is not allowed; allowed: text of 1 to 200 characters'),
        (r'line = "\u001b[31m"', "is not allowed: it has control characters"),
        (r'cameras."a\nb".side = "top"', "it has control characters"),
        ("log = 1", "log (stripsight.toml line 1): 1 is not allowed; allowed: a table of settings"),
        (
            "[[cameras]]",
            "cameras (stripsight.toml line 1): [{}] is not allowed; allowed: a table of settings",
        ),
        ("[cameras.'']", "cameras. (stripsight.toml line 1): this name is not allowed: String should have"),
    ],
)
def test_what_is_allowed_is_said_in_words(text: str, expected: str) -> None:
    """Ranges, choices, patterns and kinds of value are told as the field declares them."""
    assert expected in complaint(text)


@pytest.mark.parametrize("hosts", ["a", "a:1", "[fe80::9999]", "[::1]:65535 , b.c:9092"])
def test_addresses_of_brokers_with_and_without_ports_are_allowed(hosts: str) -> None:
    """What stands in brackets is an address, whatever numbers it ends with."""
    assert load_settings(None, {"kafka.bootstrap_servers": hosts}, {}).kafka.bootstrap_servers == hosts


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        (
            "[kafka]\ngroup = 1",
            {},
            "kafka.group (stripsight.toml line 2): there is no such setting; did you mean",
        ),
        ("[kafka]\nmax_batch = 1", {}, "did you mean pipeline.max_batch?"),
        ("[pipelin]\nmax_batches = 1", {}, "did you mean pipeline.max_batch?"),
        ("[cameras.north]\npich_x_mm = 1", {}, "did you mean cameras.north.pitch_x_mm?"),
        ("", {"PIPELINE_MAX_BATCH": "4"}, "did you mean STRIPSIGHT_PIPELINE__MAX_BATCH?"),
        ("", {"HTTP_PORT": "9108"}, "did you mean STRIPSIGHT_HTTP__PORT?"),
        ("", {"CAMERAS__cam1__PITCHX": "1"}, "did you mean STRIPSIGHT_CAMERAS__cam1__PITCH_X_MM?"),
        ("", {"ZZZZ": "1"}, "zzzz (environment STRIPSIGHT_ZZZZ): there is no such setting"),
    ],
)
def test_unknown_setting_is_named_with_what_was_meant(
    text: str, environ: dict[str, str], expected: str
) -> None:
    """A misspelled setting is refused, in the spelling of its source."""
    assert expected in complaint(text, environ)


def test_each_setting_of_an_unknown_section_is_named() -> None:
    """Two variables beneath a section that does not exist are two problems."""
    assert complaint(environ={"PIPE__A": "1", "PIPE__B": "2"}).startswith("2 settings are wrong")


def test_incomplete_sasl_names_the_settings_that_ask_for_it() -> None:
    """A rule over several settings tells where those come from that it speaks of."""
    message = complaint("[kafka]\nsasl_username = 'edge'", {"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"})
    assert message == (
        "1 setting is wrong:\n"
        "  kafka (environment STRIPSIGHT_KAFKA__SECURITY_PROTOCOL, stripsight.toml line 2): "
        "security_protocol SASL_SSL needs sasl_username and sasl_password"
    )


OAUTH = "sasl_mechanism = 'OAUTHBEARER'\nsasl_oauth_token_url = "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sasl_mechanism = 'OAUTHBEARER'", "sasl_mechanism OAUTHBEARER needs sasl_oauth_token_url"),
        ("sasl_oauth_token_url = 'https://a/t'", "is for sasl_mechanism OAUTHBEARER, not PLAIN"),
        (
            f"{OAUTH}'http://tokens.mill/t'",
            "sasl_oauth_token_url is not https, which would send the secret in",
        ),
        (f"{OAUTH}'http://127.0.0.1.mill/t'", "sasl_oauth_token_url is not https"),
        (f"{OAUTH}'ftp://localhost/t'", "sasl_oauth_token_url is not https"),
        (f"{OAUTH}'tokens.mill/t'", "sasl_oauth_token_url is no URL of a token endpoint"),
        (f"{OAUTH}'https:///t'", "sasl_oauth_token_url is no URL of a token endpoint"),
        (f"{OAUTH}'https://tokens.mill:99999/t'", "sasl_oauth_token_url is no URL of a token endpoint"),
        (f"{OAUTH}'https://[::1/t'", "sasl_oauth_token_url is no URL of a token endpoint"),
        (f"{OAUTH}'https://edge@tokens.mill/t'", "names a user; that belongs to sasl_username"),
        ("ssl_cert_file = 'a'", "ssl_cert_file needs ssl_key_file, the key to that certificate"),
        ("ssl_key_file = 'a'", "ssl_key_file needs ssl_cert_file, the certificate of that key"),
        ("ssl_key_password = 'a'", "ssl_key_password needs ssl_key_file, which it opens"),
        (
            "ssl_cert_file = 'a'\nssl_key_file = 'a'",
            "ssl_cert_file is of no use with security_protocol PLAINTEXT",
        ),
        (
            "ssl_ca_file = 'a'",
            "ssl_ca_file is of no use with security_protocol PLAINTEXT, which does not encrypt",
        ),
    ],
)
def test_security_that_is_incomplete_or_unsafe_is_refused(text: str, expected: str) -> None:
    """The settings that do not go together are named, with their lines."""
    message = complaint(f"[kafka]\n{text}")
    assert expected in message
    assert re.search(r"^  kafka \(stripsight\.toml line [23][,)]", message, re.MULTILINE)


@pytest.mark.parametrize(
    "url",
    [
        "https://tokens.mill/realms/mill/protocol/openid-connect/token?tenant=4",
        "http://localhost:8080/token",
        "http://127.0.0.1/token",
        "http://[::1]:8080/token",
    ],
)
def test_token_endpoints_with_tls_or_on_this_machine_are_allowed(url: str) -> None:
    """A proxy beside the daemon may be asked without TLS."""
    flags = {
        "kafka.sasl_mechanism": "OAUTHBEARER",
        "kafka.sasl_oauth_token_url": url,
        "kafka.ssl_ca_file": "a",
    }
    assert load_settings(None, flags, {}).kafka.sasl_oauth_token_url == url


def test_shedding_without_an_age_names_what_is_missing() -> None:
    """The policy cannot guess how old a frame may be."""
    message = complaint("[pipeline]\noverload = 'shed'")
    assert message == (
        "1 setting is wrong:\n"
        "  pipeline (stripsight.toml line 2): overload shed needs max_frame_age_ms: how old a frame may be"
    )


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f"[kafka]\n{OAUTH}'https://edge:{SECRET}@tokens.mill/'", {}),
        (f"[kafka]\n{OAUTH}'https://edge:{SECRET}/'", {}),
        ("", {"KAFKA__SASL_OAUTH_TOKEN_URL": f"http://edge:{SECRET}@tokens.mill/"}),
        (f"[kafka]\nssl_key_password = '{SECRET}'", {}),
        (f"[kafka]\nsasl_password = ['{SECRET}']", {}),
        (f"[kafka]\nsasl_pasword = '{SECRET}'", {}),
        (f"kafka = '{SECRET}'", {}),
        (f"[kafka.sasl_password]\n{SECRET} = '{SECRET}'", {}),
        ("", {"KAFKA": f'{{"sasl_password": "{SECRET}"'}),
        ("", {"KAFKA": f'{{"sasl_password": ["{SECRET}"]}}'}),
        ("", {"KAFKA__SASL_PASWORD": SECRET}),
        ("", {"SASL_PASSWORD": SECRET}),
        (f"[kafka]\nsecurity_protocol = 'SASL_SSL'\nsasl_password = '{SECRET}'", {}),
        (f"[kafka]\nsasl_password = '{SECRET}", {}),
        (f"[kafka]\nsasl_password = {SECRET}", {}),
    ],
)
def test_secrets_are_in_no_message(text: str, environ: dict[str, str]) -> None:
    """However wrongly a password is given, neither message nor structured traceback shows it."""
    error = refused(text, environ)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in repr(error)
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    assert SECRET not in str(transformer((type(error), error, error.__traceback__)))


def test_variables_of_tests_and_of_kubernetes_are_no_settings() -> None:
    """What a cluster tells every container about a service named stripsight is passed over."""
    environ = {
        "STRIPSIGHT_TEST_NO_SKIP": "1",
        "STRIPSIGHT_SERVICE_HOST": "10.0.0.1",
        "STRIPSIGHT_SERVICE_PORT_HTTP": "9108",
        "STRIPSIGHT_EDGE_SERVICE_PORT": "9108",
        "STRIPSIGHT_PORT": "tcp://10.0.0.1:9108",
        "STRIPSIGHT_PORT_9108_TCP": "tcp://10.0.0.1:9108",
        "STRIPSIGHT_PORT_9108_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert load_settings(None, {}, environ) == load_settings(None, {}, {})


def test_long_values_are_cut() -> None:
    """A certificate pasted in the wrong place does not flood the terminal."""
    assert len(complaint(environ={"LOG__LEVEL": "x" * 10_000})) < 300


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (SECRET, "text of 16 to 512 characters"),
        (f"{SECRET} with a space in it", "a bearer token has letters, digits and -._~+/ alone"),
        (f"{SECRET}-é-is-no-letter-here", "a bearer token has letters, digits"),
    ],
)
def test_a_wrong_token_is_not_told(token: str, told: str) -> None:
    """What is wrong with it is, and where it came from."""
    message = complaint(environ={"HTTP__TOKEN": token})
    assert "http.token (environment STRIPSIGHT_HTTP__TOKEN): ********** is not allowed" in message
    assert told in message
    assert SECRET not in message


@pytest.mark.parametrize("exit_s", [30, 60])
def test_a_stall_has_to_be_seen_before_it_ends_the_daemon(exit_s: float) -> None:
    """Both settings are named, and where each was given."""
    message = complaint("[pipeline]\nstall_timeout_s = 60", {"PIPELINE__STALL_EXIT_S": str(exit_s)})
    assert "environment STRIPSIGHT_PIPELINE__STALL_EXIT_S" in message
    assert "stripsight.toml line 2" in message
    assert f"stall_exit_s, {exit_s}, must be larger than stall_timeout_s, 60, or 0" in message


def test_stalls_need_not_end_the_daemon() -> None:
    """0 leaves it to whoever looks at its health."""
    settings = load_settings(None, {}, {"STRIPSIGHT_PIPELINE__STALL_EXIT_S": "0"})
    assert settings.pipeline.stall_exit_s == 0


@pytest.mark.parametrize(
    ("tiling", "said"),
    [
        ("width_px = 1600", "width_px and height_px belong together: both, or neither"),
        (
            "width_px = 1600\nheight_px = 100",
            "overlap_px, 64, is more than half of a tile of 1600 x 100 px (width_px, height_px)",
        ),
        ("overlap_px = 4", "4 is not allowed; allowed: a whole number of at least 16"),
        ('mode = "on"', '"on" is not allowed; allowed: one of auto, off'),
    ],
)
def test_tiles_that_cannot_be_cut_are_named(tiling: str, said: str) -> None:
    """Of a section within a section, too."""
    message = complaint(f"[model.tiling]\n{tiling}\n")
    assert "model.tiling" in message
    assert said in message
