"""`/metrics` held against what a load really did, and read by those who will read it: promtool, Prometheus, the dashboard."""

import json
import re
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pictures import COLOUR, SHAPE, SIGN, TOTAL, TWO, endless_schema
from server import KEY, ROOT, Server

CHAT = "/v1/chat/completions"
MONITORING = ROOT / "Examples/monitoring"
# Slow, so that nothing is over before it is caught.
OPTIONS = ("--queue", "1", "--exact", "--threads", "1", "--context", "4096")


def endless(**more):
    schema = endless_schema()
    [words] = schema["properties"].values()
    words["minItems"] = 400
    return {"messages": [{"role": "user", "content": COLOUR.content()}], "max_tokens": 3500, "stream": True,
            "response_format": {"type": "json_schema", "json_schema": {"name": "endless", "schema": schema}}, **more}


class Figures(dict):
    """Values by name and labels: figures["vl2_questions", "state=waiting"]."""

    def __missing__(self, key):
        return 0


def text(server):
    status, headers, body = server.request("GET", "/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return body.decode()


def figures(server):
    found = Figures()
    for family in text_string_to_metric_families(text(server)):
        for sample in family.samples:
            key = (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items())))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def changes(server, before, prefixes):
    """Which counters have changed by how much, without those of asking for them."""
    after = figures(server)
    return {key: after[key] - before[key] for key in after
            if key[0].startswith(prefixes) and "route=/metrics" not in key and after[key] != before[key]}


COUNTS = ("vl2_http_requests_total", "vl2_http_unreadable_requests_total", "vl2_answers_total")


def request_key(route, status):
    return ("vl2_http_requests_total", f"route={route}", f"status={status}")


def answer_key(outcome, route=CHAT):
    return ("vl2_answers_total", f"outcome={outcome}", f"route={route}")


def becomes(server, before, expected, prefixes=COUNTS, patience=30):
    """The counters come to have changed by exactly so much, and stay there."""
    end = time.monotonic() + patience
    while (found := changes(server, before, prefixes)) != expected and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.1)
    assert changes(server, before, prefixes) == expected, found


def rests(server, patience=30):
    """Nobody waits any more; returns the figures."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = figures(server)
        if found["vl2_questions", "state=waiting"] == found["vl2_questions", "state=working"] == 0:
            return found
        time.sleep(0.02)
    raise AssertionError(f"somebody still waits: {found}")


def begin(server, body, path=CHAT):
    """A connection on which a question was asked."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    data = json.dumps(body).encode()
    head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
    connection.sendall(head.encode() + data)
    return connection


def cut(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Who may read it, and in which form


def test_needs_a_key(server):
    assert server.get("/metrics", key=False)[0] == 401
    assert server.get("/metrics", key=False, headers={"X-Api-Key": KEY})[0] == 200
    assert server.request("POST", "/metrics", b"{}")[0] == 405


def test_promtool_has_nothing_to_say(server):
    server.honest(SIGN)
    ran = subprocess.run(["promtool", "check", "metrics"], input=text(server), capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_what_the_system_says(server):
    found = figures(server)
    for name, value, margin in [
        ("process_open_fds", server.descriptors(), 3), ("process_threads", server.threads(), 3),
        ("process_start_time_seconds", time.time(), 600),
    ]:
        assert abs(found[name,] - value) <= margin, name
    assert abs(found["vl2_memory_resident_bytes", "kind=anonymous"] - server.resident()) < 16_000_000
    assert found["process_resident_memory_bytes",] > 10_000_000
    assert 0 < found["process_cpu_seconds_total",] < 600
    assert found["vl2_ready",] == 1 and found["vl2_questions_waiting_limit",] == 1
    assert found["vl2_model_info", "code=Q4", "model=pocket"] == 1


# What a load did


def test_answers(serve):
    """In both dialects, streamed or not: every count is what the answers said, as soon as they are there."""
    server = serve()
    before = figures(server)
    read = written = cached = questions = pictures = 0
    for asked in [COLOUR, SHAPE, TOTAL, TWO]:
        for _ in range(2):
            status, _, answer = server.post(CHAT, {"messages": [{"role": "user", "content": asked.content()}], "temperature": 0})
            assert status == 200
            usage = answer["usage"]
            questions, pictures = questions + 1, pictures + len(asked.files)
            read, written = read + usage["prompt_tokens"], written + usage["completion_tokens"]
            cached += usage["prompt_tokens_details"]["cached_tokens"]
    generated = 0
    for asked in [SIGN, SHAPE]:
        status, _, body = server.request("POST", "/api/generate", {
            "model": "pocket", "prompt": asked.question, "images": asked.coded(), "stream": True})
        assert status == 200
        last = json.loads(body.decode().splitlines()[-1])
        generated, pictures = generated + 1, pictures + 1
        read, written = read + last["prompt_eval_count"], written + last["eval_count"]
    after = figures(server)

    def grown(*key):
        return after[key] - before[key]
    assert changes(server, before, COUNTS) == {
        request_key(CHAT, 200): questions, request_key("/api/generate", 200): generated,
        answer_key("complete"): questions, answer_key("complete", "/api/generate"): generated}
    assert grown("vl2_tokens_total", "kind=read") + grown("vl2_tokens_total", "kind=cached") == read
    assert grown("vl2_tokens_total", "kind=cached") >= cached > 0
    assert grown("vl2_tokens_total", "kind=written") == written
    assert grown("vl2_pictures_total") == pictures
    everything = questions + generated
    for name in ["vl2_answer_seconds", "vl2_answer_first_word_seconds"]:
        assert grown(name + "_count") == grown(name + "_bucket", "le=+Inf") == everything
        assert grown(name + "_sum") > 0
    for stage in ["queued", "prefill", "decode"]:
        assert grown("vl2_answer_stage_seconds_count", f"stage={stage}") == everything, stage
    # Six pictures, for five questions; the others were asked before.
    looked = grown("vl2_kept_lookups_total", "kind=picture", "result=miss")
    assert looked == 6 and grown("vl2_kept_lookups_total", "kind=conversation", "result=hit") > 0
    assert grown("vl2_answer_stage_seconds_count", "stage=vision") == grown("vl2_answer_stage_seconds_count", "stage=tiling") == 5
    assert grown("vl2_tiles_total") >= looked
    assert after["vl2_kept_bytes",] > 0 and after["vl2_kept_pictures",] >= 6
    assert after["vl2_questions", "state=waiting"] == after["vl2_questions", "state=working"] == 0
    assert after["vl2_silence_seconds",] == 0 and after["vl2_http_connections",] == 1


def test_refusals(server):
    """Before the body, by the framing, by what the body says; and what is no HTTP."""
    before = figures(server)
    for _ in range(7):
        assert server.post(CHAT, {"messages": [{"role": "user", "content": "Hi"}]}, key=False)[0] == 401
    for _ in range(3):
        assert server.post(CHAT, {"messages": 7})[0] == 400
    assert server.post("/api/chat", {"model": "nobody's", "messages": []})[0] == 404
    assert server.get("/v1/models/nobody's")[0] == 404
    for path in ["/nowhere", "/nowhere/else", "/v2/models"]:
        assert server.get(path)[0] == 404
    assert server.request("DELETE", "/props")[0] == 405
    assert server.get("/health", headers={"Host": "attacker.example"})[0] == 403
    for bytes_ in [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\0\r\n\r\n",
                   b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 50_000 + b"\r\n\r\n"]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(bytes_)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    becomes(server, before, {
        request_key(CHAT, 401): 7, request_key(CHAT, 400): 3, answer_key("refused"): 3, request_key("/api/chat", 404): 1,
        answer_key("refused", "/api/chat"): 1, request_key("/v1/models/{model}", 404): 1, request_key("other", 404): 3,
        request_key("/props", 405): 1, request_key("/health", 403): 1, ("vl2_http_unreadable_requests_total",): 3})


def test_cut_streams(server):
    before = rests(server)
    cancelled = server.cancelled()
    for number in range(10):
        connection = begin(server, endless())
        connection.recv(100 + 300 * number)
        cut(connection)
        rests(server)
    becomes(server, before, {request_key(CHAT, 200): 10, answer_key("cancelled"): 10})
    after = figures(server)
    assert after["vl2_answer_seconds_count",] - before["vl2_answer_seconds_count",] == 10
    assert server.cancelled() - cancelled == 10


def test_full_queue_and_those_who_leave_it(server):
    before = rests(server)
    working = begin(server, endless())
    assert b" 200 " in working.recv(100)
    waiting = begin(server, endless(stream=False))
    end = time.monotonic() + 10
    while (now := figures(server))["vl2_questions", "state=waiting"] != 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert (now["vl2_questions", "state=waiting"], now["vl2_questions", "state=working"]) == (1, 1)
    assert now["vl2_silence_seconds",] < 5
    for _ in range(5):
        assert server.post(CHAT, {"messages": [{"role": "user", "content": "Hi"}]})[0] == 429
    assert server.post("/api/generate", {"model": "pocket", "prompt": "Hi"})[0] == 429
    refused = {request_key(CHAT, 429): 5, answer_key("busy"): 5,
               request_key("/api/generate", 429): 1, answer_key("busy", "/api/generate"): 1}
    becomes(server, before, refused)
    cut(waiting)
    becomes(server, before, {**refused, request_key(CHAT, 499): 1, answer_key("cancelled"): 1})
    cut(working)
    becomes(server, before, {**refused, request_key(CHAT, 499): 1, request_key(CHAT, 200): 1, answer_key("cancelled"): 2})
    rests(server)


def test_a_crowd(server):
    """Sixty requests of all kinds at once: none is lost or counted twice."""
    before = rests(server)
    statuses, lock = [], threading.Lock()

    def ask(number):
        if number % 3 == 0:
            status, path = server.get("/health")[0], "/health"
        elif number % 3 == 1:
            status, path = server.get("/props", key=False)[0], "/props"
        else:
            status, path = server.post(CHAT, {"messages": [{"role": "user", "content": SIGN.content()}], "temperature": 0})[0], CHAT
        with lock:
            statuses.append((path, status))
    threads = [threading.Thread(target=ask, args=[number]) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {}
    for path, status in statuses:
        expected[request_key(path, status)] = expected.get(request_key(path, status), 0) + 1
        if path == CHAT:
            key = answer_key({200: "complete", 429: "busy"}[status])
            expected[key] = expected.get(key, 0) + 1
    assert sum(expected[key] for key in expected if key[0] == "vl2_http_requests_total") == 60
    assert expected[answer_key("complete")] > 0
    becomes(server, before, expected)


def test_clients_make_no_names(server):
    """However many paths, methods, names and headers they think of, there are no more samples than before."""
    rests(server)
    server.get("/nowhere/0")
    server.get("/v1/models/0")
    server.request("FOO0", "/nowhere")
    before = set(figures(server))
    for number in range(1, 60):
        server.get(f"/nowhere/{number}\"}}")
        server.get(f"/v1/models/{number}\\n")
        server.request(f"FOO{number}", "/nowhere")
    assert set(figures(server)) == before


def test_figures_do_not_wait(server):
    """While an answer is written they come at once, and what the engine does is seen."""
    working = begin(server, endless())
    assert b" 200 " in working.recv(100)
    seen = []
    for _ in range(20):
        begun = time.monotonic()
        seen.append(figures(server)["vl2_experts_wanted_total",])
        assert time.monotonic() - begun < 1
        time.sleep(0.05)
    assert seen == sorted(seen) and seen[-1] > seen[0]
    cut(working)
    rests(server)


def test_under_a_limit_of_memory(serve):
    running = serve("--memory", "40M")
    assert running.ask(SIGN) == SIGN.answer
    found = figures(running)
    by_result = {result: found["vl2_experts_total", f"result={result}"] for result in ["hit", "read_ahead", "miss"]}
    assert sum(by_result.values()) == found["vl2_experts_wanted_total",] > 0 and by_result["miss"] > 0
    assert found["vl2_expert_read_bytes_total",] > 0 and found["vl2_expert_slots",] > 0 and found["vl2_expert_slot_bytes",] > 0
    assert found["vl2_memory_budget_bytes",] > 0


def test_watchdog(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "socket"))
        running = serve(environment={"NOTIFY_SOCKET": str(folder / "socket"), "WATCHDOG_USEC": "30000000"})
        assert figures(running)["vl2_watchdog_timeout_seconds",] == 30
    assert figures(serve())["vl2_watchdog_timeout_seconds",] == 0


# The log


def test_a_line_for_each_request(tmp_path):
    """One for each, also for a question; none for what supervisors ask for every few seconds."""
    running = Server(tmp_path)
    assert running.ask(SIGN) == SIGN.answer
    for _ in range(5):
        assert running.get("/health")[0] == running.get("/metrics")[0] == running.get("/readyz")[0] == 200
    running.get("/v1/models")
    running.get("/metrics", key=False)
    running.get("/nowhere/" + "x" * 200)
    running.post(CHAT, {"messages": 7})
    connection = socket.create_connection(("127.0.0.1", running.port))
    connection.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{".encode())
    time.sleep(0.1)
    connection.close()
    running.stop()
    lines = [line for line in running.log().splitlines() if "serving" not in line and "/health: 503" not in line]
    patterns = [
        rf"POST {CHAT}: complete, 1 pictures in \d+ tiles, \d+ tokens read, \d+ written; waited [\d.]+ s, looked [\d.]+ s, "
        r"read [\d.]+ s, wrote [\d.]+ s; 200 in [\d.]+ s",
        r"GET /v1/models: 200 in [\d.]+ s", r"GET /metrics: 401 in [\d.]+ s", r'GET "/nowhere/x{1,30}…": 404 in [\d.]+ s',
        rf"POST {CHAT}: 400 in [\d.]+ s", rf"POST {CHAT}: 499 in [\d.]+ s"]
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(rf"vl2: 127\.0\.0\.1 {pattern}", line), line
    assert len(lines) == len(patterns), lines


# The examples


def expressions():
    """Of the dashboard's panels and its variables."""
    board = json.loads((MONITORING / "grafana.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(found) > 20
    legends = [(target["expr"], target["legendFormat"]) for panel in board["panels"] for target in panel.get("targets", [])]
    queries = [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    assert any(one["type"] == "datasource" for one in board["templating"]["list"])
    return found, legends, queries


# What Prometheus itself adds, and the words of its language.
ADDED = {"instance", "job"}
WORDS = {"sum", "by", "rate", "histogram_quantile", "max", "time", "label_values"}


def names_and_labels(expression):
    """The names of metrics in an expression, and those of labels."""
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        labels |= {word.strip() for word in group.split(",")}
    bare = re.sub(r"\bby \([^)]*\)|\{[^}]*\}|\[[^]]*\]", " ", expression)
    return {word for word in re.findall(r"[a-zA-Z_]\w*", bare) if word not in WORDS}, labels


def test_the_dashboard_names_what_is_there(serve):
    """Every name, label and label's value in it, on a server with a limit of memory, which has the most."""
    running = serve("--memory", "40M")
    running.ask(SIGN)
    known = {}
    values = {}
    for key in figures(running):
        known.setdefault(key[0], set()).update(label.split("=")[0] for label in key[1:])
        for label in key[1:]:
            values.setdefault(label.split("=")[0], set()).add(label.split("=", 1)[1])
    found, legends, queries = expressions()
    for expression, legend in legends:
        names, labels = names_and_labels(expression)
        assert names and names <= set(known), (expression, names - set(known))
        there = set.union(*(known[name] for name in names)) | ADDED
        assert labels <= there, (expression, labels - there)
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= there, legend
        for label, value in re.findall(r'(\w+)="([^"$]+)"', expression):
            assert value in values[label], (expression, value)
    for query in queries:
        inner = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
        assert inner and inner[1] in known and inner[2] in ADDED | known[inner[1]]


def adjusted(folder, server, interval="1s"):
    """The example's scrape config with this server's address and key, in a file."""
    config = (MONITORING / "prometheus.yml").read_text()
    key = folder / "key"
    key.write_text(server.key)
    for old, new in [("/etc/prometheus/vl2.key", str(key)), ("localhost:11434", f"localhost:{server.port}"), ("15s", interval)]:
        assert config.count(old) == 1, old
        config = config.replace(old, new)
    path = folder / "prometheus.yml"
    path.write_text(config)
    return path


def test_the_config_is_one(server, tmp_path):
    path = adjusted(tmp_path, server)
    ran = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "is valid" in ran.stdout, ran.stdout + ran.stderr


class Prometheus:
    def __init__(self, config, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def query(self, expression):
        words = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{words}", timeout=30) as answer:
            answer = json.load(answer)
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def until(self, expression, wanted, patience=60):
        """Asks until the value is what is wanted."""
        end = time.monotonic() + patience
        found = None
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                found = self.query(expression)
            except OSError:
                pass        # it is starting
            if found and float(found[0]["value"][1]) == wanted:
                return
            time.sleep(0.2)
        raise AssertionError(f"{expression}: {found} instead of {wanted} after {patience} s: {self.log.read_text()[-2000:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def test_a_prometheus_asks_it(serve, tmp_path):
    """One from Debian, with the example's config: it gets in, and every expression of the dashboard has a value there."""
    running = serve("--memory", "40M")
    prometheus = Prometheus(adjusted(tmp_path, running), tmp_path)
    try:
        prometheus.until("up", 1)
        asked = 3
        for _ in range(asked):
            assert running.ask(SIGN) == SIGN.answer
        prometheus.until('sum(vl2_answers_total{outcome="complete"})', asked)
        # A rate needs two samples.
        prometheus.until(f'vl2_http_requests_total{{route="{CHAT}",status="200"}} offset 2s', asked)
        for expression in expressions()[0]:
            filled = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
            assert prometheus.query(filled), f"{filled} has no value"
    finally:
        prometheus.stop()


def test_a_prometheus_without_the_key_gets_nothing(serve, tmp_path):
    running = serve()
    config = adjusted(tmp_path, running)
    (tmp_path / "key").write_text("wrong")
    prometheus = Prometheus(config, tmp_path)
    try:
        prometheus.until("up", 0)
        prometheus.until('count(vl2_ready) or vector(0)', 0)
    finally:
        prometheus.stop()
