"""Sixteen clients at once for minutes, honest ones and others, while descriptors run out and the model's file is cut short.

Usage: soak.py [--minutes 30] [--seed 1]      prints a table; status 1 where a rule was broken

What has to hold is in `Record`, `Client` and `main`; the README says it in words. Needs nothing but Python."""

import argparse
import json
import os
import random
import resource
import shutil
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

from pictures import ALL, Asked, COLOUR, SIGN, TWO, endless_schema
from server import KEPT, Server, events, pocket

CLIENTS = 16
DEADLINE = 20           # of the server, for a question
HEAD, BODY, WRITE = 10, 30, 60
# A connection without a byte is accepted after this long (TCP_DEFER_ACCEPT).
DEFERRED = 6
# The machine may be busy with other things.
LATE = 5
# After descriptors are there again, who waited outside is served within this time.
REOPENED = 15
# Bytes that questions of many sizes leave in the allocator (Benchmarks/LOG.md: up to 1.6 MB) come on top of 5 % of little.
MEMORY, MARGIN = 0.05, 3_000_000
# Tiles are not to depend on how much time is left: with fewer of them pocket may be wrong.
OPTIONS = ["--queue", "8", "--deadline", str(DEADLINE), "--max-tiles", "20"]


class Closed(Exception):
    """The server ended the connection; says how much of a response had come."""


class Wire:
    """A connection, and the responses on it."""

    def __init__(self, server, patience, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.end = time.monotonic() + patience
        self.got = b""
        self.total = 0
        self.limit()
        self.socket.connect(("127.0.0.1", server.port))

    def limit(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def send(self, data):
        self.limit()
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass        # a response may have come before

    def more(self, count=65536):
        self.limit()
        try:
            piece = self.socket.recv(count)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed(self.total)
        self.total += len(piece)
        self.got += piece

    def line(self):
        while b"\r\n" not in self.got:
            self.more()
        line, _, self.got = self.got.partition(b"\r\n")
        return line

    def take(self, count):
        while len(self.got) < count:
            self.more()
        taken, self.got = self.got[:count], self.got[count:]
        return taken

    def response(self):
        """(status, headers, body) of a complete response."""
        self.total = len(self.got)
        status = int(self.line().split()[1])
        if status == 100:
            self.line()
            return self.response()
        headers = {}
        while line := self.line():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.line(), 16):
                body += self.take(size)
                self.line()
            self.line()
            return status, headers, body
        return status, headers, self.take(int(headers["content-length"]))

    def until_closed(self):
        """Reads on to the end of the connection; all that came."""
        try:
            while True:
                self.more()
        except Closed:
            return self.got

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Record:
    """What happened, and which rules were broken."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begin = time.monotonic()
        self.seconds = defaultdict(list)
        self.faults = []
        # (name, begin, end): end is None while it goes on
        self.windows = []

    def add(self, kind, outcome, seconds):
        with self.lock:
            self.seconds[kind, outcome].append(seconds)

    def fault(self, what):
        with self.lock:
            self.faults.append(f"{time.monotonic() - self.begin:.1f} s: {what}")

    def broken(self, kind, begin, what):
        """The outcome of what was begun then."""
        during = [name for name, start, end in self.windows if end is None or end >= begin]
        self.fault(f"{kind}: {what} after {time.monotonic() - begin:.1f} s" + (f" (during {during})" if during else ""))
        return "BROKEN"

    @contextmanager
    def window(self, name):
        entry = [name, time.monotonic(), None]
        with self.lock:
            self.windows.append(entry)
        try:
            yield
        finally:
            entry[2] = time.monotonic()

    def disturbed(self, begin, *names):
        """Whether such a thing went on at some time from `begin` to now; for how many seconds."""
        now = time.monotonic()
        with self.lock:
            return sum(
                min(now, end or now) - max(begin, start) + 0.001 for name, start, end in self.windows
                if name in names and start <= now and (end is None or end >= begin))


class Client(threading.Thread):
    """Does one thing after the other, each on a connection of its own."""

    def __init__(self, server, record, seed, gate, parked):
        super().__init__(daemon=True)
        self.server, self.record, self.gate, self.parked = server, record, gate, parked
        self.random = random.Random(seed)
        self.actions = {
            self.honest: 30, self.pipelined: 5, self.slow_writer: 3, self.cancelled: 14, self.slow_reader: 1,
            self.stopped_reader: 0.3, self.half_request: 6, self.endless_head: 1, self.endless_body: 0.7,
            self.pipelined_garbage: 4, self.garbage: 4, self.wrong_key: 5, self.too_large: 2, self.left_open: 4}

    def run(self):
        while self.gate.enter():
            action = self.random.choices(list(self.actions), self.actions.values())[0]
            kind = action.__name__.replace("_", " ")
            begin = time.monotonic()
            try:
                outcome = action()
            except Exception as error:      # a thread that ends would be a client less, and unnoticed
                outcome = self.broken(kind, begin, f"{type(error).__name__} {error}")
            self.record.add(kind, outcome, time.monotonic() - begin)
            self.gate.leave()
            time.sleep(self.random.random() * 0.1)

    def broken(self, kind, begin, what):
        return self.record.broken(kind, begin, what)

    # What is sent

    def request(self, body, path="/v1/chat/completions", key=None, more=""):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nAuthorization: Bearer "
                f"{key or self.server.key}\r\nContent-Type: application/json\r\n{more}Content-Length: {len(text)}\r\n\r\n"
                ).encode() + text

    def health(self):
        return f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n\r\n".encode()

    def question(self):
        """(asked, how, request)"""
        asked = self.random.choice(ALL)
        how = self.random.choice(["chat", "chat stream", "ollama chat", "ollama chat stream", "ollama generate"])
        streamed = how.endswith("stream")
        if how.startswith("chat"):
            messages = [{"role": "user", "content": asked.content()}]
            return asked, how, self.request({"messages": messages, "temperature": 0, "stream": streamed})
        common = {"model": "pocket", "stream": streamed, "options": {"temperature": 0}}
        if how == "ollama generate":
            body = {"prompt": asked.question, "images": asked.coded(), **common}
            return asked, how, self.request(body, "/api/generate")
        messages = [{"role": "user", "content": asked.question, "images": asked.coded()}]
        return asked, how, self.request({"messages": messages, **common}, "/api/chat")

    def long(self, streamed=True, logprobs=False):
        schema = {"type": "json_schema", "json_schema": {"name": "endless", "schema": endless_schema()}}
        # With probabilities, each token is 2 kB of text.
        more = {"logprobs": True, "top_logprobs": 20} if logprobs else {}
        return self.request({"messages": [{"role": "user", "content": COLOUR.content()}], "stream": streamed,
                             "max_tokens": 1000, "response_format": schema, **more})

    def patience(self):
        """Nobody waits longer: for the answer, and for being let in where descriptors ran out."""
        return DEADLINE + LATE + 60

    # What comes back

    def answered(self, kind, begin, how, asked, response, sending=0.0):
        """The outcome of a question whose response is complete."""
        status, headers, body = response
        waited = time.monotonic() - begin
        outside = self.record.disturbed(begin, "descriptors")
        allowed = DEADLINE + LATE + sending + (outside + REOPENED if outside else 0)
        if waited > allowed:
            return self.broken(kind, begin, f"status {status}, over {allowed:.0f} s")
        if status in (429, 503):
            return f"refused {status}" if "retry-after" in headers else self.broken(kind, begin, f"{status} without Retry-After")
        if status != 200:
            return self.failed(kind, begin, f"status {status}", body)
        text, ending, error = said(how, body)
        if error and f"the time of {DEADLINE} s was over" in error:
            return "refused in the stream"
        if error:
            return self.failed(kind, begin, "error in the stream", error)
        if text == asked.answer:
            return "right"
        if ending == "length" and asked.answer.startswith(text):
            return "ended by the deadline"
        return self.broken(kind, begin, f"{how}: {asked.question!r}: {text!r} instead of {asked.answer!r}")

    def failed(self, kind, begin, what, said):
        if self.record.disturbed(begin, "file cut short"):
            return what
        return self.broken(kind, begin, f"{what}: {said!r:.200}")

    def closed(self, kind, begin, had):
        """A connection that ended before its response was complete, though its client stayed."""
        if self.record.disturbed(begin, "many connections"):
            return "closed: over 64"
        if not had and self.record.disturbed(begin, "descriptors"):
            return "closed unread"
        return self.broken(kind, begin, f"the connection was closed after {had} bytes of a response")

    # What clients do

    def honest(self):
        asked, how, request = self.question()
        begin = time.monotonic()
        try:
            with Wire(self.server, self.patience()) as wire:
                wire.send(request)
                return self.answered("honest", begin, how, asked, wire.response())
        except Closed as closed:
            return self.closed("honest", begin, closed.args[0])
        except TimeoutError:
            return self.broken("honest", begin, f"{how}: no complete response")

    def pipelined(self):
        """Several at once, each answered in its turn."""
        begin = time.monotonic()
        asked, how, request = self.question()
        outcome = "right"
        try:
            with Wire(self.server, self.patience() + DEADLINE) as wire:
                wire.send(self.health() + request + self.health() + request)
                for number in range(4):
                    since = time.monotonic()
                    response = wire.response()
                    if number % 2:
                        outcome = self.answered("pipelined", since, how, asked, response)
                        if outcome == "BROKEN":
                            return outcome
                    elif response[0] != 200:
                        return self.broken("pipelined", begin, f"/health has status {response[0]}")
                return outcome
        except Closed as closed:
            return self.closed("pipelined", begin, closed.args[0])
        except TimeoutError:
            return self.broken("pipelined", begin, "no complete response")

    def slow_writer(self):
        """Slow, and in time."""
        begin = time.monotonic()
        asked, how, request = self.question()
        try:
            with Wire(self.server, self.patience() + 10) as wire:
                pieces = self.random.randrange(2, 12)
                size = 1 + len(request) // pieces
                # The head comes at once: it has less time.
                for at in range(0, len(request), size):
                    wire.send(request[at:at + size])
                    time.sleep(self.random.random() * 8 / pieces)
                return self.answered("slow writer", begin, how, asked, wire.response(), sending=time.monotonic() - begin)
        except Closed as closed:
            return self.closed("slow writer", begin, closed.args[0])
        except TimeoutError:
            return self.broken("slow writer", begin, "no complete response")

    def cancelled(self):
        """Asks for much, reads for a while or not, and goes, one way or another."""
        with Wire(self.server, self.patience()) as wire:
            wire.send(self.long(streamed=self.random.random() < 0.7))
            wire.socket.settimeout(0.05)
            end = time.monotonic() + self.random.random() ** 2 * 1.5
            while time.monotonic() < end:
                try:
                    if not wire.socket.recv(self.random.choice([1, 100, 65536])):
                        break
                except TimeoutError:
                    pass
                except ConnectionResetError:
                    break
            way = self.random.choice(["closed", "reset", "half closed"])
            if way == "reset":
                wire.reset()
            elif way == "half closed":
                try:
                    wire.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                time.sleep(self.random.random())
        return "left"

    def slow_reader(self):
        """Takes a large answer little by little: all of it, or it is cut a minute after it was written."""
        begin = time.monotonic()
        most = DEADLINE + WRITE + LATE
        with Wire(self.server, self.patience() + WRITE, receive_buffer=2048) as wire:
            wire.send(self.long(logprobs=True))
            try:
                pause = self.random.random() * 0.02
                while not wire.got.endswith(b"0\r\n\r\n"):
                    wire.more(4096)
                    time.sleep(pause)
                    if b"\r\n\r\n" in wire.got and not wire.got.startswith(b"HTTP/1.1 200"):
                        status, _, body = wire.response()
                        if status in (429, 503):
                            return f"refused {status}"
                        return self.failed("slow reader", begin, f"status {status}", body)
            except Closed:
                took = time.monotonic() - begin
                if took < WRITE:
                    return self.closed("slow reader", begin, wire.total)
                return "closed: 60 s to take it"
            except TimeoutError:
                return self.broken("slow reader", begin, f"neither all of it nor cut after {most} s")
        return "all read"

    def stopped_reader(self):
        """Takes nothing for longer than the server gives it, then what is left."""
        begin = time.monotonic()
        with Wire(self.server, 200, receive_buffer=2048) as wire:
            wire.send(self.long(logprobs=True))
            time.sleep(DEADLINE + WRITE + LATE)
            try:
                wire.response()
            except Closed:
                return "closed: 60 s to take it"
            except TimeoutError:
                return self.broken("stopped reader", begin, "neither all of it nor cut")
        return "all read"

    def half_request(self):
        data = self.long()
        with Wire(self.server, self.patience()) as wire:
            wire.send(data[:self.random.randrange(1, len(data))])
            time.sleep(self.random.random() ** 2)
            if self.random.random() < 0.5:
                wire.reset()
        return "left"

    def drip(self, kind, first, rest, seconds):
        """Sends a byte now and then; the server ends it in its time."""
        begin = time.monotonic()
        with Wire(self.server, self.patience() + seconds) as wire:
            wire.send(first)
            wire.socket.settimeout(0.5)
            while True:
                took = time.monotonic() - begin
                outside = self.record.disturbed(begin, "descriptors")
                if took > seconds + LATE + (outside + REOPENED + DEFERRED if outside else 0):
                    return self.broken(kind, begin, f"still open, over {seconds} s")
                try:
                    piece = wire.socket.recv(4096)
                    if not piece:
                        break
                    wire.got += piece
                except TimeoutError:
                    pass
                except OSError:
                    break
                try:
                    wire.socket.sendall(rest)
                except OSError:
                    break
        if time.monotonic() - begin < seconds - 3 and not wire.got.startswith(b"HTTP/1.1 4"):
            if not self.record.disturbed(begin, "descriptors", "many connections"):
                return self.broken(kind, begin, f"closed before its {seconds} s were over, {wire.got[:60]!r}")
        return f"closed: {seconds} s"

    def endless_head(self):
        return self.drip("endless head", self.health()[:-2] + b"X: ", b"a", HEAD)

    def endless_body(self):
        head, _, body = self.request(b" " * 100_000).partition(b"\r\n\r\n")
        return self.drip("endless body", head + b"\r\n\r\n", b" ", BODY)

    def refused(self, kind, data, statuses, first=None):
        """What is sent is refused, with one of these statuses, and the connection then closed where `first` is given."""
        begin = time.monotonic()
        try:
            with Wire(self.server, self.patience() + HEAD) as wire:
                wire.send(data)
                if first is not None:
                    status = wire.response()[0]
                    if status != first:
                        return self.broken(kind, begin, f"the good request has status {status}")
                status = wire.response()[0]
                return f"refused {status}" if status in statuses else self.broken(kind, begin, f"status {status}")
        except Closed as closed:
            if closed.args[0] == 0 and kind in ("garbage", "pipelined garbage", "too large"):
                return "closed"
            return self.closed(kind, begin, closed.args[0])
        except TimeoutError:
            return self.broken(kind, begin, "neither refused nor closed")

    def some_garbage(self):
        return self.random.choice([
            self.random.randbytes(self.random.randrange(1, 5000)), b"\x16\x03\x01" + self.random.randbytes(500), b"\0" * 4000,
            b"GET /health HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"\r\n\r\n\r\n" * 300,
            b"GET " + b"/" * 40_000 + b" HTTP/1.1\r\n\r\n"])

    def garbage(self):
        return self.refused("garbage", self.some_garbage(), range(400, 506))

    def pipelined_garbage(self):
        return self.refused(
            "pipelined garbage", self.health() + b"x" + self.some_garbage() + b"\r\n\r\n", range(400, 506), first=200)

    def wrong_key(self):
        key = f"wrong-{self.random.randrange(1 << 40):010x}"
        self.server.secrets.add(key)
        return self.refused("wrong key", self.request({"messages": []}, key=key), [401])

    def too_large(self):
        way = self.random.choice(["asked first", "sent", "chunked"])
        if way == "asked first":
            head = self.request(b"", more="Expect: 100-continue\r\n").replace(b"Content-Length: 0", b"Content-Length: 40000000")
            return self.refused("too large", head, [413])
        if way == "sent":
            return self.refused("too large", self.request(b" " * 34_000_000), [413])
        head = self.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        data = head + (b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 34 + b"0\r\n\r\n"
        # Together bodies may have 96 MiB.
        return self.refused("too large", data, [413, 503])

    def left_open(self):
        """Opens one, sends nothing or half a head, and leaves it."""
        wire = Wire(self.server, self.patience())
        if self.random.random() < 0.5:
            wire.send(self.health()[:20])
        self.parked.add(wire)
        return "opened"


class Parked(threading.Thread):
    """Connections that are open and left; the server is to end them."""

    MOST = 24           # with those of the clients, fewer than the server takes

    def __init__(self, record):
        super().__init__(daemon=True)
        self.record = record
        self.lock = threading.Lock()
        self.wires = {}

    def add(self, wire):
        with self.lock:
            if len(self.wires) < self.MOST:
                self.wires[wire] = time.monotonic()
                return
        wire.socket.close()

    def run(self):
        while True:
            with self.lock:
                wires = list(self.wires.items())
            for wire, since in wires:
                if not self.remains(wire, since):
                    with self.lock:
                        del self.wires[wire]
                    wire.socket.close()
            time.sleep(0.2)

    def remains(self, wire, since):
        wire.socket.setblocking(False)
        age = time.monotonic() - since
        try:
            over = wire.socket.recv(100) == b""
        except BlockingIOError:
            over = False
        except OSError:
            over = True
        if over:
            early = age < HEAD - 1 and not self.record.disturbed(since, "descriptors", "many connections")
            if early:
                self.record.broken("left open", since, "closed early")
            self.record.add("left open", "BROKEN" if early else "closed: 10 s", age)
            return False
        most = HEAD + DEFERRED + LATE
        outside = self.record.disturbed(since, "descriptors")
        if age > most + (outside + REOPENED if outside else 0):
            self.record.add("left open", self.record.broken("left open", since, f"still open, over {most} s"), age)
            return False
        return True


def said(how, body):
    """(text, why it ended, error) of an answer's body."""
    if how == "chat":
        choice = json.loads(body)["choices"][0]
        return choice["message"]["content"], choice["finish_reason"], None
    if how == "chat stream":
        if errors := [line for line in body.decode().splitlines() if line.startswith('data: {"error"')]:
            return "", None, errors[0]
        pieces = [event["choices"][0] for event in events(body) if event["choices"]]
        return "".join(piece["delta"].get("content") or "" for piece in pieces), pieces[-1]["finish_reason"], None
    lines = [json.loads(line) for line in body.decode().splitlines()]
    if "error" in lines[-1]:
        return "", None, lines[-1]["error"]
    assert lines[-1]["done"], "the answer does not say that it is done"
    texts = [line["response"] if "response" in line else line["message"]["content"] for line in lines]
    return "".join(texts), lines[-1].get("done_reason"), None


class Gate:
    """Lets clients work, or has them wait between two things."""

    def __init__(self):
        self.condition = threading.Condition()
        self.isOpen, self.isOver, self.inside = True, False, 0

    def enter(self):
        with self.condition:
            self.condition.wait_for(lambda: self.isOpen or self.isOver)
            if self.isOver:
                return False
            self.inside += 1
            return True

    def leave(self):
        with self.condition:
            self.inside -= 1
            self.condition.notify_all()

    def close(self):
        with self.condition:
            self.isOpen = False
            self.condition.wait_for(lambda: self.inside == 0)

    def open(self, over=False):
        with self.condition:
            self.isOpen, self.isOver = True, over
            self.condition.notify_all()


class Disturber(threading.Thread):
    """From time to time takes something away from the server, and gives it back."""

    def __init__(self, server, record, seed):
        super().__init__(daemon=True)
        self.server, self.record = server, record
        self.random = random.Random(seed)
        self.model = Path(server.model_file)
        self.bytes = self.model.read_bytes()
        self.isOver = threading.Event()
        self.done = defaultdict(list)

    def run(self):
        kinds = [self.no_descriptors, self.file_cut_short, self.few_descriptors, self.many_connections]
        while True:
            for kind in kinds:
                if self.isOver.wait(3 + self.random.random() * 7):
                    return
                try:
                    self.done[kind.__name__.replace("_", " ")].append(kind())
                except Exception as error:
                    self.record.fault(f"{kind.__name__}: {type(error).__name__} {error}")
            self.random.shuffle(kinds)

    @contextmanager
    def limited(self, spare):
        """Leaves the server as many descriptors as it has open, and `spare`."""
        before = resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE)
        open_now = {int(number) for number in os.listdir(f"/proc/{self.server.pid}/fd")}
        # What counts is the number of a descriptor: below the limit there are as many free ones as `spare`.
        limit = next(limit for limit in range(1, 100_000) if limit - sum(number < limit for number in open_now) > spare) - 1
        resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, before)

    def connections(self, count, data):
        """Connections that are on the way, whether the server takes them or not."""
        made = []
        for _ in range(count):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.server.port))
            try:
                one.send(data)
            except OSError:
                pass        # not yet there
            made.append(one)
        return made

    def healthy(self):
        """Seconds until somebody new is answered."""
        begin = time.monotonic()
        while time.monotonic() < begin + REOPENED:
            try:
                if self.server.get("/health", timeout=REOPENED)[0] == 200:
                    return time.monotonic() - begin
            except OSError:
                time.sleep(0.05)
        self.record.fault(f"nobody new was answered within {REOPENED} s")
        return time.monotonic() - begin

    def no_descriptors(self):
        """None is left, and clients go on asking."""
        health = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n\r\n".encode()
        with self.record.window("descriptors"):
            with self.limited(spare=self.random.choice([0, 0, 1, 3])):
                waiting = self.connections(30, health)
                time.sleep(3 + self.random.random() * 9)
        took = self.healthy()
        end = time.monotonic() + REOPENED
        unread = 0
        for one in waiting:
            one.settimeout(max(0.01, end - time.monotonic()))
            try:
                got = one.recv(4096)
                unread += not got
                if got and not got.startswith(b"HTTP/1.1 200"):
                    self.record.fault(f"who waited for a descriptor was answered {got[:40]!r}")
            except TimeoutError:
                # A request that could not be sent while the connection was on its way is no request.
                continue
            except OSError:
                unread += 1
            finally:
                one.close()
        return took

    def few_descriptors(self):
        """Three hundred connections, of which few find a descriptor."""
        with self.record.window("descriptors"), self.record.window("many connections"):
            with self.limited(spare=20):
                waiting = self.connections(300, self.random.choice([b"", b"GET /health HTT"]))
                time.sleep(3 + self.random.random() * 5)
                for one in waiting:
                    one.close()
            took = self.healthy()
            time.sleep(1)
        return took

    def many_connections(self):
        """Three hundred, and descriptors enough: those over 64 are ended."""
        with self.record.window("many connections"):
            waiting = self.connections(300, self.random.choice([b"", b"GET /health HTT"]))
            time.sleep(2 + self.random.random() * 4)
            for one in waiting:
                one.close()
            took = self.healthy()
            time.sleep(1)
        return took

    def file_cut_short(self):
        """The model's file loses its end, at any place, and gets it back; it stays the same file."""
        length = self.random.randrange(len(self.bytes))
        with self.record.window("file cut short"):
            os.truncate(self.model, length)
            time.sleep(1 + self.random.random() * 5)
            with open(self.model, "r+b", buffering=0) as file:
                file.seek(length)
                left = self.bytes[length:]
                while left:
                    left = left[file.write(left):]
        # From here on answers are to be right; that they are, the clients see.
        begin = time.monotonic()
        while time.monotonic() < begin + DEADLINE:
            status, _, answer = self.server.post("/v1/chat/completions", {
                "messages": [{"role": "user", "content": SIGN.content()}], "temperature": 0})
            if status == 200:
                if answer["choices"][0]["message"]["content"] != SIGN.answer:
                    self.record.fault(f"after the file was whole again: {answer['choices'][0]['message']['content']!r}")
                break
            if status not in (429, 503):
                self.record.fault(f"after the file was whole again: status {status} {answer!r:.200}")
            time.sleep(0.1)
        return time.monotonic() - begin


class Sampler(threading.Thread):
    """The most memory, descriptors and threads, each second."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.most = [0, 0, 0]

    def run(self):
        while True:
            try:
                now = [self.server.resident(), self.server.descriptors(), self.server.threads()]
            except (OSError, TypeError):
                return      # the process has ended
            self.most = [max(pair) for pair in zip(self.most, now)]
            time.sleep(1)


def at_rest(server, descriptors=0, threads=0, patience=90):
    """(memory, descriptors, threads) once nobody is served any more; the median of five seconds.

    The server keeps what it read, within a bound of its own, of long conversations more than of short ones. So it is first
    asked the same each time, more than the 32 conversations that it keeps."""
    for number in range(40):
        # Of fewer than 32 positions nothing is kept.
        server.ask(Asked((), f"{number} " * 40, ""), max_tokens=1)
    for asked in ALL:
        server.ask(asked)
    end = time.monotonic() + patience
    while time.monotonic() < end and (server.descriptors() > descriptors or server.threads() > threads) and descriptors:
        time.sleep(0.2)
    found = []
    for _ in range(5):
        time.sleep(1)
        found.append((server.resident(), server.descriptors(), server.threads()))
    return tuple(statistics.median(values) for values in zip(*found))


def table(record, disturber, rows):
    kinds = defaultdict(dict)
    for (kind, outcome), seconds in record.seconds.items():
        kinds[kind][outcome] = seconds
    lines = ["| clients | outcome | how many | median | worst |", "|---|---|---|---|---|"]
    for kind in sorted(kinds, key=lambda kind: -sum(map(len, kinds[kind].values()))):
        for outcome, seconds in sorted(kinds[kind].items(), key=lambda item: -len(item[1])):
            lines.append(f"| {kind} | {outcome} | {len(seconds):,} | {statistics.median(seconds):.2f} s | {max(seconds):.1f} s |")
            kind = ""
    lines += ["", "| disturbance | how often | well again after: median | worst |", "|---|---|---|---|"]
    for name, seconds in disturber.done.items():
        lines.append(f"| {name} | {len(seconds)} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |")
    lines += ["", "| | memory of its own | descriptors | threads |", "|---|---|---|---|"]
    for name, (memory, descriptors, threads) in rows.items():
        lines.append(f"| {name} | {memory / 1e6:.1f} MB | {descriptors} | {threads} |")
    return "\n".join(lines)


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--minutes", type=float, default=30, help="how long (30)")
    words.add_argument("--seed", type=int, default=1, help="of what clients do and when (1)")
    words = words.parse_args()
    if words.minutes < 2:
        words.error("--minutes: give 2 or more; memory is compared with that after the first minute")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="soak-") as folder:
        # A file of its own: it is going to be cut short.
        model = Path(folder) / "pocket.vl2q"
        shutil.copy(pocket(), model)
        server = Server(folder, OPTIONS, model=model)
        try:
            record = soak(server, words.minutes, words.seed)
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
    for fault in record.faults[:30]:
        print("broken:", fault)
    if record.faults:
        sys.exit(f"soak: {len(record.faults)} faults in {words.minutes:g} minutes with seed {words.seed}")
    print(f"soak: nothing was broken in {words.minutes:g} minutes with seed {words.seed}")


def soak(server, minutes, seed):
    record = Record()
    for asked in ALL:
        server.honest(asked)
    before = at_rest(server)
    _, descriptors, threads = before
    gate = Gate()
    sampler, disturber = Sampler(server), Disturber(server, record, seed)
    parked = Parked(record)
    clients = [Client(server, record, seed * 1000 + number, gate, parked) for number in range(CLIENTS)]
    # Everybody comes to rest before the measurement of the first minute, which is not to take two.
    for client in clients:
        client.actions[client.stopped_reader] = 0
    for thread in [sampler, parked, *clients]:
        thread.start()

    def work(until):
        while time.monotonic() < record.begin + until and server.process.poll() is None:
            time.sleep(0.2)
    rows = {"before": before}
    work(60)
    gate.close()
    rows["after a minute"] = at_rest(server, descriptors, threads)
    # Slow ones take longer than is left at the end.
    if minutes >= 5:
        for client in clients:
            client.actions[client.stopped_reader] = 0.3
    gate.open()
    disturber.start()
    work(60 * minutes)
    disturber.isOver.set()
    disturber.join(120)
    gate.close()
    gate.open(over=True)
    for client in clients:
        client.join(30)
    status = server.process.poll()
    if status is not None:
        record.fault(f"vl2 serve ended with {status}: {server.log()[-2000:]}")
        print(table(record, disturber, rows))
        return record

    rows["at the end"] = at_rest(server, descriptors, threads)
    rows["at most"] = sampler.most
    memory = rows["after a minute"][0]
    grown = rows["at the end"][0] - memory
    print(table(record, disturber, rows))
    print(f"\nmemory: {100 * grown / memory:+.1f} % against that after a minute; log: {server.log().count(chr(10)):,} lines")
    if grown > max(MARGIN, MEMORY * memory):
        record.fault(f"memory grew by {grown / 1e6:.1f} MB, {100 * grown / memory:.1f} %")
    if rows["at the end"][1] > descriptors:
        record.fault(f"{rows['at the end'][1]} descriptors are open, {descriptors} were before")
    if rows["at the end"][2] > threads:
        record.fault(f"{rows['at the end'][2]} threads run, {threads} did before")
    for asked in [SIGN, TWO, COLOUR]:
        try:
            server.honest(asked)
        except (AssertionError, OSError) as error:
            record.fault(f"at the end: {error}")
    try:
        server.stop()
    except AssertionError as error:
        record.fault(f"{error!s:.2000}")
    return record


if __name__ == "__main__":
    main()
