"""Requests that no well-meaning client sends, byte by byte; and those that are unusual, but right.

After every one of them an honest request has to be served."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pictures import SIGN

KEYS = None
CHAT = "/v1/chat/completions"
QUESTION = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}).encode()
JSON = "Content-Type: application/json\r\n"


def get(head="", path="/health", version="1.1", host="Host: 127.0.0.1:PORT\r\n"):
    return f"GET {path} HTTP/{version}\r\n{host}{head}\r\n".encode()


def post(head, body=b"", path=CHAT):
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{head}\r\n".encode() + body


def sized(body=QUESTION):
    return f"Content-Length: {len(body)}\r\n"


def chunked(*pieces, extension=""):
    return b"".join(f"{len(piece):x}{extension}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


# Whose length is in doubt, or whose end: refused, and the connection closed, so that nothing behind it is read as another.
AMBIGUOUS = {
    "length and chunked, a second request behind": post(
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + get(path="/smuggled")),
    "chunked and length, the other way round": post(
        JSON + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunked(QUESTION) + get(path="/smuggled")),
    "two lengths": post("Content-Length: 4\r\nContent-Length: 6\r\n", b"abcdef"),
    "two lengths that agree": post(JSON + sized() + sized(), QUESTION),
    "a list of lengths": post("Content-Length: 4, 4\r\n", b"abcd"),
    "a length with a sign": post("Content-Length: +4\r\n", b"abcd"),
    "a length in hexadecimal": post("Content-Length: 0x4\r\n", b"abcd"),
    "a length with a blank inside": post("Content-Length: 4 4\r\n", b"abcd"),
    "a length that is empty": post("Content-Length: \r\n", b"abcd"),
    "a length with a fraction": post("Content-Length: 4.0\r\n", b"abcd"),
    "negative length": post("Content-Length: -4\r\n"),
    "endless length": post("Content-Length: 99999999999999999999999\r\n"),
    "a length of 2^64 and 4": post("Content-Length: 18446744073709551620\r\n", b"abcd"),
    "transfer encoding gzip": post("Transfer-Encoding: gzip\r\n"),
    "transfer encoding gzip, chunked": post("Transfer-Encoding: gzip, chunked\r\n", chunked(b"x")),
    "transfer encoding identity": post("Transfer-Encoding: identity\r\n" + sized(), QUESTION),
    "transfer encoding chunked twice": post("Transfer-Encoding: chunked, chunked\r\n", chunked(QUESTION)),
    "two transfer encodings": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked(QUESTION)),
    "transfer encoding with a tab before": post("Transfer-Encoding: \x0bchunked\r\n", chunked(QUESTION)),
    "transfer encoding chunkedx": post("Transfer-Encoding: chunkedx\r\n", chunked(QUESTION)),
    "a blank before the colon": post(JSON + "Transfer-Encoding : chunked\r\n" + sized(), QUESTION),
    "a tab before the colon": post(JSON + "Transfer-Encoding\t: chunked\r\n" + sized(), QUESTION),
    "a chunk of 17 digits": post(JSON + "Transfer-Encoding: chunked\r\n", b"10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    "a chunk with a sign": post(JSON + "Transfer-Encoding: chunked\r\n", b"+4\r\nabcd\r\n0\r\n\r\n"),
    "a chunk with 0x": post(JSON + "Transfer-Encoding: chunked\r\n", b"0x4\r\nabcd\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": post(JSON + "Transfer-Encoding: chunked\r\n", b"2\r\nabcd\r\n0\r\n\r\n"),
    "a chunk without a size": post(JSON + "Transfer-Encoding: chunked\r\n", b"\r\nabcd\r\n0\r\n\r\n"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": get(version="9.9"),
    "no version": b"GET /health\r\n\r\n",
    "four words in the first line": b"GET /health / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "a method of 5,000 letters": b"A" * 5000 + b" /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "a NUL in a header": get("X: a\0b\r\n"),
    "a NUL in the host": get(host="Host: 127.0.0.1\0.attacker.example\r\n"),
    "a NUL in the address": get(path="/hea\0lth"),
    "a header without a colon": get("nonsense\r\n"),
    "a header without a name": get(": value\r\n"),
    "40 kB of header": get("X: " + "a" * 40000 + "\r\n"),
    "10,000 headers": get("".join(f"X-{number}: a\r\n" for number in range(10000))),
    "1 MB of header": get("X: " + "a" * 1_000_000 + "\r\n"),
    "an address of 60 kB": get(path="/" + "a" * 60000),
    "random bytes": bytes((number * 197 + 31) % 256 for number in range(3000)) + b"\r\n\r\n",
}

# Well framed, and still not to be served.
REFUSALS = {
    "two hosts": (get("Host: elsewhere\r\n"), [400]),
    "two hosts that agree": (get("Host: 127.0.0.1:PORT\r\n"), [400]),
    "no host": (get(host=""), [400]),
    "an empty host": (get(host="Host: \r\n"), [400, 403, 421]),
    "a host that is not ours": (get(host="Host: attacker.example\r\n"), [400, 403, 421]),
    "a host that begins like ours": (get(host="Host: 127.0.0.1.attacker.example\r\n"), [400, 403, 421]),
    "a host that ends like ours": (get(host="Host: attackerlocalhost\r\n"), [400, 403, 421]),
    "a list of hosts": (get(host="Host: 127.0.0.1:PORT, attacker.example\r\n"), [400, 403, 421]),
    "a host with a user": (get(host="Host: me@127.0.0.1:PORT\r\n"), [400, 403, 421]),
    "a user that looks like our host": (get(host="Host: 127.0.0.1:PORT@attacker.example\r\n"), [400, 403, 421]),
    "a host with a path": (get(host="Host: 127.0.0.1:PORT/x\r\n"), [400, 403, 421]),
    "a host with a port that is none": (get(host="Host: 127.0.0.1:http\r\n"), [400, 403, 421]),
    "our address as one number": (get(host="Host: 2130706433\r\n"), [400, 403, 421]),
    "absolute address": (get(path="http://elsewhere/health"), [400, 403, 404, 421]),
    "absolute address that is ours": (get(path="http://127.0.0.1:PORT/health"), [400, 403, 404, 421]),
    "CONNECT": (b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", [400, 404, 405, 501]),
    "TRACE": (b"TRACE /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", [405, 501]),
    "a method of small letters": (b"get /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", [400, 405, 501]),
    "an unknown method": (b"BREW /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", [405, 501]),
    "path that climbs": (get(path="/../../etc/passwd"), [400, 404]),
    "path that climbs, hidden": (get(path="/%2e%2e/%2e%2e/etc/passwd"), [400, 404]),
    "path that climbs behind a route": (get(path="/v1/models/..%2f..%2f..%2fetc%2fpasswd"), [400, 404]),
    "path that climbs back to a route": (get(path="/nowhere/../health"), [400, 404]),
    "path with backslashes": (get(path="/..\\..\\etc\\passwd"), [400, 404]),
    "path with a hidden NUL": (get(path="/health%00.html"), [400, 404]),
    "path with a broken escape": (get(path="/v1/models/%zz"), [400, 404]),
    "path with half an escape": (get(path="/v1/models/%"), [400, 404]),
    "path with two slashes": (get(path="//health"), [400, 404]),
    "path with letters beyond ASCII": (get(path="/v1/models/%ff%fe"), [400, 404]),
    "a foreign origin": (get("Origin: https://attacker.example\r\n", path="/v1/models"), [403]),
    "an origin without a name": (get("Origin: null\r\n", path="/v1/models"), [403]),
    "an origin that begins like ours": (get("Origin: http://127.0.0.1:PORT.attacker.example\r\n", path="/v1/models"), [403]),
    "two origins": (get("Origin: http://127.0.0.1:PORT\r\nOrigin: https://attacker.example\r\n", path="/v1/models"), [400, 403]),
    "a question from a foreign page": (post(JSON + "Origin: https://attacker.example\r\n" + sized(), QUESTION), [403]),
    "a question as a page's form sends it": (
        post("Content-Type: text/plain\r\nSec-Fetch-Site: cross-site\r\n" + sized(), QUESTION), [403, 415]),
    "a question that calls itself a form": (
        post("Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://127.0.0.1:PORT\r\n" + sized(), QUESTION), [403, 415]),
    "a question that calls itself a picture": (post("Content-Type: image/png\r\n" + sized(), QUESTION), [415]),
    "two content types": (post(JSON + "Content-Type: text/plain\r\n" + sized(), QUESTION), [400, 415]),
    "a body that is packed": (post(JSON + "Content-Encoding: gzip\r\n" + sized(), QUESTION), [415]),
    "no body": (post(JSON + "Content-Length: 0\r\n"), [400]),
    "no length": (post(JSON), [400, 411]),
    "a body that is no JSON": (post(JSON + "Content-Length: 5\r\n", b"hello"), [400]),
    "a body that is no object": (post(JSON + "Content-Length: 2\r\n", b"[]"), [400]),
    "a body that is not UTF-8": (post(JSON + "Content-Length: 18\r\n", b'{"messages":"\xff\xfe"}'[:18].ljust(18)), [400]),
    "half of a character pair": (post(JSON + sized(body := b'{"messages":[{"role":"user","content":"\\ud800"}],"max_tokens":1}'), body), [400, 200]),
    "100,000 brackets": (post(JSON + "Content-Length: 100000\r\n", b"[" * 100000), [400]),
    "100,000 objects in one another": (post(JSON + "Content-Length: 600000\r\n", b'{"a":{' * 100000), [400]),
    "one name twice": (post(JSON + sized(body := b'{"messages":[],"messages":[{"role":"user","content":"Hi"}]}'), body), [400]),
    "a number that is no number": (post(JSON + sized(body := b'{"messages":[{"role":"user","content":"Hi"}],"temperature":1e999}'), body), [400]),
    "expectation with a body too large": (
        post(JSON + "Expect: 100-continue\r\nContent-Length: 999999999\r\n"), [413]),
    "an expectation nobody knows": (post(JSON + "Expect: miracles\r\n" + sized(), QUESTION), [200, 417]),
}

# Unusual, and right: the statuses in order.
SERVED = {
    "three at once": (get() * 3, [[200, 200, 200]]),
    "ten questions at once": (post(JSON + sized(), QUESTION) * 10, [[200] * 10]),
    "HEAD": (get().replace(b"GET", b"HEAD"), [[200]]),
    "chunked": (post(JSON + "Transfer-Encoding: chunked\r\n", chunked(QUESTION[:9], QUESTION[9:])), [[200]]),
    "Chunked, in other letters": (post(JSON + "transfer-ENCODING: CHUNKED\r\n", chunked(QUESTION)), [[200]]),
    "chunks of one byte": (
        post(JSON + "Transfer-Encoding: chunked\r\n", chunked(*(QUESTION[at:at + 1] for at in range(len(QUESTION))))), [[200]]),
    "chunk extensions": (post(JSON + "Transfer-Encoding: chunked\r\n", chunked(QUESTION, extension=";name=value")), [[200], [400]]),
    "a trailer": (
        post(JSON + "Transfer-Encoding: chunked\r\n", chunked(QUESTION)[:-2] + b"X-Trailer: 1\r\n\r\n"), [[200], [400]]),
    "a trailer that names a host": (
        post(JSON + "Transfer-Encoding: chunked\r\n", chunked(QUESTION)[:-2] + b"Host: attacker.example\r\n\r\n"), [[200], [400]]),
    "an empty line before": (b"\r\n" + get(), [[200], [400]]),
    "line feeds alone": (get("Connection: close\r\n").replace(b"\r", b""), [[200], [400], []]),
    "a carriage return alone": (get("X: a\rb\r\n"), [[200], [400], []]),
    "a folded header": (get("X: a\r\n b\r\n"), [[200], [400]]),
    "200 headers": (get("".join(f"X-{number}: a\r\n" for number in range(200))), [[200], [431]]),
    "HTTP/1.0 without host": (get(version="1.0", host=""), [[200], [400]]),
    "HTTP/1.0 with host": (get(version="1.0"), [[200]]),
    "options for everything": (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", [[200], [204], [400], [404], [405]]),
    "a query": (get(path="/health?a=b&c=%20"), [[200]]),
    "localhost": (get(host="Host: localhost:PORT\r\n"), [[200]]),
    "localhost in capitals": (get(host="Host: LocalHost\r\n"), [[200]]),
    "the address of IPv6": (get(host="Host: [::1]:PORT\r\n"), [[200]]),
    "a name of this network": (get(host="Host: board.local:PORT\r\n"), [[200]]),
    "our own origin": (get("Origin: http://127.0.0.1:PORT\r\n", path="/v1/models"), [[200]]),
    "a question without a type": (post(sized(), QUESTION), [[200]]),
    "a question as curl sends it": (post("Content-Type: application/x-www-form-urlencoded\r\n" + sized(), QUESTION), [[200]]),
    "a type with a character set": (post("Content-Type: Application/JSON; charset=utf-8\r\n" + sized(), QUESTION), [[200]]),
    "a byte order mark": (post(JSON + sized(b"\xef\xbb\xbf" + QUESTION), b"\xef\xbb\xbf" + QUESTION), [[200], [400]]),
    "expectation": (post(JSON + "Expect: 100-continue\r\n" + sized(), QUESTION), [[200]]),
    "without /v1": (post(JSON + sized(), QUESTION, path="/chat/completions"), [[200]]),
}


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port))


def exchange(server, data, patience=3.0):
    """(statuses, how it ended, all that came) of what is sent on a connection of its own."""
    got, end = b"", f"open after {patience:.0f} s"
    with connect(server) as connection:
        connection.settimeout(patience)
        try:
            connection.sendall(data.replace(b"PORT", str(server.port).encode()))
        except OSError as error:
            end = str(error)
        try:
            while piece := connection.recv(65536):
                got += piece
            end = "closed"
        except TimeoutError:
            pass
        except OSError as error:
            end = str(error)
    return statuses(got), end, got


def statuses(got):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", got) if status != b"100"]


def lives(server):
    found, _, _ = exchange(server, get("Connection: close\r\n"), patience=5)
    assert found == [200], "no honest request is served any more"


def closing(data):
    """The last request says that no other comes, so that its answer's end can be waited for."""
    line, version, rest = data.rpartition(b" HTTP/1.1\r\n")
    return line + version + b"Connection: close\r\n" + rest if version else data


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous(server, name):
    found, end, got = exchange(server, AMBIGUOUS[name])
    assert len(found) <= 1 and all(400 <= status < 600 for status in found), (found, got[:300])
    assert "open" not in end, "the connection was left open"
    lives(server)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(server, name):
    data, allowed = REFUSALS[name]
    found, _, got = exchange(server, closing(data))
    assert len(found) == 1 and found[0] in allowed, (found, got[:300])
    lives(server)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_why(server, name):
    """What the library under the server refuses, it refuses in words of its own; everything else is JSON."""
    data, _ = REFUSALS[name]
    _, _, got = exchange(server, closing(data))
    head, _, body = got.partition(b"\r\n\r\n")
    assert not re.search(rb"0x[0-9a-fA-F]{4,}", body) and b"/root" not in body and b".swift" not in body
    if name not in ("no host", "HEAD", "TRACE", "CONNECT", "half of a character pair", "an expectation nobody knows"):
        assert json.loads(body)["error"], got[:400]


@pytest.mark.parametrize("name", SERVED)
def test_served(server, name):
    data, allowed = SERVED[name]
    found, _, got = exchange(server, closing(data), patience=10)
    assert found in allowed, (found, got[:300])
    lives(server)


def drip(server, first, rest, interval, patience):
    """Seconds until the server ends a connection on which a byte comes each `interval`; the statuses it said."""
    with connect(server) as connection:
        begin, got = time.monotonic(), b""
        connection.sendall(first.replace(b"PORT", str(server.port).encode()))
        connection.settimeout(interval)
        for byte in rest:
            try:
                piece = connection.recv(4096)
                if not piece:
                    break
                got += piece
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            if time.monotonic() - begin > patience:
                raise AssertionError(f"still open after {patience} s")
        return time.monotonic() - begin, statuses(got)


def wait(server, data, patience):
    begin = time.monotonic()
    found, end, _ = exchange(server, data, patience)
    assert "open" not in end, f"still open after {patience} s"
    return time.monotonic() - begin, found


# What never comes to an end. A byte each half second is never idle: the server's time for headers (10 s) and for a body
# (30 s) counts from the first.
UNENDING = {
    "half a header, then silence": (10, lambda server: wait(server, b"GET /health HTTP/1.1\r\nHo", 20)),
    "TLS hello": (10, lambda server: wait(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512), 20)),
    "only zeros": (10, lambda server: wait(server, bytes(4000), 20)),
    "a header that never ends": (10, lambda server: drip(
        server, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: ", b"a" * 1000, 0.5, 20)),
    "a body that never ends": (30, lambda server: drip(server, post(JSON + "Content-Length: 100000\r\n"), b" " * 1000, 0.5, 45)),
    "chunks that never end": (30, lambda server: drip(
        server, post(JSON + "Transfer-Encoding: chunked\r\n"), b"1\r\n \r\n" * 200, 0.5, 45)),
    # The library waits for what the first announces.
    "a chunk of 2^64 - 1": (30, lambda server: wait(server, post(JSON + "Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\n"), 45)),
}


@pytest.fixture(scope="module")
def unending(server):
    """All of them at once: each takes its time."""
    with ThreadPoolExecutor(len(UNENDING)) as pool:
        yield {name: pool.submit(run, server) for name, (_, run) in UNENDING.items()}


@pytest.mark.parametrize("name", UNENDING)
def test_unending(server, unending, name):
    seconds, found = unending[name].result()
    allowed, _ = UNENDING[name]
    assert allowed - 3 < seconds < allowed + 5 and found in ([], [400], [408]), (seconds, found)
    lives(server)


def read_answer(file):
    """(status, headers, body) of one answer on a connection that stays."""
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    if status == 204 or status == 304:
        return status, headers, b""
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
        return status, headers, body
    return status, headers, file.read(int(headers["content-length"]))


def test_twenty_requests_on_one_connection(server):
    """Among them streams and errors, after which a connection can go on."""
    stream = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}).encode()
    wrong = b'{"messages": 7}'
    kinds = [(get(), 200), (post(JSON + sized(), QUESTION), 200), (post(JSON + sized(stream), stream), 200),
             (post(JSON + sized(wrong), wrong), 400)]
    with connect(server) as connection, connection.makefile("rb") as file:
        connection.settimeout(30)
        for number in range(20):
            data, expected = kinds[number % len(kinds)]
            connection.sendall(data.replace(b"PORT", str(server.port).encode()))
            assert read_answer(file)[0] == expected, f"request {number}"


def test_http_1_0_stays_open_where_asked(server):
    with connect(server) as connection, connection.makefile("rb") as file:
        connection.settimeout(5)
        data = get("Connection: keep-alive\r\n", version="1.0").replace(b"PORT", str(server.port).encode())
        connection.sendall(data)
        _, headers, _ = read_answer(file)
        if headers.get("connection", "").lower() == "keep-alive":
            connection.sendall(data)
            assert read_answer(file)[0] == 200
        else:
            assert connection.recv(1) == b""


def test_stream_for_http_1_0(server):
    """No chunks for a client that knows none: the end of the connection is the end of the answer."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}).encode()
    found, end, got = exchange(server, post(JSON + sized(body), body).replace(b"HTTP/1.1", b"HTTP/1.0"), patience=10)
    assert found == [200] and end == "closed"
    head, _, text = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower() and text.startswith((b"data: ", b":")) and text.endswith(b"data: [DONE]\n\n")


GETS = ["/", "/health", "/readyz", "/props", "/v1/models", "/v1/models/pocket", "/models", "/api/version", "/api/tags", "/api/ps"]
POSTS = ["/v1/chat/completions", "/chat/completions", "/api/chat", "/api/generate", "/api/show", "/api/pull"]


@pytest.mark.parametrize("path", GETS)
def test_head_has_no_body(server, path):
    """Its header is that of GET, and the next request's answer comes right behind."""
    with connect(server) as connection, connection.makefile("rb") as file:
        connection.settimeout(5)
        for method in [b"HEAD", b"GET"]:
            connection.sendall(get(path=path).replace(b"GET", method).replace(b"PORT", str(server.port).encode()))
        length = []
        for method in ["HEAD", "GET"]:
            status = int(file.readline().split()[1])
            headers = {}
            while (line := file.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            assert status == 200
            length.append(headers.get("content-length"))
            if method == "GET":
                assert len(file.read(int(length[1]))) > 0
        assert length[0] == length[1]


@pytest.mark.parametrize("path", GETS + POSTS)
def test_wrong_method(server, path):
    for method in ["DELETE", "PUT", "PATCH", "GET" if path in POSTS else "POST"]:
        status, headers, body = server.request(method, path, b"{}", {"Content-Type": "application/json"})
        assert status == 405, (method, status)
        allowed = {word.strip() for word in headers["Allow"].split(",")}
        assert allowed >= ({"POST"} if path in POSTS else {"GET", "HEAD"}) and method not in allowed
        assert json.loads(body)["error"]


@pytest.mark.parametrize("path", GETS + POSTS)
def test_options(server, path):
    """What is allowed is said, and no other page is."""
    status, headers, body = server.request("OPTIONS", path, headers={"Access-Control-Request-Method": "POST"})
    assert status == 204 and body == b"" and headers["Allow"]
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", GETS)
def test_no_answer_is_for_other_pages(server, path):
    _, headers, _ = server.request("GET", path)
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_expectation_is_answered(server):
    """A client that asks first sends its body only after `100 Continue`."""
    with connect(server) as connection, connection.makefile("rb") as file:
        connection.settimeout(5)
        connection.sendall(post(JSON + "Expect: 100-continue\r\n" + sized()).replace(b"PORT", str(server.port).encode()))
        assert file.readline().startswith(b"HTTP/1.1 100")
        assert file.readline() == b"\r\n"
        connection.sendall(QUESTION)
        assert read_answer(file)[0] == 200


def test_refused_before_the_body(server):
    """Who asks first is told before 40 MB are sent."""
    for head, expected in [(JSON + "Content-Length: 4000000000\r\n", 413), ("Content-Type: image/png\r\nContent-Length: 40000\r\n", 415)]:
        found, _, _ = exchange(server, post("Expect: 100-continue\r\n" + head), patience=5)
        assert found == [expected]


def test_a_picture_in_small_pieces(server):
    """A slow but steady sender is served."""
    body = json.dumps({"messages": [{"role": "user", "content": SIGN.content()}], "temperature": 0}).encode()
    with connect(server) as connection, connection.makefile("rb") as file:
        connection.settimeout(20)
        connection.sendall(post(JSON + sized(body)).replace(b"PORT", str(server.port).encode()))
        for at in range(0, len(body), 1 + len(body) // 20):
            connection.sendall(body[at:at + 1 + len(body) // 20])
            time.sleep(0.05)
        status, _, answer = read_answer(file)
    assert status == 200 and json.loads(answer)["choices"][0]["message"]["content"] == SIGN.answer
