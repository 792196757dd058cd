"""Simulated BMCs in this process, driven by ours and by other clients."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import hawkfish
import pytest
import redfish  # type: ignore[import-untyped]
import sushy  # type: ignore[import-untyped]

SYSTEM = "/redfish/v1/Systems"


def first(client: hawkfish.Client) -> dict[str, Any]:
    return client.get(client.members(SYSTEM)[0])


def test_a_machine_is_switched_on_in_virtual_time() -> None:
    with hawkfish.Simulator(systems=3, seed=42) as simulator, simulator.client() as client:
        assert len(client.members(SYSTEM)) == 3
        assert simulator.now == datetime(2026, 1, 1, tzinfo=timezone.utc)
        client.action(first(client), "ComputerSystem.Reset", ResetType="On")
        simulator.advance(timedelta(minutes=1))
        assert first(client)["PowerState"] == "On"
        assert simulator.now >= datetime(2026, 1, 1, 0, 1, tzinfo=timezone.utc)


def script(seed: int) -> str:
    with hawkfish.Simulator(systems=2, seed=seed, faults=["busy-now-and-then"]) as simulator:
        client = simulator.client(auth="basic")
        for _ in range(30):
            try:
                client.action({"@odata.id": "x", **client.get(client.members(SYSTEM)[0])}, "ComputerSystem.Reset", ResetType="ForceRestart")
            except hawkfish.Error:
                pass
            simulator.advance(1.5)
        # The port is any free one.
        return simulator.trace.replace(simulator.url.removeprefix("http://"), "HOST")


def test_the_same_seed_gives_the_same_trace() -> None:
    once = script(7)
    assert "busy-now-and-then" in once
    assert once == script(7)
    assert once != script(8)


def test_faults_come_and_go_while_it_runs() -> None:
    with hawkfish.Simulator() as simulator:
        client = simulator.client(auth="basic")
        names = simulator.fault({"name": "broken", "when": {"uri": "/redfish/v1/Systems"}, "then": {"answer": {"status": 500}}})
        assert names == ["broken"]
        with pytest.raises(hawkfish.ServiceError):
            client.get(SYSTEM)
        assert simulator.fired("broken") == 1
        assert simulator.clear_fault("broken") and not simulator.clear_fault("broken")
        assert simulator.fired("broken") is None
        client.get(SYSTEM)
        for name in hawkfish.FAULTS:
            for rule in simulator.fault(name):
                assert simulator.fired(rule) == 0
                assert simulator.clear_fault(rule)


def test_what_makes_no_world_is_a_value_error_that_says_where() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"faults": ["no-such-fault"]}, "no-such-fault"),
        ({"faults": [{"name": "f", "then": {"answer": {"status": 200}}}]}, "400 to 599"),
        ({"world": {"rak": []}}, "rak"),
        ({"world": {"rack": [{"name": "a/b"}]}}, "a/b"),
        ({"time": "fast"}, "time is"),
        ({"time": -1}, "speed"),
        ({"listen": "nowhere"}, "address"),
    ]
    for arguments, text in wrong:
        with pytest.raises(ValueError, match=text):
            hawkfish.Simulator(**arguments)
    with hawkfish.Simulator() as simulator:
        for by in (-1.0, float("nan")):
            with pytest.raises(ValueError):
                simulator.advance(by)
        with pytest.raises(OSError, match="cannot listen"):
            hawkfish.Simulator(listen=simulator.url.removeprefix("http://"))


def test_a_world_is_described_by_a_file(tmp_path: Path) -> None:
    description = {"seed": 5, "password": "other-secret", "rack": [{"name": "lab", "systems": 2}]}
    file = tmp_path / "world.json"
    file.write_text(json.dumps(description))
    for world in (description, file):
        with hawkfish.Simulator(world=world) as simulator, simulator.client() as client:
            assert (simulator.seed, simulator.password) == (5, "other-secret")
            names = [client.get(uri)["Name"] for uri in client.members(SYSTEM)]
            assert sorted(names) == ["lab-00001", "lab-00002"]


def test_time_goes_by_itself_where_it_is_told_to() -> None:
    with hawkfish.Simulator(time=1000.0) as simulator, simulator.client() as client:
        client.action(first(client), "ComputerSystem.Reset", ResetType="On")
        until = time.monotonic() + 60
        while first(client)["PowerState"] != "On":
            assert time.monotonic() < until
        assert simulator.now > datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_a_closed_simulator_is_gone() -> None:
    simulator = hawkfish.Simulator()
    host, port = simulator.url.removeprefix("http://").split(":")
    simulator.close()
    simulator.close()
    with pytest.raises(OSError), socket.create_connection((host, int(port)), timeout=5):
        pass


def test_a_forked_child_reaches_it_by_its_url_only() -> None:
    with hawkfish.Simulator() as simulator:
        client = simulator.client(auth="basic")
        client.get(SYSTEM)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                refused = 0
                for call in (lambda: simulator.advance(1), lambda: client.get(SYSTEM), lambda: simulator.fault("slow")):
                    try:
                        call()
                    except RuntimeError as error:
                        refused += "forked" in str(error)
                mine = hawkfish.Client(simulator.url, username="admin", password="hawkfish", auth="basic")
                found = mine.get(SYSTEM)["Members@odata.count"]
                with hawkfish.Simulator(systems=2) as own:
                    found += own.client(auth="basic").get(SYSTEM)["Members@odata.count"]
                code = 0 if (refused, found) == (3, 3) else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        # The parent's is as it was.
        client.get(SYSTEM)


def test_many_at_once_do_not_know_of_one_another() -> None:
    found: dict[int, int] = {}

    def one(number: int) -> None:
        with hawkfish.Simulator(systems=number, seed=number) as simulator, simulator.client() as client:
            simulator.advance(10)
            found[number] = len(client.members(SYSTEM))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(1, 9)}


def test_sushy_boots_a_machine_from_the_network() -> None:
    with hawkfish.Simulator() as simulator:
        root = sushy.Sushy(
            simulator.url,
            username=simulator.username,
            password=simulator.password,
            server_side_retries=1,
            server_side_retries_delay=1,
        )
        system = root.get_system_collection().get_members()[0]
        system.set_system_boot_options(target=sushy.BOOT_SOURCE_TARGET_PXE, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE)
        system.reset_system(sushy.ResetType.ON)
        simulator.advance(30)
        system.refresh()
        assert system.power_state == sushy.PowerState.ON
        assert system.boot.enabled == sushy.BootSourceOverrideEnabled.DISABLED


def test_the_redfish_library_opens_and_closes_a_session() -> None:
    with hawkfish.Simulator() as simulator:
        client = redfish.redfish_client(simulator.url, simulator.username, simulator.password)
        client.login(auth="session")
        sessions = client.get("/redfish/v1/SessionService/Sessions").dict
        assert sessions["Members@odata.count"] == 1
        assert len(simulator.report["sessions"]) == 1
        client.logout()
        assert simulator.report["sessions"] == []
        watcher = simulator.client(auth="basic")
        assert watcher.members("/redfish/v1/SessionService/Sessions") == []


def test_a_refused_password_is_seen_in_the_trace() -> None:
    with hawkfish.Simulator(password="right-secret") as simulator:
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(simulator.url + SYSTEM))
        assert "GET /redfish/v1/Systems" in simulator.trace and "401" in simulator.trace
