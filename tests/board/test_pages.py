"""The pages in real Chromium, over a real dock and policy service: what they show changes by itself."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from daemon.cli.demo import world as cast
from tests.board.chromium import accessible
from tests.board.conftest import Room, Rooms
from tests.kit.acts import attest, classify, open_clip, request
from tests.kit.promise import Camera

pytestmark = pytest.mark.xdist_group("chromium")
WALL, PHONE = {"width": 1920, "height": 1080}, {"width": 390, "height": 844}
SLOW = {"camera_bytes_per_second": 2_000_000}


def bay(page: Page, name: str) -> Locator:
    return page.locator(".bay", has=page.get_by_role("heading", name=name)).locator(".state")


def test_a_bay_from_docking_to_undocking(room: Rooms) -> None:
    with room('dock_id = "central-1"\n', **SLOW) as found, found.screen.page("/", viewport=WALL) as page:
        camera = Camera(found.precinct.world, 0, random.Random(1))
        camera.undock()
        camera.record(12_000_000)
        camera.dock()
        expect(bay(page, "bay-0")).to_contain_text("Reading")
        left = page.locator(".bay .left")
        expect(left).to_contain_text("left")
        first = left.inner_text()
        expect(page.locator(".bay")).to_contain_text("Officer 51234")
        accessible(page, "bays-reading")
        expect(left).not_to_have_text(first)
        expect(bay(page, "bay-0")).to_contain_text("Safe to undock")
        expect(page.locator("#said")).to_contain_text("bay-0: Safe to undock")
        accessible(page, "bays")
        camera.undock()
        expect(bay(page, "bay-0")).to_contain_text("Empty")


def test_the_state_can_be_read_from_five_metres(room: Rooms) -> None:
    """A letter is readable from 250 times its height. 55-inch wall screen, 1,080 lines on 685 mm: 20 mm are 32 px."""
    with room() as found, found.screen.page("/", viewport=WALL) as page:
        Camera(found.precinct.world, 0, random.Random(1))
        found.precinct.bay("bay-0", "done")
        state = bay(page, "bay-0")
        expect(state).to_contain_text("Safe to undock")
        assert state.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") * 0.7 >= 32


def test_a_clip_from_locked_to_released(room: Rooms, tmp_path: Path) -> None:
    with room() as found:
        precinct = found.precinct
        clip = precinct.dock_camera("bay-1", "--bytes", "20000", "--seed", "5")["clips"][0]["clip_id"]
        with found.screen.page("/clips", viewport=WALL) as page:
            line = page.locator("#locked tbody tr")
            expect(line).to_contain_text("no release order")
            classify(precinct, clip, "deadly")
            expect(line).to_contain_text("deadly")
            expect(page.locator("#locked")).to_contain_text(
                "an audio-recorded statement to internal affairs from 51234"
            )
            expect(page.locator("#due tbody tr")).to_contain_text("an audio-recorded statement")
            expect(page.locator("#health")).to_contain_text("entries")
            accessible(page, "clips")
            line.get_by_role("link").first.click()
            expect(page.locator(".lock")).to_contain_text("locked: no release order")
            expect(page.locator("#state")).to_contain_text("What would open it")
            speak(found, clip)
            request(precinct, cast.OFFICER, clip, "report")
            expect(page.locator(".lock")).to_contain_text("released")
            history = page.locator("#history")
            expect(history).to_contain_text("taken in: hashed, sealed and locked")
            expect(history).to_contain_text("released to 51234 for report")
            open_clip(precinct, cast.OFFICER, clip, tmp_path / "clip.mp4")
            expect(history).to_contain_text("opened by 51234")
            accessible(page, "clip")


def speak(found: Room, clip: str) -> None:
    """The officer gives the statement that the regime asks for."""
    about = ("--incident-id", f"of-{clip}", "--officer-id", cast.OFFICER.person_id)
    recorded = ("--form", "audio", "--recording-sha256", "0" * 64)
    attest(found.precinct, cast.INVESTIGATOR, "statement", *about, "--to", "internal_affairs", *recorded)


def test_every_page_is_accessible_on_a_wall_and_on_a_phone_in_light_and_dark(room: Rooms) -> None:
    with room() as found:
        clip = found.precinct.dock_camera("bay-1", "--bytes", "5000", "--seed", "5")["clips"][0]["clip_id"]
        pages = {"bays": "/", "clips": "/clips", "clip": f"/clips/central-1/{clip}", "sorry": "/clips/central-1/none"}
        found.precinct.notice(clip)
        for viewport, scheme, name in itertools.product((WALL, PHONE), ("light", "dark"), pages):
            with found.screen.page(pages[name], viewport=viewport, color_scheme=scheme) as page:
                if name == "clips":
                    expect(page.locator("#locked tbody tr")).to_have_count(1)
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= viewport["width"], f"{name}: something sticks out"
                accessible(page, f"{name}-{viewport['width']}-{scheme}")


def test_by_keyboard_alone(room: Rooms) -> None:
    with room() as found, found.screen.page("/", viewport=WALL) as page:
        clip = found.precinct.dock_camera("bay-1", "--bytes", "5000", "--seed", "5")["clips"][0]["clip_id"]
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        for _ in range(2):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Clips")
        expect(page.locator("#locked tbody tr")).to_have_count(1)
        search = page.get_by_label("Officer, incident or clip")
        search.focus()
        page.keyboard.type("nobody")
        page.keyboard.press("Enter")
        expect(page.locator("#locked")).to_contain_text("No locked clip of “nobody”")
        page.get_by_role("link", name="show all").focus()
        page.keyboard.press("Enter")
        page.locator("#locked tbody a").focus()
        # the page changes underneath: whoever is on a link stays on it
        classify(found.precinct, clip, "none")
        expect(page.locator("#locked tbody tr")).to_contain_text(f"of-{clip}")
        assert clip in page.evaluate("document.activeElement.getAttribute('href')")


def test_a_screen_that_is_out_of_date_says_so(room: Rooms) -> None:
    with room() as found, found.screen.page("/", viewport=WALL) as page:
        Camera(found.precinct.world, 0, random.Random(1))
        expect(bay(page, "bay-0")).to_contain_text("Safe to undock")
        found.precinct.stage.stop("dock")
        expect(page.locator("#docks")).to_contain_text("Dock central-1 is offline")
        found.precinct.stage.stop("broker")
        expect(page.locator("#link")).to_contain_text("The broker is away")
        expect(bay(page, "bay-0")).to_contain_text("Safe to undock")  # as it was
        accessible(page, "bays-broker-away")
        found.precinct.stage.stop("board")
        expect(page.locator("#stale")).to_be_visible()
        accessible(page, "bays-lost")


def test_nothing_on_a_page_comes_from_elsewhere(room: Rooms) -> None:
    with room() as found:
        asked: list[str] = []
        with found.screen.page("/clips") as page:
            page.on("request", lambda request: asked.append(request.url))
            with page.expect_request(lambda request: "/events" in request.url):
                page.reload()
        assert asked and all(url.startswith(found.screen.url) for url in asked)


def test_what_a_camera_says_is_text_and_never_markup(room: Rooms) -> None:
    with room() as found, found.screen.page("/") as page:
        evil = (
            '{"schema":"bwc.bay/1","bay":"bay-9","state":"failed","reason":"<img src=x onerror=alert(1)><b>bold</b>"}'
        )
        found.precinct.publish(found.precinct.topics.bay("central-1", "bay-9"), evil.encode(), retain=True)
        expect(page.locator(".bay .advice")).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
        assert page.locator(".bay img").count() == 0
