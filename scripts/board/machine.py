#!/usr/bin/env python3
"""Boots an emulated arm64 machine and reads its serial console, line by line, under limits of time.

Usage: machine.py --vmlinuz FILE --initrd FILE --disk FILE --until TEXT [--append WORDS] [--cache MODE] [--limit SECONDS]
                  [--log FILE]
Boots once. Succeeds when a line is TEXT and the machine has switched itself off; otherwise prints the end of the
console and fails. Other scripts import Machine.
"""
import argparse
import collections
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

QEMU = "qemu-system-aarch64"
PR_SET_PDEATHSIG = 1


class MachineError(Exception):
    """The machine ended, hung or took too long; the text says which."""


def die_with_parent():
    """Runs in qemu's process before qemu: no machine outlives the script that started it, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """One boot. Used in a with statement, which kills qemu at its end."""

    def __init__(self, vmlinuz, initrd, disk, append="", cpu="cortex-a76", memory="1024", payload=None,
                 cache="writeback", log=None):
        command = [
            QEMU, "-M", "virt,gic-version=3", "-cpu", cpu, "-smp", "2", "-m", str(memory),
            "-accel", "tcg,thread=multi", "-nographic", "-nodefaults", "-serial", "stdio", "-nic", "none", "-no-reboot",
            "-kernel", str(vmlinuz), "-initrd", str(initrd),
            "-append", "root=/dev/vda rw console=ttyAMA0 quiet loglevel=4 audit=0 systemd.show_status=0 mitigations=off "
                       "nokaslr " + append,
            "-drive", f"if=none,id=root,file={disk},format=raw,cache={cache}",
            "-device", "virtio-blk-pci,drive=root,serial=root", "-device", "virtio-rng-pci"]
        if payload:
            command += ["-drive", f"if=none,id=payload,file={payload},format=raw,readonly=on",
                        "-device", "virtio-blk-pci,drive=payload,serial=payload"]
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        except FileNotFoundError:
            raise MachineError(f"there is no {QEMU}; install-dependencies.sh board installs it") from None
        self.began = time.monotonic()
        self.tail = collections.deque(maxlen=200)
        self.log = open(log, "ab") if log else None
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        if self.log:
            self.log.close()

    def kill(self):
        """Takes the power away: SIGKILL, as the machine itself would see it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def lines(self, limit, silence):
        """The console's lines, until the machine switches itself off. More than `limit` seconds since the start, or
        `silence` seconds without a byte, is an error; both are looked up again at each line, so they may be callables."""
        limit = limit if callable(limit) else lambda value=limit: value
        silence = silence if callable(silence) else lambda value=silence: value
        heard = time.monotonic()
        while True:
            now = time.monotonic()
            if now - self.began > limit():
                raise MachineError(f"it was not done after {limit():.0f} s")
            if now - heard > silence():
                raise MachineError(f"its console was silent for {silence():.0f} s")
            if not select.select([self.process.stdout], [], [], 1)[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            heard = time.monotonic()
            if not data:
                self.process.wait()
                if self.rest:
                    yield self.keep(self.rest)
                return
            if self.log:
                self.log.write(data)
                self.log.flush()
            *complete, self.rest = (self.rest + data).split(b"\n")
            for line in complete:
                yield self.keep(line)

    def keep(self, line):
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.tail.append(text)
        return text


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("vmlinuz", "initrd", "disk", "until"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--append", default="")
    parser.add_argument("--cache", default="writeback")
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--log")
    options = parser.parse_args()
    if options.log:
        open(options.log, "wb").close()
    done, tail, why = False, [], "it ended without that line"
    try:
        with Machine(options.vmlinuz, options.initrd, options.disk, append=options.append, cache=options.cache,
                     log=options.log) as machine:
            tail = machine.tail
            for line in machine.lines(options.limit, options.limit):
                done = done or line == options.until
            if machine.process.returncode != 0:
                raise MachineError(f"qemu ended with status {machine.process.returncode}")
    except MachineError as error:
        done, why = False, str(error)
    if not done:
        print("\n".join(tail), file=sys.stderr)
        print(f"machine: waited for the line '{options.until}', but {why}; its console is above", file=sys.stderr)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
