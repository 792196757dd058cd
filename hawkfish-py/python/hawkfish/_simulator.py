"""Simulated BMCs in this process."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Iterable, Mapping, Optional, Union

from . import _native
from ._async_client import AsyncClient
from ._client import Client

Fault = Union[str, Mapping[str, Any]]

FAULTS: Mapping[str, str] = dict(_native.presets())
"""What can go wrong by name, and what happens then."""


class Simulator:
    """BMCs of simulated machines, served at ``url`` by plain HTTP on a port of their own, until ``close`` or the end of a ``with`` block.

    The same ``seed``, the same requests and the same advances of time give the same answers and the same ``trace``, to the byte.

    ``systems`` is how many machines there are. ``faults`` is what goes wrong: names of ``FAULTS``, or rules such as
    ``{"name": "slow", "when": {"uri": "/redfish/v1/Systems/*"}, "then": {"delay": {"constant": "1s"}}}``. ``world`` is a description of a world in
    place of ``systems``: a mapping, or a file of TOML or JSON (TOML takes Python 3.11).

    ``time`` is ``"virtual"``: it goes on only by ``advance``; ``"real"``; or a number, how many times as fast as real time.

    What happens is kept in memory for ``trace``, unless ``traced`` is false.

    A simulator belongs to the process that made it. A forked child can reach it by its ``url``.

    Raises ``ValueError`` that says where, and what is wrong, for what makes no world, and ``OSError`` for an address that cannot be had.
    """

    def __init__(
        self,
        systems: int = 1,
        *,
        seed: Optional[int] = None,
        faults: Iterable[Fault] = (),
        world: Union[Mapping[str, Any], str, "os.PathLike[str]", None] = None,
        time: Union[str, float] = "virtual",
        password: Optional[str] = None,
        listen: str = "127.0.0.1:0",
        traced: bool = True,
    ) -> None:
        description = _describe(world)
        if seed is not None:
            description["seed"] = seed
        if password is not None:
            description["password"] = password
        description.setdefault("seed", 0)
        description.setdefault("password", "hawkfish")
        if isinstance(faults, (str, Mapping)):
            faults = [faults]
        for fault in faults:
            kind = "presets" if isinstance(fault, str) else "fault"
            description[kind] = [*description.get(kind, ()), fault]
        self.seed: int = description["seed"]
        """What decided all that was left to chance."""
        self.username: str = "admin"
        """The administrator."""
        self.password: str = description["password"]
        """The administrator's password."""
        self._native = _native.Simulator(json.dumps(description).encode(), systems, _speed(time), listen, traced)
        self.url: str = self._native.url
        """Where it is served: ``http://127.0.0.1:40123``."""

    @property
    def now(self) -> datetime:
        """The time in the simulation."""
        text = self._native.now
        # Python before 3.11 reads neither Z nor nanoseconds.
        seconds, _, parts = text.rstrip("Z").partition(".")
        return datetime.fromisoformat(f"{seconds}.{(parts + '000000')[:6]}+00:00")

    def advance(self, by: Union[float, timedelta]) -> None:
        """Let time go on by so many seconds. Whatever is due on the way happens, in its order and at its moment, before this returns."""
        self._native.advance(_seconds(by))

    async def aadvance(self, by: Union[float, timedelta]) -> None:
        """As ``advance``, while the event loop goes on."""
        await self._native.advance_async(_seconds(by))

    def fault(self, fault: Fault) -> list[str]:
        """Have something go wrong from now on: a name of ``FAULTS``, or a rule. Gives the names of its rules; one that was there by such a name is
        replaced."""
        if isinstance(fault, str):
            return self._native.put_preset(fault)
        self._native.put_fault(json.dumps(fault).encode())
        return [fault["name"]]

    def clear_fault(self, name: str) -> bool:
        """Take a rule away. False where there was none of that name."""
        return self._native.clear_fault(name)

    def fired(self, name: str) -> Optional[int]:
        """How often a rule has fired; None where there is none of that name."""
        return self._native.fired(name)

    @property
    def trace(self) -> str:
        """All that went over the wire so far, and what happened meanwhile, in order."""
        return self._native.trace().decode()

    @property
    def report(self) -> dict[str, Any]:
        """What the clients of it did so far that they should not do, and their requests by kind."""
        report = json.loads(self._native.report())
        assert isinstance(report, dict)
        return report

    def client(self, *, auth: str = "session", timeout: float = 60.0) -> Client:
        """A client that is logged in as the administrator, when first needed."""
        return Client(self.url, username=self.username, password=self.password, auth=auth, timeout=timeout)

    def async_client(self, *, auth: str = "session", timeout: float = 60.0) -> AsyncClient:
        """As ``client``, for asyncio."""
        return AsyncClient(self.url, username=self.username, password=self.password, auth=auth, timeout=timeout)

    def close(self) -> None:
        """End it: requests under way are finished, the port is free. Once is enough, again does no harm."""
        self._native.close()

    def __enter__(self) -> "Simulator":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Simulator":
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self._native.close_async()

    def __repr__(self) -> str:
        return f"<hawkfish.Simulator {self.url} seed={self.seed}>"


def _describe(world: Union[Mapping[str, Any], str, "os.PathLike[str]", None]) -> dict[str, Any]:
    if world is None:
        return {}
    if isinstance(world, Mapping):
        return dict(world)
    with open(world, "rb") as file:
        content = file.read()
    if str(world).endswith(".json"):
        described = json.loads(content)
    else:
        try:
            import tomllib
        except ImportError:
            raise ValueError(f"{world}: reading TOML takes Python 3.11; give JSON or a mapping") from None
        described = tomllib.loads(content.decode())
    if not isinstance(described, dict):
        raise ValueError(f"{world}: no description of a world")
    return described


def _speed(time: Union[str, float]) -> float:
    if time == "virtual":
        return 0.0
    if time == "real":
        return 1.0
    if isinstance(time, (int, float)) and not isinstance(time, bool):
        return float(time)
    raise ValueError("time is 'virtual', 'real', or how many times as fast as real time")


def _seconds(by: Union[float, timedelta]) -> float:
    return by.total_seconds() if isinstance(by, timedelta) else float(by)
