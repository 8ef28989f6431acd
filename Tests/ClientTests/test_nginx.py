"""nginx in front of one server and of two, by the files that users copy (Examples/nginx). What a user has to change in them
is changed here: addresses, ports, and where certificate and log lie. Everything else is as it stands there."""

import http.client
import itertools
import json
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import openai
import pytest

from nginx_command import nginx_command
from pictures import ALL, SIGN, TWO, endless_schema
from server import KEY, ROOT, as_json

EXAMPLES = ROOT / "Examples/nginx"
NAME = "vl2.example.org"
OPTIONS = ["--allow-host", NAME]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def replaced(text, old, new):
    """`text` with `old`, which has to be there: an example that says it otherwise would be tested with what it does not say."""
    assert old in text, f"the example does not hold {old!r}"
    return text.replace(old, new)


class Nginx:
    """nginx as a child process, with an example of ours."""

    def __init__(self, folder, example, upstreams, certificate, changes=()):
        self.folder, self.port = folder, free_port()
        text = (EXAMPLES / example).read_text()
        for theirs, ours in upstreams.items():
            text = replaced(text, theirs, f"127.0.0.1:{ours}")
        text = replaced(text, "listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;")
        text = replaced(text, "/etc/nginx/vl2/certificate.pem", str(certificate / "certificate.pem"))
        text = replaced(text, "/etc/nginx/vl2/key.pem", str(certificate / "key.pem"))
        text = replaced(text, "/var/log/nginx/vl2.log", str(folder / "access"))
        for old, new in changes:
            text = replaced(text, old, new)
        (folder / "vl2.conf").write_text(text)
        self.context = ssl.create_default_context(cafile=str(certificate / "certificate.pem"))
        words = nginx_command(folder, "vl2.conf")
        checked = subprocess.run([*words, "-t"], capture_output=True, text=True, timeout=30)
        assert checked.returncode == 0 and "warn" not in checked.stderr, checked.stderr
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.process.kill()
                    raise RuntimeError(f"nginx does not listen: {self.errors()}") from None
                time.sleep(0.02)

    def errors(self):
        return (self.folder / "error").read_text(errors="replace")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.errors()
        worse = [line for line in self.errors().splitlines() if re.search(r"\[(crit|alert|emerg)\]", line)]
        assert not worse, worse

    def connection(self, timeout=60):
        """An https connection to NAME, which leads here as it would by a user's DNS."""
        connection = http.client.HTTPSConnection(NAME, self.port, timeout=timeout, context=self.context)
        connection.sock = self.context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout), server_hostname=NAME)
        return connection

    def request(self, method, path, body=None, headers=None, key=KEY):
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = self.connection()
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, as_json(answer.read())
        finally:
            connection.close()

    def client(self, **more):
        """The openai package, which calls this machine `localhost`; the certificate is checked."""
        return openai.OpenAI(
            base_url=f"https://localhost:{self.port}/v1", api_key=KEY, timeout=60,
            http_client=httpx.Client(verify=self.context), **more)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """One that this machine made for itself."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def nginx(server, certificate, tmp_path_factory):
    running = Nginx(tmp_path_factory.mktemp("nginx"), "board.conf", {"127.0.0.1:11434": server.port}, certificate)
    yield running
    running.stop()


@pytest.fixture
def start_nginx(certificate, tmp_path_factory):
    """Starts nginxes of a test's own, and stops them with it."""
    running = []

    def start(example, upstreams, changes=()):
        running.append(Nginx(tmp_path_factory.mktemp("nginx"), example, upstreams, certificate, changes))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def body(asked, **fields):
    return {"model": "pocket", "temperature": 0, "messages": [{"role": "user", "content": asked.content()}], **fields}


# So that a board is busy with `endless` for seconds, and with SIGN for a few hundredths of one.
SLOWLY = ["--exact", "--threads", "1", "--context", "4096"]


def endless(tokens, stream=True):
    """A question that keeps a board busy until its client leaves, or for so many tokens."""
    schema = endless_schema()
    [words] = schema["properties"].values()
    words["minItems"] = tokens // 8
    return body(SIGN, stream=stream, max_tokens=tokens, response_format={
        "type": "json_schema", "json_schema": {"name": "form", "schema": schema}})


def until(is_so, what, seconds=10.0):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


# One board


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
def test_questions_with_pictures(server, nginx, asked):
    server.secrets |= asked.secrets()
    with nginx.client(max_retries=0) as client:
        answer = client.chat.completions.create(**body(asked))
    assert answer.choices[0].message.content == asked.answer


def test_keys_are_passed_on(nginx):
    assert nginx.request("GET", "/health", key=None)[0] == 200
    assert nginx.request("GET", "/v1/models", key=None)[0] == 401
    assert nginx.request("GET", "/v1/models", key=None, headers={"X-Api-Key": KEY})[0] == 200
    assert nginx.request("GET", "/v1/models", key=None, headers={"X-Api-Key": "wrong"})[0] == 401


@pytest.mark.parametrize("example", ["board.conf", "boards.conf"])
def test_nginx_waits_longer_than_the_server(example):
    """Else it would answer 504 while the server still may answer; which would take a minute to see."""
    deadline = re.search(r"deadline = ([\d.]+)", (ROOT / "tools/vl2/Serve.swift").read_text())
    waits = re.search(r"proxy_read_timeout (\d+)s;", (EXAMPLES / example).read_text())
    assert float(waits[1]) > 2 * float(deadline[1])


def arrival(nginx):
    """When the first of a long stream's events came, and when the last one did, in seconds after the question; and in how many
    pieces."""
    raw = nginx.connection().sock
    sent = json.dumps(endless(1700)).encode()
    raw.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent)
    begin = time.monotonic()
    times, came = [], b""
    while piece := raw.recv(65536):
        came += piece
        if b"data: " in piece:
            times.append(time.monotonic() - begin)
    raw.close()
    assert came.startswith(b"HTTP/1.1 200 OK") and b"data: [DONE]" in came and came.count(b"data: ") > 300, came[-500:]
    return times[0], times[-1], len(times)


def test_a_stream_comes_in_steps(serve, start_nginx):
    """Nothing is gathered on the way. With what nginx does unless told otherwise, in large buffers, all comes at the end, which
    shows that this test would see it."""
    slow = serve(*OPTIONS, *SLOWLY)
    upstream = {"127.0.0.1:11434": slow.port}
    gathering = start_nginx("board.conf", upstream, [
        ("proxy_buffering off;", "proxy_buffering on; proxy_buffer_size 2m; proxy_buffers 8 2m; proxy_busy_buffers_size 4m; "
                                 "proxy_ignore_headers X-Accel-Buffering;"),
        ("proxy_http_version 1.1;", "proxy_http_version 1.0;")])
    first, last, steps = arrival(start_nginx("board.conf", upstream))
    assert first < last / 2 and steps > 30, (first, last, steps)
    first, last, _ = arrival(gathering)
    assert first > last / 2, (first, last)


def test_a_client_that_leaves_ends_its_question(server, nginx):
    before = server.cancelled()
    with nginx.client(max_retries=0) as client:
        stream = client.chat.completions.create(**endless(1700))
        next(iter(stream))
        stream.close()
    until(lambda: server.cancelled() > before, "the answer ends with its client")
    server.honest(SIGN)


@pytest.mark.parametrize("size", [0, 100_000, 1_000_000, 5_000_000])
@pytest.mark.parametrize("key", [None, "wrong"])
def test_refusals_come_through(server, nginx, size, key):
    """The server refuses before it has read the body; nginx still sends then, and must not say 502 instead. Several times,
    since it is a matter of who is first."""
    fields = body(SIGN)
    fields["padding"] = "x" * size
    for _ in range(5):
        status, headers, answer = nginx.request("POST", "/v1/chat/completions", fields, key=key)
        assert status == 401, (status, answer, nginx.errors()[-1000:])
        assert answer["error"]["code"] == "invalid_api_key" and headers["WWW-Authenticate"] == "Bearer"
        assert nginx.request("POST", "/api/chat", fields, key=key)[0] == 401


def test_a_wrong_key_by_a_client(nginx):
    with nginx.client(max_retries=0).with_options(api_key="wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(**body(TWO))


def test_sizes(server, nginx):
    """What the server takes comes to it; more does not."""
    status, _, answer = nginx.request("POST", "/v1/chat/completions", b'{"padding": "' + b"x" * 31_000_000 + b'"}')
    assert status == 400 and "messages" in answer["error"]["message"], answer
    assert nginx.request("POST", "/v1/chat/completions", b"x" * (33 << 20))[0] == 413
    server.honest(SIGN)


def test_names_and_pages(server, nginx):
    """The name that a client calls comes to the server, which knows its own ones and the pages that it is asked from."""
    def status(host, origin=None):
        headers = {"Host": host, **({"Origin": origin} if origin else {})}
        return nginx.request("GET", "/v1/models", headers=headers)[0]
    ours = f"{NAME}:{nginx.port}"
    assert status(ours) == status(NAME) == status(f"localhost:{nginx.port}") == status("board.local") == 200
    assert status("evil.example") == status(f"{NAME}.evil.example") == 403
    assert status(ours, f"https://{ours}") == status(NAME, f"https://{NAME}") == 200
    assert status(ours, "https://evil.example") == status(ours, f"https://{NAME}:1") == status(ours, "null") == 403


def test_a_name_that_is_not_allowed(serve, start_nginx):
    running = serve()
    nginx = start_nginx("board.conf", {"127.0.0.1:11434": running.port})
    status, _, answer = nginx.request("GET", "/v1/models")
    assert status == 403 and NAME in answer["error"]["message"] and "--allow-host" in answer["error"]["message"]


def test_nobody_there(serve, start_nginx):
    """Without the server nginx says 502, and lets questions through again once it is there."""
    running = serve(*OPTIONS, port=free_port())
    nginx = start_nginx("board.conf", {"127.0.0.1:11434": running.port})
    running.stop()
    assert nginx.request("POST", "/v1/chat/completions", body(SIGN))[0] == 502
    running.start()
    assert nginx.request("POST", "/v1/chat/completions", body(SIGN))[0] == 200


# Several boards


def answered(board):
    """How many questions a board has answered, as its log says."""
    return len(re.findall(r"^vl2: \S+ (?:POST )?\S+: (?:complete|max_tokens), ", board.log(), re.M))


@pytest.fixture
def boards(serve, start_nginx):
    started = []

    def start(*options):
        two = [serve(*OPTIONS, *options, port=free_port()) for _ in range(2)]
        for one in two:
            for asked in ALL:
                one.secrets |= asked.secrets()
        started.extend(two)
        upstreams = {"192.168.1.21:11434": two[0].port, "192.168.1.22:11434": two[1].port}
        return start_nginx("boards.conf", upstreams), two

    yield start
    # Those that a test killed, so that all end as servers have to.
    for one in started:
        if one.process.poll() is not None:
            one.start()


def ticks(board):
    """Hundredths of a second for which it computed: at rest it does not."""
    fields = Path(f"/proc/{board.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Busy:
    """A question of somebody who asks a board directly; it is being answered until this is left, or for some seconds."""

    def __init__(self, board):
        self.connection = board.connection()
        self.connection.request("POST", "/v1/chat/completions", json.dumps(endless(3900)), {
            "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.board, self.cancelled = board, board.cancelled()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()
        self.connection.close()
        until(lambda: self.board.cancelled() > self.cancelled, "the board was busy all the time")


def test_a_question_goes_to_the_board_that_is_idle(boards):
    """A board that is full says 429, and the question goes on to the other one. The full one is back as soon as it has room:
    its 429 did not count as a failure."""
    nginx, (one, other) = boards("--queue", "0", *SLOWLY)
    for busy, idle in [(one, other), (other, one)]:
        before = answered(idle)
        with Busy(busy):
            for _ in range(4):
                status, _, answer = nginx.request("POST", "/v1/chat/completions", body(SIGN))
                assert status == 200 and answer["choices"][0]["message"]["content"] == SIGN.answer, answer
        until(lambda: answered(idle) == before + 4, "four lines of the log of the idle board")
        before = answered(busy)
        for _ in range(4):
            assert nginx.request("POST", "/v1/chat/completions", body(SIGN))[0] == 200
        until(lambda: answered(busy) > before, "an answer of the board that was full")


def test_all_are_full(boards):
    """Then the client hears what a board says, and when to come again."""
    nginx, (one, other) = boards("--queue", "0", *SLOWLY)
    with Busy(one), Busy(other):
        for _ in range(3):
            status, headers, answer = nginx.request("POST", "/v1/chat/completions", body(SIGN))
            assert status == 429 and 1 <= int(headers["Retry-After"]) <= 60 and answer["error"]["message"], answer
    assert nginx.request("POST", "/v1/chat/completions", body(SIGN))[0] == 200


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
def test_refusals_of_boards_come_through(boards, size):
    nginx, _ = boards()
    status, _, answer = nginx.request("POST", "/v1/chat/completions", {**body(SIGN), "padding": "x" * size}, key="wrong")
    assert status == 401 and answer["error"]["code"] == "invalid_api_key", answer


def test_a_board_ends_under_a_question(boards):
    """The answer comes from the other one, as long as nothing of it had come from the first."""
    nginx, two = boards(*SLOWLY)
    before = {one: ticks(one) for one in two}
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(nginx.request, "POST", "/v1/chat/completions", endless(3900, stream=False))
        until(lambda: any(ticks(one) > before[one] + 20 for one in two), "a board that computes")
        at_work = max(two, key=lambda one: ticks(one) - before[one])
        at_work.process.kill()
        at_work.process.wait()
        status, _, answer = asking.result()
    assert status == 200 and answer["choices"][0]["message"]["content"].startswith("{"), answer
    assert not at_work.cancelled() and not answered(at_work), "it ended before it was killed"
    [other] = {*two} - {at_work}
    until(lambda: answered(other) == 1, "the other one's line of the log")


def test_load_with_a_board_killed(boards):
    """Eight clients ask, 160 questions and more. When a board has answered some it is killed, and 40 questions later it is there
    again and gets some. Nobody who tries again, as the package does by itself, loses a question. Both boards have a place for
    each client, as the example advises; while one is away there are half as many."""
    nginx, (one, other) = boards("--queue", "3")
    over = threading.Event()
    answers = []

    def ask(begin):
        for asked in itertools.islice(itertools.cycle(ALL), begin, None):
            if over.wait(random.uniform(0.4, 1.2)):
                return
            answers.append((asked, client.chat.completions.create(**body(asked)).choices[0].message.content))

    with nginx.client(max_retries=5) as client, ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(8)]
        try:
            until(lambda: answered(one) > 10, "the first questions", 60)
            one.process.kill()
            one.process.wait()
            before = len(answers)
            until(lambda: len(answers) > before + 40, "questions to one board", 60)
            one.start()
            until(lambda: answered(one) > 10 and len(answers) >= 160, "questions to both boards", 60)
        finally:
            over.set()
        for client_s in asking:
            client_s.result()
    wrong = [(asked.question, answer) for asked, answer in answers if answer != asked.answer]
    assert not wrong and answered(other) > 40
