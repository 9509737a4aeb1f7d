"""The queue beside the build."""

from __future__ import annotations

import threading

from toolchain.remote.uploads import Uploads


def test_all_jobs_are_done_in_a_few_threads() -> None:
    uploads, done, threads = Uploads(threads=2), list[int](), set[str]()

    def job(number: int) -> None:
        done.append(number)
        threads.add(threading.current_thread().name)

    for number in range(100):
        assert uploads.add(lambda number=number: job(number))
    assert uploads.wait(10) == 0
    assert sorted(done) == list(range(100)) and len(threads) <= 2


def test_a_full_queue_refuses() -> None:
    uploads, go, begun = Uploads(threads=1, most=2), threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        go.wait(10)

    assert uploads.add(job) and begun.wait(10)
    assert uploads.add(job) and uploads.add(job) and not uploads.add(job)
    assert uploads.wait(0.01) == 3
    uploads.clear()
    assert uploads.wait(0.01) == 1
    go.set()
    assert uploads.wait(10) == 0


def test_nothing_after_the_end() -> None:
    uploads, done = Uploads(), list[int]()
    uploads.end()
    assert not uploads.add(lambda: done.append(1))
    assert uploads.wait(0.01) == 0 and not done


def test_threads_end() -> None:
    uploads = Uploads(threads=1)
    ran = list[threading.Thread]()
    uploads.add(lambda: ran.append(threading.current_thread()))
    uploads.wait(10)
    uploads.end()
    ran[0].join(10)
    assert not ran[0].is_alive() and ran[0].daemon
