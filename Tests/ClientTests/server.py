"""`vl2 serve` as a child process: started, asked, stopped, and its log held against what must not stand there."""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("VL2_BUILD", ROOT / ".build/release")).absolute()
CHECKPOINT = ROOT / "models/pocket/checkpoint"
KEPT = ROOT / ".build/clients"

# A key that stands nowhere else, so that a log which holds it holds it because the server wrote it.
KEY = "vl2-key-9f3b61c07d"

LISTENS = re.compile(r"^vl2: serving (.+) at http://127\.0\.0\.1:(\d+)$", re.M)


def pocket():
    """The bundled model, packed. It is packed again only when the converter or the checkpoint is newer."""
    packed = KEPT / "pocket.vl2q"
    converter = PROGRAMS / "vl2-convert"
    newest = max(path.stat().st_mtime for path in [converter, *CHECKPOINT.iterdir()])
    if not packed.exists() or packed.stat().st_mtime < newest:
        KEPT.mkdir(parents=True, exist_ok=True)
        subprocess.run([converter, "pack", CHECKPOINT, "-o", packed], check=True, stderr=subprocess.DEVNULL)
    return packed


class Server:
    """A running server. What tests send and get is told to `secrets`; stop() fails if the log holds any of it."""

    def __init__(self, folder, options=(), model=None, keys=(KEY,), patience=60, environment=(), port=0):
        self.model_file = model or pocket()
        self.key = keys[0] if keys else None
        self.secrets = set(keys or ())
        self.log_file = Path(folder) / "log"
        self.environment = {**os.environ, **dict(environment)}
        self.command = [PROGRAMS / "vl2", "serve", "--model", self.model_file, "--demo", "--port", str(port), *options]
        if keys:
            key_file = Path(folder) / "keys"
            key_file.write_text("# keys of the tests\n" + "".join(key + "\n" for key in keys))
            key_file.chmod(0o600)
            self.command += ["--api-key-file", key_file]
        self.start(patience)

    def start(self, patience=60):
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        self.pid = self.process.pid
        try:
            self.port = self.wait_until_it_listens(patience)
            self.wait_until_healthy(patience)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.url = f"http://127.0.0.1:{self.port}"

    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_until_it_listens(self, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if listens := LISTENS.search(self.log()):
                return int(listens[2])
            if self.process.poll() is not None:
                raise RuntimeError(f"vl2 serve ended with {self.process.returncode}: {self.log()}")
            time.sleep(0.02)
        raise TimeoutError(f"vl2 serve did not say where it listens within {patience} s: {self.log()}")

    def wait_until_healthy(self, patience):
        end = time.monotonic() + patience
        while (status := self.get("/health")[0]) != 200:
            if time.monotonic() > end:
                raise TimeoutError(f"/health still answers {status} after {patience} s")
            time.sleep(0.05)

    def stop(self, patience=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"vl2 serve still ran {patience} s after SIGTERM: {self.log()}") from None
        assert status == 0, f"vl2 serve ended with {status} after SIGTERM: {self.log()}"
        self.check_log()

    def check_log(self):
        log = self.log()
        for secret in self.secrets:
            found = re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", log)
            assert not found, f"the log holds {secret!r}, which a client sent or was answered: {log}"
        # Pictures come as base64; a run of it this long is none of the server's own words.
        coded = re.search(r"[A-Za-z0-9+/=_-]{60,}", log.replace(str(self.model_file), ""))
        assert not coded, f"the log holds {coded[0]!r}, which looks like a piece of a picture: {log}"
        address = re.search(r"0x[0-9a-fA-F]{4,}", log)
        assert not address, f"the log holds an address of memory, {address[0]}: {log}"

    # Asked without any client library

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=60, key=True):
        """(status, headers, bytes) of one request; a body that is no bytes goes as JSON. Headers of None are left out."""
        sent = {"Authorization": f"Bearer {self.key}"} if key and self.key else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, **more):
        status, headers, body = self.request("GET", path, **more)
        return status, headers, as_json(body)

    def post(self, path, body, **more):
        status, headers, body = self.request("POST", path, body, **more)
        return status, headers, as_json(body)

    def ask(self, asked, path="/v1/chat/completions", **fields):
        """The answer's text to a question about pictures, by the plainest request there is."""
        body = {"messages": [{"role": "user", "content": asked.content()}], "temperature": 0, **fields}
        self.secrets |= asked.secrets()
        status, _, answer = self.post(path, body)
        assert status == 200, f"{status}: {answer}"
        return answer["choices"][0]["message"]["content"]

    def honest(self, asked, within=5.0):
        """A question of somebody who did nothing wrong is answered, rightly and soon."""
        begin = time.monotonic()
        answer = self.ask(asked)
        took = time.monotonic() - begin
        assert answer == asked.answer, f"{asked.question!r}: {answer!r} instead of {asked.answer!r}"
        assert took < within, f"{asked.question!r} took {took:.1f} s, over {within} s"
        return took

    def cancelled(self):
        """How many answers have ended because their clients left, as the log says."""
        return len(re.findall(r": cancelled, \d", self.log()))

    # What the kernel says of the process

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def resident(self):
        """Bytes of memory that are the process's own: the mapped model's pages are the page cache's."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1]) * 1024


def as_json(body):
    try:
        return json.loads(body)
    except ValueError:
        return body


def base64_of(data):
    return base64.b64encode(data).decode()


def events(body):
    """The JSON objects of a stream of server-sent events, which has to end with [DONE]."""
    lines = [line[len("data: "):] for line in body.decode().splitlines() if line.startswith("data: ")]
    assert lines and lines[-1] == "[DONE]", f"the stream ends with {lines[-1:]}"
    return [json.loads(line) for line in lines[:-1]]
