"""The page for a screen for ten minutes, with 2,000 answers and events: what browser and server hold at the end is what they held
after the first minute. `make test-kiosk`; MINUTES=10 EVENTS=2000 are the least of each."""

import os
import re
import sys
import threading
import time

from playwright.sync_api import expect, sync_playwright

from kiosk import WIDE, Folder, Screen, browser, heap, plain
from pictures import BAR, COLOUR, POCKET, SHAPE, SIGN
from server import KEY, Server

MINUTES = float(os.environ.get("MINUTES", 10))
EVENTS = int(os.environ.get("EVENTS", 2000))
PICTURES = [(POCKET / each.files[0]).read_bytes() for each in (SHAPE, COLOUR, SIGN, BAR)]
DARK = plain(160, 120, (0, 1, 0))
# Choices are weighed, not written, so that an answer takes no long time. The second one's answer changes now and then only.
QUESTIONS = [
    {"name": "what", "ask": "What is in the picture?", "choices": ["a shape", "a sign", "some bars"], "tell": "always"},
    {"name": "colour", "ask": COLOUR.question, "choices": ["yellow", "green"], "tell": "changes"},
]


class Camera(threading.Thread):
    """Leaves a picture as soon as the last one was looked at, and covers the lens now and then."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder = folder
        self.is_over = threading.Event()

    def run(self):
        for number in range(1 << 60):
            if self.is_over.wait(0.2):
                return
            self.folder.add(DARK if number % 40 > 35 else PICTURES[number // 2 % len(PICTURES)])
            # The folder of a camera that runs for long is tidied by somebody.
            for old in sorted(self.folder.pictures.glob("*.*"))[:-20]:
                old.unlink()


def lines(server):
    text = server.request("GET", "/metrics")[2].decode()
    return sum(int(value) for value in re.findall(r"^vl2_camera_lines_total\{.*\} (\d+)$", text, re.M))


def held(screen, server):
    found = heap(screen.page)
    found["elements"] = screen.page.evaluate("() => document.querySelectorAll('*').length")
    found["resident"] = server.resident()
    found["descriptors"] = server.descriptors()
    found["threads"] = server.threads()
    return found


def test_ten_minutes(tmp_path):
    folder = Folder(tmp_path, QUESTIONS, "settle_frames: 1\nevery: 100ms\n")
    folder.add(PICTURES[0])
    server = Server(tmp_path, ["--watch", folder.config, "--max-tiles", "1"])
    camera = Camera(folder)
    try:
        with sync_playwright() as playwright:
            chromium = browser(playwright)
            screen = Screen(chromium, server.url, WIDE, key=KEY)
            screen.sees()
            camera.start()
            begin = time.monotonic()
            first = None
            while time.monotonic() < begin + 60 * MINUTES or lines(server) < EVENTS:
                assert time.monotonic() < begin + 60 * MINUTES * 6, f"{lines(server)} lines of {EVENTS} after six times as long"
                # Playwright hears of the console only where it is asked for something.
                screen.page.wait_for_timeout(1000)
                if first is None and time.monotonic() > begin + 6 * MINUTES:
                    first = held(screen, server)
            camera.is_over.set()
            camera.join()
            last, told, minutes = held(screen, server), lines(server), (time.monotonic() - begin) / 60
            screen.shot("kiosk-long")
            # A word of the last answer, so that it was the page that followed and not the server alone.
            status, _, state = server.request("GET", "/health")
            assert status == 200, state
            expect(screen.page.locator(".question")).to_have_count(2)
            screen.close()
            chromium.close()
        print(f"\n{told} lines in {minutes:.1f} minutes", file=sys.stderr)
        for name in first:
            print(f"  {name:18} {first[name]:>12,.0f} {last[name]:>12,.0f}", file=sys.stderr)
        assert told >= EVENTS
        allowed = {
            "JSHeapUsedSize": 1_000_000, "Nodes": 100, "JSEventListeners": 5, "Documents": 0, "elements": 12,
            "resident": 6_000_000, "descriptors": 2, "threads": 1}
        for name, more in allowed.items():
            assert last[name] <= first[name] + more, (name, first[name], last[name])
    finally:
        camera.is_over.set()
        server.stop()
