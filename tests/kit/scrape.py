"""A running service's metrics, as Prometheus reads them."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from daemon.cli.demo.stage import free_port
from daemon.cli.demo.world import World
from tests.kit.patience import PATIENCE
from tests.kit.precinct import wait_until


class Scraped:
    """What stood on the page: families with their samples."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as page:
            self.text: str = page.read().decode()
        self.families: list[Metric] = list(text_string_to_metric_families(self.text))

    @property
    def names(self) -> set[str]:
        """Names of all series, as rules and dashboards use them; also those that have no value yet."""
        names = {sample.name for family in self.families for sample in family.samples}
        for family in self.families:
            names |= {f"{family.name}_total"} if family.type == "counter" else set()
        return names

    def value(self, name: str, **labels: str) -> float:
        """One series; 0 where there is none yet."""
        for family in self.families:
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0.0


def listen(world: World, service: str) -> int:
    """Turns metrics on in a service's configuration; its port."""
    port = free_port()
    path = world.config / f"{service}.toml"
    path.write_text(path.read_text() + f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
    return port


def await_value(port: int, wanted: Callable[[float], bool], name: str, **labels: str) -> Scraped:
    """Scrapes until the series is as wanted."""
    found: list[Scraped] = []

    def reached() -> bool:
        found[:] = [Scraped(port)]
        return wanted(found[0].value(name, **labels))

    wait_until(reached, f"{name} {labels}", PATIENCE)
    return found[0]
