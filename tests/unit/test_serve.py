"""What of the server needs no Ray to run; tests/system/test_serve.py starts one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from evoray.errors import UsageError
from evoray.serve import Server, Tally, free_port, until_stopped


def test_importing_it_imports_no_ray():
    code = (
        "import sys, evoray.serve, evoray.commands.serve; assert not {'ray', 'torch', 'starlette'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:81/"), ("::1", "http://[::1]:81/")])
def test_the_address(host, url):
    assert Server(host, 81).url == url


def test_a_port_that_is_free_is_found_and_one_that_is_taken_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="--port 0"):
            free_port("127.0.0.1", taken.getsockname()[1])
    assert free_port("127.0.0.1", 0) > 0


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "a\0b"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(UsageError, match="--host"):
        free_port(host, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_handlers_are_put_back(number):
    before = signal.getsignal(number)
    ready = threading.Event()
    threading.Thread(target=lambda: (ready.wait(5), time.sleep(0.05), os.kill(os.getpid(), number))).start()
    until_stopped(ready.set)
    assert signal.getsignal(number) is before


def test_counts_of_a_replica_that_died_are_kept():
    tally, gone = Tally(), 2**22 + 1  # no process has such a number
    tally.add(gone, "old")
    assert tally.add(os.getpid(), "new") == ["old", "new"]
    assert tally.add(os.getpid(), "newer") == ["old", "newer"]
    assert tally.pids() == [os.getpid()]
