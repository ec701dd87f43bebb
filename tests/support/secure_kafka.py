"""Apache Kafka with a listener for each way to connect safely, and the settings that fit each of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.settings import KafkaSettings
from tests.support.certificates import Authority, Certificate
from tests.support.kafka_broker import KafkaBroker
from tests.support.token_endpoint import AUDIENCE, TokenSigner

USER, PASSWORD = "edge", "hunter2 =%&"

# Names ending in SSL or containing SASL mean something to some images' start scripts.
PROTOCOLS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "PLAIN": "SASL_SSL",
    "SCRAM": "SASL_SSL",
    "OAUTH": "SASL_SSL",
    "CLEAR": "SASL_PLAINTEXT",
}

_CERTIFICATE, _AUTHORITIES, _JWKS = "/tmp/broker.pem", "/tmp/authorities.pem", "/tmp/jwks.json"  # noqa: S108
_MODULES = "org.apache.kafka.common.security"
_JWKS_URL = f"file://{_JWKS}"
_PLAIN_LOGIN = f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_SCRAM_LOGIN = f"{_MODULES}.scram.ScramLoginModule required;"
_OAUTH_LOGIN = f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required;"
_OF = "KAFKA_LISTENER_NAME_"
_SETTINGS = {
    "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
    "KAFKA_SSL_KEYSTORE_LOCATION": _CERTIFICATE,
    "KAFKA_SSL_TRUSTSTORE_TYPE": "PEM",
    "KAFKA_SSL_TRUSTSTORE_LOCATION": _AUTHORITIES,
    f"{_OF}MUTUAL_SSL_CLIENT_AUTH": "required",
    f"{_OF}PLAIN_SASL_ENABLED_MECHANISMS": "PLAIN",
    f"{_OF}PLAIN_PLAIN_SASL_JAAS_CONFIG": _PLAIN_LOGIN,
    f"{_OF}CLEAR_SASL_ENABLED_MECHANISMS": "PLAIN,SCRAM-SHA-512",
    f"{_OF}CLEAR_PLAIN_SASL_JAAS_CONFIG": _PLAIN_LOGIN,
    f"{_OF}CLEAR_SCRAM___SHA___512_SASL_JAAS_CONFIG": _SCRAM_LOGIN,
    f"{_OF}SCRAM_SASL_ENABLED_MECHANISMS": "SCRAM-SHA-256,SCRAM-SHA-512",
    f"{_OF}SCRAM_SCRAM___SHA___256_SASL_JAAS_CONFIG": _SCRAM_LOGIN,
    f"{_OF}SCRAM_SCRAM___SHA___512_SASL_JAAS_CONFIG": _SCRAM_LOGIN,
    f"{_OF}OAUTH_SASL_ENABLED_MECHANISMS": "OAUTHBEARER",
    f"{_OF}OAUTH_OAUTHBEARER_SASL_JAAS_CONFIG": _OAUTH_LOGIN,
    f"{_OF}OAUTH_OAUTHBEARER_SASL_SERVER_CALLBACK_HANDLER_CLASS": (
        f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
    ),
    # A session ends with its token, as it has to where access is to be withdrawn in time.
    f"{_OF}OAUTH_OAUTHBEARER_CONNECTIONS_MAX_REAUTH_MS": "3600000",
    "KAFKA_SASL_OAUTHBEARER_JWKS_ENDPOINT_URL": _JWKS_URL,
    "KAFKA_SASL_OAUTHBEARER_EXPECTED_AUDIENCE": AUDIENCE,
    # The default one of Kafka 4.1.0 checks no signature.
    "KAFKA_SASL_OAUTHBEARER_JWT_VALIDATOR_CLASS": f"{_MODULES}.oauthbearer.BrokerJwtValidator",
    "KAFKA_OPTS": f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={_JWKS_URL} "
    f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.files={_JWKS}",
}


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """A broker, and what its clients need: the authority, also as a file, and the signer of their tokens."""

    broker: KafkaBroker
    authority: Authority
    signer: TokenSigner
    ca_file: Path

    def settings(self, listener: str, **more: Any) -> KafkaSettings:
        """Return settings that fit the listener, except where ``more`` says otherwise."""
        protocol = PROTOCOLS[listener]
        of_tls = {"ssl_ca_file": self.ca_file} if protocol.endswith("SSL") else {}
        of_sasl = {"sasl_username": USER, "sasl_password": PASSWORD} if protocol.startswith("SASL") else {}
        given = {"bootstrap_servers": self.broker.address(listener), "security_protocol": protocol}
        return KafkaSettings.model_validate(given | of_tls | of_sasl | more)


def secure_broker(authority: Authority, signer: TokenSigner) -> KafkaBroker:
    """Return a broker, not yet started, that is certified for 127.0.0.1 and for no name."""
    own: Certificate = authority.issue("127.0.0.1")
    return KafkaBroker(
        listeners=dict.fromkeys(PROTOCOLS),
        protocols=PROTOCOLS,
        settings=_SETTINGS,
        files={
            _CERTIFICATE: own.key + own.chain,
            _AUTHORITIES: authority.certificate,
            _JWKS: signer.jwks,
        },
    )


def add_scram_user(broker: KafkaBroker, user: str, password: str) -> None:
    """Make a user of both SCRAM mechanisms; Kafka takes but one credential of a user at a time."""
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        broker.script(
            "kafka-configs.sh",
            *("--alter", "--entity-type", "users", "--entity-name", user),
            *("--add-config", f"{mechanism}=[password={password}]"),
        )
