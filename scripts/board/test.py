#!/usr/bin/env python3
"""Runs the steps of Tests/BoardTests in emulated arm64 machines, and prints each with its outcome.

Usage: test.py --deb VL2.deb --place FOLDER --build FOLDER [VARIANT... | all]      as root; without a VARIANT: a76
       test.py --list      the variants' names
  --place   where machines are kept (scripts/board/setup.sh); --build has this machine's own vl2 and vl2-convert

A boot that hangs before its first step is tried once more, a step never. Exit status 1 where a step failed, or did not
come to its end because its machine did.
"""
import argparse
import collections
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from machine import Machine, MachineError

HERE = pathlib.Path(__file__).resolve().parent
PLAN = HERE.parent.parent / "Tests" / "BoardTests" / "plan"
# A machine on two busy cores takes several times as long as on idle ones (30 s).
BOOT_SECONDS, SILENT_SECONDS, BETWEEN_STEPS = 600, 240, 120
# A boot that is tried once more says what it does, for the case that it hangs again.
TALKATIVE = ("", "loglevel=7 systemd.show_status=1")
LIMITS_OF_MEMORY = ("memory-limit", "out-of-memory")


@dataclasses.dataclass
class Variant:
    """A machine, and the steps that say nothing on it."""
    what: str
    cpu: str = "cortex-a76"
    memory: int = 1024
    suite: str = "trixie"
    kernel: str = "arm64"
    append: str = ""
    leaves_out: tuple = ("no-memory-controller",)


VARIANTS = {
    "a76": Variant("Cortex-A76 (Raspberry Pi 5, RK3588), 4 KiB pages, 1 GiB, Debian 13"),
    "a72": Variant("Cortex-A72 (Raspberry Pi 4), no dot product", cpu="cortex-a72"),
    "16k": Variant("16 KiB pages, as the Raspberry Pi 5's own kernel", kernel="arm64-16k"),
    "no-memory-controller": Variant("no memory controller, as Raspberry Pi OS comes: MemoryMax= does nothing",
                                    append="cgroup_disable=memory", leaves_out=LIMITS_OF_MEMORY),
    "512M": Variant("512 MiB of memory", memory=512),
    "bookworm": Variant("Debian 12 with its kernel 6.1", suite="bookworm"),
}

Result = collections.namedtuple("Result", "variant step outcome seconds notes")


def read_plan(variant):
    """[(boot, how it ends, [(step's name with its argument, step's line for run.sh)])]"""
    boots = []
    for line in PLAN.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "boot":
            boots.append((words[1], words[2], []))
        elif words[0] not in variant.leaves_out:
            boots[-1][2].append((" ".join(words[:1] + words[2:]), " ".join(words)))
    return boots


class Run:
    """The plan on one variant. Its results, in the plan's order, are complete when it ends, however it ends."""

    def __init__(self, name, options):
        self.name, self.variant, self.options = name, VARIANTS[name], options
        self.plan = read_plan(self.variant)
        self.results = []
        # Of the boot at hand: whether its steps have begun, and ended as they should; the step at hand.
        self.started = self.ended = False
        self.step = self.step_began = self.deadline = None

    def all(self):
        print(f"\n== {self.name}: {self.variant.what}", flush=True)
        variant, place = self.variant, self.options.place
        machine = subprocess.run([HERE / "setup.sh", place, variant.suite, variant.kernel], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.strip()
        with tempfile.TemporaryDirectory(prefix="run-", dir=place) as work:
            work = pathlib.Path(work)
            payload, disk = work / "payload.img", work / "disk.img"
            self.make_payload(machine, work / "payload", payload)
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", f"{machine}/root.img", disk], check=True)
            kernel = pathlib.Path(machine, variant.kernel)
            try:
                for boot, end, steps in self.plan:
                    self.boot(boot, end, steps, kernel, disk, payload)
                self.check_disk(disk)
            except MachineError as error:
                print(f"   {error}", flush=True)
        done = {result.step for result in self.results}
        for name in [step for _, _, steps in self.plan for step, _ in steps] + ["disk"]:
            if name not in done:
                self.result(name, "not run", 0.0)

    def make_payload(self, machine, folder, image):
        subprocess.run([HERE / "payload.sh", self.options.deb, machine, self.variant.suite, self.variant.kernel,
                        self.options.place, self.options.build, folder], check=True)
        boots = folder / "boots"
        boots.mkdir()
        for boot, end, steps in self.plan:
            (boots / boot).write_text("".join(line + "\n" for _, line in steps))
            (boots / f"{boot}.then").write_text("reboot" if end == "power-cut" else end)
        size = int(subprocess.run(["du", "-sm", folder], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])
        with open(image, "wb") as file:
            file.truncate((size + size // 4 + 16) << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", folder, image],
                       check=True)
        shutil.rmtree(folder)

    def boot(self, boot, end, steps, kernel, disk, payload):
        log = pathlib.Path(self.options.place, "logs", f"{self.name}-{boot}.log")
        for attempt in range(2):
            log.unlink(missing_ok=True)
            words = f"systemd.unit=board.target board.boot={boot} {self.variant.append} {TALKATIVE[attempt]}"
            machine = Machine(kernel / "vmlinuz", kernel / "initrd", disk, payload=payload, cpu=self.variant.cpu,
                              memory=self.variant.memory, append=words, log=log)
            self.started, self.ended, self.step = False, False, None
            try:
                with machine:
                    self.follow(machine, end)
                if not self.ended:
                    raise MachineError("it ended before its steps did")
                return
            except MachineError as error:
                if self.step:
                    self.result(self.step, "fail", time.monotonic() - self.step_began)
                print("\n".join(f"   | {line}" for line in machine.tail))
                what = f"boot '{boot}': {error}; the end of its console is above, all of it in {log}"
                if self.started or attempt == 1:
                    raise MachineError(what) from None
                print(f"   {what}. No step had begun: booting once more", flush=True)

    def follow(self, machine, end):
        """Reads one boot's console; returns when the machine is off."""
        self.deadline = BOOT_SECONDS
        output, notes = [], []
        for line in machine.lines(lambda: self.deadline, lambda: self.deadline if self.started else SILENT_SECONDS):
            match = re.fullmatch(r"@board (\w+) ?(.*)", line)
            if not match:
                output.append(line)
                continue
            word, rest = match.groups()
            now = time.monotonic() - machine.began
            if word == "up":
                self.started = True
                print(f"   booted in {now:.0f} s", flush=True)
                self.deadline = now + BETWEEN_STEPS
            elif word == "begin":
                self.step, limit = rest.rsplit(" ", 1)
                self.step_began, output, notes = time.monotonic(), [], []
                self.deadline = now + float(limit) + BETWEEN_STEPS
            elif word == "note":
                notes.append(rest[len(self.step) + 1:])
            elif word in ("pass", "fail"):
                name, seconds = rest.rsplit(" ", 1)
                if word == "fail":
                    print("\n".join(f"   | {line}" for line in output if line))
                self.result(name, word, float(seconds), notes)
                self.step, self.deadline = None, now + BETWEEN_STEPS
            elif word == "cut":
                machine.kill()
                self.ended = end == "power-cut"
                return
            elif word == "end":
                self.ended = end != "power-cut"

    def check_disk(self, disk):
        """After reboot, power cut and all: nothing for e2fsck to mend, once the journal was replayed at boot."""
        began = time.monotonic()
        check = subprocess.run(["e2fsck", "-f", "-n", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check.returncode != 0:
            print(check.stdout)
        self.result("disk", "fail" if check.returncode else "pass", time.monotonic() - began, ["e2fsck -f -n"])

    def result(self, step, outcome, seconds, notes=()):
        self.results.append(Result(self.name, step, outcome, seconds, list(notes)))
        if outcome != "not run":
            print(f"   {outcome}  {step:<24} {seconds:6.1f} s  {'; '.join(notes)}".rstrip(), flush=True)


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join([*VARIANTS, "all"]))
        return 0
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("deb", "place", "build"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    options = parser.parse_args()
    names = list(VARIANTS) if "all" in options.variants else options.variants or ["a76"]
    os.environ["PATH"] += ":/usr/sbin:/sbin"         # mke2fs and e2fsck, where sudo leaves them out
    # So that temporary files go and no machine stays when somebody ends this.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))

    runs, times = [], []
    for name in names:
        began = time.monotonic()
        runs.append(Run(name, options))
        try:
            runs[-1].all()
        except subprocess.CalledProcessError as error:       # it has said why
            sys.exit(f"test-board: {error.cmd[0]} failed with status {error.returncode}")
        times.append(time.monotonic() - began)

    results = [result for run in runs for result in run.results]
    print()
    for result in results:
        print(f"{result.variant:<21} {result.step:<24} {result.outcome:<8} {result.seconds:6.1f} s")
    for name, seconds in zip(names, times):
        out = VARIANTS[name].leaves_out
        print(f"{name}: {seconds:.0f} s in all; says nothing there and is left out: {', '.join(out)}")
    count = collections.Counter(result.outcome for result in results)
    line = f"test-board: {count['pass']} passed, {count['fail']} failed"
    print(line + (f", {count['not run']} not run" if count["not run"] else ""))
    return 0 if count["pass"] == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
