"""Time, guests, power, encryption, faces and captures of the simulator."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional, Union

import hawkfish
import pytest
import requests

SYSTEMS = "/redfish/v1/Systems"


def on(client: hawkfish.Client, number: int = 0) -> str:
    uri = client.members(SYSTEMS)[number]
    client.action(client.get(uri), "ComputerSystem.Reset", ResetType="On")
    return uri


def test_another_persona_is_refused_plainly() -> None:
    with pytest.raises(hawkfish.Unsupported, match="idrac"):
        hawkfish.Simulator(persona="idrac")
    with hawkfish.Simulator(persona="generic") as simulator:
        assert simulator.persona in hawkfish.PERSONAS


def test_time_runs_until_something_is_so() -> None:
    with hawkfish.Simulator(systems=2) as simulator, simulator.client() as client:
        name = simulator.systems[0]
        assert simulator.systems == ["sim-00001", "sim-00002"]
        assert simulator.guest(name) == hawkfish.Guest("Off", "Off", 0, simulator.guest(name).installed)
        uri = next(uri for uri in client.members(SYSTEMS) if client.get(uri)["Name"] == name)
        client.action(client.get(uri), "ComputerSystem.Reset", ResetType="On")
        at = simulator.run_until(lambda: client.get(uri)["PowerState"] == "On", within=600)
        assert at == simulator.now
        up = simulator.run_until(system=name, phase="Up", within=timedelta(hours=1))
        assert up >= at and simulator.guest(name).phase == "Up"
        assert simulator.guest(name).boots >= 1 and simulator.console(name)
        said, following = simulator.console_since(name, 0)
        assert said == simulator.console(name) and simulator.console_since(name, following) == ("", following)
        with pytest.raises(hawkfish.TimedOut):
            simulator.run_until(system=name, power="Off", within=10)
        with pytest.raises(hawkfish.TimedOut):
            simulator.run_until(lambda: False, within=10)
        assert simulator.now == up + timedelta(seconds=20)


def test_what_cannot_be_waited_for_is_a_value_error() -> None:
    with hawkfish.Simulator() as simulator:
        with pytest.raises(ValueError, match="what"):
            simulator.run_until()
        with pytest.raises(ValueError, match="phase"):
            simulator.run_until(system="sim-00001", phase="Dancing")
        with pytest.raises(ValueError, match="nobody"):
            simulator.run_until(system="nobody", phase="Up")
        with pytest.raises(ValueError, match="either"):
            simulator.run_until(lambda: True, power="On")
        for ask in (simulator.guest, simulator.console):
            with pytest.raises(ValueError, match="nobody"):
                ask("nobody")
    with hawkfish.Simulator(time="real") as running, pytest.raises(RuntimeError, match="by itself"):
        running.run_until(lambda: True if running.now.year > 9000 else False)


def test_time_goes_step_by_step_and_to_a_moment() -> None:
    with hawkfish.Simulator() as simulator, simulator.client() as client:
        on(client)
        before = simulator.now
        at = simulator.step()
        assert at is not None and at == simulator.now and at > before
        noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
        simulator.advance_to(noon)
        assert simulator.now == noon
        with pytest.raises(ValueError, match="back"):
            simulator.advance_to(noon - timedelta(seconds=1))
        with pytest.raises(ValueError, match="zone"):
            simulator.advance_to(datetime(2026, 1, 2))


def test_power_goes_and_comes_by_no_command() -> None:
    def script() -> str:
        with hawkfish.Simulator() as simulator, simulator.client() as client:
            uri = on(client)
            simulator.run_until(system="sim-00001", phase="Up")
            simulator.power("sim-00001", False)
            assert client.get(uri)["PowerState"] == "Off"
            simulator.power("sim-00001", True)
            simulator.run_until(system="sim-00001", phase="Up")
            simulator.happen("sim-00001", "guest_hangs")
            assert simulator.guest("sim-00001").phase == "Hung"
            with pytest.raises(ValueError):
                simulator.happen("sim-00001", "dances")
            with pytest.raises(ValueError, match="nobody"):
                simulator.happen("nobody", "power_cut")
            assert simulator.fired("by hand") is None
            return simulator.trace.replace(simulator.url.removeprefix("http://"), "HOST")

    assert script() == script()


def test_a_program_of_asyncio_moves_time_too() -> None:
    async def program() -> None:
        async with hawkfish.Simulator() as simulator, simulator.async_client() as client:
            uri = (await client.members(SYSTEMS))[0]
            await client.action(await client.get(uri), "ComputerSystem.Reset", ResetType="On")

            async def is_on() -> bool:
                return bool((await client.get(uri))["PowerState"] == "On")

            await simulator.arun_until(is_on)
            await simulator.arun_until(system="sim-00001", phase="Up")
            await simulator.arun_until(lambda: True)
            await simulator.ahappen("sim-00001", "power_cut")
            assert not await is_on()
            await simulator.astep()
            at = simulator.now + timedelta(hours=1)
            await simulator.aadvance_to(at)
            assert simulator.now == at
            with pytest.raises(hawkfish.TimedOut):
                await simulator.arun_until(lambda: False, within=1)

    asyncio.run(program())


def test_tls_is_trusted_by_its_authority_and_by_its_fingerprint() -> None:
    with hawkfish.Simulator(tls=True) as simulator:
        assert simulator.url.startswith("https://") and simulator.ca and simulator.fingerprint

        def client(ca: Optional[str] = None, fingerprint: Union[str, list[str], None] = None) -> hawkfish.Client:
            who = simulator.username, simulator.password
            return hawkfish.Client(
                simulator.url, username=who[0], password=who[1], auth="basic", ca=ca, fingerprint=fingerprint
            )

        client(ca=simulator.ca).get(SYSTEMS)
        colons = ":".join(simulator.fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
        client(fingerprint=["00" * 32, colons]).get(SYSTEMS)
        simulator.client().get(SYSTEMS)
        assert requests.get(simulator.url + "/redfish/v1/", verify=simulator.ca, timeout=30).ok
        for pinned in (None, "00" * 32):
            with pytest.raises(hawkfish.TransportError):
                client(fingerprint=pinned).get(SYSTEMS)
        with pytest.raises(ValueError, match="64"):
            hawkfish.Client(simulator.url, fingerprint="abc")
        ca = simulator.ca
    assert not os.path.exists(ca)
    with hawkfish.Simulator() as plain:
        assert plain.ca is None and plain.fingerprint is None


def test_each_machine_has_a_bmc_of_its_own_where_wanted() -> None:
    with hawkfish.Simulator(systems=3, per_system=True) as simulator:
        assert [bmc.system for bmc in simulator.bmcs] == simulator.systems
        assert len({bmc.url for bmc in [simulator.bmc, *simulator.bmcs]}) == 4
        for bmc in simulator.bmcs:
            with hawkfish.Client(bmc.url, username=bmc.username, password=bmc.password) as client:
                (uri,) = client.members(SYSTEMS)
                assert client.get(uri)["Name"] == bmc.system
    with hawkfish.Simulator() as one:
        assert one.bmcs == [] and one.bmc.system is None


def captured(folder: Path) -> str:
    """What a simulator shows, in the layout of DMTF's mockup creator; and the serial number of its machine."""
    with hawkfish.Simulator(seed=11) as simulator, simulator.client(auth="basic") as client:
        for visited in client.walk(without=["/JsonSchemas", "/Registries", "/Sessions"]):
            assert visited.resource is not None
            place = folder / visited.uri.strip("/") / "index.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(visited.resource))
        return str(client.get(client.members(SYSTEMS)[0])["SerialNumber"])


def test_a_captured_tree_lives_again(tmp_path: Path) -> None:
    serial = captured(tmp_path)
    with hawkfish.Simulator.replay(tmp_path) as simulator, simulator.client() as client:
        (system,) = client.resources(SYSTEMS)
        assert (system["SerialNumber"], system["PowerState"]) == (serial, "Off")
        client.action(system, "ComputerSystem.Reset", ResetType="On")
        simulator.run_until(lambda: client.get(system["@odata.id"])["PowerState"] == "On")
    with hawkfish.Simulator.replay(tmp_path, systems=2) as simulator:
        found = []
        for bmc in simulator.bmcs:
            with hawkfish.Client(bmc.url, username=bmc.username, password=bmc.password) as client:
                (shown,) = client.resources(SYSTEMS)
                found.append(shown["SerialNumber"])
        assert found[0] == serial != found[1]
    with pytest.raises(ValueError):
        hawkfish.Simulator.replay(tmp_path / "nothing")
    with pytest.raises(ValueError, match="unknown_actions"):
        hawkfish.Simulator.replay(tmp_path, unknown_actions="dance")
