"""What can go wrong, one exception for each kind."""

from __future__ import annotations

from typing import Any, Optional


class Error(Exception):
    """Everything that can go wrong between a client and its service."""

    status: Optional[int]
    """The HTTP status of the answer; None where there was none."""
    messages: list[dict[str, Any]]
    """The messages of the service, with MessageId, Message, MessageArgs, ...; empty where it sent none."""
    retry_after: Optional[float]
    """Seconds after which to try again, where the service said so."""

    def __init__(
        self,
        text: str,
        status: Optional[int] = None,
        messages: Optional[list[dict[str, Any]]] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.messages = messages if messages is not None else []
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.status, self.messages, self.retry_after)


class BadRequest(Error):
    """The request itself is wrong: 400, and every 4xx without an exception of its own."""


class Unauthorized(Error):
    """No credentials, or wrong ones: 401."""


class Forbidden(Error):
    """Who asks may not: 403."""


class NotFound(Error):
    """There is no such thing: 404 or 410."""


class Unsupported(Error):
    """The resource does not take that method or action: 405, 501, or an action that it does not list."""


class Conflict(Error):
    """The state of the resource forbids it: 409."""


class PreconditionFailed(Error):
    """The resource has changed since it was read: 412 or 428."""


class Unavailable(Error):
    """Later perhaps: 429 or 503."""


class ServiceError(Error):
    """The service failed: every other 5xx."""


class TaskFailed(Error):
    """The service did it in the background, and it failed."""


class TimedOut(Error):
    """It was not done in the time given; it goes on in the service."""


class ProtocolError(Error):
    """The answer is not Redfish."""


class TransportError(Error):
    """No answer: no connection, a certificate that is not trusted, a connection lost."""


class Refused(Error):
    """Nothing was sent: the URI leads to another origin, or the client was set up wrongly."""
