"""The certificate for court: every fact from what was verified, and a page that holds nobody's markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from daemon.review.certificate import as_html, certificate
from daemon.review.opening import Viewer, open_clip
from daemon.vault.sources import Directory
from tests.kit import agency
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import AGENCY, open_house


def test_its_facts_are_those_that_were_verified(tmp_path: Path) -> None:
    with open_house(tmp_path / "dock") as house:
        house.acknowledge()
        house.record(CLIP, b"footage")
        house.look(3)
        order = agency.signed(house.release(CLIP), "policy")
        house.hear(house.dock.topics.order("dock-1", CLIP), order.to_bytes())
        viewer = Viewer("officer", agency.sign_key("officer"), agency.open_key("officer"))
        source, trust, now = Directory(house.dock.vault.root), house.dock.trust.get(), house.clock.now()
        opened = open_clip(source, CLIP, viewer, AGENCY, trust, now, tmp_path / "a<b.mp4", lambda _: None)
    document = certificate(opened, NOW)
    assert document["file"]["name"] == "a<b.mp4"
    assert document["file"]["sha256"] == opened.evidence.seal.statement.clip_sha256
    assert document["release"]["release_sha256"] == order.digest
    assert document["camera"]["camera_serial"] == "cam-1"
    actions = [entry["action"] for entry in document["custody"]]
    assert actions[:2] == ["ingested", "tagged"] and "released" in actions
    assert document["checkpoint"]["size"] > max(entry["sequence"] for entry in document["custody"])
    page = as_html(document)
    assert "a&lt;b.mp4" in page and "a<b.mp4" not in page
    assert _links(page) == [], "it needs nothing from anywhere"


def _links(page: str) -> list[str]:
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if name in {"href", "src"})

    Parser().feed(page)
    return found
