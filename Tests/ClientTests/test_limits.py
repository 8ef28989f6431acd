"""What the server allows: who may ask, from where, how many at once, how long, and what no error says."""

import http.client
import json
import os
import resource
import socket
import subprocess
import threading
import time

import pytest

from pictures import COLOUR, HUGE_URL, RECEIPT, SIGN, endless_schema, png
from server import KEY, PROGRAMS, ROOT, Server, base64_of, events, pocket


def body(content="Hi", **fields):
    return {"messages": [{"role": "user", "content": content}], **fields}


# So that the model is slow on a fast machine too.
SLOWLY = ["--exact", "--threads", "1"]


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory):
    """A model of the published size with random weights: with SLOWLY a token takes a tenth of a second."""
    folder = tmp_path_factory.mktemp("slow")
    packed = folder / "tiny.vl2q"
    subprocess.run([PROGRAMS / "vl2-convert", "synthesize", "tiny", "-o", packed], check=True, stderr=subprocess.DEVNULL)
    yield packed
    packed.unlink()


# Who may ask


def test_key_goes_before_everything(server):
    """Without one nobody learns which addresses exist, and no body is read."""
    for path in ["/v1/chat/completions", "/completions", "/nowhere", "/api/chat", "/api/nowhere", "/v1/models", "/api/tags", "/props"]:
        for method in ["GET", "POST"]:
            status, headers, answer = server.request(method, path, b"not even JSON" if method == "POST" else None, key=False)
            assert status == 401, (method, path, status)
            assert "bearer" in headers["WWW-Authenticate"].lower()
            error = json.loads(answer)["error"]
            if not path.startswith("/api/"):
                assert error["type"] == "authentication_error" and error["code"] == "invalid_api_key"
            else:
                assert isinstance(error, str)


@pytest.mark.parametrize("headers", [
    {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY} x"}, {"Authorization": "Bearer "},
    {"Authorization": f"Bearer {KEY[:-1]}"}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": f"Bearer # keys of the tests"},
    {"X-Api-Key": "wrong"}, {"Authorization": "Bearer wrong", "X-Api-Key": "wrong"}, {"Cookie": f"key={KEY}"},
], ids=str)
def test_wrong_keys(server, headers):
    assert server.get("/v1/models", key=False, headers=headers)[0] == 401


@pytest.mark.parametrize("headers", [
    {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}, {"X-Api-Key": KEY},
], ids=["Bearer", "bearer", "X-Api-Key"])
def test_right_keys(server, headers):
    assert server.get("/v1/models", key=False, headers=headers)[0] == 200


@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_public(server, path):
    assert server.get(path, key=False)[0] == 200


def test_a_key_in_the_address_is_none(server):
    status, _, _ = server.request("GET", f"/v1/models?key={KEY}&api_key={KEY}", key=False)
    assert status == 401


def test_second_key(serve):
    keys = (KEY, "vl2-key-second-77aa")
    running = serve(keys=keys)
    for key in keys:
        assert running.get("/v1/models", key=False, headers={"Authorization": f"Bearer {key}"})[0] == 200


def run_serve(*words):
    """The exit status and what is said, of a server that should not come to listen."""
    ran = subprocess.run(
        [str(word) for word in [PROGRAMS / "vl2", "serve", "--model", pocket(), "--port", "0", *words]],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return ran.returncode, ran.stderr


def test_other_addresses_need_keys():
    status, said = run_serve("--demo", "--host", "0.0.0.0")
    assert status == 64 and "--api-key-file" in said and "--no-auth" in said and said.count("\n") <= 2


def test_demonstration_models_need_demo():
    status, said = run_serve()
    assert status != 0 and "--demo" in said


@pytest.mark.parametrize("content", [None, "", "\n\n", "# only a comment\n"], ids=["missing", "empty", "blank", "comment"])
def test_files_without_a_key(tmp_path, content):
    """A file without a key in it is a mistake, not a server without keys."""
    if content is not None:
        (tmp_path / "keys").write_text(content)
    status, said = run_serve("--demo", "--api-key-file", tmp_path / "keys")
    assert status in (64, 65, 66) and "keys" in said


def test_taken_port(server, tmp_path):
    ran = subprocess.run(
        [PROGRAMS / "vl2", "serve", "--model", pocket(), "--demo", "--port", str(server.port)],
        capture_output=True, text=True, timeout=60)
    assert ran.returncode == 69 and str(server.port) in ran.stderr and ran.stderr.strip().count("\n") == 0


def test_only_loopback_by_default(server):
    """The machine's other addresses answer nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))        # sends nothing; tells which address would be ours
        ours = probe.getsockname()[0]
    assert not ours.startswith("127."), "this machine has no other address to try"
    with pytest.raises(OSError):
        socket.create_connection((ours, server.port), timeout=2)


def test_allowed_networks(serve):
    """Who comes from one needs no key; everybody else does. A stated address of somebody else's counts for nothing."""
    mine = serve("--allow", "127.0.0.1/32")
    assert mine.get("/v1/models", key=False)[0] == 200
    other = serve("--allow", "192.168.0.0/16")
    assert other.get("/v1/models", key=False)[0] == 401
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"]:
        assert other.get("/v1/models", key=False, headers={name: "192.168.0.7"})[0] == 401
    assert other.get("/v1/models")[0] == 200


@pytest.mark.parametrize("network", ["192.168.0.0/33", "192.168.0.0/x", "nonsense", "1.2.3.4/-1", "::1/129", "192.168.0.1/16/3"])
def test_networks_that_are_none(network):
    status, said = run_serve("--demo", "--allow", network)
    assert status == 64 and network in said


def test_allowed_hosts(serve):
    running = serve("--allow-host", "camera.example")
    for host, expected in [("camera.example", 200), ("CAMERA.example:80", 200), ("other.example", None), ("x.camera.example", None)]:
        status = running.get("/v1/models", headers={"Host": host})[0]
        assert status == expected if expected else status in (400, 403, 421), host


@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://127.0.0.1:1", "file://", "http://localhost.attacker.example"])
def test_foreign_origins(server, origin):
    """Not even with the right key: a page of somebody else's may have got a browser to send it."""
    assert server.get("/v1/models", headers={"Origin": origin})[0] == 403
    assert server.post("/v1/chat/completions", body(), headers={"Origin": origin})[0] == 403


def test_own_origin(server):
    assert server.get("/v1/models", headers={"Origin": server.url})[0] == 200


# Nothing of a client's choosing is opened


ADDRESSES = [
    "http://127.0.0.1:1/x.png", "https://example.com/x.png", "HTTP://127.0.0.1:1/x.png", "file:///etc/passwd", "file://etc/passwd",
    "FILE:/etc/passwd", "/etc/passwd", "../../etc/passwd", "blob:http://127.0.0.1/x", "ftp://127.0.0.1/x", "//127.0.0.1/x", "\\\\host\\x",
    "http:\\\\127.0.0.1\\x", " http://127.0.0.1:1/x", "data:text/html;base64,aGVsbG8=", "data:image/png,%89PNG", "data:,", "data:",
    "javascript:alert(1)", "gopher://x", "unix:/run/x",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_no_address_is_opened(server, url):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        url = url.replace(":1/", f":{trap.getsockname()[1]}/")
        status, _, answer = server.post("/v1/chat/completions", body([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}]))
        assert status == 400 and "messages[0].content[1]" in answer["error"]["message"], answer
        assert "root:" not in json.dumps(answer)
        with pytest.raises(TimeoutError):
            trap.accept()


@pytest.mark.parametrize("image", ["/etc/passwd", "http://127.0.0.1:1/x", "file:///etc/passwd", "@/etc/passwd"])
def test_no_address_is_opened_in_the_other_dialect(server, image):
    for path, fields in [("/api/generate", {"prompt": "x", "images": [image]}),
                         ("/api/chat", {"messages": [{"role": "user", "content": "x", "images": [image]}]})]:
        status, _, answer = server.post(path, {"model": "pocket", "stream": False, **fields})
        assert status == 400 and "images[0]" in answer["error"], answer




# Pictures


def test_pictures_that_are_refused(server):
    """Bombs, cut files, wrong files, one pixel: an error that says which, never an end."""
    jpeg = SIGN.pictures()[0]
    whole = png(64, 64)
    damaged = bytearray(whole)
    damaged[40] ^= 0xFF
    for name, data in {
        "cut JPEG": jpeg[:200], "cut PNG": whole[:50], "damaged PNG": bytes(damaged), "text": b"hello world" * 10, "nothing": b"",
        "first bytes of a JPEG": b"\xff\xd8\xff", "zero": whole[:16] + bytes(8) + whole[24:],
        "GIF": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "TIFF": b"II*\0\x08\0\0\0\0\0", "WebP without a picture": b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0",
    }.items():
        url = "data:image/png;base64," + base64_of(data)
        status, _, answer = server.post("/v1/chat/completions", body(
            [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}], max_tokens=1))
        if name == "cut JPEG" and status == 200:
            continue        # what is there of a cut JPEG can be looked at, as cameras' broken frames are
        assert status in (400, 413), (name, status, answer)
        assert "messages[0].content[1]" in answer["error"]["message"], (name, answer)


def test_a_picture_of_one_pixel(server):
    url = "data:image/png;base64," + base64_of(png(1, 1))
    status, _, answer = server.post("/v1/chat/completions", body([{"type": "image_url", "image_url": {"url": url}}], max_tokens=1))
    assert status == 200, answer
    server.honest(SIGN)


def test_memory_of_a_bomb(server):
    """1.6 thousand million pixels are refused by their header."""
    before = server.resident()
    for _ in range(5):
        status, _, _ = server.post("/v1/chat/completions", body([{"type": "image_url", "image_url": {"url": HUGE_URL}}]))
        assert status in (400, 413)
    assert server.resident() - before < 64_000_000


# What errors say


WRONG = [
    {}, {"messages": []}, {"messages": None}, {"messages": "x"}, {"messages": [1]}, {"messages": [{"role": "pirate", "content": "x"}]},
    body(7), body([{"type": "audio", "audio": "x"}]), body([{"type": "input_audio", "input_audio": {}}]), body([{"text": "x"}]), body([{"type": "text"}]),
    body([{"type": "image_url"}]), body([{"type": "image_url", "image_url": {}}]), body([{"type": "image_url", "image_url": {"url": 7}}]),
    body(stream="yes"), body(max_tokens="many"), body(max_tokens=1.5), body(temperature="hot"), body(stop=7), body(response_format=7),
    body(response_format={"type": "json_schema"}), body(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "hiccup"}}}),
    body(tools=[{"type": "function"}], tool_choice="required"), body(tool_choice="required"), body(model=7), body(seed="x"),
    body(seed=1e300), body(max_tokens=10**30), body(stream_options=7), body(logprobs="x"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: json.dumps(wrong)[:70])
def test_errors(server, wrong):
    status, headers, answer = server.post("/v1/chat/completions", wrong)
    assert status == 400, answer
    assert headers["Content-Type"].startswith("application/json")
    error = answer["error"]
    assert set(error) >= {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"
    assert 10 < len(error["message"]) < 500 and "\n" not in error["message"]
    for inner in ["0x", ".swift", "Optional(", "VL2", str(ROOT), "/tmp"]:
        assert inner not in error["message"], error


@pytest.mark.parametrize("wrong", [
    {}, {"model": "pocket", "messages": 7}, {"model": "pocket", "messages": [7]}, {"model": "pocket", "messages": [{"role": "user", "content": 7}]},
    {"model": "pocket", "messages": [{"role": "user", "content": "x", "images": 7}]}, {"model": "pocket", "messages": [{"role": "user", "content": "x"}], "options": 7},
    {"model": "pocket", "messages": [{"role": "user", "content": "x"}], "format": "xml"},
    {"model": "pocket", "messages": [{"role": "user", "content": "x"}], "options": {"temperature": "hot"}},
    {"model": "pocket", "messages": [{"role": "user", "content": "x"}], "stream": "yes"},
], ids=lambda wrong: json.dumps(wrong)[:60])
def test_errors_of_the_other_dialect(server, wrong):
    status, headers, answer = server.post("/api/chat", wrong)
    assert status == 400 and isinstance(answer["error"], str) and "0x" not in answer["error"], answer
    assert headers["Content-Type"].startswith("application/json")


def test_what_a_client_said_comes_back_clean(server):
    """Control characters of a client's choosing reach no terminal and no log by way of an error."""
    for model in ["a\x1b[31mb", "a\r\nSet-Cookie: x", "a\0b", "x" * 100_000, "\u202e\u2066"]:
        status, headers, answer = server.request("POST", "/v1/chat/completions", {**body(), "model": model})
        assert status in (400, 404) and "Set-Cookie" not in headers
        assert b"\x1b" not in answer and len(answer) < 5000
        message = json.loads(answer)["error"]["message"]
        assert not any(ord(letter) < 32 for letter in message), message
    assert "\x1b" not in server.log()


# How many at once, how long


def in_background(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_full_queue(serve, slow_model):
    """The one at work and as many as may wait are kept; the next is told when to come again."""
    running = serve("--queue", "2", "--deadline", "60", *SLOWLY, model=slow_model, patience=120)
    answers = []

    def ask():
        answers.append(running.post("/v1/chat/completions", body("Tell me everything.", max_tokens=60), timeout=120)[0])
    waiting = in_background(*[ask] * 3)
    time.sleep(1)
    begin = time.monotonic()
    status, headers, answer = running.post("/v1/chat/completions", body(max_tokens=1))
    assert time.monotonic() - begin < 1, "who has no place is told at once"
    assert status == 429, answer
    assert headers["Retry-After"].isdigit() and 1 <= int(headers["Retry-After"]) <= 60
    assert answer["error"]["message"]
    status, headers, answer = running.post("/api/chat", {"model": running.get("/api/tags")[2]["models"][0]["model"], "messages": [{"role": "user", "content": "Hi"}]})
    assert status in (429, 503) and isinstance(answer["error"], str) and 1 <= int(headers["Retry-After"]) <= 60
    assert running.get("/health")[0] == 200 and running.get("/v1/models")[0] == 200, "what needs no model needs no place"
    for thread in waiting:
        thread.join()
    assert answers == [200] * 3
    assert running.post("/v1/chat/completions", body(max_tokens=1), timeout=60)[0] == 200


def test_deadline(serve, slow_model):
    """What is not written by then ends, and says so. Waiting counts."""
    running = serve("--deadline", "3", *SLOWLY, model=slow_model, patience=120)
    running.post("/v1/chat/completions", body(max_tokens=1))
    begin = time.monotonic()
    status, _, answer = running.post("/v1/chat/completions", body("Tell me everything.", max_tokens=400))
    took = time.monotonic() - begin
    assert status == 200 and answer["choices"][0]["finish_reason"] == "length", answer
    assert 1 <= answer["usage"]["completion_tokens"] < 400
    assert took < 3.7, took

    begin = time.monotonic()
    _, _, streamed = running.request("POST", "/v1/chat/completions", body("Tell me everything.", max_tokens=400, stream=True))
    assert events(streamed)[-1]["choices"][0]["finish_reason"] == "length"
    assert time.monotonic() - begin < 3.7

    begin = time.monotonic()
    took = []

    def ask():
        status, _, answer = running.post("/v1/chat/completions", body("Tell me everything.", max_tokens=400))
        took.append((status, time.monotonic() - begin))
    for thread in in_background(ask, ask):
        thread.join()
    for status, seconds in took:
        assert status in (200, 429, 503, 504) and seconds < 3.9, took
    assert 200 in [status for status, _ in took]


def test_comments_before_the_first_word(serve, slow_model):
    """A stream says every ten seconds that it lives, so that nothing between gives it up."""
    running = serve(*SLOWLY, model=slow_model, patience=120)
    blocking = running.connection()
    blocking.request(
        "POST", "/v1/chat/completions", json.dumps(body("Tell me everything.", max_tokens=3000, stream=True)),
        {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"})
    assert blocking.getresponse().status == 200
    leaving = threading.Timer(22, blocking.sock.shutdown, [socket.SHUT_RDWR])
    leaving.start()
    begin = time.monotonic()
    status, headers, answer = running.request("POST", "/v1/chat/completions", body(max_tokens=2, stream=True), timeout=120)
    waited = time.monotonic() - begin
    leaving.join()
    assert status == 200 and 20 < waited < 40, f"it waited {waited:.1f} s"
    lines = answer.decode().split("\n")
    assert len([line for line in lines if line.startswith(":")]) == 2, lines
    assert headers["Cache-Control"] == "no-cache" and headers["X-Accel-Buffering"] == "no"


def test_loading(slow_model):
    """While the model is being opened nobody is told anything else than to wait, or finds nobody there yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [PROGRAMS / "vl2", "serve", "--model", slow_model, "--demo", "--port", str(port)]
    seen = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while 200 not in seen and time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", "/health")
                answer = connection.getresponse()
                seen.append(answer.status)
                if answer.status == 503:
                    assert 1 <= int(answer.headers["Retry-After"]) <= 60 and json.loads(answer.read())["error"]["message"]
            except ConnectionRefusedError:
                time.sleep(0.005)
            finally:
                connection.close()
        process.terminate()
        assert process.wait(30) == 0
    assert seen[-1] == 200 and set(seen) <= {200, 503}, seen


def test_supervisor(serve, tmp_path_factory):
    """systemd is told when questions are answered, that work goes on, and that it ends."""
    folder = tmp_path_factory.mktemp("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "socket"))
        supervisor.settimeout(5)
        running = serve(environment={"NOTIFY_SOCKET": str(folder / "socket"), "WATCHDOG_USEC": "2000000"})
        told = []

        def until(word):
            while not any(word in one for one in told):
                told.append(supervisor.recv(4096).decode())
        until("READY=1")
        told.clear()
        begin = time.monotonic()
        for _ in range(3):
            until("WATCHDOG=1")
            told.clear()
        assert time.monotonic() - begin < 6, "a service at rest is not told dead"
        running.stop()
        until("STOPPING=1")


def test_stopping_finishes_the_answer(tmp_path, slow_model):
    """SIGTERM lets the running answer end, and takes no other."""
    running = Server(tmp_path, SLOWLY, model=slow_model, patience=120)
    got = []
    [asking] = in_background(lambda: got.append(running.post("/v1/chat/completions", body("Tell me everything.", max_tokens=15), timeout=60)))
    time.sleep(0.8)
    running.stop()
    asking.join()
    status, _, answer = got[0]
    assert status == 200 and answer["choices"][0]["message"]["content"] is not None


def test_every_signal_counts(tmp_path):
    """One that comes right after the start is not lost: a hundred servers end, each by one SIGTERM."""
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        running = Server(folder)
        running.get("/v1/models")
        running.stop(patience=5)


def test_stopping_at_rest_is_quick(tmp_path):
    running = Server(tmp_path)
    with socket.create_connection(("127.0.0.1", running.port)):
        begin = time.monotonic()
        running.stop()
    assert time.monotonic() - begin < 3


def test_tokens_are_bounded(server):
    """A picture that talks a model into going on for ever is stopped by the default."""
    status, _, answer = server.post("/v1/chat/completions", body(COLOUR.content(), response_format={
        "type": "json_schema", "json_schema": {"name": "list", "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 100}}}))
    assert status == 200 and answer["usage"]["completion_tokens"] <= 512


def test_idle_connections_leave_room(server):
    """Two hundred of them, and a question is still answered, or refused in words."""
    idle = []
    try:
        for _ in range(200):
            idle.append(socket.create_connection(("127.0.0.1", server.port), timeout=2))
        assert server.get("/health", key=False)[0] in (200, 503)
    finally:
        for connection in idle:
            connection.close()
    server.honest(SIGN)


def test_no_descriptor_left(serve):
    """While the server can open nothing, streams go on, those that wait have signs of work, and who comes waits outside."""
    running = serve("--queue", "50", "--deadline", "100", *SLOWLY)
    headers = {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"}
    limit = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)

    def question():
        schema = {"type": "json_schema", "json_schema": {"name": "words", "schema": endless_schema()}}
        return body(COLOUR.content(), max_tokens=1300, stream=True, response_format=schema)
    begin = time.monotonic()
    assert running.request("POST", "/v1/chat/completions", question())[0] == 200
    # So many that the last one waits for more than 10 s, and fewer than are taken at once.
    count = min(50, 2 + int(14 / (time.monotonic() - begin)))
    connections = [running.connection() for _ in range(count)]
    waiting, streams = [], []
    try:
        for connection in connections:
            connection.request("GET", "/health")
            connection.getresponse().read()
        numbers = {int(number) for number in os.listdir(f"/proc/{running.pid}/fd")}
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (min(set(range(len(numbers) + 1)) - numbers), limit[1]))
        for connection in connections:
            connection.request("POST", "/v1/chat/completions", json.dumps(question()), headers)
        # Those who are idle when another comes are ended; so all are to be asking by then.
        time.sleep(1)
        for _ in range(10):
            waiting.append(socket.create_connection(("127.0.0.1", running.port), timeout=30))
            waiting[-1].sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for connection in connections:
            answer = connection.getresponse()
            streams.append(answer.read())
            assert answer.status == 200 and events(streams[-1])
        assert any(b"\n:" in stream for stream in streams), "no stream waited for so long that it was told"
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limit)
        for connection in waiting:
            got = connection.recv(4096)
            assert got.startswith(b"HTTP/1.1 200"), got
        assert running.get("/health", timeout=5)[0] == 200
    except (OSError, http.client.HTTPException) as error:
        time.sleep(1)
        raise AssertionError(f"{error!r}; vl2 serve has ended with {running.process.poll()}") from error
    finally:
        for connection in connections + waiting:
            connection.close()
    for asked in [SIGN, COLOUR]:
        running.honest(asked)


def test_ten_thousand_stops(server):
    """However many, they cost no time to speak of."""
    begin = time.monotonic()
    status, _, _ = server.post("/v1/chat/completions", body(RECEIPT.content(), stop=[f"word {number}" for number in range(10_000)]))
    assert status in (200, 400) and time.monotonic() - begin < 5
