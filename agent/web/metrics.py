"""The published state as Prometheus reads it: of success and age, not of errors alone. A moment that never was is 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent.status.published import Json
from agent.web.looking import StateLook
from agent.web.series import DATASET, NODE, PEER, SeriesSample, dataset_samples, node_samples, peer_samples

METRICS_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def metrics_text(look: StateLook) -> str:
    """All of it. Of a state that is stale only its age, and what was last known beside it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(look))
    return generate_latest(registry).decode()


class _Families(Collector):
    def __init__(self, look: StateLook) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        """See ``Collector``."""
        yield _family(*_FRESH, [((), 1.0 if self._look.fresh is not None else 0.0)])
        value = self._look.value
        if value is None:
            return
        yield _family(*_AGE, [((), self._look.age)])
        samples = list(_samples(value, self._look.stood))
        for gauge in (*NODE, *DATASET, *PEER):
            rows = [(sample.labels, sample.value) for sample in samples if sample.name == gauge.name]
            yield _family(gauge.name, gauge.means, gauge.labels, rows)


_FRESH = ("hikae_state_fresh", "Whether the agent said within health_ttl how it is", ())
_AGE = ("hikae_state_age_seconds", "How long ago the agent said how it is", ())


def _samples(value: Json, stood: float) -> Iterator[SeriesSample]:
    yield from node_samples(value)
    for dataset in value["datasets"]:
        yield from dataset_samples(value, dataset, stood)
        for peer in dataset["peers"]:
            yield from peer_samples(dataset["name"], peer)


def _family(
    name: str, means: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, means, labels=labels)
    for values, value in rows:
        family.add_metric(list(values), value)
    return family
