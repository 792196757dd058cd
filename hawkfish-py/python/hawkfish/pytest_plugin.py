"""Simulated BMCs as fixtures of pytest.

``hawkfish_world`` is a simulator of its own for each test; ``hawkfish_bmc`` what a client of it needs. The mark ``hawkfish`` takes the arguments of
``hawkfish.Simulator``::

    @pytest.mark.hawkfish(systems=3, faults=["busy-now-and-then"])
    def test_patience(hawkfish_world): ...

Each test has a port, a clock and a database of its own, so tests may run at once. A test that fails shows its seed and its trace; ``--hawkfish-seed``
runs it again with that seed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from . import Bmc, Simulator

_TRACE = pytest.StashKey[Simulator]()
_SHOWN = 20_000


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hawkfish")
    group.addoption(
        "--hawkfish-seed",
        type=int,
        metavar="SEED",
        help="what decides, in simulated BMCs, all that is left to chance; 0 unless said, or the mark says",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hawkfish(**arguments): what the simulated BMCs of this test are; see hawkfish.Simulator")


@pytest.fixture
def hawkfish_world(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulator of this test's own."""
    arguments: dict[str, Any] = {}
    # The mark that is nearest to the test says the last word.
    for mark in reversed(list(request.node.iter_markers("hawkfish"))):
        if mark.args:
            raise pytest.UsageError("the mark hawkfish takes named arguments")
        arguments.update(mark.kwargs)
    seed = request.config.getoption("--hawkfish-seed")
    if seed is not None:
        arguments["seed"] = seed
    with Simulator(**arguments) as simulator:
        request.node.stash[_TRACE] = simulator
        yield simulator


@pytest.fixture
def hawkfish_bmc(hawkfish_world: Simulator) -> Bmc:
    """Where the simulator of this test is, and who may log in."""
    return hawkfish_world.bmc


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    simulator = item.stash.get(_TRACE, None)
    if report.when == "call" and report.failed and simulator is not None:
        trace = simulator.trace
        if len(trace) > _SHOWN:
            trace = f"[{len(trace) - _SHOWN} characters before]\n{trace[-_SHOWN:]}"
        report.sections.append((f"hawkfish: seed {simulator.seed}, trace", trace))
    return report
