"""The client for asyncio, and simulators within it."""

from __future__ import annotations

import asyncio

import hawkfish
import pytest

SYSTEMS = "/redfish/v1/Systems"


def test_a_thousand_calls_at_once() -> None:
    async def program() -> int:
        async with hawkfish.Simulator(systems=10) as simulator, simulator.async_client() as client:
            uris = await client.members(SYSTEMS)

            async def one(number: int) -> str:
                uri = uris[number % len(uris)]
                if number % 5 == 0:
                    await client.patch(uri, {"AssetTag": f"tag-{number}"})
                found = await client.get(uri)
                return str(found["@odata.id"])

            found = await asyncio.gather(*(one(number) for number in range(1000)))
            assert [uris[number % len(uris)] for number in range(1000)] == found
            sessions = await client.members("/redfish/v1/SessionService/Sessions")
            return len(sessions)

    # All of them by one session.
    assert asyncio.run(program()) == 1


def test_the_loop_goes_on_while_time_does() -> None:
    async def program() -> str:
        async with hawkfish.Simulator() as simulator, simulator.async_client() as client:
            uri = (await client.members(SYSTEMS))[0]
            await client.action(await client.get(uri), "ComputerSystem.Reset", ResetType="On")
            await asyncio.gather(simulator.aadvance(60), client.get(uri))
            return str((await client.get(uri))["PowerState"])

    assert asyncio.run(program()) == "On"


def test_a_call_can_be_cancelled_and_the_client_goes_on() -> None:
    rule = {"name": "slow", "when": {"uri": SYSTEMS}, "then": {"delay": {"constant": "1h"}}}

    async def program() -> None:
        async with hawkfish.Simulator(faults=[rule], time="real") as simulator, simulator.async_client(auth="basic") as client:
            waiting = asyncio.ensure_future(client.get(SYSTEMS))
            while simulator.fired("slow") == 0:
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get(SYSTEMS), 0.2)
            assert simulator.clear_fault("slow")
            assert (await client.get(SYSTEMS))["Members@odata.count"] == 1

    asyncio.run(program())


def test_failures_are_the_same_as_of_the_blocking_client() -> None:
    async def program() -> None:
        async with hawkfish.Simulator() as simulator:
            client = simulator.async_client()
            system = await client.get((await client.members(SYSTEMS))[0])
            with pytest.raises(hawkfish.NotFound):
                await client.get("/redfish/v1/Nothing")
            with pytest.raises(hawkfish.BadRequest) as caught:
                await client.patch(system, {"Nonsense": 1})
            assert caught.value.messages[0]["MessageArgs"] == ["Nonsense"]
            await client.patch(system, {"AssetTag": "a"})
            with pytest.raises(hawkfish.PreconditionFailed):
                await client.patch(system, {"AssetTag": "b"})
            with pytest.raises(hawkfish.Refused):
                await client.get("http://192.0.2.1/redfish/v1")
            await client.close()
            wrong = hawkfish.AsyncClient(simulator.url, username="admin", password="wrong")
            with pytest.raises(hawkfish.Unauthorized):
                await wrong.get(SYSTEMS)

    asyncio.run(program())
