"""`vl2 watch` as a child process: started, read line by line, stopped, and what it started looked for afterwards."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

from server import PROGRAMS, pocket

# Whoever waits for a line or a process waits so long at most; it is no measure of anything.
PATIENCE = 300
MARK = "VL2_TEST_MARK"


def marked(mark):
    """(process, command) of everything that was started by whoever bears the mark, and still runs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # A process that has ended and was not reaped yet has none.
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
        except OSError:
            pass
    return found


def until(condition, patience=PATIENCE, every=0.02):
    """Waits until something holds; what it was in the end."""
    end = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(every)
    return found


class Watch:
    """A running `vl2 watch`. Leaving a `with` block ends it where it still runs, and with it what it left behind."""

    def __init__(self, *words, stdin=subprocess.DEVNULL, environment=(), folder=None):
        self.mark = uuid.uuid4().hex
        command = [PROGRAMS / "vl2", "watch", "--model", pocket(), *words]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **dict(environment), MARK: self.mark})
        self.pid = self.process.pid
        # Of its standard output, as objects; one thread adds, others look.
        self.lines = []
        self.said = b""
        self.condition = threading.Condition()
        self.readers = [threading.Thread(target=reader, daemon=True) for reader in (self.read_lines, self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read_lines(self):
        for line in self.process.stdout:
            with self.condition:
                self.lines.append(json.loads(line))
                self.condition.notify_all()
        with self.condition:
            self.condition.notify_all()

    def read_errors(self):
        for line in self.process.stderr:
            self.said += line

    def wait_for(self, wanted, patience=PATIENCE):
        """The first line for which this holds. It may be there already."""
        end = time.monotonic() + patience
        seen = 0
        with self.condition:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                left = end - time.monotonic()
                if left <= 0 or not self.readers[0].is_alive():
                    raise AssertionError(f"{'no such line' if left <= 0 else 'it ended'}: {self.lines[-5:]} {self.said.decode()[-500:]}")
                self.condition.wait(min(left, 0.5))

    def event(self, name, after=0, patience=PATIENCE):
        """The first event of this name behind so many lines."""
        return self.wait_for(lambda line: line.get("event") == name and self.lines.index(line) >= after, patience)

    @property
    def answers(self):
        return [line for line in self.lines if "question" in line and "event" not in line]

    @property
    def events(self):
        return [line["event"] for line in self.lines if "event" in line]

    def stop(self, number=signal.SIGTERM, patience=PATIENCE):
        """Ends it by a signal, reads what it still wrote, and holds that nothing is left of it. Its last line."""
        self.process.send_signal(number)
        return self.end(patience)

    def end(self, patience=PATIENCE):
        """Waits until it has ended by itself. Its last line."""
        status = self.process.wait(patience)
        for reader in self.readers:
            reader.join(patience)
        assert status == 0, f"vl2 watch ended with {status}: {self.said.decode()[-2000:]}"
        # A process that was killed may take a moment to be gone.
        assert until(lambda: not marked(self.mark), patience=30), f"left behind: {marked(self.mark)}"
        assert self.lines and self.lines[-1].get("event") == "ended", self.lines[-1:]
        return self.lines[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process, _ in marked(self.mark):
            os.kill(process, signal.SIGKILL)

    # What the kernel says of the process

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def memory(self):
        """Bytes of memory that are the process's own."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1]) * 1024
