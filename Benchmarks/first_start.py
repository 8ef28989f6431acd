#!/usr/bin/env python3
"""Seconds to the first word of the first answer after a start, from slow storage, with and without reading ahead.

    sudo python3 Benchmarks/first_start.py MODEL PICTURE      # the programs' own model and picture, one word

The file's pages are dropped before each run, and a control group holds what the run reads to so many bytes a second: the
kernel holds back reads of the block device themselves, those of mapped pages too. Needs root, control groups of version 1
(blkio) or 2 (io) and a file system on one block device.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Group:
    """A control group whose reads of one device are held back."""

    def __init__(self, path):
        device = os.stat(path).st_dev
        # A limit is of a whole disk, not of a partition.
        place = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        if os.path.exists(place + "/partition"):
            place = os.path.dirname(place)
        with open(place + "/dev") as file:
            self.device = file.read().strip()
        first = "/sys/fs/cgroup/blkio"
        self.is_first = os.path.isdir(first)
        self.folder = f"{first if self.is_first else '/sys/fs/cgroup'}/vl2-first-start-{os.getpid()}"
        if not self.is_first:
            with open("/sys/fs/cgroup/cgroup.subtree_control", "w") as file:
                file.write("+io")
        os.mkdir(self.folder)

    def hold(self, bytes_a_second):
        name = "blkio.throttle.read_bps_device" if self.is_first else "io.max"
        limit = bytes_a_second if self.is_first else f"rbps={bytes_a_second or 'max'}"
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(f"{self.device} {limit}")

    def enter(self):
        with open(self.folder + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))

    def remove(self):
        os.rmdir(self.folder)


def drop(path):
    """Drops what the page cache has of a file."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("picture")
    parser.add_argument("--program", default=os.path.join(HERE, "../.build/release/vl2"))
    parser.add_argument("--held", type=int, nargs="*", default=[40, 90, 400], help="MB a second")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--options", default="--max-tiles 1", help="of vl2 ask")
    given = parser.parse_args()
    words = [given.program, "ask", "--model", given.model, "--memory", "mapped", "--max-tokens", "1"]
    words += given.options.split() + ["--json"]
    question = [given.picture, "What is in the picture?"]

    def seconds(more):
        start = time.monotonic()
        done = subprocess.run(words + more + question, capture_output=True, text=True, preexec_fn=group.enter)
        if done.returncode:
            sys.exit(f"first_start.py: {done.stderr.strip()}")
        return time.monotonic() - start

    group = Group(given.model)
    try:
        group.hold(0)
        seconds([])
        warm = statistics.median(seconds([]) for _ in range(given.runs))
        print(f"in memory: {warm:.1f} s")
        print("| reads held to | read when wanted | read ahead | saved |")
        print("|---|---|---|---|")
        for held in given.held:
            group.hold(held * 1_000_000)
            times = {}
            for more in (["--no-read-ahead"], []) * given.runs:
                drop(given.model)
                times.setdefault(bool(more), []).append(seconds(more))
            late, ahead = statistics.median(times[True]), statistics.median(times[False])
            print(f"| {held} MB/s | {late:.1f} s | {ahead:.1f} s | {late - ahead:.1f} s |", flush=True)
    finally:
        group.remove()


if __name__ == "__main__":
    main()
