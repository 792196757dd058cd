"""Threads, processes, signals and memory."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import hawkfish
import pytest

SYSTEMS = "/redfish/v1/Systems"


def resident() -> int:
    """Resident memory of this process, KiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def is_steady(calls: Callable[[int], None], number: int, bytes_each: int = 100) -> None:
    """After some rounds of so many calls a further one takes no more room: what is kept for each call would show in every round."""
    calls(number // 10)
    grown = []
    for _ in range(5):
        gc.collect()
        before = resident()
        calls(number)
        gc.collect()
        grown.append(resident() - before)
        # Of less than a mebibyte an allocator may make what it likes.
        if grown[-1] < max(1024, number * bytes_each // 1024):
            return
    pytest.fail(f"{grown} KiB more in each round of {number} calls")


CALLS = int(os.environ.get("HAWKFISH_TEST_CALLS", "5000"))
"""How many requests each client makes while memory is looked at."""

needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="there is no /proc here")


@needs_proc
def test_memory_is_steady_over_a_hundred_thousand_calls() -> None:
    # Calls that need no service: a fragment of what is refused, and validation, cross the border both ways.
    client = hawkfish.Client("http://127.0.0.1:1", timeout=1, attempts=1)
    session: dict[str, Any] = {
        "@odata.id": "/redfish/v1/SessionService/Sessions/1",
        "@odata.type": "#Session.v1_7_0.Session",
        "Id": "1",
        "Name": "Session",
        "Nonsense": 1,
    }

    def calls(number: int) -> None:
        for _ in range(number // 2):
            assert len(hawkfish.validate("Session", session)) == 1
            try:
                client.get("http://192.0.2.1/redfish/v1")
            except hawkfish.Refused:
                pass

    is_steady(calls, 100_000)


@needs_proc
def test_memory_is_steady_over_many_requests_of_both_clients() -> None:
    # Nothing of what goes by is kept for a trace that nobody asks for.
    with hawkfish.Simulator(traced=False) as simulator, simulator.client(auth="basic") as client:

        def blocking(number: int) -> None:
            for _ in range(number):
                client.get(SYSTEMS)

        def asynchronous(number: int) -> None:
            async def program() -> None:
                async with simulator.async_client(auth="basic") as other:
                    for _ in range(number // 50):
                        await asyncio.gather(*(other.get(SYSTEMS) for _ in range(50)))

            asyncio.run(program())

        # Threads, and what each of them has at hand, come first.
        asynchronous(1_000)
        is_steady(blocking, CALLS)
        is_steady(asynchronous, CALLS)


@needs_proc
def test_memory_is_steady_over_many_simulators() -> None:
    def calls(number: int) -> None:
        for seed in range(number):
            with hawkfish.Simulator(seed=seed) as simulator:
                simulator.advance(1)

    # A world that stayed would take more than a hundred KiB.
    is_steady(calls, 100, 20 * 1024)


def test_neither_threads_nor_files_are_left_over() -> None:
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("there is no /proc here")

    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    with hawkfish.Simulator() as warm, warm.client() as client:
        client.get(SYSTEMS)
    before = files()
    for _ in range(20):
        with hawkfish.Simulator(tls=True) as simulator, simulator.client() as client:
            client.get(SYSTEMS)
        del client
    gc.collect()
    until = time.monotonic() + 20
    # The connections of a client end with it, which is noticed by and by.
    while files() > before + 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert files() <= before + 4


def works_in_a_child(url: str) -> tuple[int, str]:
    with hawkfish.Client(url, username="admin", password="hawkfish") as client, hawkfish.Simulator(systems=2) as own:
        return len(client.members(SYSTEMS)), own.systems[-1]


def test_processes_that_are_spawned_work() -> None:
    with hawkfish.Simulator(systems=3) as simulator:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            assert pool.map(works_in_a_child, [simulator.url] * 4) == [(3, "sim-00002")] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_processes_that_are_forked_are_refused_what_is_the_parents_and_work_with_their_own() -> None:
    with hawkfish.Simulator(systems=3) as simulator, simulator.client() as client:
        client.get(SYSTEMS)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(works_in_a_child, [simulator.url] * 4) == [(3, "sim-00002")] * 4


# The rest of it is what a call of each kind does when Ctrl-C comes: it ends, and the interpreter with it.
INTERRUPTED = """
import asyncio, sys, threading
import hawkfish

kind = sys.argv[1]
rule = {"name": "slow", "when": {"uri": "/redfish/v1/Systems"}, "then": {"delay": {"constant": "1h"}}}
with hawkfish.Simulator(faults=[rule], time="real") as simulator, simulator.client(auth="basic", timeout=600) as client:
    def tell():
        while not simulator.fired("slow"):
            pass
        print("waiting", flush=True)

    try:
        if kind == "get":
            threading.Thread(target=tell, daemon=True).start()
            client.get("/redfish/v1/Systems")
        elif kind == "events":
            with client.events(severities=["Critical"]) as events:
                print("waiting", flush=True)
                next(events)
        else:
            async def program():
                async with simulator.async_client(auth="basic", timeout=600) as other:
                    waiting = asyncio.ensure_future(other.get("/redfish/v1/Systems"))
                    while not simulator.fired("slow"):
                        await asyncio.sleep(0.01)
                    print("waiting", flush=True)
                    await waiting
            asyncio.run(program())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        simulator.clear_fault("slow")
        client.get("/redfish/v1/Systems/")
        print("and works", flush=True)
"""


@pytest.mark.parametrize("kind", ["get", "events", "asyncio"])
def test_ctrl_c_ends_a_call_and_the_client_works_on(kind: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if line == "waiting\n":
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (line, output) == ("waiting\n", "interrupted\nand works\n"), errors


def test_a_call_that_is_cancelled_gives_its_connection_up() -> None:
    # A service that never answers, and tells when its client is gone.
    listener = socket.create_server(("127.0.0.1", 0))
    asked, gone = threading.Event(), threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            assert connection.recv(1)
            asked.set()
            while connection.recv(4096):
                pass
        gone.set()

    service = threading.Thread(target=serve, daemon=True)
    service.start()

    async def program() -> None:
        client = hawkfish.AsyncClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=600)
        call = asyncio.ensure_future(client.get("/x"))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        assert not gone.is_set()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while not gone.is_set():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(program(), 30))
    service.join(30)
    listener.close()


def test_each_worker_of_a_spread_run_has_a_port_of_its_own(tmp_path: Path) -> None:
    test = tmp_path / "test_ports.py"
    test.write_text(
        """
import pathlib
import pytest

@pytest.fixture(scope="session")
def others(tmp_path_factory):
    return tmp_path_factory.getbasetemp().parent

@pytest.mark.parametrize("number", range(2))
def test_it(hawkfish_bmc, worker_id, others, number):
    (others / worker_id).write_text(hawkfish_bmc.url)
    # Both are there at once, so that one port for both would be found out.
    while not all((others / f"gw{worker}").exists() for worker in range(2)):
        pass
    assert len({(others / f"gw{worker}").read_text() for worker in range(2)}) == 2
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "each", str(test)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout + done.stderr


# A call that ends as the interpreter does, one that is left behind by its loop, and one that a thread of its own still waits for.
ENDS = """
import asyncio, sys, threading, time
import hawkfish

rule = {"name": "slow", "when": {"uri": "/redfish/v1/Systems"}, "then": {"delay": {"constant": "1h"}}}
simulator = hawkfish.Simulator(faults=[rule], time="real")

async def program():
    client = simulator.async_client(auth="basic")
    left = asyncio.ensure_future(client.get("/redfish/v1/Systems"))
    await asyncio.gather(*(client.root() for _ in range(5)))
    if sys.argv[1] == "loop":
        return
    left.cancel()

if sys.argv[1] == "thread":
    threading.Thread(target=simulator.client(auth="basic").get, args=["/redfish/v1/Systems"], daemon=True).start()
    while not simulator.fired("slow"):
        time.sleep(0.01)
    # Long enough that the thread looks for Ctrl-C now and again.
    time.sleep(0.25)
asyncio.run(program())
"""


@pytest.mark.parametrize("what", ["plain", "loop", "thread"])
def test_the_interpreter_ends_in_order_whatever_is_under_way(what: str) -> None:
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", ENDS, what], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
