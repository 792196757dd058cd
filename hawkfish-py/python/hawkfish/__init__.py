"""Redfish from Python: clients, simulated BMCs to test them against, and validation against the schema."""

from __future__ import annotations

from . import _native
from ._async_client import AsyncClient
from ._client import Client
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
from ._simulator import FAULTS, Simulator
from ._validation import Finding, validate

__version__: str = _native.__version__

__all__ = [
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "Error",
    "FAULTS",
    "Finding",
    "Forbidden",
    "NotFound",
    "PreconditionFailed",
    "ProtocolError",
    "Refused",
    "ServiceError",
    "Simulator",
    "TaskFailed",
    "TimedOut",
    "TransportError",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "__version__",
    "validate",
]
