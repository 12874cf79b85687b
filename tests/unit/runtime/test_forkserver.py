from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from multiprocessing import forkserver

import pytest

from evoray.runtime.forkserver import DECODERS, preload

PROGRAM = """
import multiprocessing, os, signal, sys
from evoray.runtime import forkserver

def blocked():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

def work(answers):
    before = blocked(), "json" in sys.modules
    forkserver.take_interrupts()
    answers.put((*before, blocked(), signal.getsignal(signal.SIGINT) == signal.SIG_DFL))

if __name__ == "__main__":
    forkserver.DECODERS["pil"] = ["json"]
    method = forkserver.preload("pil")
    assert "torch" not in sys.modules
    context = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    process = context.Process(target=work, args=(answers,))
    process.start()
    print(method, blocked(), *answers.get())
    process.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the long-path case has a test of its own")
def test_a_worker_is_deaf_to_ctrl_c_until_it_is_ready_and_finds_its_modules_imported(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    printed = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=True).stdout
    method, here, before, imported, after, default = printed.split()
    assert method == "forkserver"
    assert here == "False", "Ctrl-C still reaches the program itself"
    assert (before, imported) == ("True", "True")
    assert (after, default) == ("False", "True")


def test_where_no_fork_server_can_be_workers_are_spawned(monkeypatch):
    def fails():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []), "while it starts, Ctrl-C waits"
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forkserver, "ensure_running", fails)
    monkeypatch.setattr(multiprocessing, "set_forkserver_preload", lambda modules: None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert preload("pil") == "spawn"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_the_mask_of_signals_is_put_back_after_any_failure(monkeypatch):
    def fails():
        raise KeyboardInterrupt

    monkeypatch.setattr(forkserver, "ensure_running", fails)
    monkeypatch.setattr(multiprocessing, "set_forkserver_preload", lambda modules: None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(KeyboardInterrupt):
        preload("pil")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_the_fork_server_imports_what_the_decoder_needs(monkeypatch):
    asked = []
    monkeypatch.setattr(multiprocessing, "set_forkserver_preload", asked.append)
    monkeypatch.setattr(forkserver, "ensure_running", lambda: None)
    assert [preload(decoder) for decoder in DECODERS] == ["forkserver"] * len(DECODERS)
    assert not any("torch" in name for name in asked[0]), "Pillow's workers do not wait for torch"
    assert "torchvision.io" in asked[1]
    assert all("evoray.ingest.shard_writer" in modules for modules in asked)
