from edge.telemetry.health import CheckResult, Health


def fine() -> CheckResult:
    return CheckResult(ok=True, detail="fine")


def bad() -> CheckResult:
    return CheckResult(ok=False, detail="bad")


def broken() -> CheckResult:
    raise ValueError("no idea")


def test_without_checks_all_is_well() -> None:
    """A daemon that answers at all lives."""
    assert Health().liveness().ok
    assert Health().readiness().ok


def test_one_failed_check_fails_the_report() -> None:
    """Readiness needs every check, and each is told by name."""
    health = Health()
    health.add_readiness("model", fine)
    health.add_readiness("broker", bad)
    report = health.readiness()
    assert not report.ok
    assert report.checks == {"model": fine(), "broker": bad()}


def test_liveness_and_readiness_are_apart() -> None:
    """An unreachable broker is no reason to restart the daemon."""
    health = Health()
    health.add_readiness("broker", bad)
    health.add_liveness("loop", fine)
    assert (health.liveness().ok, health.readiness().ok) == (True, False)


def test_check_that_raises_counts_as_failed() -> None:
    """A broken check tells its error, and the others still run."""
    health = Health()
    health.add_liveness("broken", broken)
    health.add_liveness("fine", fine)
    report = health.liveness()
    assert report.checks["broken"] == CheckResult(ok=False, detail="ValueError: no idea")
    assert report.checks["fine"].ok


def test_check_of_the_same_name_is_replaced() -> None:
    """A part that is set up again takes its check along."""
    health = Health()
    health.add_readiness("model", bad)
    health.add_readiness("model", fine)
    assert health.readiness().ok
