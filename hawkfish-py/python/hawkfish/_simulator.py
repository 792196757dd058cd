"""Simulated BMCs in this process."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any, Awaitable, Callable, Iterable, Mapping, NamedTuple, Optional, Union

from . import _native
from ._async_client import AsyncClient
from ._client import Client
from ._connection import Path
from ._errors import Unsupported

Fault = Union[str, Mapping[str, Any]]
Span = Union[float, timedelta]

FAULTS: Mapping[str, str] = dict(_native.presets())
"""What can go wrong by name, and what happens then."""


PERSONAS = ("generic",)
"""As what a simulated BMC presents itself; ``generic`` is HawkFish as it is."""


class Bmc(NamedTuple):
    """A BMC, as a client needs it."""

    url: str
    """Where: ``http://127.0.0.1:40123``."""
    username: str
    """The administrator."""
    password: str
    """The administrator's password."""
    system: Optional[str] = None
    """The name of the one system that it shows; None where it shows all."""


class Guest(NamedTuple):
    """How far a machine and its guest are."""

    power: str
    """``On``, ``Off``, ``PoweringOn``, ``PoweringOff`` or ``Paused``, as the service shows it."""
    phase: str
    """``Off``, ``Suspended``, ``Paused``, ``SelfTest``, ``Firmware``, ``Booting``, ``Installing``, ``Up``, ``ShuttingDown``, ``Dumping``, ``Panicked``
    or ``Hung``."""
    boots: int
    """How often the firmware has handed over since the world began."""
    installed: bool
    """Whether an installer has put a system on its first disk."""


class Simulator:
    """BMCs of simulated machines, served at ``url`` on a port of their own, until ``close`` or the end of a ``with`` block, or an ``async with`` block.

    The same ``seed``, the same requests and the same advances of time give the same answers and the same ``trace``, to the byte.

    ``systems`` is how many machines there are. ``faults`` is what goes wrong: names of ``FAULTS``, or rules such as
    ``{"name": "slow", "when": {"uri": "/redfish/v1/Systems/*"}, "then": {"delay": {"constant": "1s"}}}``. ``persona`` is as what the BMCs present
    themselves, one of ``PERSONAS``. ``world`` is a description of a world in place of ``systems``: a mapping, or a file of TOML or JSON (TOML takes
    Python 3.11).

    ``time`` is ``"virtual"``: it goes on only by ``advance``, ``step`` and ``run_until``; ``"real"``; or a number, how many times as fast as real time.

    With ``tls`` it speaks TLS with a certificate of an authority of its own: ``ca`` is the file to trust, ``fingerprint`` what to pin. With ``per_system``
    each machine has a BMC of its own besides, on a port of its own, in ``bmcs``.

    What happens is kept in memory for ``trace``, unless ``traced`` is false.

    A simulator belongs to the process that made it. A forked child can reach it by its ``url``.

    Raises ``ValueError`` that says where, and what is wrong, for what makes no world, ``Unsupported`` for a persona that there is not, and ``OSError``
    for an address that cannot be had.
    """

    def __init__(
        self,
        systems: int = 1,
        *,
        seed: Optional[int] = None,
        faults: Union[Fault, Iterable[Fault]] = (),
        persona: str = "generic",
        world: Union[Mapping[str, Any], Path, None] = None,
        time: Union[str, float] = "virtual",
        password: Optional[str] = None,
        listen: str = "127.0.0.1:0",
        tls: bool = False,
        per_system: bool = False,
        traced: bool = True,
    ) -> None:
        if persona not in PERSONAS:
            raise Unsupported(f"there is no persona {persona!r}; there is {', '.join(PERSONAS)}")
        description = _describe(world)
        if seed is not None:
            description["seed"] = seed
        if password is not None:
            description["password"] = password
        description.setdefault("seed", 0)
        description.setdefault("password", "hawkfish")
        if per_system:
            description.setdefault("faces", {"by": "port"})
        for fault in _listed(faults):
            kind = "presets" if isinstance(fault, str) else "fault"
            description[kind] = [*description.get(kind, ()), fault]
        self.seed: int = description["seed"]
        """What decided all that was left to chance."""
        self.username: str = "admin"
        """The administrator."""
        self.password: str = description["password"]
        """The administrator's password."""
        self.persona: str = persona
        """As what the BMCs present themselves."""
        self._native = _native.Simulator(json.dumps(description).encode(), systems, _speed(time), listen, tls, traced)
        self._ca: Optional[str] = None
        self.url: str = self._native.url
        """Where it is served: ``http://127.0.0.1:40123``."""

    @classmethod
    def replay(
        cls,
        path: Path,
        systems: int = 1,
        *,
        unknown_actions: str = "refuse",
        seed: Optional[int] = None,
        faults: Union[Fault, Iterable[Fault]] = (),
        time: Union[str, float] = "virtual",
        password: Optional[str] = None,
        listen: str = "127.0.0.1:0",
        tls: bool = False,
        per_system: bool = False,
        traced: bool = True,
    ) -> "Simulator":
        """BMCs that show a captured tree and live: ``path`` is a folder, or an archive of one, that ``hawkfish-sim record`` or DMTF's mockup creator made.

        One machine shows it at ``url``. With ``systems`` more of them each does so at a BMC of its own, in ``bmcs``, with a state of its own; all but the
        first have serial numbers, UUIDs and MAC addresses of their own. Actions that are not understood are refused with 501, or with
        ``unknown_actions="accept"`` answered as if they had been done. All else is as for ``Simulator``.

        Raises ``ValueError`` for what is no capture.
        """
        if unknown_actions not in ("refuse", "accept"):
            raise ValueError("unknown_actions is 'refuse' or 'accept'")
        rack = {"name": "sim", "systems": systems, "capture": os.path.abspath(path), "unknown_actions": unknown_actions}
        return cls(
            seed=seed,
            faults=faults,
            world={"rack": [rack]},
            time=time,
            password=password,
            listen=listen,
            tls=tls,
            per_system=per_system or systems > 1,
            traced=traced,
        )

    @property
    def bmc(self) -> Bmc:
        """The service that shows all machines."""
        return Bmc(self.url, self.username, self.password)

    @property
    def bmcs(self) -> list[Bmc]:
        """The BMC of each machine, in the order of racks and machines; none unless ``per_system``, or the description has faces."""
        return [Bmc(url, self.username, self.password, name) for name, url in self._native.faces()]

    @property
    def systems(self) -> list[str]:
        """The names of all machines, sorted: ``sim-00001``."""
        return self._native.systems()

    @property
    def ca(self) -> Optional[str]:
        """A file with the certificate to trust, PEM, that is there until ``close``; None without TLS."""
        authority = self._native.authority
        if authority is not None and self._ca is None:
            import tempfile

            handle, self._ca = tempfile.mkstemp(prefix="hawkfish-", suffix=".pem")
            with open(handle, "w") as file:
                file.write(authority)
        return self._ca

    @property
    def fingerprint(self) -> Optional[str]:
        """The SHA-256 of its certificate, in hexadecimal digits; None without TLS."""
        fingerprint = self._native.fingerprint
        return None if fingerprint is None else fingerprint.hex()

    @property
    def now(self) -> datetime:
        """The time in the simulation, in UTC."""
        return _moment(self._native.now)

    def advance(self, by: Span) -> None:
        """Let time go on by so many seconds. Whatever is due on the way happens, in its order and at its moment, before this returns.

        Raises ``ValueError`` for a time below zero.
        """
        self._native.advance(_seconds(by)).wait()

    async def aadvance(self, by: Span) -> None:
        """As ``advance``, while the event loop goes on."""
        await self._native.advance(_seconds(by))

    def advance_to(self, at: datetime) -> None:
        """Let time go on until then. ``ValueError`` for a time that is over, or without a time zone."""
        self._native.advance_to(_text(at)).wait()

    async def aadvance_to(self, at: datetime) -> None:
        """As ``advance_to``, while the event loop goes on."""
        await self._native.advance_to(_text(at))

    def step(self) -> Optional[datetime]:
        """Let time go on to the next thing that is due, and that happen. Gives its moment; None where nothing is due."""
        return _at(self._native.step().wait())

    async def astep(self) -> Optional[datetime]:
        """As ``step``, while the event loop goes on."""
        return _at(await self._native.step())

    def run_until(
        self,
        condition: Optional[Callable[[], object]] = None,
        *,
        system: Optional[str] = None,
        phase: Optional[str] = None,
        power: Optional[str] = None,
        boots: Optional[int] = None,
        at: Optional[datetime] = None,
        within: Span = 3600.0,
    ) -> datetime:
        """Let time go on until something is so, and give the time then: a function without arguments that gives true, which is asked now, after each thing
        that was due, and each second of the simulation; or what is said of ``system``, by its name or its id: its ``phase`` or ``power`` (see ``Guest``),
        or at least so many ``boots``; or that it is ``at``.

        Raises ``TimedOut`` when it is still not so after ``within`` (seconds, in the time of the simulation), ``ValueError`` for a system, a phase or a
        power state that there is not, and ``RuntimeError`` where time goes by itself.
        """
        wanted = _until(condition, system, phase, power, boots, at)
        seconds = _seconds(within)
        if condition is None:
            self._native.until(wanted, seconds).wait()
        else:
            end = self._native.deadline(seconds)
            while not condition():
                self._native.look(seconds, end).wait()
        return self.now

    async def arun_until(
        self,
        condition: Union[Callable[[], Awaitable[object]], Callable[[], object], None] = None,
        *,
        system: Optional[str] = None,
        phase: Optional[str] = None,
        power: Optional[str] = None,
        boots: Optional[int] = None,
        at: Optional[datetime] = None,
        within: Span = 3600.0,
    ) -> datetime:
        """As ``run_until``, while the event loop goes on; ``condition`` may be a coroutine function."""
        wanted = _until(condition, system, phase, power, boots, at)
        seconds = _seconds(within)
        if condition is None:
            await self._native.until(wanted, seconds)
        else:
            end = self._native.deadline(seconds)
            while True:
                is_so = condition()
                if isinstance(is_so, Awaitable):
                    is_so = await is_so
                if is_so:
                    break
                await self._native.look(seconds, end)
        return self.now

    def guest(self, system: str) -> Guest:
        """How far a machine and its guest are, by its name or its id. ``ValueError`` where there is none."""
        return Guest(*self._native.guest(system))

    def console(self, system: str) -> str:
        """What was said on the console of a machine since it was last started cold. ``ValueError`` where there is none."""
        return self._native.console(system, 0)[0]

    def console_since(self, system: str, since: int) -> tuple[str, int]:
        """What was said there from a number on, 0 for all, and the number from which to ask the next time; numbers go on over cold starts."""
        return self._native.console(system, since)

    def happen(self, system: str, what: Union[str, Mapping[str, Any]]) -> None:
        """Have something happen to a machine now, by no command of a client: ``"power_cut"``, ``"power_comes"``, ``"guest_hangs"``,
        ``{"disk_fails": "disk0"}``, ``{"sensor_shows": {"id": "CPU1Temperature", "reading": 101.0}}``, ``{"fan_fails": 1}``, ``{"link_down": 0}`` and
        whatever else the guide to the simulator has. It is in the trace. ``ValueError`` for a machine or a happening that there is not.
        """
        self._native.happen(system, _happening(system, what)).wait()

    async def ahappen(self, system: str, what: Union[str, Mapping[str, Any]]) -> None:
        """As ``happen``, while the event loop goes on."""
        await self._native.happen(system, _happening(system, what))

    def power(self, system: str, on: bool) -> None:
        """Cut the power of a machine, or let it come, as when somebody pulls its plug; no command of a client."""
        self.happen(system, "power_comes" if on else "power_cut")

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

    def client(self, *, auth: str = "session", timeout: float = 60.0, attempts: int = 1) -> Client:
        """A client that is logged in as the administrator, when first needed. It sends each request once unless said, so that what goes wrong is seen."""
        return Client(
            self.url,
            username=self.username,
            password=self.password,
            auth=auth,
            fingerprint=self.fingerprint,
            timeout=timeout,
            attempts=attempts,
        )

    def async_client(self, *, auth: str = "session", timeout: float = 60.0, attempts: int = 1) -> AsyncClient:
        """As ``client``, for asyncio."""
        return AsyncClient(
            self.url,
            username=self.username,
            password=self.password,
            auth=auth,
            fingerprint=self.fingerprint,
            timeout=timeout,
            attempts=attempts,
        )

    def close(self) -> None:
        """End it: requests under way are finished, the port is free. Once is enough, again does no harm."""
        self._native.close().wait()
        self._forget_ca()

    async def aclose(self) -> None:
        """As ``close``, while the event loop goes on."""
        await self._native.close()
        self._forget_ca()

    def _forget_ca(self) -> None:
        if self._ca is not None and os.path.exists(self._ca):
            os.remove(self._ca)

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
        await self.aclose()

    def __repr__(self) -> str:
        return f"<hawkfish.Simulator {self.url} seed={self.seed}>"


def _describe(world: Union[Mapping[str, Any], Path, None]) -> dict[str, Any]:
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


def _listed(faults: Union[Fault, Iterable[Fault]]) -> list[Fault]:
    if isinstance(faults, str):
        return [faults]
    if isinstance(faults, Mapping):
        return [dict(faults)]
    return list(faults)


def _speed(time: Union[str, float]) -> float:
    if time == "virtual":
        return 0.0
    if time == "real":
        return 1.0
    if isinstance(time, (int, float)) and not isinstance(time, bool):
        return float(time)
    raise ValueError("time is 'virtual', 'real', or how many times as fast as real time")


def _moment(text: str) -> datetime:
    # Python before 3.11 reads neither Z nor nanoseconds.
    seconds, _, parts = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{(parts + '000000')[:6]}+00:00")


def _at(text: Optional[str]) -> Optional[datetime]:
    return None if text is None else _moment(text)


def _text(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a time without a time zone says nothing; say datetime(..., tzinfo=timezone.utc)")
    return at.astimezone(timezone.utc).isoformat()


def _until(
    condition: Optional[Callable[[], object]],
    system: Optional[str],
    phase: Optional[str],
    power: Optional[str],
    boots: Optional[int],
    at: Optional[datetime],
) -> bytes:
    said = {
        "system": system,
        "phase": phase,
        "power": power,
        "boots": boots,
        "at": None if at is None else _text(at),
    }
    if condition is not None and any(value is not None for value in said.values()):
        raise ValueError("either a function or what is to be so")
    return json.dumps(said).encode()


def _happening(system: str, what: Union[str, Mapping[str, Any]]) -> bytes:
    rule = {"name": "by hand", "when": {"system": system, "at": "0s"}, "then": {"machine": what}}
    return json.dumps(rule).encode()


def _seconds(by: Span) -> float:
    return by.total_seconds() if isinstance(by, timedelta) else float(by)
