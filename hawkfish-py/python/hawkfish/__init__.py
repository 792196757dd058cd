"""Redfish from Python: clients, simulated BMCs to test them against, and validation against the schema."""

from __future__ import annotations

from . import _native
from ._async_client import AsyncClient, AsyncEvents, AsyncTask
from ._client import Client, Events, Task
from ._connection import Event, Visited
from ._errors import (
    BadRequest,
    Conflict,
    Error,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ProtocolError,
    Refused,
    ServiceError,
    TaskFailed,
    TimedOut,
    TransportError,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from ._server import Server, aserve, serve
from ._simulator import FAULTS, PERSONAS, Bmc, Guest, Simulator
from ._validation import Finding, validate

__version__: str = _native.__version__

__all__ = [
    "AsyncClient",
    "AsyncEvents",
    "AsyncTask",
    "BadRequest",
    "Bmc",
    "Client",
    "Conflict",
    "Error",
    "Event",
    "Events",
    "FAULTS",
    "Finding",
    "Forbidden",
    "Guest",
    "NotFound",
    "PERSONAS",
    "PreconditionFailed",
    "ProtocolError",
    "Refused",
    "Server",
    "ServiceError",
    "Simulator",
    "Task",
    "TaskFailed",
    "TimedOut",
    "TransportError",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "Visited",
    "__version__",
    "aserve",
    "serve",
    "validate",
]
