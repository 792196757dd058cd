"""What the wheel is for, once, with nothing but the wheel: for each interpreter that it may be installed in."""

import asyncio
import sys

import hawkfish

SYSTEMS = "/redfish/v1/Systems"


async def later(url: str) -> int:
    async with hawkfish.AsyncClient(url, username="admin", password="hawkfish") as client:
        found = await asyncio.gather(*(client.get(uri) for uri in await client.members(SYSTEMS)))
        return len(found)


with hawkfish.Simulator(systems=3, seed=42, tls=True) as simulator, simulator.client() as client:
    system = client.resources(SYSTEMS)[0]
    assert hawkfish.validate("ComputerSystem", system) == [], system
    client.action(system, "ComputerSystem.Reset", ResetType="On")
    simulator.run_until(lambda: client.get(system["@odata.id"])["PowerState"] == "On")
    try:
        client.patch(system, {"AssetTag": "stale"})
        raise SystemExit("a stale change was taken")
    except hawkfish.PreconditionFailed as error:
        assert error.messages, error

with hawkfish.Simulator(systems=3) as plain:
    assert asyncio.run(later(plain.url)) == 3

with hawkfish.serve(systems=1) as server, server.client() as client:
    assert len(client.members(SYSTEMS)) == 1

print("CPython", sys.version.split()[0], "works with hawkfish", hawkfish.__version__)
