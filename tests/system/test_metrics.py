"""A running dock and policy service tell Prometheus what they do: the real numbers, and nothing of anybody's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import BWC, free_port
from daemon.cli.demo.world import World
from daemon.seal import envelope as envelopes
from daemon.seal.private_keys import load_sign_key, new_pair
from tests.kit import agency
from tests.kit.acts import classify, request
from tests.kit.patience import PATIENCE
from tests.kit.precinct import CAMERA, OFFICER, Precinct, running
from tests.kit.scrape import Scraped, await_value, listen

GRAFANA = Path(__file__).parents[2] / "config" / "grafana"
pytestmark = pytest.mark.xdist_group("metrics")


@dataclass(frozen=True)
class Measured:
    precinct: Precinct
    dock: int
    policy: int


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    ports: list[int] = []

    def before(world: World) -> None:
        ports.append(listen(world, "policy"))
        new_pair(world.keys, "stranger")

    root = tmp_path_factory.mktemp("metrics") / "world"
    port = free_port()
    with running(root, f'[metrics]\nlisten = "127.0.0.1:{port}"\n', before) as precinct:
        yield Measured(precinct, port, ports[0])


def test_a_clips_way_can_be_read_in_the_numbers(measured: Measured) -> None:
    precinct = measured.precinct
    before = await_value(measured.dock, lambda n: n == 1, "bwc_dock_broker_connected")
    size = 3_000_000
    (taken,) = precinct.dock_camera("bay-1", "--bytes", str(size), "--timeout", "30")["clips"]
    clip_id = str(taken["clip_id"])
    after = await_value(measured.dock, lambda n: n == 1, "bwc_dock_clips", state="locked")
    await_value(measured.dock, lambda n: n == 0, "bwc_dock_backlog_notices")

    def more(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert more("bwc_dock_read_bytes_total") == size
    assert more("bwc_dock_taken_in_clips_total", integrity="verified") == 1
    assert more("bwc_dock_taken_in_bytes_total", integrity="verified") == size
    assert more("bwc_dock_sync_seconds_count") == more("bwc_dock_read_back_seconds_count") == 1
    assert more("bwc_dock_sync_seconds_sum") > 0 and more("bwc_dock_read_back_seconds_sum") > 0
    assert after.value("bwc_dock_clock_trusted") == 1
    assert 0 < after.value("bwc_dock_vault_free_bytes") <= after.value("bwc_dock_vault_size_bytes")
    assert after.value("bwc_dock_vault_reserve_bytes") == 16777216
    await_value(measured.dock, lambda n: n == 1, "bwc_dock_bays", state="empty")

    refused = request(precinct, cast.OFFICER, clip_id, "report", expect=3)
    assert refused["outcome"] == "refused"
    await_value(measured.policy, lambda n: n == 1, "bwc_policy_open_requests")
    classify(precinct, clip_id, "none")
    policy = await_value(measured.policy, lambda n: n == 1, "bwc_policy_live_orders")
    assert policy.value("bwc_policy_decisions_total", outcome="refused") == 1
    assert policy.value("bwc_policy_decisions_total", outcome="released") == 1
    assert policy.value("bwc_policy_attestations_accepted_total", kind="request") == 1
    assert policy.value("bwc_policy_attestations_accepted_total", kind="classification") == 1
    assert policy.value("bwc_policy_open_requests") == 0 and policy.value("bwc_policy_broker_connected") == 1
    await_value(measured.dock, lambda n: n == 1, "bwc_dock_clips", state="released")

    classify(precinct, clip_id, "serious")
    policy = await_value(measured.policy, lambda n: n == 0, "bwc_policy_live_orders")
    assert policy.value("bwc_policy_decisions_total", outcome="revoked") == 1


def test_refusals_are_counted_by_a_word_of_ours(measured: Measured) -> None:
    precinct = measured.precinct
    precinct.dock_camera("bay-2", "--bytes", "1000", "--until", "docked", "--stay", serial="stranger")
    precinct.bay("bay-2", "refused")
    await_value(measured.dock, lambda n: n == 1, "bwc_dock_bays", state="refused")
    dock = await_value(measured.dock, lambda n: n > 0, "bwc_dock_refusals_total", what="camera", reason="unenrolled")
    assert dock.value("bwc_dock_refusals_total", what="camera", reason="unenrolled") == 1, "looked at again and again"
    topics = precinct.topics
    precinct.publish(topics.attestation("51234", "hold", "0" * 64), b'"gossip"')
    await_value(measured.policy, lambda n: n == 1, "bwc_policy_refusals_total", kind="hold", reason="MalformedError")
    precinct.publish(topics.ack(cast.DOCK), b"gossip")
    labels = {"what": "acknowledgement", "reason": "MalformedError"}
    await_value(measured.dock, lambda n: n == 1, "bwc_dock_refusals_total", **labels)


def refuse_orders(precinct: Precinct) -> None:
    """The dock is handed an order that is none, and a disposal of a clip that it does not have."""
    topic = precinct.topics.order(cast.DOCK, agency.CLIP)
    precinct.publish(topic, b"gossip")
    order = agency.statement("disposal", dock_id=cast.DOCK, ordered_at=datetime.now(UTC))
    signed = envelopes.sign(order, load_sign_key(precinct.world.key("policy", "sign")))
    precinct.publish(topic, signed.to_bytes())


def test_rules_and_dashboard_use_only_what_is_told(measured: Measured) -> None:
    refuse_orders(measured.precinct)
    for what, reason in (("order", "MalformedError"), ("disposal", "InconsistentError")):
        await_value(measured.dock, lambda n: n > 0, "bwc_dock_refusals_total", what=what, reason=reason)
    told = [Scraped(port) for port in (measured.dock, measured.policy)]
    names = set().union(*(scraped.names for scraped in told))
    labelled = {
        (sample.name, *label)
        for scraped in told
        for family in scraped.families
        for sample in family.samples
        for label in sample.labels.items()
    }
    for file in ("alerts.yml", "alerts.test.yml", "dashboard.json"):
        text = (GRAFANA / file).read_text().replace('\\"', '"')
        used = set(re.findall(r"\bbwc_[a-z_]+", text))
        assert used and used <= names, f"{file}: {used - names}"
        selected = set(re.findall(r'(bwc_[a-z_]+)\{(?:instance="[^"]*",)?(\w+)="([^"]+)"', text))
        wanted = {one for one in selected if one[1] != "instance"}
        assert wanted <= labelled, f"{file}: {wanted - labelled}"


def test_the_numbers_name_nobody(measured: Measured) -> None:
    for port in (measured.dock, measured.policy):
        page = Scraped(port).text
        for name in (OFFICER, CAMERA, "stranger", "bay-", "gossip"):
            assert name not in page
    measured.precinct.dock_camera("bay-9", "--bytes", "1000", "--timeout", "30")
    clips = measured.precinct.custody(action="ingested")
    assert clips and not [e for e in clips if e["clip_id"] in Scraped(measured.dock).text]


@pytest.mark.parametrize("service", ["dock run", "policy serve"])
def test_a_port_that_is_taken_is_said_at_the_start(measured: Measured, service: str, tmp_path: Path) -> None:
    world, name = measured.precinct.world, service.split()[0]
    text = (world.config / f"{name}.toml").read_text()
    for folder in ("state", "vault"):
        text = text.replace(f'= "../{folder}', f'= "{tmp_path}/{folder}')
    port = measured.dock if name == "dock" else measured.policy
    copy = world.config / f"second-{name}.toml"
    copy.write_text(text)
    ran = subprocess.run([*BWC, *service.split(), "--config", copy], capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 2
    assert f"bwc: metrics.listen 127.0.0.1:{port}: address already in use\nhint: " in ran.stderr


def test_what_waits_and_who_is_away(measured: Measured) -> None:
    """Last here: it takes the policy service and then the broker away."""
    precinct = measured.precinct
    await_value(measured.dock, lambda n: n == 0, "bwc_dock_backlog_notices")
    precinct.stage.stop("policy")
    precinct.dock_camera("bay-3", "--bytes", "1000", "--until", "docked")
    waiting = await_value(measured.dock, lambda n: n > 0, "bwc_dock_oldest_unacknowledged_seconds")
    assert waiting.value("bwc_dock_backlog_notices") == 1
    assert waiting.value("bwc_dock_broker_connected") == 1
    precinct.stage.start("policy", *BWC, "policy", "serve", "--config", str(precinct.world.config / "policy.toml"))
    heard = await_value(measured.dock, lambda n: n == 0, "bwc_dock_backlog_notices")
    assert heard.value("bwc_dock_oldest_unacknowledged_seconds") == 0
    precinct.stage.stop("broker")
    await_value(measured.dock, lambda n: n == 0, "bwc_dock_broker_connected")
    await_value(measured.policy, lambda n: n == 0, "bwc_policy_broker_connected")
