"""The page that people see at `/`, in Chromium: asked with the mouse, with the keyboard alone, on a telephone, in the dark.

Whatever a case does, the browser's console has to stay empty, nothing may be requested from elsewhere, and every case ends
with axe's rules of accessibility. Pictures of the screen lie in .build/clients/shots afterwards.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from pictures import FOLLOW_UP, POCKET, PRICE, SHAPE, SIGN, TOTAL, TWO, endless_schema, png
from server import KEPT, KEY, base64_of

KEYS = None

DESKTOP = {"viewport": {"width": 1100, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
DARK = {**DESKTOP, "color_scheme": "dark"}

SHOTS = KEPT / "shots"
STAR = POCKET / SHAPE.files[0]
RECEIPT = POCKET / PRICE.files[0]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOSTILE = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'

expect.set_options(timeout=40_000)


@pytest.fixture(scope="module")
def chromium():
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Root's browsers have no sandbox; there is nothing in this one but the page.
        words = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=words)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, request):
    """Opens the page of a server, in a browser profile of its own unless one is given. `allowed` are words of lines that the
    console may have: Chromium writes one for each response that is an error."""
    opened, contexts, complaints = [], [], []

    def open_page(server, look=DESKTOP, context=None, allowed=(), before=None, ready=True):
        if context is None:
            context = chromium.new_context(**look)
            contexts.append(context)
        page = context.new_page()
        page.allowed = list(allowed)

        def said(message):
            if message.type in ("error", "warning") and not any(words in message.text for words in page.allowed):
                complaints.append(f"console: {message.text}")

        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))

        def requested(each):
            if not each.url.startswith((server.url + "/", f"blob:{server.url}/", "data:")):
                complaints.append(f"request of {each.url}")

        page.on("request", requested)
        if before:
            before(page)
        page.goto(server.url + "/")
        if ready:
            expect(page.locator("#model")).to_have_text("pocket")
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        if not page.is_closed():
            accessible(page)
    for context in contexts:
        context.close()
    assert not complaints, complaints


def accessible(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def shot(page, name):
    # Pictures are decoded and the focus is drawn when two frames have passed.
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    page.screenshot(path=SHOTS / f"{name}.png")


def add(page, *files):
    before = page.locator("#strip li").count()
    page.set_input_files("#files", [str(file) for file in files])
    expect(page.locator("#strip li")).to_have_count(before + len(files))


def send(page, question, mode="text"):
    page.locator(f"label[for=mode-{mode}]").click()
    page.fill("#question", question)
    page.press("#question", "Enter")


def last(page):
    """The newest answer."""
    return page.locator(".exchange").last.locator(".answer")


def said(page):
    return last(page).locator(".said")


def finished(page):
    expect(last(page)).to_have_attribute("aria-busy", "false")


def ask(server, page, question, mode="text"):
    """The answer's text to a question, when it is complete."""
    count = page.locator(".exchange").count()
    server.secrets.add(question)
    send(page, question, mode)
    expect(page.locator(".exchange")).to_have_count(count + 1)
    finished(page)
    return said(page).text_content()


def picture_url(data, kind="jpeg"):
    return f"data:image/{kind};base64,{base64_of(data)}"


def told(server, data, question, **fields):
    """What the server itself answers about a picture."""
    content = [{"type": "image_url", "image_url": {"url": picture_url(data)}}, {"type": "text", "text": question}]
    status, _, answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}], **fields})
    assert status == 200, answer
    return answer["choices"][0]["message"]


def stream(*deltas, end="stop", more=()):
    """A streamed answer, as the server would send it."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": end}]}] if end else []
    text = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in [*chunks, *more])
    return text + ("data: [DONE]\n\n" if end else "")


def answers_with(page, body, status=200, headers=None, content_type="text/event-stream"):
    page.route("**/v1/chat/completions", lambda route: route.fulfill(
        status=status, headers={"Content-Type": content_type, **(headers or {})}, body=body))


def at_length(page, schema):
    """Has the server's own answers become long: the questions get a schema on their way."""

    def longer(route):
        body = route.request.post_data_json
        form = {"type": "json_schema", "json_schema": {"name": "words", "schema": schema}}
        body |= {"response_format": form, "max_tokens": 1500}
        route.continue_(post_data=json.dumps(body))

    page.route("**/v1/chat/completions", longer)


# What is served


def test_headers(server):
    status, headers, body = server.request("GET", "/", headers=HTML)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    for name, element in [("script-src", "script"), ("style-src", "style")]:
        texts = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>".encode(), body, re.S)
        assert len(texts) == 1
        assert policy.pop(name) == f"'sha256-{base64.b64encode(hashlib.sha256(texts[0]).digest()).decode()}'"
    assert policy == {
        "default-src": "'none'", "img-src": "'self' blob: data:", "connect-src": "'self'", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'"}
    for name, value in [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache")]:
        assert headers[name] == value
    status, again, nothing = server.request("HEAD", "/", headers=HTML)
    assert status == 200 and nothing == b"" and int(again["Content-Length"]) == len(body)
    assert again["Content-Security-Policy"] == headers["Content-Security-Policy"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/plain"])
def test_programs_see_what_ollama_says(server, accept):
    status, headers, body = server.request("GET", "/", headers={"Accept": accept})
    assert (status, body) == (200, b"Ollama is running") and headers["Content-Type"] == "text/plain; charset=utf-8"


def test_the_model_says_what_it_is(server, visit):
    notice = server.get("/v1/models")[2]["data"][0]["description"]
    assert "demonstration" in notice
    page = visit(server)
    expect(page.locator("#notice")).to_have_text(notice)
    expect(page.get_by_text("Answers can be wrong")).to_be_visible()
    assert page.title() == "vl2: pocket"
    shot(page, "begin")


# Pictures come in


def test_upload_and_ask(server, visit):
    page = visit(server)
    # A picture of no other case: it has to be looked at.
    add(page, POCKET / SIGN.files[0])
    assert ask(server, page, SIGN.question) == SIGN.answer
    expect(last(page).locator(".facts p")).to_have_text(
        re.compile(r"^(Waited .+, l|L)ooked \d+(\.\d)? s, read \d+(\.\d)? s, wrote \d+(\.\d)? s, \d+ tokens read, \d+ written$"))
    expect(page.locator("#announced")).to_have_text(SIGN.answer)
    expect(page.locator("#strip li")).to_have_count(0)
    shot(page, "answer")


def test_photograph(server, visit):
    page = visit(server, PHONE)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    page.set_input_files("#camera", str(STAR))
    expect(page.locator("#strip li")).to_have_count(1)
    assert ask(server, page, SHAPE.question) == SHAPE.answer


def test_paste(server, visit):
    page = visit(server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("""async (url) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      canvas.getContext("2d").drawImage(image, 0, 0);
      const blob = await new Promise((give) => canvas.toBlob(give, "image/png"));
      await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
    }""", picture_url(STAR.read_bytes()))
    page.focus("#question")
    page.keyboard.press("Control+V")
    expect(page.locator("#strip li")).to_have_count(1)
    assert ask(server, page, SHAPE.question) == SHAPE.answer


def test_pasted_text_is_a_question(server, visit):
    page = visit(server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", SHAPE.question)
    page.focus("#question")
    page.keyboard.press("Control+V")
    expect(page.locator("#question")).to_have_value(SHAPE.question)


@pytest.mark.parametrize("place", [(550, 300), (550, 20), (300, 860)], ids=["middle", "head", "question"])
def test_drop(server, visit, place):
    """Wherever a file is dropped, the page takes it, and is not replaced by it."""
    page = visit(server)
    browser = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(STAR)], "dragOperationsMask": 1}
    for kind in ["dragEnter", "dragOver", "drop"]:
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": place[0], "y": place[1], "data": data})
    expect(page.locator("#strip li")).to_have_count(1)
    expect(page.locator("body.dropping")).to_have_count(0)
    assert page.url == server.url + "/"
    assert ask(server, page, SHAPE.question) == SHAPE.answer


def test_several_pictures(server, visit):
    page = visit(server)
    add(page, *[POCKET / file for file in TWO.files])
    assert ask(server, page, TWO.question) == TWO.answer
    expect(page.locator(".asked img")).to_have_count(2)


def test_remove_a_picture(server, visit):
    page = visit(server)
    add(page, RECEIPT)
    add(page, STAR)
    page.get_by_role("button", name=f"Remove {RECEIPT.name}").click()
    expect(page.locator("#strip li")).to_have_count(1)
    expect(page.locator("#question")).to_be_focused()
    assert ask(server, page, SHAPE.question) == SHAPE.answer


def bmp(width, height):
    row = b"\x30\xa0\x30" * width + b"\0" * (-3 * width % 4)
    size = len(row) * height
    return b"BM" + struct.pack("<IHHI", 54 + size, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 2835, 2835, 0, 0) + row * height


@pytest.mark.parametrize("name, kind, data, sent", [
    ("photo.jpg", "image/jpeg", STAR.read_bytes(), "data:image/jpeg;base64," + base64_of(STAR.read_bytes())),
    ("wrong.png", "image/png", STAR.read_bytes(), "data:image/jpeg;base64," + base64_of(STAR.read_bytes())),
    ("picture.bmp", "image/bmp", bmp(90, 60), "data:image/jpeg;base64,"),
    ("huge.png", "image/png", png(7200, 7000), "data:image/jpeg;base64,"),
], ids=lambda value: value if isinstance(value, str) and "." in value else "")
def test_what_is_sent(server, visit, name, kind, data, sent):
    """A picture that the server reads goes as it is; one of another kind, or too large, becomes a JPEG."""
    page = visit(server)
    bodies = []
    page.on("request", lambda each: bodies.append(each.post_data_json) if each.method == "POST" else None)
    page.set_input_files("#files", {"name": name, "mimeType": kind, "buffer": data})
    expect(page.locator("#strip li")).to_have_count(1)
    ask(server, page, SHAPE.question)
    expect(last(page).locator(".problem")).to_be_hidden()
    url = bodies[0]["messages"][0]["content"][0]["image_url"]["url"]
    assert url.startswith(sent) and (len(sent) < 100 or url == sent)


@pytest.mark.parametrize("name, words", [
    ("photo.heic", "save the photo as JPEG"), ("notes.txt", "no picture that this browser can open"), ("half.jpg", "no picture"),
])
def test_what_is_no_picture(server, visit, name, words):
    page = visit(server)
    data = STAR.read_bytes()[:40] if name == "half.jpg" else b"nothing that is a picture"
    page.set_input_files("#files", {"name": name, "mimeType": "", "buffer": data})
    expect(page.locator("#hint")).to_contain_text(words)
    expect(page.locator("#hint")).to_contain_text(name)
    expect(page.locator("#strip li")).to_have_count(0)


def test_more_pictures_than_a_question_takes(server, visit):
    page = visit(server)
    add(page, *[STAR] * 16)
    page.set_input_files("#files", str(STAR))
    expect(page.locator("#hint")).to_contain_text("at most 16 pictures")
    expect(page.locator("#strip li")).to_have_count(16)


# Answers


def test_the_answer_grows(server, visit):
    page = visit(server)
    at_length(page, {"type": "string", "minLength": 1000, "maxLength": 1020})
    page.evaluate("""() => {
      window.seen = [];
      window.announcements = 0;
      new MutationObserver(() => {
        const text = document.querySelector(".said")?.textContent;
        if (text && text !== window.seen.at(-1)) window.seen.push(text);
      }).observe(document.getElementById("exchanges"), {childList: true, subtree: true, characterData: true});
      new MutationObserver(() => { window.announcements += 1; })
        .observe(document.getElementById("announced"), {childList: true});
    }""")
    add(page, STAR)
    answer = ask(server, page, "Tell me about it.")
    seen = page.evaluate("seen")
    assert len(answer) >= 1000 and len(seen) >= 3, f"{len(answer)} letters were shown in {len(seen)} steps"
    assert seen[-1] == answer and all(longer.startswith(text) for text, longer in zip(seen, seen[1:]))
    # A screen reader hears that it begins, and the whole; not each token.
    assert page.evaluate("announcements") <= 4
    expect(page.locator("#announced")).to_contain_text(answer[:100])
    # The end is in view.
    box, head = last(page).bounding_box(), page.locator("#composer").bounding_box()
    assert box["y"] + box["height"] <= head["y"] + 1


CUT = """
  const whole = window.fetch;
  window.fetch = async (...words) => {
    const response = await whole(...words);
    if (!String(words[0]).includes("chat/completions")) return response;
    const cut = new TransformStream({ transform(chunk, to) { for (const byte of chunk) to.enqueue(Uint8Array.of(byte)); } });
    return new Response(response.body.pipeThrough(cut), response);
  };
"""


def test_events_are_cut_anywhere(server, visit):
    """The server's own stream, a byte at a time, and one with every kind of line end and letters of several bytes."""
    page = visit(server, before=lambda page: page.add_init_script(CUT))
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    ask(server, page, "the star", "find")
    expect(page.locator(".box")).to_have_count(1)
    text = "naïve 日本 🦊 done"
    events = stream(*[{"content": letter} for letter in text]).split("\n\n")
    ends = ["\n\n", "\r\n\r\n", "\r\r", "\n: a comment\n\n", "\r\nevent: message\r\nid: 1\r\n\r\n"]
    answers_with(page, "".join(event + ends[index % 5] for index, event in enumerate(events) if event))
    assert ask(server, page, "Letters?") == text


def test_follow_up(server, visit):
    page = visit(server)
    add(page, RECEIPT)
    assert ask(server, page, PRICE.question) == PRICE.answer
    assert ask(server, page, FOLLOW_UP.question) == FOLLOW_UP.answer
    expect(page.locator(".asked img")).to_have_count(1)


def test_stop(serve, visit):
    server = serve("--exact", "--threads", "1", keys=None)
    page = visit(server)
    at_length(page, endless_schema())
    add(page, RECEIPT)
    send(page, "Tell me about it.")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#ask")).to_be_hidden()
    expect(said(page)).to_have_text(re.compile(".{6}"))
    # The answer does not end before the click, however slow this test is.
    os.kill(server.pid, signal.SIGSTOP)
    try:
        page.click("#stop")
        expect(last(page).get_by_text("Stopped.")).to_be_visible()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    expect(page.locator("#question")).to_be_focused()
    assert len(said(page).text_content()) > 5
    end = time.monotonic() + 10
    while server.cancelled() != 1:
        assert time.monotonic() < end, f"the server did not notice that it was stopped: {server.log()}"
        time.sleep(0.05)
    page.unroute("**/v1/chat/completions")
    # What was stopped is asked again, whole; and the conversation goes on.
    page.get_by_role("button", name="Ask again").click()
    finished(page)
    expect(last(page).get_by_text("Stopped.")).to_be_hidden()
    expect(page.locator(".exchange")).to_have_count(1)
    assert ask(server, page, TOTAL.question) == TOTAL.answer


def test_stop_while_waiting(server, visit):
    """A question that another one is before, stopped before there is a word."""
    page = visit(server)
    held = []
    page.route("**/v1/chat/completions", lambda route: held.append(route))
    add(page, RECEIPT)
    send(page, PRICE.question)
    expect(last(page).locator(".at-work")).to_contain_text("Waiting for the server")
    page.click("#stop")
    expect(last(page).get_by_text("Stopped.")).to_be_visible()
    page.unroute("**/v1/chat/completions")
    # Its picture goes with the next question.
    assert ask(server, page, TOTAL.question) == TOTAL.answer


def test_again(server, visit):
    page = visit(server)
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    with page.expect_request("**/v1/chat/completions") as request:
        page.get_by_role("button", name="Ask again").click()
    finished(page)
    expect(said(page)).to_have_text(SHAPE.answer)
    assert [message["role"] for message in request.value.post_data_json["messages"]] == ["user"]
    expect(page.locator(".exchange")).to_have_count(1)


@pytest.mark.parametrize("before", [None, "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined });"],
                         ids=["https", "http"])
def test_copy(server, visit, before):
    """Also where the page comes over http from another machine, whose pages get no clipboard."""
    page = visit(server, before=lambda page: page.add_init_script(before) if before else None)
    if not before:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    add(page, STAR)
    answer = ask(server, page, SHAPE.question)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.focus("#question")
    page.keyboard.press("Control+V")
    expect(page.locator("#question")).to_have_value(answer)


# Boxes


def turned(data):
    """The same JPEG with an Exif block that asks to have it turned to the right."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def boxes_are_right(page, boxes):
    """Every box that the server told is where it told, within two pixels of the screen."""
    frame = last(page).locator(".frame")
    image = frame.locator("img")
    drawn = frame.locator(".box")
    expect(drawn).to_have_count(len(boxes))
    width, height = image.evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    shown = image.bounding_box()
    assert abs(shown["width"] / shown["height"] - width / height) < 0.02
    for index, box in enumerate(boxes):
        place = drawn.nth(index).bounding_box()
        x, y = shown["width"] / width, shown["height"] / height
        expected = [
            shown["x"] + box["left"] * x, shown["y"] + box["top"] * y,
            (box["right"] - box["left"]) * x, (box["bottom"] - box["top"]) * y]
        found = [place["x"], place["y"], place["width"], place["height"]]
        assert all(abs(a - b) <= 2 for a, b in zip(expected, found)), (expected, found)
        expect(drawn.nth(index).locator("span")).to_have_text(box["label"])


@pytest.mark.parametrize("look", [DESKTOP, PHONE, DARK], ids=["desktop", "phone", "dark"])
@pytest.mark.parametrize("question, mode, field", [("the star", "find", "ground"), ("Describe the picture.", "boxes", "boxes")],
                         ids=["find", "boxes"])
def test_boxes(server, visit, look, question, mode, field):
    boxes = told(server, STAR.read_bytes(), question, **{field: True})["boxes"]
    page = visit(server, look)
    add(page, STAR)
    text = ask(server, page, question, mode)
    assert "<|" not in text
    if mode == "find":
        assert text == "\n".join(
            "{label}: left {left}, top {top}, right {right}, bottom {bottom}".format(**box) for box in boxes)
    boxes_are_right(page, boxes)
    named = last(page).locator(".frame").get_attribute("aria-label")
    assert all(box["label"] in named for box in boxes)
    shot(page, f"{mode}-{'phone' if look is PHONE else 'dark' if look is DARK else 'light'}")
    if look is not PHONE:
        for width, height in [(700, 500), (420, 900), (1600, 1000)]:
            page.set_viewport_size({"width": width, "height": height})
            boxes_are_right(page, boxes)


def test_boxes_on_a_photo_that_is_turned(server, visit, tmp_path):
    data = turned(STAR.read_bytes())
    (tmp_path / "turned.jpg").write_bytes(data)
    boxes = told(server, data, "the ring", ground=True)["boxes"]
    page = visit(server)
    add(page, tmp_path / "turned.jpg")
    ask(server, page, "the ring", "find")
    upright = page.locator(".frame img").evaluate("(image) => image.naturalHeight > image.naturalWidth")
    assert upright
    boxes_are_right(page, boxes)


def test_find_after_an_answer(server, visit):
    """The picture of docs/SERVING.md is what this leaves."""
    page = visit(server, {"viewport": {"width": 800, "height": 1210}})
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    with page.expect_request("**/v1/chat/completions") as request:
        ask(server, page, "the blue ring", "find")
    assert request.value.post_data_json["ground"] is True
    status, _, answer = server.post("/v1/chat/completions", {**request.value.post_data_json, "stream": False})
    assert status == 200
    boxes_are_right(page, answer["choices"][0]["message"]["boxes"])
    expect(page.locator(".box")).to_have_count(1)
    shot(page, "page")


def test_what_is_not_there(server, visit):
    page = visit(server)
    answers_with(page, stream({"content": "none"}))
    add(page, STAR)
    assert ask(server, page, "the dog", "find") == "Not found. The model says: none"


def test_finding_needs_a_picture(server, visit):
    page = visit(server)
    send(page, "the star", "find")
    expect(page.locator("#hint")).to_have_text("Add a picture first.")
    send(page, "")
    expect(page.locator("#hint")).to_have_text("Write a question.")
    expect(page.locator(".exchange")).to_have_count(0)


# Keys

REFUSED = ["status of 401"]


def test_key(serve, visit):
    server = serve()
    wrong = "vl2-key-wrong-55e0c1"
    server.secrets.add(wrong)
    page = visit(server, allowed=REFUSED, ready=False)
    dialog = page.locator("#key-dialog")
    expect(dialog).to_be_visible()
    expect(page.locator("#key")).to_be_focused()
    shot(page, "key")
    accessible(page)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Write the key.")).to_be_visible()
    page.fill("#key", wrong)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("does not know this key")).to_be_visible()
    expect(page.locator("#key")).to_have_value("")
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#model")).to_have_text("pocket")
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    # It is asked for once: not after a reload, and not longer than this tab lives.
    page.reload()
    expect(page.locator("#model")).to_have_text("pocket")
    expect(dialog).to_be_hidden()
    assert page.evaluate("[localStorage.getItem('vl2-key'), sessionStorage.getItem('vl2-key')]") == [None, KEY]
    other = visit(server, context=page.context, allowed=REFUSED, ready=False)
    expect(other.locator("#key-dialog")).to_be_visible()


def test_key_that_is_remembered(serve, visit):
    server = serve()
    page = visit(server, allowed=REFUSED, ready=False)
    page.fill("#key", KEY)
    page.get_by_label("Remember it in this browser").check()
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#model")).to_have_text("pocket")
    assert page.evaluate("[localStorage.getItem('vl2-key'), sessionStorage.getItem('vl2-key')]") == [KEY, None]
    other = visit(server, context=page.context, allowed=REFUSED)
    expect(other.locator("#key-dialog")).to_be_hidden()
    other.get_by_role("button", name="History").click()
    other.get_by_role("button", name="Forget the key").click()
    other.get_by_role("button", name="Close").click()
    other.reload()
    expect(other.locator("#key-dialog")).to_be_visible()


def test_key_that_is_not_given(serve, visit):
    """Whoever cancels is told, and asked once more with the next question; that question is then answered."""
    server = serve()
    page = visit(server, allowed=REFUSED, ready=False)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_contain_text("wants a key")
    add(page, STAR)
    send(page, SHAPE.question)
    expect(page.locator("#key-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(last(page).locator(".problem")).to_contain_text("wants a key")
    page.get_by_role("button", name="Ask again").click()
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    expect(said(page)).to_have_text(SHAPE.answer)
    finished(page)


# The keyboard, looks


def visible_focus(page):
    """What has the focus, and whether one sees it: by an outline of its own, or of the label that stands for it."""
    return page.evaluate("""() => {
      const element = document.activeElement;
      const seen = element.classList.contains("unseen") ? element.nextElementSibling : element;
      const style = getComputedStyle(seen);
      const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      return [element === document.body ? "BODY" : element.id || element.textContent.trim(), isSeen];
    }""")


def test_keyboard_alone(server, visit):
    page = visit(server)
    # From here on choosers are caught: one that opens while Chromium is still being told so would be the system's.
    page.on("filechooser", lambda chooser: None)
    expect(page.locator("#question")).to_be_focused()
    server.secrets.add("the star")
    page.keyboard.press("Shift+Tab")
    assert visible_focus(page) == ["mode-text", True]
    page.keyboard.press("ArrowRight")
    assert visible_focus(page) == ["mode-find", True]
    page.keyboard.press("Shift+Tab")
    assert visible_focus(page) == ["files", True]
    shot(page, "focus")
    for count, (key, file) in enumerate([("Space", STAR), ("Enter", RECEIPT)]):
        if count:
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Shift+Tab")
        with page.expect_file_chooser(timeout=10_000) as chooser:
            page.keyboard.press(key)
        chooser.value.set_files(str(file))
        expect(page.locator("#strip li")).to_have_count(count + 1)
        expect(page.locator("#question")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    assert visible_focus(page) == ["Remove", True]
    page.keyboard.press("Enter")
    expect(page.locator("#strip li")).to_have_count(1)
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("the")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("star")
    expect(page.locator("#question")).to_have_value("the\nstar")
    expect(page.locator(".exchange")).to_have_count(0)
    for _ in range(5):
        page.keyboard.press("Backspace")
    page.keyboard.type(" star")
    page.keyboard.press("Enter")
    finished(page)
    expect(page.locator(".box")).to_have_count(1)
    expect(page.locator("#question")).to_be_focused()
    # Round the whole page: everything is reached, and seen.
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        name, is_seen = visible_focus(page)
        if name == "BODY":
            continue
        assert is_seen, f"{name} has the focus, and nothing shows it"
        reached.append(name)
        if name == "question":
            break
    wanted = {"ask", "history", "new", "conversation", "Copy", "Ask again", "files", "mode-find", "question"}
    assert wanted <= set(reached), reached
    page.focus("#history")
    page.keyboard.press("Enter")
    expect(page.locator("#history-dialog")).to_be_visible()
    assert visible_focus(page)[1]
    page.keyboard.press("Escape")
    expect(page.locator("#history-dialog")).to_be_hidden()
    expect(page.locator("#history")).to_be_focused()


LONG = "x" * 120


@pytest.mark.parametrize("look", [PHONE, {**PHONE, "viewport": {"width": 640, "height": 320}}], ids=["upright", "on its side"])
def test_phone(server, visit, look):
    """Nothing is wider than the screen, whatever the words; the newest answer and the question are in view."""
    page = visit(server, look)
    page.set_input_files("#files", {"name": LONG + ".jpg", "mimeType": "image/jpeg", "buffer": STAR.read_bytes()})
    expect(page.locator("#strip li")).to_have_count(1)

    def fits():
        assert page.evaluate("""() => [document.documentElement, ...document.querySelectorAll("main, #composer, .answer, .asked")]
          .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.id || each.className)""") == []

    fits()
    answers_with(page, stream({"content": f"{LONG} {LONG}\n"}, {"boxes": [
        {"label": LONG, "left": 100, "top": 2, "right": 125, "bottom": 60}]}))
    ask(server, page, LONG)
    fits()
    accessible(page)
    page.unroute("**/v1/chat/completions")
    page.click("#new")
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    fits()
    answer = last(page).bounding_box()
    assert 0 <= answer["y"] and answer["y"] + answer["height"] <= look["viewport"]["height"] + 1
    shot(page, "phone" if look is PHONE else "phone-side")
    page.click("#history")
    expect(page.locator("#kept li")).to_have_count(2)
    fits()
    accessible(page)
    shot(page, "phone-history" if look is PHONE else "phone-side-history")


def test_dark(server, visit):
    def brightness(page):
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(int(number) for number in re.findall(r"\d+", colour))

    light, dark = visit(server), visit(server, DARK)
    assert brightness(light) > 600 and brightness(dark) < 120
    add(dark, STAR)
    ask(server, dark, SHAPE.question)
    answers_with(dark, json.dumps({"error": {"message": "no"}}), 400, content_type="application/json")
    dark.allowed.append("status of 400")
    ask(server, dark, SHAPE.question)
    accessible(dark)
    shot(dark, "dark")
    dark.click("#history")
    expect(dark.locator("#kept li")).to_have_count(1)
    accessible(dark)


def test_nothing_moves_for_who_wants_no_motion(server, visit):
    for wish, moves in [("no-preference", "beat"), ("reduce", "none")]:
        page = visit(server, {**DESKTOP, "reduced_motion": wish})
        page.route("**/v1/chat/completions", lambda route: None)
        send(page, "Hello?")
        work = last(page).locator(".at-work")
        expect(work).to_be_visible()
        assert work.evaluate("(each) => getComputedStyle(each, '::before').animationName") == moves


# History


def kept(page):
    page.click("#history")
    expect(page.locator("#history-dialog")).to_be_visible()
    return page.locator("#kept li")


def test_history(server, visit):
    page = visit(server)
    add(page, RECEIPT)
    assert ask(server, page, PRICE.question) == PRICE.answer
    page.click("#new")
    expect(page.locator(".exchange")).to_have_count(0)
    add(page, STAR)
    ask(server, page, "the star", "find")
    box = page.locator(".box").evaluate("(box) => [box.style.left, box.style.top, box.style.width, box.style.height]")
    expect(kept(page)).to_have_count(2)
    page.reload()
    # The conversation that was open is open.
    expect(page.locator(".box")).to_have_count(1)
    assert page.locator(".box").evaluate("(box) => [box.style.left, box.style.top, box.style.width, box.style.height]") == box
    expect(kept(page)).to_have_count(2)
    shot(page, "history")
    accessible(page)
    page.get_by_role("button", name=re.compile("^" + re.escape(PRICE.question))).click()
    expect(page.locator("#history-dialog")).to_be_hidden()
    expect(said(page)).to_have_text(PRICE.answer)
    # It goes on, with its picture.
    assert ask(server, page, FOLLOW_UP.question) == FOLLOW_UP.answer
    expect(kept(page)).to_have_count(2)
    page.get_by_role("button", name=f"Delete {PRICE.question}").click()
    expect(page.locator("#kept li")).to_have_count(1)
    expect(page.locator("#announced")).to_have_text("Deleted")
    expect(page.locator(".exchange")).to_have_count(0)
    page.reload()
    expect(page.locator("#model")).to_have_text("pocket")
    expect(page.locator(".exchange")).to_have_count(0)
    expect(kept(page)).to_have_count(1)
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_text("No conversation is kept.")).to_be_visible()
    # An answer that is kept has nothing of it left.
    left = page.evaluate("""() => new Promise((give) => { indexedDB.open("vl2", 1).onsuccess = (event) => {
      const read = event.target.result.transaction("bodies").objectStore("bodies").count();
      read.onsuccess = () => give(read.result);
    }; })""")
    assert left == 0


def test_history_that_is_not_wanted(server, visit):
    page = visit(server)
    kept(page)
    page.get_by_label("Keep conversations in this browser").uncheck()
    page.get_by_role("button", name="Close").click()
    add(page, STAR)
    assert ask(server, page, SHAPE.question) == SHAPE.answer
    page.reload()
    expect(kept(page)).to_have_count(0)
    expect(page.get_by_label("Keep conversations in this browser")).not_to_be_checked()


def test_history_is_bounded(server, visit):
    page = visit(server)
    # The page makes its stores when it first needs them.
    expect(kept(page)).to_have_count(0)
    page.keyboard.press("Escape")
    page.evaluate("""() => new Promise((give) => { indexedDB.open("vl2", 1).onsuccess = (event) => {
      const work = event.target.result.transaction(["heads", "bodies"], "readwrite");
      for (let index = 0; index < 80; index++) {
        const head = {id: "old" + index, updated: index, title: "old " + index, count: 1, bytes: index === 79 ? 59e6 : 2e6};
        work.objectStore("heads").put(head);
        work.objectStore("bodies").put({id: head.id, exchanges: []});
      }
      work.oncomplete = give;
    }; })""")
    add(page, STAR)
    ask(server, page, SHAPE.question)
    # The newest one of those has most of the room.
    expect(kept(page)).to_have_count(2)


def test_a_large_picture_is_kept_smaller(server, visit):
    page = visit(server)
    page.evaluate("""async () => {
      const canvas = document.createElement("canvas");
      canvas.width = 1600;
      canvas.height = 1200;
      const context = canvas.getContext("2d");
      const data = context.createImageData(1600, 1200);
      let state = 1;
      for (let index = 0; index < data.data.length; index++) {
        state = (state * 48271) % 2147483647;
        data.data[index] = index % 4 === 3 ? 255 : state % 256;
      }
      context.putImageData(data, 0, 0);
      const blob = await new Promise((give) => canvas.toBlob(give, "image/png"));
      const files = new DataTransfer();
      files.items.add(new File([blob], "noise.png", {type: "image/png"}));
      document.getElementById("files").files = files.files;
      document.getElementById("files").dispatchEvent(new Event("change"));
    }""")
    expect(page.locator("#strip li")).to_have_count(1)
    ask(server, page, SHAPE.question)
    expect(kept(page)).to_have_count(1)
    page.reload()
    expect(page.get_by_text("noise.png (a smaller copy)")).to_be_visible()
    size = page.locator(".asked img").evaluate("(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])")
    assert size == [1280, 960]


NOTHING_KEPT = """
  const refuse = () => { throw new DOMException("no", "SecurityError"); };
  for (const name of ["localStorage", "sessionStorage", "indexedDB"]) Object.defineProperty(window, name, { get: refuse });
"""
FAILS_TO_OPEN = "IDBFactory.prototype.open = () => ({});"
FULL = "IDBObjectStore.prototype.put = () => { throw new DOMException('The disk is full', 'QuotaExceededError'); };"


@pytest.mark.parametrize("before, words", [
    (NOTHING_KEPT, "keeps nothing"), (FAILS_TO_OPEN, "keeps nothing"), (FULL, "The disk is full"),
], ids=["none", "silent", "full"])
def test_a_browser_that_keeps_nothing(server, visit, before, words):
    page = visit(server, before=lambda page: page.add_init_script(before))
    add(page, RECEIPT)
    assert ask(server, page, PRICE.question) == PRICE.answer
    assert ask(server, page, FOLLOW_UP.question) == FOLLOW_UP.answer
    page.click("#history")
    expect(page.locator("#history-state")).to_contain_text(words)


def test_nothing_piles_up(server, visit):
    """Links to pictures are given back when the conversation that shows them goes."""
    page = visit(server, before=lambda page: page.add_init_script("""
      window.links = new Set();
      const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
      URL.createObjectURL = (blob) => { const link = create.call(URL, blob); window.links.add(link); return link; };
      URL.revokeObjectURL = (link) => { window.links.delete(link); revoke.call(URL, link); };
    """))
    for _ in range(3):
        add(page, STAR, RECEIPT)
        page.get_by_role("button", name=f"Remove {RECEIPT.name}").click()
        ask(server, page, SHAPE.question)
        assert page.evaluate("links.size") == 1
        page.click("#new")
        end = time.monotonic() + 10
        while page.evaluate("links.size"):
            assert time.monotonic() < end, "links to pictures stay when their conversation is gone"
            page.wait_for_timeout(50)
    answers_with(page, stream({"content": "yes"}))
    for number in range(40):
        ask(server, page, f"Question {number}")
    send(page, "One more")
    expect(page.locator("#hint")).to_contain_text("begin a new one")
    expect(page.locator(".exchange")).to_have_count(40)


# Text is text


def test_text_is_text(server, visit, tmp_path):
    """What the model, the server and a file's name say becomes no element and runs nothing."""
    model = {"id": "pocket" + HOSTILE, "description": HOSTILE}

    def intercept(page):
        page.route("**/v1/models", lambda route: route.fulfill(json={"data": [model]}))

    page = visit(server, before=intercept, ready=False)
    expect(page.locator("#notice")).to_have_text(HOSTILE)
    name = HOSTILE.replace("/", "_") + ".jpg"
    page.set_input_files("#files", {"name": name, "mimeType": "image/jpeg", "buffer": STAR.read_bytes()})
    expect(page.locator("#strip li")).to_contain_text(name)
    answers_with(page, stream(
        {"content": HOSTILE[:9]}, {"content": HOSTILE[9:]},
        {"boxes": [{"label": HOSTILE, "left": 10, "top": 40, "right": 60, "bottom": 80}]},
        {"boxes": [{"label": "no place", "left": "10px;x", "top": None, "right": {}, "bottom": 80}]}))
    assert ask(server, page, HOSTILE) == HOSTILE
    expect(page.locator(".box span")).to_have_text(HOSTILE)
    answers_with(page, json.dumps({"error": {"message": HOSTILE}}), 400, content_type="application/json")
    page.allowed.append("status of 400")
    ask(server, page, HOSTILE)
    expect(last(page).locator(".problem")).to_contain_text(HOSTILE)
    expect(kept(page)).to_have_count(1)
    expect(page.locator("#kept li")).to_contain_text(HOSTILE)
    page.reload()
    expect(page.locator(".exchange")).to_have_count(2)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x'], #exchanges script, #kept script").count() == 0


def test_the_policy_stops_what_gets_in(server, visit):
    """If text became HTML after all, the browser would still not run it."""
    page = visit(server, allowed=["Content Security Policy", "Failed to load resource"])
    page.evaluate("(text) => { document.getElementById('notice').innerHTML = text; }", '<img src=x onerror="window.hacked = 1">')
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.hacked = 1";
      document.body.append(script);
    }""")
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    page.reload()


# Errors in words


@pytest.mark.parametrize("status, error, headers, words", [
    (429, {"message": "busy", "code": "busy"}, {"Retry-After": "7"}, "Too many questions wait already. Ask again in 7 seconds."),
    (503, {"message": "the model is being loaded", "code": "loading"}, {"Retry-After": "2"},
     "The model is still being loaded. Ask again in 2 seconds."),
    (503, {"message": "the time of 50 s was over"}, {"Retry-After": "1"},
     "The server cannot answer now: the time of 50 s was over. Ask again in 1 second."),
    (413, {"message": "the body is over 33554432 bytes"}, {}, "The pictures are too large together."),
    (500, {"message": "tiny.vl2q cannot be read"}, {}, "Its log says more"),
    (502, None, {}, "The server failed."),
], ids=["429", "loading", "late", "413", "500", "proxy"])
def test_errors(server, visit, status, error, headers, words):
    page = visit(server, allowed=[f"status of {status}"])
    body = "<html>Bad Gateway</html>" if error is None else json.dumps({"error": {"type": "some_error", **error}})
    answers_with(page, body, status, headers, "text/html" if error is None else "application/json")
    add(page, STAR)
    ask(server, page, SHAPE.question)
    expect(last(page).locator(".problem")).to_contain_text(words)
    expect(page.locator("#announced")).to_contain_text(words)
    page.unroute("**/v1/chat/completions")
    page.get_by_role("button", name="Ask again").click()
    expect(said(page)).to_have_text(SHAPE.answer)
    finished(page)
    shot(page, "after-error")


def test_a_conversation_that_is_too_long(server, visit):
    page = visit(server, allowed=["status of 400"])
    ask(server, page, "a " * 4000)
    expect(last(page).locator(".problem")).to_contain_text("more than the model can read at once")


@pytest.mark.parametrize("body, words", [
    (stream({"content": "half"}, end=None), "The connection ended before the answer did."),
    (stream({"content": "half"}, end=None) + 'data: {"error": {"message": "the file is gone"}}\n\n',
     "could not finish: the file is gone."),
    (stream({"content": "half"}, end=None) + "data: {not json\n\n", "cannot read"),
    (stream({"content": "half"}, end="length"), "The answer is cut off"),
], ids=["end", "error", "nonsense", "length"])
def test_streams_that_end_badly(server, visit, body, words):
    page = visit(server)
    answers_with(page, body)
    assert ask(server, page, SHAPE.question) == "half"
    expect(last(page)).to_contain_text(words)


def test_a_server_that_is_gone(serve, visit):
    server = serve(keys=None)
    page = visit(server, allowed=["Failed to load resource"])
    add(page, STAR)
    server.stop()
    ask(server, page, SHAPE.question)
    expect(last(page).locator(".problem")).to_contain_text("cannot be reached")
    shot(page, "gone")


def test_a_page_that_is_there_before_the_model(server, visit):
    """It says so, tries again by itself, and then shows the model."""
    page = None
    answers = iter([503, 503])

    def loading(route):
        if next(answers, None) is None:
            return route.continue_()
        return route.fulfill(
            status=503, headers={"Retry-After": "1"}, json={"error": {"message": "the model is being loaded", "code": "loading"}})

    page = visit(
        server, allowed=["status of 503"], ready=False, before=lambda page: page.route("**/v1/models", loading))
    expect(page.locator("#state")).to_have_text("The model is being loaded.")
    expect(page.locator("#model")).to_have_text("pocket")
    expect(page.locator("#state")).to_be_hidden()
