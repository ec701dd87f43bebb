"""Metrics that are asked for at each scrape: what has no value between two of them, or vanishes by itself."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edge.vision.device import DeviceUse


class LagCollector(Collector):
    """Asks for the lag when Prometheus does; partitions that went to another daemon vanish by themselves."""

    def __init__(self, lag: Callable[[], Mapping[tuple[str, int], int]]) -> None:
        self._lag = lag

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "stripsight_consumer_lag_frames",
            "Frames on the topic that are not yet inspected and committed.",
            labels=["topic", "partition"],
        )
        for (topic, partition), frames in self._lag().items():
            family.add_metric([topic, str(partition)], frames)
        yield family


class LostCollector(Collector):
    """Asks for the losses when Prometheus does."""

    def __init__(self, lost: Callable[[], Mapping[str, int]]) -> None:
        self._lost = lost

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "stripsight_lost_frames",
            "Frames that the broker deleted before they were read.",
            labels=["topic"],
        )
        for topic, frames in self._lost().items():
            family.add_metric([topic], frames)
        yield family


class DeviceCollector(Collector):
    """Asks for the use of the model's GPU when Prometheus does; without a GPU there is no sample."""

    def __init__(self, use: Callable[[], DeviceUse | None]) -> None:
        self._use = use

    def collect(self) -> Iterator[GaugeMetricFamily]:
        used = GaugeMetricFamily(
            "stripsight_device_memory_used_bytes",
            "Memory of the model's GPU that is taken, by whomever.",
            labels=["device"],
        )
        total = GaugeMetricFamily(
            "stripsight_device_memory_total_bytes", "Memory of the model's GPU.", labels=["device"]
        )
        busy = GaugeMetricFamily(
            "stripsight_device_utilization_ratio",
            "Share of the last second in which the model's GPU was at work.",
            labels=["device"],
        )
        use = self._use()
        if use is not None:
            used.add_metric([use.device], use.memory_used_bytes)
            total.add_metric([use.device], use.memory_total_bytes)
            if use.utilization is not None:
                busy.add_metric([use.device], use.utilization)
        yield from (used, total, busy)
