"""Whether the daemon lives, and whether it is ready: checks by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found; ``detail`` tells an operator more, whether all is well or not."""

    ok: bool
    detail: str = ""


Check = Callable[[], CheckResult]


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, by name."""

    checks: Mapping[str, CheckResult]

    @property
    def ok(self) -> bool:
        """Whether every check is well; without any check all is well."""
        return all(result.ok for result in self.checks.values())


class Health:
    """Named checks. They run in the event loop at each request, and so must answer at once.

    A failed liveness check asks for a restart; a failed readiness check for patience.
    """

    def __init__(self) -> None:
        self._liveness: dict[str, Check] = {}
        self._readiness: dict[str, Check] = {}

    def add_liveness(self, name: str, check: Check) -> None:
        """Add a check whose failure only a restart mends; one of the same name is replaced."""
        self._liveness[name] = check

    def add_readiness(self, name: str, check: Check) -> None:
        """Add a check of something that frames need; one of the same name is replaced."""
        self._readiness[name] = check

    def liveness(self) -> Report:
        """Run the liveness checks."""
        return _report(self._liveness)

    def readiness(self) -> Report:
        """Run the readiness checks."""
        return _report(self._readiness)


def _report(checks: Mapping[str, Check]) -> Report:
    return Report({name: _result(check) for name, check in checks.items()})


def _result(check: Check) -> CheckResult:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 # a broken check is a failed one, and must not take the others along
        return CheckResult(ok=False, detail=f"{type(error).__name__}: {error}")
