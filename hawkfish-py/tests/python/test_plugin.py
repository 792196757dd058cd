"""The fixtures, as other projects use them."""

from __future__ import annotations

import pytest

import hawkfish
from hawkfish import Bmc

pytest_plugins = ["pytester"]


def test_without_a_mark_there_is_one_machine(hawkfish_world: hawkfish.Simulator, hawkfish_bmc: Bmc) -> None:
    with hawkfish.Client(hawkfish_bmc.url, username=hawkfish_bmc.username, password=hawkfish_bmc.password) as client:
        assert len(client.members("/redfish/v1/Systems")) == 1
    assert hawkfish_world.url == hawkfish_bmc.url


@pytest.mark.hawkfish(systems=3, seed=9)
def test_a_mark_says_what_it_is(hawkfish_world: hawkfish.Simulator) -> None:
    assert hawkfish_world.seed == 9
    assert len(hawkfish_world.client(auth="basic").members("/redfish/v1/Systems")) == 3


FAILS = """
    import pytest

    @pytest.mark.hawkfish(seed=3, systems=2)
    def test_it(hawkfish_world):
        hawkfish_world.client(auth="basic").get("/redfish/v1/Systems")
        assert not hawkfish_world.seed
"""


def test_a_failure_shows_seed_and_trace(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILS)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*hawkfish: seed 3, trace*", "*GET /redfish/v1/Systems*"])


def test_a_seed_on_the_command_line_wins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILS)
    result = pytester.runpytest_subprocess("--hawkfish-seed=0")
    result.assert_outcomes(passed=1)


def test_runs_that_are_spread_over_processes_do_not_meet(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(12))
        def test_it(hawkfish_world, hawkfish_bmc, number):
            client = hawkfish_world.client()
            uri = client.members("/redfish/v1/Systems")[0]
            client.patch(uri, {"AssetTag": str(number)})
            hawkfish_world.advance(60)
            assert client.get(uri)["AssetTag"] == str(number)
            assert len(client.members("/redfish/v1/SessionService/Sessions")) == 1
        """
    )
    result = pytester.runpytest_subprocess("-n", "3")
    result.assert_outcomes(passed=12)
    assert "3 workers" in result.stdout.str()
