"""Runs DMTF's protocol validator, with the same arguments, together with its checks of server-sent events.

The validator has these checks, but its list of resources to read leaves the stream out, so that by itself it says of
each of them that it was not tested. Here the stream is read after that list, as the list has it in mind.
"""

import sys

from redfish_protocol_validator import console_scripts, resources, utils
from redfish_protocol_validator.constants import RequestType

usual = resources.get_default_resources


def with_the_stream(sut, *args, **kwargs):
    yield from usual(sut, *args, **kwargs)
    if not sut.event_service_uri or sut.server_sent_event_uri:
        return
    service = utils.get_response_json(sut.get(sut.event_service_uri))
    uri = service.get('ServerSentEventUri')
    if not uri:
        return
    sut.set_server_sent_event_uri(uri)
    response, destination = utils.get_sse_stream(sut)
    if destination:
        sut.set_event_dest_uri(destination)
    if response is not None:
        yield {'uri': uri, 'response': response, 'request_type': RequestType.STREAMING}


resources.get_default_resources = with_the_stream
sys.exit(console_scripts.main())
