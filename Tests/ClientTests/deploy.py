"""The three ways to more than one machine (deploy/), each with one of its machines killed in the middle: four sshd and GNU parallel,
a Slurm of four nodes, and two servers behind nginx, all on this machine and at 127.0.0.1. What is run is what deploy/*/README.md says.

Usage: deploy.py [--pictures 2000] [--seed 1] [WAY...]     parallel, slurm, nginx; prints figures; status 1 where a rule was broken

One `vl2 batch` says what is right; each way has to give the same bytes. Nothing is left behind: no process, no file."""

import argparse
import contextlib
import getpass
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from batch import write_batch
from nginx_command import nginx_command
from server import KEY, PROGRAMS, ROOT, Server, pocket

MARK = "VL2_DEPLOY_TEST"
PATIENCE = 1800


def commands(way, **changes):
    """The commands that a README says to run, with names of this test in place of its own."""
    text = (ROOT / "deploy" / way / "README.md").read_text()
    blocks = re.findall(r"<!-- runs -->\n\n((?:    .*\n)+)", text)
    assert blocks, f"deploy/{way}/README.md has no command to run"
    lines = ["".join(line[4:] + "\n" for line in block.splitlines()) for block in blocks]
    for old, new in changes.items():
        assert any(old in line for line in lines), f"deploy/{way}/README.md does not say {old}"
        lines = [line.replace(old, new) for line in lines]
    return lines


def free_ports(count):
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def until(is_so, what, seconds=PATIENCE, process=None):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds} s")
        if process is not None and process.poll() is not None:
            sys.exit(f"{what}: it ended with {process.returncode} before")
        time.sleep(0.05)


def environment(process):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return []


def with_variable(name, value):
    """The processes that have a variable in their environment."""
    wanted = f"{name}={value}".encode()
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and wanted in environment(entry)]


def with_file(path):
    """The processes that have a file open, or one in a folder. Slurm's step daemons write their names over their environment."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and any(
                    os.readlink(f"/proc/{entry}/fd/{number}").removesuffix(" (deleted)").startswith(str(path))
                    for number in os.listdir(f"/proc/{entry}/fd")):
                found.append(int(entry))
    return found


def names_of(processes):
    names = []
    for process in processes:
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/{process}/comm").read_text().strip())
    return names


def kill(processes):
    """All at once, as where the power goes: none of them sees another one end and tells of it."""
    for number in [signal.SIGSTOP, signal.SIGKILL]:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


class Bench:
    """A folder with a batch in it, and what is right."""

    def __init__(self, folder, pictures, seed):
        self.folder = folder
        write_batch(folder, pictures, random.Random(seed))
        (folder / "pictures").rename(folder / "photos")
        shutil.copy(pocket(), folder / "tiny.vl2q")
        (folder / "deploy").symlink_to(ROOT / "deploy")
        (folder / "home").mkdir()
        self.environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}:/usr/sbin:/sbin", MARK: str(folder),
                            "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8"}
        begin = time.monotonic()
        self.run("vl2 batch --model tiny.vl2q in.jsonl -o whole.jsonl --images photos", status=(0, 65))
        self.whole = (folder / "whole.jsonl").read_bytes()
        self.lines = self.whole.count(b"\n")
        print(f"one vl2 batch: {self.lines} lines in {time.monotonic() - begin:.0f} s")

    def start(self, command, **more):
        return subprocess.Popen(
            ["bash", "-c", command], cwd=self.folder, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def finish(self, process, status=(0,)):
        said, _ = process.communicate(timeout=PATIENCE)
        if process.returncode not in status:
            sys.exit(f"{process.args[2].strip()}\nended with {process.returncode}: {said}")
        return said

    def run(self, command, status=(0,), **more):
        return self.finish(self.start(command, **more), status)

    def check(self, way):
        if (self.folder / "out.jsonl").read_bytes() != self.whole:
            sys.exit(f"{way}: the output is another one than that of one vl2 batch")
        for name in ["out.jsonl", "out.jsonl.parts"]:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def written(self):
        """Lines of all parts, or of the output."""
        files = [*(self.folder / "out.jsonl.parts").glob("*.jsonl"), *self.folder.glob("out.jsonl")]
        return sum(file.read_bytes().count(b"\n") for file in files if file.is_file())

    def end(self):
        """Ends what is left; a test that ended as it should leaves nothing."""
        left = {*with_variable(MARK, str(self.folder)), *with_file(self.folder)} - {os.getpid()}
        kill(left)
        return left


# GNU parallel over ssh


class Board:
    """An sshd at a port of its own, whose user comes into a home of its own."""

    def __init__(self, bench, name, port, keys):
        self.bench, self.name, self.port = bench, name, port
        self.home = bench.folder / name
        self.home.mkdir()
        shell = self.home / "shell"
        shell.write_text(
            f"#!/bin/sh\nexport HOME={self.home} PATH={PROGRAMS}:$PATH {MARK}={bench.folder} VL2_BOARD={name}\n"
            'cd "$HOME" && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
        shell.chmod(0o755)
        self.configuration = self.home / "sshd_config"
        self.configuration.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {keys}/user.pub\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            f"ForceCommand {shell}\nMaxStartups 100\n")
        self.start()

    def start(self):
        program = shutil.which("sshd", path=self.bench.environment["PATH"])
        self.process = subprocess.Popen(
            [program, "-D", "-e", "-f", self.configuration], env={**self.bench.environment, "VL2_BOARD": self.name},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.home / "log", "ab"))
        until(self.listens, f"sshd of {self.name}", 60, self.process)

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def processes(self):
        return with_variable("VL2_BOARD", self.name)

    def is_at_work(self):
        return "vl2" in names_of(self.processes())

    def kill(self):
        """As if the plug was pulled: nothing of it is left."""
        while self.process.poll() is None or self.processes():
            kill([self.process.pid, *self.processes()])
            self.process.wait()


def parallel(bench, chance):
    folder = bench.folder
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ["host", "user"]:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    ports = free_ports(4)
    host = (keys / "host.pub").read_text()
    (keys / "known").write_text("".join(f"[127.0.0.1]:{port} {host}" for port in ports))
    settings = "".join(f"Host board{index}\n  Port {port}\n" for index, port in enumerate(ports, 1))
    (keys / "config").write_text(
        settings + f"Host *\n  HostName 127.0.0.1\n  User {getpass.getuser()}\n  IdentityFile {keys}/user\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {keys}/known\n  GlobalKnownHostsFile /dev/null\n  LogLevel ERROR\n")
    ssh = f"ssh -F {keys}/config"
    boards = [Board(bench, f"board{index}", port, keys) for index, port in enumerate(ports, 1)]
    try:
        (folder / "hosts").write_text("".join(f"1/board{index}\n" for index in range(1, 5)))
        carry, answer = commands("parallel")
        bench.run(carry, RSYNC_RSH=ssh)
        begin = time.monotonic()
        # Killed on this side first, and run again.
        process = bench.start(answer, PARALLEL_SSH=ssh)
        until(lambda: bench.written() > bench.lines // 6, "the first parts", process=process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        before = bench.written()
        process = bench.start(answer, PARALLEL_SSH=ssh)
        lost = chance.choice(boards)
        until(lambda: bench.written() > bench.lines // 3 and lost.is_at_work(), "parts of all boards", process=process)
        lost.kill()
        killed = bench.written()
        said = bench.finish(process)
        log = (folder / "out.jsonl.parts/joblog").read_text().splitlines()[1:]
        jobs = [(line.split("\t")[1], line.split("\t")[6]) for line in log]
        bench.check("parallel")
        print(f"parallel: {time.monotonic() - begin:.0f} s; stopped after {before} lines and run again; {lost.name} killed after "
              f"{killed} lines; {len({name for name, _ in jobs})} boards in the second joblog, {len(jobs)} jobs; the same bytes")
        assert "has all" in said, said
    finally:
        for board in boards:
            board.kill()


# Slurm


class Slurm:
    """munged, slurmctld and four slurmd, with files of their own."""

    def __init__(self, bench):
        self.bench = bench
        self.folder = folder = bench.folder / "slurm"
        folder.mkdir(mode=0o755)
        for name in ["state", "spool"]:
            (folder / name).mkdir()
        (folder / "key").write_bytes(os.urandom(128))
        (folder / "key").chmod(0o400)
        control, *ports = free_ports(5)
        user, host = getpass.getuser(), socket.gethostname()
        nodes = "".join(f"NodeName=node{index} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 State=UNKNOWN\n"
                        for index, port in enumerate(ports, 1))
        (folder / "slurm.conf").write_text(
            f"ClusterName=vl2\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={control}\nSlurmUser={user}\nSlurmdUser={user}\n"
            f"AuthType=auth/munge\nAuthInfo=socket={folder}/munge,cred_expire=10\nCredType=cred/munge\n"
            f"CommunicationParameters=NoCtldInAddrAny,NoInAddrAny\n"
            f"StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool/%n\nSlurmctldPidFile={folder}/slurmctld.pid\n"
            f"SlurmdPidFile={folder}/%n.pid\nSlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/%n.log\n"
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\nSelectType=select/linear\n"
            "SchedulerType=sched/backfill\nSchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,defer\n"
            "SlurmdTimeout=20\nSlurmctldTimeout=60\nMinJobAge=2\nKillWait=5\nReturnToService=2\nJobRequeue=1\n"
            "SlurmdParameters=config_overrides\nAccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none\n"
            f"{nodes}PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
        (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        self.environment = {**bench.environment, "SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons = {}
        self.start("munged", "--foreground", "--force", "--key-file", folder / "key", "--socket", folder / "munge", "--pid-file",
                   folder / "munged.pid", "--log-file", folder / "munged.log", "--seed-file", folder / "munged.seed")
        until((folder / "munge").exists, "munged", 60, self.daemons["munged"])
        self.start("slurmctld", "-D", "-i")
        for index in range(1, 5):
            self.start("slurmd", "-D", "-N", f"node{index}", name=f"node{index}")
        until(lambda: self.idle() == 4, "four nodes of Slurm", 300, self.daemons["slurmctld"])

    def start(self, program, *words, name=None):
        path = shutil.which(program, path=self.environment["PATH"])
        assert path, f"{program} is not installed; scripts/install-dependencies.sh deploy does it"
        with open(self.folder / f"{name or program}.out", "wb") as log:
            self.daemons[name or program] = subprocess.Popen(
                [path, *map(str, words)], env={**self.environment, **({"VL2_NODE": name} if name else {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def idle(self):
        said = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], env=self.environment, capture_output=True, text=True)
        return said.stdout.split().count("idle")

    def processes(self, node):
        """Of a node: its daemon, what runs in its jobs, and what watches over those."""
        jobs = [process for process in with_variable("SLURMD_NODENAME", node)
                if f"{MARK}={self.bench.folder}".encode() in environment(process)]
        daemon = [self.daemons[node].pid] if self.daemons[node].poll() is None else []
        return [*daemon, *with_file(self.folder / f"{node}.log"), *jobs]

    def is_at_work(self, node):
        return "vl2" in names_of(self.processes(node))

    def kill(self, node):
        while left := self.processes(node):
            kill(left)

    def stop(self):
        for index in range(1, 5):
            self.kill(f"node{index}")
        for process in self.daemons.values():
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()


def slurm(bench, chance):
    running = Slurm(bench)
    try:
        _, loop = commands("slurm")
        begin = time.monotonic()
        process = bench.start(loop, SLURM_CONF=running.environment["SLURM_CONF"])
        lost = f"node{chance.randint(1, 4)}"
        until(lambda: bench.written() > bench.lines // 3 and running.is_at_work(lost), "parts of all nodes", process=process)
        running.kill(lost)
        killed = bench.written()
        bench.finish(process)
        log = (running.folder / "slurmctld.log").read_text()
        requeued = re.findall(r"[Rr]equeu\w+ .*", log)
        if not requeued:
            sys.exit(f"slurm: nobody queued again what {lost} had")
        bench.check("slurm")
        print(f"slurm: {time.monotonic() - begin:.0f} s; {lost} killed after {killed} lines; Slurm's log: {'; '.join(requeued)}; "
              "the same bytes")
    except BaseException:
        print((running.folder / "slurmctld.log").read_text()[-3000:], file=sys.stderr)
        for file in running.folder.glob("node*.log"):
            print(file.name, file.read_text()[-1000:], file=sys.stderr)
        raise
    finally:
        running.stop()


# nginx before two servers


def nginx(bench, chance):
    folder = bench.folder / "nginx"
    folder.mkdir()
    [port] = free_ports(1)
    options = ["--deadline", "600", "--queue", "1"]
    servers = []
    process = None
    try:
        for index in range(2):
            place = folder / f"server{index}"
            place.mkdir()
            servers.append(Server(place, options, model=bench.folder / "tiny.vl2q", environment={MARK: str(bench.folder)}))
        text = (ROOT / "deploy/nginx/batch.conf").read_text()
        changes = {"192.168.1.21:11434": f"127.0.0.1:{servers[0].port}", "192.168.1.22:11434": f"127.0.0.1:{servers[1].port}",
                   "listen 192.168.1.5:8080": f"listen 127.0.0.1:{port}", "/var/log/nginx/vl2-batch.log": f"{folder}/access"}
        for old, new in changes.items():
            assert old in text, f"deploy/nginx/batch.conf does not say {old}"
            text = text.replace(old, new)
        (folder / "batch.conf").write_text(text)
        process = subprocess.Popen(
            nginx_command(folder, "batch.conf"), env=bench.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The folder `keys` is that of the other way.
        (bench.folder / "key").write_text(KEY + "\n")
        [command] = commands("nginx", **{
            "http://192.168.1.5:8080": f"http://127.0.0.1:{port}", "--api-key-file keys": "--api-key-file key"})
        begin = time.monotonic()
        # The one that sends is killed first, and goes on.
        sending = bench.start(command)
        until(lambda: bench.written() > bench.lines // 6, "the first answers", process=sending)
        os.killpg(sending.pid, signal.SIGKILL)
        sending.communicate()
        before = bench.written()
        sending = bench.start(command)
        until(lambda: bench.written() > bench.lines // 3, "answers", process=sending)
        [lost, kept] = chance.sample(servers, 2)
        lost.process.kill()
        lost.process.wait()
        killed = bench.written()
        bench.finish(sending, (0, 65))
        bench.check("nginx")
        kept.stop()
        statuses = re.findall(r'" (\d{3}) ', (folder / "access").read_text())
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(f"nginx: {time.monotonic() - begin:.0f} s; stopped after {before} lines and run again; a server killed after {killed} "
              f"lines; statuses {counts}; the same bytes")
    finally:
        for one in servers:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
        if process is not None:
            process.terminate()
            process.wait(30)


WAYS = {"parallel": parallel, "slurm": slurm, "nginx": nginx}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("ways", nargs="*", choices=[[], *WAYS], default=[])
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="vl2-deploy-", ignore_cleanup_errors=True) as name:
        bench = Bench(Path(name), given.pictures, given.seed)
        try:
            for way in given.ways or WAYS:
                WAYS[way](bench, chance)
                if left := bench.end():
                    sys.exit(f"{way} has left processes: {left}")
        finally:
            bench.end()


if __name__ == "__main__":
    main()
