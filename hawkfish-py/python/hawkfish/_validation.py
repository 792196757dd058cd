"""A resource held against the schema."""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Union

from . import _native


class Finding(NamedTuple):
    """One thing wrong with a resource."""

    pointer: str
    """JSON pointer to it, such as ``/Boot/BootSourceOverrideTarget``."""
    problem: str
    """``unknown``, ``type``, ``not-in-list``, ``format``, ``out-of-range``, ``too-long``, ``too-short``, ``array-too-long``,
    ``array-too-short``, ``missing``, ``duplicate`` or ``not-writable``."""
    message: str
    """What is wrong, in words."""


def validate(entity: str, resource: Union[Mapping[str, Any], str, bytes]) -> list[Finding]:
    """Hold a resource against the schema of its entity, in the newest version that HawkFish serves.

    ``entity`` is the bare name, such as ``ComputerSystem``; ``resource`` is a mapping, or JSON. The list is empty when nothing is wrong. A standard
    property that HawkFish does not serve is reported as ``unknown``.

    Raises ``ValueError`` for an entity that HawkFish does not serve, and for what is not a JSON object.
    """
    body = json.dumps(resource).encode() if isinstance(resource, Mapping) else resource
    if isinstance(body, str):
        body = body.encode()
    return [Finding(*found) for found in _native.validate(entity, body)]
