"""A server for each module of tests: `OPTIONS` are words of its command line, `KEYS` the keys that it is given."""

import pytest

from server import KEY, Server


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    module = request.module
    running = Server(
        tmp_path_factory.mktemp(module.__name__),
        options=getattr(module, "OPTIONS", ()),
        keys=getattr(module, "KEYS", (KEY,)),
    )
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def still_runs(request):
    """A test that ends the server fails for that, and the next one has a server again."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        if (status := server.process.poll()) is not None:
            said = server.log()[-3000:]
            server.start()
            pytest.fail(f"vl2 serve ended with {status}: {said}")


@pytest.fixture
def serve(tmp_path_factory):
    """Starts servers of a test's own, and stops them with it."""
    running = []

    def start(*options, **more):
        running.append(Server(tmp_path_factory.mktemp("server"), options, **more))
        return running[-1]

    yield start
    for one in running:
        one.stop()
