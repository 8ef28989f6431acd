"""`vl2 serve --watch`, and its page for a screen that nobody touches, in Chromium.

Whatever a case does, the browser's console has to stay empty, and nothing may be requested from elsewhere. Pictures of the
screen lie in .build/clients/shots afterwards."""

import base64
import hashlib
import re
import shutil
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from kiosk import HIGH, SMALL, WIDE, Folder, Screen, StandIn, asked, browser, heap, plain
from pictures import BAR, COLOUR, POCKET, SHAPE, SIGN
from server import KEY, Server

HOSTILE = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'
AWAY = ["Failed to load resource", "net::ERR_"]
STAR = (POCKET / SHAPE.files[0]).read_bytes()
CIRCLE = (POCKET / COLOUR.files[0]).read_bytes()
BARS = (POCKET / BAR.files[0]).read_bytes()
QUESTIONS = [
    {"name": "shape", "ask": SHAPE.question},
    {"name": "sign", "ask": "What is in the picture?", "choices": ["a shape", "a receipt", "a sign"]},
]


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        opened = browser(playwright)
        yield opened
        opened.close()


@pytest.fixture
def show(chromium):
    """Opens the page; at the end it must be accessible and its console empty."""
    opened = []

    def open_screen(url, *words, **more):
        opened.append(Screen(chromium, url, *words, **more))
        return opened[-1]

    yield open_screen
    for screen in opened:
        results = Axe().run(screen.page)
        assert results.violations_count == 0, results.generate_report()
        screen.close()


@pytest.fixture
def watch(tmp_path):
    """Starts `vl2 serve --watch` on a folder with pictures."""
    running = []

    def start(questions=QUESTIONS, more="", first=STAR, **options):
        camera = Folder(tmp_path, questions, more)
        if first:
            camera.add(first)
        server = Server(tmp_path, ["--watch", camera.config, "--max-tiles", "4"], **options)
        server.secrets |= {each["ask"] for each in questions}
        server.camera = camera
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """A server that has the page."""
    folder = tmp_path_factory.mktemp("page")
    camera = Folder(folder, QUESTIONS)
    running = Server(folder, ["--watch", camera.config], keys=None)
    yield running
    running.stop()


@pytest.fixture
def stand_in(page_of):
    one = StandIn(page_of, BARS)
    yield one
    one.close()


# What is served


def test_headers(page_of):
    status, headers, body = page_of.request("GET", "/kiosk")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    for name, element in [("script-src", "script"), ("style-src", "style")]:
        texts = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>".encode(), body, re.S)
        assert len(texts) == 1
        assert policy.pop(name) == f"'sha256-{base64.b64encode(hashlib.sha256(texts[0]).digest()).decode()}'"
    assert policy == {
        "default-src": "'none'", "img-src": "data:", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "'none'"}


def test_the_live_addresses(watch):
    server = watch()
    connection = server.connection()
    connection.request("GET", "/live/events", headers={"Authorization": f"Bearer {server.key}"})
    stream = connection.getresponse()
    assert stream.status == 200 and stream.headers["Content-Type"] == "text/event-stream"
    while True:
        line = stream.readline().decode()
        if line.startswith("data: ") and '"question":"shape"' in line and '"answer":"' in line:
            break
    assert SHAPE.answer in line
    status, headers, body = server.request("GET", "/live/frame.jpg")
    assert status == 200 and body == STAR and headers["Cache-Control"] == "no-store"
    status, _, body = server.request("GET", "/live/frame.jpg", headers={"If-None-Match": headers["ETag"]})
    assert status == 304 and body == b""
    status, _, answer = server.post("/live/ask", {})
    assert (status, answer["status"]) == (202, "asked")
    connection.close()
    assert server.get("/live/frame.jpg", key=False)[0] == 401


# A camera


@pytest.mark.parametrize("look, name", [(WIDE, "wide"), (HIGH, "high")])
def test_looks_and_answers(watch, show, look, name):
    """The picture of docs/SERVING.md is what this leaves of the wide screen."""
    server = watch()
    screen = show(server.url, look, key=KEY)
    screen.sees()
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    expect(screen.question(0).locator("h2")).to_have_text(SHAPE.question)
    expect(screen.answer(1)).to_have_text(re.compile("^a (shape|receipt|sign)$"))
    expect(screen.note(1)).to_have_text(re.compile(r", \d+ %$"))
    width, height = screen.page.evaluate("() => { const c = document.querySelector('canvas'); return [c.width, c.height]; }")
    place = screen.page.locator("canvas").bounding_box()
    assert abs(place["width"] / place["height"] - width / height) < 0.02
    first = screen.pixels()
    assert len(set(first)) > 8, first
    screen.fits()
    screen.shot(f"kiosk-{name}")
    # The next picture, and what is said of it.
    server.camera.add((POCKET / SIGN.files[0]).read_bytes())
    expect(screen.answer(0)).not_to_have_text(SHAPE.answer)
    expect(screen.page.locator("#announced")).not_to_be_empty()
    end = time.monotonic() + 60
    while screen.pixels() == first:
        assert time.monotonic() < end, "the picture is still the first"
        time.sleep(0.1)
    screen.fits()


def test_what_the_camera_cannot_see(watch, show):
    """Each state is told in words across the picture, and no answer is shown as one about now."""
    server = watch()
    screen = show(server.url, key=KEY)
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    end = time.monotonic() + 60
    while screen.trouble.text_content() != "Too dark to see":
        assert time.monotonic() < end, screen.trouble.text_content()
        server.camera.add(plain(320, 240, (0, 1, 0)))
        time.sleep(0.3)
    expect(screen.answer(0)).to_have_text("–")
    screen.shot("kiosk-dark")
    shutil.rmtree(server.camera.pictures)
    expect(screen.trouble).to_have_text("The camera is not there")
    assert str(server.camera.pictures) not in screen.page.locator("body").text_content()
    server.camera.pictures.mkdir()
    server.camera.add(CIRCLE)
    expect(screen.answer(0)).not_to_have_text("–")


def test_a_camera_that_hangs(watch, show):
    server = watch(more="hung_after: 3s\n")
    screen = show(server.url, key=KEY)
    expect(screen.trouble).to_have_text("The camera gives no pictures")
    expect(screen.answer(0)).to_have_text("–")
    expect(screen.note(0)).to_contain_text(SHAPE.answer)
    screen.shot("kiosk-hung")
    server.camera.add(CIRCLE)
    screen.sees()


def test_a_frozen_picture(watch, show):
    server = watch(more="frozen_after: 2s\n")
    screen = show(server.url, key=KEY)
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    end = time.monotonic() + 60
    while screen.page.locator("#trouble").is_hidden():
        assert time.monotonic() < end
        server.camera.add(STAR)
        time.sleep(0.3)
    expect(screen.trouble).to_have_text("The picture stands still")


@pytest.mark.parametrize("status, words", [
    (404, "This server looks through no camera"), (403, "The server refuses this screen"), (503, "The server has no time")])
def test_a_server_that_refuses(stand_in, show, status, words):
    """A page that stayed open while its server was started anew, without a camera perhaps, says what it is told."""
    stand_in.refusal = status, "start it with --watch CONFIG.yaml" + HOSTILE
    screen = show(stand_in.url, allowed=AWAY)
    expect(screen.trouble).to_have_text(words)
    expect(screen.page.locator("#trouble span")).to_have_text("start it with --watch CONFIG.yaml" + HOSTILE)
    screen.shot(f"kiosk-{status}")
    stand_in.refusal = None
    stand_in.state([asked("How is the gate?", "open")])
    expect(screen.answer(0)).to_have_text("open")


# Keys


def test_the_key_is_asked_for(watch, show):
    server = watch()
    screen = show(server.url, allowed=AWAY)
    dialog = screen.page.locator("dialog")
    expect(dialog).to_be_visible()
    screen.page.fill("#key", "wrong")
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator("#key-wrong")).to_contain_text("does not know this key")
    screen.page.fill("#key", KEY)
    screen.page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    # A page that begins anew has it still.
    screen.page.reload()
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    expect(dialog).to_be_hidden()


def test_the_key_behind_the_address(watch, show):
    server = watch()
    screen = show(server.url, key=KEY)
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    assert screen.page.url == server.url + "/kiosk"
    screen.page.reload()
    expect(screen.answer(0)).to_have_text(SHAPE.answer)


# Texts


def test_hostile_texts(watch, show):
    choices = [HOSTILE + "1", HOSTILE + "2"]
    server = watch([{"name": HOSTILE, "ask": HOSTILE, "choices": choices, "tell": "always"}])
    screen = show(server.url, key=KEY)
    expect(screen.answer(0)).to_have_text(re.compile(re.escape(HOSTILE) + "[12]"))
    expect(screen.question(0).locator("h2")).to_have_text(HOSTILE)
    assert screen.page.evaluate("() => window.hacked") is None
    assert screen.page.locator("main img, main script").count() == 0
    screen.fits()


def test_hostile_boxes_and_messages(stand_in, show):
    boxes = [
        {"label": HOSTILE, "left": -5, "top": 1e9, "right": "x", "bottom": None}, {"label": 7}, {},
        *[{"label": "b", "left": 1, "top": 1, "right": 2, "bottom": 2}] * 5000]
    stand_in.state([asked(HOSTILE, HOSTILE, boxes=boxes)])
    screen = show(stand_in.url)
    expect(screen.answer(0)).to_have_text(HOSTILE)
    assert screen.page.locator(".box").count() == 100
    # What the camera is called may have a password in it.
    stand_in.state([asked(HOSTILE, HOSTILE)], camera="gone", message="command:curl -u me:secret" + HOSTILE)
    expect(screen.trouble).to_have_text("The camera is not there")
    expect(screen.page.locator("body")).not_to_contain_text("secret")
    assert screen.page.evaluate("() => window.hacked") is None
    screen.fits()
    # A message that is none is no end: the page comes back to the server.
    stand_in.tell(b"event: state\ndata: {\n\n")
    stand_in.until("/live/events", 2)
    stand_in.state([asked("a", "fine")])
    expect(screen.answer(0)).to_have_text("fine")


@pytest.mark.parametrize("look, name", [(WIDE, "wide"), (HIGH, "high"), (SMALL, "small")])
def test_texts_fit(stand_in, show, look, name):
    """As large as there is room for, whatever is said, and however many questions there are."""
    questions = [
        asked("How is the gate?", "open", probability=0.97),
        asked("What is there?", {"people": 3, "doing": ["waiting", "reading"], "at the door": False}),
        asked("Was steht auf dem Schild?", "Donaudampfschifffahrtsgesellschaftskapitän " + "und so weiter " * 80),
        asked("ماذا ترى؟", "قطة على الطاولة"), asked("你看到什么？", "桌子上有一只猫")]
    screen = show(stand_in.url, look) if not stand_in.state(questions[:1]) else None
    expect(screen.answer(0)).to_have_text("open")
    screen.fits()
    large = screen.page.evaluate("() => parseFloat(document.querySelector('.said').style.fontSize)")
    assert large > (100 if look is not SMALL else 40), large
    expect(screen.note(0)).to_have_text(re.compile(r", 97 %$"))
    stand_in.state(questions)
    expect(screen.page.locator(".question")).to_have_count(5)
    if look is not SMALL:
        expect(screen.answer(1)).to_have_text("people: 3\ndoing: waiting, reading\nat the door: false")
    assert len(screen.answer(2).text_content()) <= 701
    if look is not SMALL:
        screen.fits()
    # However small the screen is, the first thing to be seen is the answer.
    assert screen.answer(0).bounding_box()["height"] > 15
    screen.shot(f"kiosk-texts-{name}")
    screen.page.set_viewport_size({"width": 900, "height": 900})
    if look is not SMALL:
        screen.fits()
    stand_in.state(questions[:2])
    expect(screen.page.locator(".question")).to_have_count(2)
    screen.fits()


# Boxes, and answers that no longer hold


def test_boxes_lie_where_they_should(stand_in, show):
    boxes = [
        {"label": "one", "left": 64, "top": 48, "right": 320, "bottom": 240},
        {"label": "", "left": 0, "top": 0, "right": 640, "bottom": 480}]
    stand_in.state([asked("Where?", "one", boxes=boxes), asked("And?", "two", holds=False, boxes=boxes)])
    screen = show(stand_in.url)
    expect(screen.page.locator(".box")).to_have_count(2)
    picture = screen.page.locator("canvas").bounding_box()
    box = screen.page.locator(".box").first.bounding_box()
    for side, share in [("x", 0.1), ("y", 0.1)]:
        size = picture["width" if side == "x" else "height"]
        assert abs(box[side] - picture[side] - share * size) < 2
    assert abs(box["width"] - 0.4 * picture["width"]) < 2 and abs(box["height"] - 0.4 * picture["height"]) < 2
    expect(screen.page.locator(".box span")).to_have_text("one")
    expect(screen.answer(1)).to_have_text("No answer")
    screen.shot("kiosk-boxes")
    # What was found has its name and its place in marks.
    found = "<|ref|>the blue ring<|/ref|><|det|>[[58, 400, 250, 651]]<|/det|>"
    stand_in.state([asked("Where?", found, boxes=boxes)])
    expect(screen.answer(0)).to_have_text("the blue ring")
    # Boxes are of a picture that is no longer there.
    stand_in.state([asked("Where?", "one", boxes=boxes)], asking="change")
    expect(screen.page.locator(".box")).to_have_count(0)
    expect(screen.question(0)).to_have_class("question older looking")
    expect(screen.note(0)).to_contain_text("Looking again")
    stand_in.state([asked("Where?", "one", boxes=boxes)], asking="timer")
    expect(screen.page.locator(".box")).to_have_count(2)
    stand_in.state([asked("Where?")], asking="start")
    expect(screen.answer(0)).to_have_text("…")
    stand_in.state([asked("Where?", "one", boxes=boxes)], camera="frozen")
    expect(screen.page.locator(".box")).to_have_count(0)


@pytest.mark.parametrize("camera, words", [
    ("starting", "Waiting for the camera"), ("gone", "The camera is not there"), ("hung", "The camera gives no pictures"),
    ("frozen", "The picture stands still"), ("dark", "Too dark to see"), ("outside", "Nothing to look at"),
    ("ended", "The camera has ended")])
def test_every_state_has_its_words(stand_in, show, camera, words):
    stand_in.state([asked("How is the gate?", "open")], camera=camera)
    screen = show(stand_in.url)
    expect(screen.trouble).to_have_text(words)
    expect(screen.answer(0)).to_have_text("–")
    expect(screen.note(0)).to_contain_text("Before")
    screen.fits()


def test_motion_only_where_it_is_wanted(stand_in, show):
    stand_in.state([asked("a", "b")], asking="timer")
    moves = "() => getComputedStyle(document.querySelector('.note'), '::before').animationName"
    for motion, name in [("no-preference", "beat"), ("reduce", "none")]:
        screen = show(stand_in.url, reduced_motion=motion)
        expect(screen.question(0)).to_have_class("question looking")
        assert screen.page.evaluate(moves) == name


# A server that goes away, and a page that grows old


def test_the_server_goes_away(stand_in, show):
    stand_in.state([asked("How is the gate?", "open")])
    screen = show(stand_in.url, allowed=AWAY)
    expect(screen.answer(0)).to_have_text("open")
    stand_in.tell(StandIn.message("answer", {"time": "", "answer": "open"}, 41))
    expect(screen.page.locator("#announced")).to_have_text("open")
    stand_in.leave()
    expect(screen.page.locator("#trouble")).to_be_visible()
    expect(screen.answer(0)).to_have_text("–")
    stand_in.until("/live/events", 5)
    with stand_in.lock:
        times = [when for path, when, _ in stand_in.requests if path == "/live/events"]
        known = [last for path, _, last in stand_in.requests if path == "/live/events"]
    pauses = [after - before for before, after in zip(times[1:], times[2:])]
    # 1, 2, 4 s, each with a quarter more or less.
    assert pauses[-1] > 1.5 * pauses[0], pauses
    assert known[0] is None and set(known[1:]) == {"one-41"}
    screen.shot("kiosk-away")
    stand_in.refusal = None
    expect(screen.answer(0)).to_have_text("open")
    screen.sees()


def test_a_real_server_comes_back(watch, show):
    server = watch()
    screen = show(server.url, key=KEY, allowed=AWAY)
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    port = server.port
    server.stop()
    expect(screen.trouble).to_have_text("The server is away")
    server.command[server.command.index("--port") + 1] = str(port)
    server.start()
    expect(screen.answer(0)).to_have_text(SHAPE.answer)
    screen.sees()


@pytest.mark.parametrize("why", ["age", "events", "version"])
def test_the_page_begins_anew(stand_in, show, why):
    """After six hours, after 20,000 messages, or when the server is another version; where nothing is told, and the server
    is there."""
    stand_in.state([asked("How is the gate?", "open")])
    screen = show(stand_in.url, before=lambda page: page.clock.install(), allowed=AWAY)
    clock = screen.page.clock
    expect(screen.answer(0)).to_have_text("open")
    clock.fast_forward(31_000)
    assert stand_in.count("/kiosk") == 1
    if why == "age":
        clock.fast_forward(5 * 3600_000 + 58 * 60_000)
        # So long without a sign of the server's: it is asked anew, and the page stays.
        stand_in.until("/live/events", 2)
        expect(screen.answer(0)).to_have_text("open")
        assert stand_in.count("/kiosk") == 1
        clock.fast_forward(90_000)
    elif why == "events":
        # In parts, as a server would send it.
        for _ in range(21):
            stand_in.tell(StandIn.message("event", {"time": "", "event": "broken", "frames": 1}) * 1000)
        stand_in.tell(StandIn.message("answer", {"time": "", "answer": "the last"}, 1))
        expect(screen.page.locator("#announced")).to_have_text("the last")
        # Something was told just now.
        clock.fast_forward(31_000)
        assert stand_in.count("/kiosk") == 1
    else:
        stand_in.state([asked("How is the gate?", "open now")], version="2")
        expect(screen.answer(0)).to_have_text("open now")
        assert stand_in.count("/kiosk") == 1
    clock.fast_forward(31_000)
    # HEAD, to see whether the server is there, and then the page.
    stand_in.until("/kiosk", 3)
    expect(screen.question(0).locator("h2")).to_have_text("How is the gate?")
    screen.sees()


def test_the_page_stays_where_the_server_is_away(stand_in, show):
    stand_in.state([asked("How is the gate?", "open")])
    screen = show(stand_in.url, before=lambda page: page.clock.install(), allowed=AWAY)
    expect(screen.answer(0)).to_have_text("open")
    stand_in.leave()
    expect(screen.answer(0)).to_have_text("–")
    for _ in range(4):
        screen.page.clock.fast_forward(3 * 3600_000)
        screen.page.clock.run_for(1000)
    assert stand_in.count("/kiosk") == 1
    expect(screen.question(0).locator("h2")).to_have_text("How is the gate?")


def test_nothing_grows(stand_in, show):
    """Thousands of messages leave nothing behind. The long one is kiosk_long.py."""
    boxes = [{"label": f"box {index}", "left": index, "top": index, "right": 300, "bottom": 200} for index in range(9)]
    stand_in.state([asked("a", "begin", boxes=boxes)])
    screen = show(stand_in.url)
    expect(screen.answer(0)).to_have_text("begin")

    def tell(count, word):
        for number in range(count):
            answer = f"{word} {number}" + " x" * (number % 50)
            stand_in.number += 1
            stand_in.tell(StandIn.message("answer", {"time": "", "answer": answer}, number + 1))
            stand_in.state([asked("a", answer, boxes=boxes)])
        expect(screen.answer(0)).to_have_text(answer)

    tell(300, "first")
    before = heap(screen.page)
    tell(3000, "second")
    after = heap(screen.page)
    for name, allowed in [("Nodes", 60), ("JSEventListeners", 5), ("Documents", 0), ("JSHeapUsedSize", 1_500_000)]:
        assert after[name] <= before[name] + allowed, (name, before, after)
