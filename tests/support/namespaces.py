"""A house of network namespaces for tests: our machine, and inverters on an interface of its own.

house    inverters 192.168.237.1/24 (a bridge)    home 192.168.99.1/24
             |             |                        |
         inverter 1    inverter 2 ...            a client of the home network
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
HOUSE_ADDRESS = "192.168.237.1"
PATIENCE_S = 20

_NUMBERS = itertools.count()


@functools.cache
def _why_not() -> str | None:
    """Why this machine cannot make namespaces, if it cannot."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "dhclient", "dig"):
        if shutil.which(program) is None:
            return f"no {program} (Debian: iproute2, isc-dhcp-client, bind9-dnsutils)"
    name = f"se-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    ip("netns", "del", name)
    return None


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that this thread opens within the block belong to the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{namespace}") as other:
        assert libc.setns(other.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(own.fileno(), CLONE_NEWNET) == 0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


class House:
    """Made by the fixture `house`; `inverters` and `home` are its interfaces."""

    def __init__(self) -> None:
        self.namespace = f"se-{os.getpid()}-{next(_NUMBERS)}"
        self._namespaces: list[str] = []
        self._add(self.namespace)
        self._in_house("link", "add", "inverters", "type", "bridge")
        self._in_house("address", "add", f"{HOUSE_ADDRESS}/24", "dev", "inverters")
        self._in_house("link", "set", "inverters", "up")

    def _add(self, namespace: str) -> None:
        ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")

    def _in_house(self, *arguments: str) -> None:
        ip("-n", self.namespace, *arguments)

    def _plug_in(self, mac: str, plug: str) -> str:
        """Make a machine with a network card `eth0`; returns its namespace."""
        client = f"{self.namespace}-{len(self._namespaces)}"
        self._add(client)
        peer = ("peer", "name", "eth0", "address", mac, "netns", client)
        self._in_house("link", "add", plug, "type", "veth", *peer)
        self._in_house("link", "set", plug, "up")
        ip("-n", client, "link", "set", "eth0", "up")
        return client

    def plug_in_inverter(self, mac: str) -> str:
        plug = f"plug{len(self._namespaces)}"
        client = self._plug_in(mac, plug)
        self._in_house("link", "set", plug, "master", "inverters")
        return client

    def plug_in_at_home(self, mac: str) -> str:
        client = self._plug_in(mac, "home")
        self._in_house("address", "add", "192.168.99.1/24", "dev", "home")
        return client

    def kill_programs(self) -> None:
        """Ends what runs in the namespaces."""
        for namespace in self._namespaces:
            running = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True)
            for pid in running.stdout.split():
                os.kill(int(pid), signal.SIGKILL)

    def tear_down(self) -> None:
        """Ends what a failed test left running, too."""
        self.kill_programs()
        for namespace in self._namespaces:
            ip("netns", "del", namespace)


@pytest.fixture
def house() -> Iterator[House]:
    """A house for one test, which is skipped where none can be built."""
    if reason := _why_not():
        pytest.skip(reason)
    built = House()
    try:
        yield built
    finally:
        built.tear_down()


def run_in(namespace: str, *command: str) -> subprocess.CompletedProcess[str]:
    inside_it = ["ip", "netns", "exec", namespace, *command]
    return subprocess.run(inside_it, capture_output=True, text=True, timeout=2 * PATIENCE_S)


# What dhclient calls at each event: writes it down and sets the address, which is all we need.
SCRIPT = """#!/bin/sh
echo "$reason $new_ip_address $new_routers $new_domain_name_servers $new_dhcp_lease_time" >> {log}
case $reason in
    BOUND)
        {bound}
        ip -4 address flush dev $interface
        ip address add $new_ip_address/$new_subnet_mask dev $interface;;
    REBOOT)
        ip -4 address flush dev $interface
        ip address add $new_ip_address/$new_subnet_mask dev $interface;;
    EXPIRE|FAIL|RELEASE|STOP) ip -4 address flush dev $interface;;
esac
"""


class DhcpClient:
    """ISC's dhclient in a namespace, with files of its own."""

    def __init__(
        self, namespace: str, folder: Path, *, bound: str = ":", patience_s: int = PATIENCE_S
    ):
        """`bound` is run by the shell when an address is offered; `exit 1` declines it."""
        self.namespace = namespace
        self.leases, self._log = folder / f"{namespace}.leases", folder / f"{namespace}.log"
        self._pid, script = folder / f"{namespace}.pid", folder / f"{namespace}.sh"
        configuration = folder / f"{namespace}.conf"
        pauses = "reboot 60; initial-interval 1; backoff-cutoff 1;"
        configuration.write_text(f"timeout {patience_s}; {pauses}\n")
        script.write_text(SCRIPT.format(log=self._log, bound=bound))
        script.chmod(0o755)
        files = {"-cf": configuration, "-sf": script, "-lf": self.leases, "-pf": self._pid}
        self._command = ["dhclient", "-4", "-1", "-q"]
        self._command += [part for pair in files.items() for part in map(str, pair)]

    def start(self) -> str | None:
        """The address it got; it goes on running then, and renews."""
        self._log.unlink(missing_ok=True)
        done = run_in(self.namespace, *self._command, "eth0")
        return self.events()[-1].split()[1] if done.returncode == 0 else None

    def events(self) -> list[str]:
        """Lines such as `BOUND 192.168.237.9 (router) (DNS) (seconds)`."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def release(self) -> None:
        run_in(self.namespace, *self._command, "-r", "eth0")

    def stop(self) -> None:
        if self._pid.exists():
            run_in(self.namespace, *self._command, "-x", "eth0")


class Background:
    """Runs a function again and again in a thread until the end of the block."""

    def __init__(self, turn: Callable[[], None]):
        self._turn, self._ended = turn, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._turn()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
