"""The page for a screen in Chromium, and who serves it: `vl2 serve --watch` with a folder as its camera, or a server of the
tests' own that gives the same page and says whatever a case needs."""

import http.server
import itertools
import json
import os
import queue
import shutil
import struct
import threading
import time
import zlib

from playwright.sync_api import expect

from server import KEPT

SHOTS = KEPT / "shots"
WIDE = {"viewport": {"width": 1280, "height": 720}}
HIGH = {"viewport": {"width": 720, "height": 1280}}
SMALL = {"viewport": {"width": 480, "height": 320}}

expect.set_options(timeout=60_000)


def browser(playwright):
    SHOTS.mkdir(parents=True, exist_ok=True)
    # Root's browsers have no sandbox; there is nothing in this one but the page.
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=words)


class Screen:
    """A page in a browser profile of its own, and what its console said."""

    def __init__(self, chromium, url, look=WIDE, key=None, allowed=(), before=None, **more):
        self.context = chromium.new_context(**look, **more)
        self.page = self.context.new_page()
        self.complaints = []
        self.allowed = allowed
        self.page.on("console", self.said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

        def requested(each):
            if not each.url.startswith((url + "/", f"blob:{url}/", "data:")):
                self.complaints.append(f"request of {each.url}")

        self.page.on("request", requested)
        if before:
            before(self.page)
        self.page.goto(url + "/kiosk" + (f"#key={key}" if key else ""))

    def said(self, message):
        if message.type in ("error", "warning") and not any(words in message.text for words in self.allowed):
            self.complaints.append(f"console: {message.text}")

    def question(self, index):
        return self.page.locator(".question").nth(index)

    def answer(self, index):
        return self.question(index).locator(".said")

    def note(self, index):
        return self.question(index).locator(".note")

    @property
    def trouble(self):
        return self.page.locator("#trouble strong")

    def sees(self):
        expect(self.page.locator("#trouble")).to_be_hidden()

    def pixels(self):
        """Red, green, blue and opacity of the picture on the screen, made 8 x 8 pixels small."""
        return self.page.evaluate("""() => {
          const small = new OffscreenCanvas(8, 8).getContext("2d");
          small.drawImage(document.querySelector("canvas"), 0, 0, 8, 8);
          return [...small.getImageData(0, 0, 8, 8).data];
        }""")

    def shot(self, name):
        self.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def fits(self):
        """Nothing is larger than its place, and nothing scrolls, once the page has seen how large the screen is now."""
        over = """() => [...document.querySelectorAll(".said, #view, main, body")].filter(
          (each) => each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1).map(
          (each) => [each.className || each.id || each.nodeName, each.scrollHeight, each.clientHeight])"""
        until = time.monotonic() + 20
        while (found := self.page.evaluate(over)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not found, found

    def close(self):
        self.context.close()
        assert not self.complaints, self.complaints


class Folder:
    """Pictures that a camera leaves in a folder, and the configuration that watches it."""

    def __init__(self, folder, questions, more=""):
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        self.config = folder / "watch.yaml"
        self.config.write_text(f"camera: {self.pictures}\n{more}questions: {json.dumps(questions)}\n")
        self.numbers = itertools.count(1)

    def add(self, data):
        """One more picture, all of which is there at once; its name."""
        name = f"{next(self.numbers):06d}.{'png' if data.startswith(bytes([0x89])) else 'jpg'}"
        hidden = self.pictures / f".{name}"
        hidden.write_bytes(data)
        hidden.rename(self.pictures / name)
        return name


def plain(width, height, colour):
    """A PNG of one colour with a little noise, as a lens that is covered gives."""
    rows = b"".join(
        b"\0" + bytes(max(0, value + (x * 7 + y * 5) % 3) for x in range(width) for value in colour) for y in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class StandIn:
    """Serves the real page, with its policy, and tells what the tests say."""

    def __init__(self, real, picture):
        status, headers, body = real.request("GET", "/kiosk")
        assert status == 200
        self.page = [(name, headers[name]) for name in ["Content-Type", "Content-Security-Policy", "Cache-Control"]], body
        self.picture = picture
        self.number = 1
        # Requests: what each asked for, when, and the last line that it knew.
        self.requests = []
        self.streams = []
        self.opening = []
        # What the events are refused with: a status and why.
        self.refusal = None
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def head(self, status, headers, length=None):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                else:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()

            def do_HEAD(self):
                outer.note(self)
                self.head(200, outer.page[0], len(outer.page[1]))

            def do_GET(self):
                outer.note(self)
                if self.path == "/kiosk":
                    self.head(200, outer.page[0], len(outer.page[1]))
                    self.wfile.write(outer.page[1])
                elif self.path == "/live/frame.jpg":
                    headers = [("Content-Type", "image/jpeg"), ("X-Frame-Number", str(outer.number))]
                    self.head(200, headers, len(outer.picture))
                    self.wfile.write(outer.picture)
                elif outer.refusal:
                    status, message = outer.refusal
                    body = json.dumps({"error": {"message": message}}).encode()
                    self.head(status, [("Content-Type", "application/json")], len(body))
                    self.wfile.write(body)
                else:
                    self.follow()

            def follow(self):
                told = queue.Queue()
                with outer.lock:
                    for message in outer.opening:
                        told.put(message)
                    outer.streams.append(told)
                self.head(200, [("Content-Type", "text/event-stream")])
                try:
                    while True:
                        try:
                            message = told.get(timeout=10)
                        except queue.Empty:
                            message = b": here\n\n"
                        if message is None:
                            break
                        self.wfile.write(message)
                        self.wfile.flush()
                except OSError:
                    pass
                with outer.lock:
                    if told in outer.streams:
                        outer.streams.remove(told)

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def note(self, request):
        with self.lock:
            self.requests.append((request.path, time.monotonic(), request.headers.get("Last-Event-ID")))

    def count(self, path):
        with self.lock:
            return sum(each[0] == path for each in self.requests)

    def until(self, path, count):
        """Waits until an address was asked for so often."""
        end = time.monotonic() + 120
        while self.count(path) < count:
            assert time.monotonic() < end, f"{path} was asked for {self.count(path)} times, not {count}"
            time.sleep(0.02)

    @staticmethod
    def message(name, data, number=None):
        line = f"id: one-{number}\n" if number else ""
        return f"event: {name}\n{line}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    def state(self, questions, camera="seeing", **more):
        """How things stand, for who is there and for who comes."""
        picture = {"number": self.number, "width": 640, "height": 480, "time": "2026-12-01T10:00:00.000Z"}
        state = {"version": "1", "server": "one", "frame": picture, "camera": camera, "asking": None, "questions": questions}
        message = self.message("state", {**state, **more})
        with self.lock:
            self.opening = [message]
        self.tell(message)

    def tell(self, *messages):
        with self.lock:
            for stream in self.streams:
                for message in messages:
                    stream.put(message)

    def leave(self):
        """Ends what is being told, and is away."""
        self.refusal = 503, "the server is about to end"
        with self.lock:
            for stream in self.streams:
                stream.put(None)

    def close(self):
        self.leave()
        self.httpd.shutdown()
        self.httpd.server_close()


def asked(text, answer=None, holds=True, **more):
    """A question as `state` has it."""
    question = {"name": text, "ask": text, "holds": holds and answer is not None}
    if answer is not None:
        question["last"] = {"time": "2026-12-01T10:00:00.000Z", "question": text, "answer": answer, **more}
    return question


def heap(page):
    """What the browser holds for the page, after it has let go of what it can."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return {name: found[name] for name in ["JSHeapUsedSize", "Nodes", "JSEventListeners", "Documents"]}
