"""The server of HawkFish in this process."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Iterable, Optional, Union

from . import _native
from ._async_client import AsyncClient
from ._client import Client
from ._connection import Path

Setting = Union[str, int, bool, Path, Iterable[Union[str, int, Path]], None]

_BACKENDS = {"simulator": "sim", "sim": "sim", "libvirt": "libvirt", "auto": "auto"}


class Server:
    """HawkFish, served at ``url`` in this process until ``close`` or the end of a ``with`` block. ``serve`` and ``aserve`` make it.

    It belongs to the process that made it. What it keeps in its folder outlives it, however it ends.
    """

    url: str
    """Where it is served: ``https://127.0.0.1:40123``."""
    username: str
    """The first administrator."""
    password: Optional[str]
    """That account's password: as given, or as made up when the account was made. None where the folder had accounts already and none was given."""
    ca: Optional[str]
    """The file of its certificate, PEM, for clients to trust; None without encryption."""
    machines: list[str]
    """What runs the machines, in words; also why not libvirt, where that was to be tried."""
    data: Optional[str]
    """The folder where it keeps what it knows; None where that goes with it."""

    def __init__(self, native: "_native.Server", password: Optional[str], data: Optional[str], folder: Optional["_Folder"]) -> None:
        self._native = native
        self._folder = folder
        self.url = native.url
        self.username = "admin"
        self.password = password if password is not None else native.password
        self.ca = native.certificate
        self.machines = native.machines
        self.data = data

    def client(self, *, auth: str = "session", timeout: float = 60.0) -> Client:
        """A client that is logged in as the administrator, when first needed. ``ValueError`` where the password is not known here."""
        return Client(self.url, username=self.username, password=self._known(), auth=auth, ca=self.ca, timeout=timeout)

    def async_client(self, *, auth: str = "session", timeout: float = 60.0) -> AsyncClient:
        """As ``client``, for asyncio."""
        return AsyncClient(self.url, username=self.username, password=self._known(), auth=auth, ca=self.ca, timeout=timeout)

    def _known(self) -> str:
        if self.password is None:
            raise ValueError("the accounts were there already, and their passwords are not kept: give serve the password")
        return self.password

    def close(self) -> None:
        """End it: requests under way are finished, all that was acknowledged is kept, the port is free. Once is enough, again does no harm."""
        self._native.close().wait()
        if self._folder is not None:
            self._folder.remove()

    async def aclose(self) -> None:
        """As ``close``, while the event loop goes on."""
        await self._native.close()
        if self._folder is not None:
            self._folder.remove()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<hawkfish.Server {self.url}>"


class _Folder:
    """A folder that goes with the server, of the process that made it."""

    def __init__(self) -> None:
        import tempfile

        self.path: str = tempfile.mkdtemp(prefix="hawkfish-")
        self._process: int = os.getpid()

    def remove(self) -> None:
        import shutil

        if os.getpid() == self._process:
            shutil.rmtree(self.path, ignore_errors=True)


class _Start:
    """What is to be started."""

    def __init__(
        self,
        backend: str,
        data: Optional[Path],
        listen: str,
        tls: Union[bool, tuple[Path, Path]],
        password: Optional[str],
        libvirt: Union[str, Iterable[str]],
        systems: Optional[int],
        seed: Optional[int],
        settings: dict[str, Setting],
    ) -> None:
        if backend not in _BACKENDS:
            raise ValueError(f"a backend is 'simulator', 'libvirt' or 'auto', not {backend!r}")
        if isinstance(tls, tuple):
            encryption = ":".join(os.fspath(file) for file in tls)
        else:
            encryption = "self-signed" if tls else "off"
        flags: dict[str, Setting] = {
            "backend": _BACKENDS[backend],
            "listen": listen,
            "tls": encryption,
            "admin-password": password,
            "libvirt-uri": libvirt or None,
            "sim-systems": systems,
            "seed": seed,
        }
        for name, value in settings.items():
            flag = name.replace("_", "-")
            if flag in flags or flag in ("data-dir", "log", "log-format"):
                raise ValueError(f"{name} is said otherwise here; see hawkfish.serve")
            flags[flag] = value
        self.folder = _Folder() if data is None else None
        self.data = None if data is None else os.fspath(data)
        flags["data-dir"] = self.folder.path if self.folder is not None else self.data
        self.flags = [flag for name, value in flags.items() for flag in _flags(name, value)]
        self.password = password

    def call(self) -> "_native.Call[_native.Server]":
        try:
            return _native.serve(self.flags)
        except BaseException:
            self.failed()
            raise

    def failed(self) -> None:
        if self.folder is not None:
            self.folder.remove()

    def started(self, native: "_native.Server") -> Server:
        return Server(native, self.password, self.data, self.folder)


def _flags(name: str, value: Setting) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{name}={'yes' if value else 'no'}"]
    if isinstance(value, (str, int, os.PathLike)):
        return [f"--{name}={os.fspath(value) if isinstance(value, os.PathLike) else value}"]
    return [flag for each in value for flag in _flags(name, each)]


def serve(
    *,
    backend: str = "simulator",
    data: Optional[Path] = None,
    listen: str = "127.0.0.1:0",
    tls: Union[bool, tuple[Path, Path]] = True,
    password: Optional[str] = None,
    libvirt: Union[str, Iterable[str]] = (),
    systems: Optional[int] = None,
    seed: Optional[int] = None,
    **settings: Setting,
) -> Server:
    """Start HawkFish in this process: the production service, in real time, with its database, its encryption and all that ``hawkfish-server`` has.

    ``backend`` is ``"simulator"``, ``"libvirt"``, or ``"auto"``: libvirt when it answers, else simulated machines. ``libvirt`` is the URI to manage, or
    several; ``systems`` and ``seed`` say how many machines are simulated and from what they are made. ``data`` is the folder where everything is kept, one
    of its own that goes with the server unless said; one server at a time has a folder. ``listen`` is address and port, port 0 any free one. ``tls`` is a
    certificate of its own, none, or the files of a certificate and its key, PEM. ``password`` is that of the first account, ``admin``, when it is made;
    made up unless said.

    Every further setting of ``hawkfish-server`` is taken by its name, with ``_`` for ``-``; ``media_allow=["127.0.0.0/8"]``, ``ssdp=True``. Nothing is read
    of the environment.

    Raises ``ValueError`` for a setting that there is not or a value that cannot be, ``OSError`` for an address that cannot be had, ``Conflict`` for a folder
    that another server has, and ``Unsupported`` for libvirt in a wheel that was built without it.
    """
    start = _Start(backend, data, listen, tls, password, libvirt, systems, seed, dict(settings))
    call = start.call()
    try:
        return start.started(call.wait())
    except BaseException:
        start.failed()
        raise


async def aserve(
    *,
    backend: str = "simulator",
    data: Optional[Path] = None,
    listen: str = "127.0.0.1:0",
    tls: Union[bool, tuple[Path, Path]] = True,
    password: Optional[str] = None,
    libvirt: Union[str, Iterable[str]] = (),
    systems: Optional[int] = None,
    seed: Optional[int] = None,
    **settings: Setting,
) -> Server:
    """As ``serve``, while the event loop goes on: ``async with await hawkfish.aserve() as server``."""
    start = _Start(backend, data, listen, tls, password, libvirt, systems, seed, dict(settings))
    call = start.call()
    try:
        return start.started(await call)
    except BaseException:
        start.failed()
        raise
