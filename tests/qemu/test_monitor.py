"""The thread that speaks QMP, beside peers that leave at a bad moment."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from toolchain.qemu.monitor import Monitor

GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}


def play(peer: socket.socket, replies: int) -> None:
    """Greets, answers so many commands, and is gone."""
    with peer:
        peer.sendall(json.dumps(GREETING).encode() + b"\n")
        for _ in range(replies):
            peer.recv(4096)  # the one command before all others: qmp_capabilities, which bears no id
            peer.sendall(b'{"return": {}}\n')


@pytest.mark.parametrize("replies", [0, 1])
def test_a_qemu_that_is_gone_as_soon_as_it_was_there_says_nothing(
    replies: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asserts that a connection which it has just made still stands."""
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    for _ in range(40):
        ours, theirs = socket.socketpair()
        monitor = Monitor(ours)
        play(theirs, replies)
        monitor.join(10)
    assert raised == [] and capfd.readouterr() == ("", "")
