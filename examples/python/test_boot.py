"""A test of one's own code against simulated BMCs: python -m pytest test_boot.py

`boot_all` is the code: it starts all machines of a service, however busy that is. The fixtures are of the package hawkfish; there is nothing to set up.
"""

import hawkfish
import pytest


def boot_all(client: hawkfish.Client) -> int:
    """Starts what is off. Gives how often a BMC had to be asked again."""
    again = 0
    for system in client.resources("/redfish/v1/Systems"):
        while system["PowerState"] == "Off":
            try:
                client.action(system, "ComputerSystem.Reset", ResetType="On")
                break
            except hawkfish.Unavailable:
                again += 1
    return again


@pytest.mark.hawkfish(systems=5)
def test_all_machines_come_up(hawkfish_world: hawkfish.Simulator) -> None:
    with hawkfish_world.client() as client:
        assert boot_all(client) == 0
        for name in hawkfish_world.systems:
            hawkfish_world.run_until(system=name, phase="Up")
        assert {system["PowerState"] for system in client.resources("/redfish/v1/Systems")} == {"On"}


BUSY = {
    "name": "busy",
    "when": {"uri": "/redfish/v1/Systems/*/Actions/*", "calls": {"first": 1, "every": 2}},
    "then": {"answer": {"status": 503}},
}


@pytest.mark.hawkfish(systems=5, faults=[BUSY])
def test_busy_bmcs_are_asked_again(hawkfish_world: hawkfish.Simulator) -> None:
    with hawkfish_world.client() as client:
        assert boot_all(client) == hawkfish_world.fired("busy") == 5
    assert hawkfish_world.report["sessions"] == []
