"""What clients see of BMCs that misbehave.

Reads lines of JSON from its input: {"preset", "url", "user", "password", "ca"}. For each it does with a client what meets that misbehaviour, and says what it
saw: {"seen": ...}. In between it may ask for the time of the world to go on: {"advance": seconds}, which is answered by a line with the age of the world.
"""

import base64
import json
import re
import sys
import threading

import redfish
import sushy
import sushy.auth

ROOT = "/redfish/v1/"
SYSTEMS = "/redfish/v1/Systems"
SESSIONS = "/redfish/v1/SessionService/Sessions"
LOOKS = {}


def sees(function):
    """The function that looks for a preset is called as that, with underscores."""
    LOOKS[function.__name__.replace("_", "-")] = function
    return function


class At:
    """A BMC to talk to."""

    def __init__(self, job):
        self.url, self.user, self.password = job["url"], job["user"], job["password"]
        self.ca = job["ca"]
        both = f"{self.user}:{self.password}".encode()
        self.basic = "Basic " + base64.b64encode(both).decode()
        self.client = self.new()

    def new(self, timeout=30):
        return redfish.redfish_client(
            base_url=self.url, username=self.user, password=self.password, cafile=self.ca,
            check_connectivity=False, max_retry=0, timeout=timeout)

    def sushy(self):
        return sushy.Sushy(self.url, username=self.user, password=self.password,
                           verify=False, server_side_retries=1)

    def basically(self):
        auth = sushy.auth.BasicAuth(self.user, self.password)
        return sushy.Sushy(self.url, auth=auth, verify=False, server_side_retries=1)

    def get(self, path, client=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers.setdefault("Authorization", self.basic)
        # What is packed has a weak tag.
        headers.setdefault("Accept-Encoding", "identity")
        return (client or self.client).get(path, headers=headers)

    def send(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers.setdefault("Authorization", self.basic)
        return getattr(self.client, method)(path, body=body, headers=headers)

    def system(self):
        return self.get(SYSTEMS).dict["Members"][0]["@odata.id"]

    def rename(self, system, tag, **headers):
        return self.send("patch", system, {"AssetTag": tag}, **headers).status


def advance(seconds):
    print(json.dumps({"advance": seconds}), flush=True)
    return json.loads(sys.stdin.readline())["age"]


def outcome(function):
    """The result, or what kind of exception came in its place: that of the transport, where there was one."""
    try:
        return function()
    except Exception as error:
        while error.__cause__ is not None:
            error = error.__cause__
        return type(error).__name__


def several(times, function):
    """The different outcomes, and nothing of how often."""
    return sorted({str(outcome(function)) for _ in range(times)})


# Logging in, and being known.

@sees
def session_table_full(at):
    used = at.sushy()._conn._session
    return "basic" if used.auth else "session"


@sees
def sessions_leak(at):
    at.client.login(auth="session")
    at.client.logout()
    return at.get(SESSIONS, at.new()).dict["Members@odata.count"]


@sees
def session_expires_early(at):
    at.client.login(auth="session")
    statuses = [at.client.get(SYSTEMS).status]
    advance(90)
    return statuses + [at.client.get(SYSTEMS).status]


@sees
def login_works_the_second_time(at):
    return [str(outcome(lambda: at.new().login(auth="session"))) for _ in range(3)]


@sees
def unauthorized_now_and_then(at):
    at.client.login(auth="session")
    return [at.client.get(SYSTEMS).status for _ in range(6)]


# Too much at a time, and too slow.

@sees
def busy_now_and_then(at):
    def look():
        answer = at.get(ROOT)
        return answer.status, answer.getheader("retry-after")
    return several(60, look)


@sees
def overloaded(at):
    statuses = []

    def look():
        statuses.append(at.get(ROOT, at.new()).status)
    threads = [threading.Thread(target=look) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(set(statuses))


@sees
def slow(at):
    return outcome(lambda: at.get(ROOT, at.new(timeout=1)).status)


@sees
def slow_first_inventory(at):
    system, client = at.system(), at.new(timeout=1.5)
    return [outcome(lambda: at.get(system, client).status) for _ in range(2)]


@sees
def slow_tail(at):
    ages = [advance(0)]
    for _ in range(300):
        at.get(ROOT)
        ages.append(advance(0))
    took = sorted(after - before for before, after in zip(ages, ages[1:]))
    return [0.1 < took[150] < 0.4, took[-1] > 3]


def limited(at):
    answers = [at.get(ROOT) for _ in range(12)]
    return [(answer.status, answer.getheader("retry-after")) for answer in answers][9:]


@sees
def rate_limited(at):
    before = limited(at)
    advance(1)
    return [before, at.get(ROOT).status]


@sees
def rate_limited_with_a_date(at):
    return limited(at)


@sees
def trickles(at):
    begin = advance(0)
    length = len(at.get(at.system()).read)
    # One second for each thousand bytes, and somewhat more for the collection before it.
    return advance(0) - begin > length / 1000


@sees
def stalls_in_bodies(at):
    return several(15, lambda: at.get(ROOT, at.new(timeout=1)).status)


# Done, or said to be done.

@sees
def power_does_not_come(at):
    system = at.basically().get_system(at.system())
    system.reset_system(sushy.RESET_ON)
    advance(600)
    system.refresh()
    return system.power_state.value


@sees
def media_does_not_mount(at):
    system = at.basically().get_system(at.system())
    [slot, *_] = system.virtual_media.get_members()
    said = outcome(lambda: slot.insert_media("http://127.0.0.1:9/none.iso"))
    slot.refresh()
    return [said, bool(slot.inserted)]


@sees
def lost_answers(at):
    system = at.system()
    reset = system + "/Actions/ComputerSystem.Reset"
    said = outcome(lambda: at.send("post", reset, {"ResetType": "On"}).status)
    advance(600)
    return [said, at.get(system).dict["PowerState"]]


# Tags, and what goes by them.

@sees
def refuses_its_own_etag(at):
    system = at.system()
    return at.rename(system, "a", If_Match=at.get(system).getheader("etag"))


@sees
def no_etags(at):
    return at.get(at.system()).getheader("etag") is not None


@sees
def etag_of_the_state_before(at):
    system = at.system()
    statuses = []
    for tag in ("a", "b"):
        etag = at.get(system).getheader("etag")
        statuses.append(at.rename(system, tag, If_Match=etag))
    return statuses


@sees
def etag_header_differs(at):
    answer = at.get(at.system())
    return answer.getheader("etag") == answer.dict["@odata.etag"]


@sees
def weak_etags(at):
    answer = at.get(at.system())
    return [tag.startswith("W/") for tag in (answer.getheader("etag"), answer.dict["@odata.etag"])]


@sees
def members_without_etags(at):
    member = at.get(SYSTEMS + "?$expand=.").dict["Members"][0]
    return ["@odata.etag" in member, "Id" in member]


@sees
def not_modified_though_changed(at):
    system = at.system()
    etag = at.get(system).getheader("etag")
    at.rename(system, "a")
    return at.get(system, If_None_Match=etag).status


@sees
def stale_reads(at):
    system = at.system()

    def shown():
        return at.get(system).dict["AssetTag"]
    at.rename(system, "before")
    seen = [shown()]
    at.rename(system, "after")
    seen.append(shown())
    advance(31)
    return seen + [shown()]


# Headers of answers, and parameters of requests.

@sees
def task_without_location(at):
    media = at.get(at.get(at.system()).dict["VirtualMedia"]["@odata.id"]).dict["Members"]
    insert = media[0]["@odata.id"] + "/Actions/VirtualMedia.InsertMedia"
    answer = at.send("post", insert, {"Image": "http://127.0.0.1:9/none.iso"})
    return [answer.status, answer.getheader("location") is not None]


@sees
def absolute_locations(at):
    body = {"UserName": at.user, "Password": at.password}
    answer = at.client.post(SESSIONS, body=body)
    return answer.getheader("location").replace(at.url, "(ours)").split("/SessionService")[0]


@sees
def locations_of_another_host(at):
    return absolute_locations(at)


@sees
def redirects_to_slash(at):
    body = {"UserName": at.user, "Password": at.password}
    answer = at.send("post", SESSIONS, body)
    return [answer.status, answer.getheader("x-auth-token") is not None]


@sees
def gzip_always(at):
    answer = at.get(ROOT, Accept_Encoding="identity")
    return answer.getheader("content-encoding")


@sees
def wrong_content_type(at):
    return at.get(ROOT).getheader("content-type").split(";")[0]


@sees
def capital_header_names(at):
    return [name for name, _ in at.get(ROOT).getheaders() if name.lower() == "etag"]


@sees
def ignores_query_parameters(at):
    members = at.get(SYSTEMS + "?$expand=.").dict["Members"]
    return "Name" in members[0]


@sees
def ignores_unknown_parameters(at):
    members = at.get(SYSTEMS + "?$expand=.").dict["Members"]
    return ["Name" in members[0], at.get(SYSTEMS + "?$nonsense=1").status]


# Bodies of answers.

@sees
def truncated_json(at):
    return several(30, lambda: at.get(ROOT).dict["Id"])


@sees
def html_error_page(at):
    def look():
        answer = at.get(ROOT)
        answer.getheader("content-type").index("json")
        return answer.dict["Id"]
    return several(30, look)


@sees
def plain_errors(at):
    answer = at.get(SYSTEMS + "/none")
    return [answer.status, outcome(lambda: "error" in answer.dict)]


@sees
def success_as_error(at):
    answer = at.send("patch", at.system(), {"AssetTag": "a"})
    renamed = at.get(at.system()).dict["AssetTag"]
    return [answer.status, "error" in answer.dict, renamed]


@sees
def members_null(at):
    return outcome(lambda: len(at.basically().get_system_collection().get_members()))


@sees
def wrong_count(at):
    systems = at.get(SYSTEMS).dict
    return systems["Members@odata.count"] - len(systems["Members"])


def manager(at):
    managers = at.get("/redfish/v1/Managers").dict["Members"]
    return at.get(managers[0]["@odata.id"]).dict


@sees
def zero_dates(at):
    return manager(at)["DateTime"][:5]


@sees
def dates_without_offset(at):
    return re.search(r"(Z|[+-]\d\d:\d\d)$", manager(at)["DateTime"]) is not None


@sees
def empty_uuid(at):
    return len(at.basically().get_system(at.system()).uuid)


@sees
def object_for_empty_list(at):
    return type(at.get(SESSIONS).dict["Members"]).__name__


@sees
def without_required_properties(at):
    return outcome(lambda: len(at.basically().get_chassis_collection().get_members()))


@sees
def duplicate_keys(at):
    names = []
    json.loads(at.get(ROOT).text, object_pairs_hook=lambda pairs: names.append([n for n, _ in pairs]))
    return len(names[-1]) - len(set(names[-1]))


@sees
def byte_order_mark(at):
    return outcome(lambda: at.get(ROOT).dict["Id"])


# Connections.

def anew(at, timeout=5):
    return several(3, lambda: at.get(ROOT, at.new(timeout)).status)


@sees
def cut_off(at):
    return several(30, lambda: at.get(ROOT).status)


@sees
def drops_connections(at):
    return several(30, lambda: at.get(ROOT).status)


@sees
def resets_connections(at):
    return anew(at)


@sees
def silent_connections(at):
    return anew(at, timeout=1)


@sees
def tls_stalls(at):
    return anew(at, timeout=1)


def certificate(at):
    try:
        return at.get(ROOT).status
    except Exception as error:
        text = repr(error.__cause__)
        wrongs = ["certificate has expired", "certificate is not yet valid", "is not valid for", "unable to get local issuer"]
        return [wrong for wrong in wrongs if wrong in text] or text


@sees
def certificate_expired(at):
    return certificate(at)


@sees
def certificate_not_yet_valid(at):
    return certificate(at)


@sees
def certificate_of_another_name(at):
    return certificate(at)


@sees
def certificate_of_unknown_issuer(at):
    return certificate(at)


@sees
def closes_after_each_answer(at):
    return at.get(ROOT).getheader("connection")


def http_1_0(at):
    answer = at.get(ROOT)
    return [answer._http_response.raw.version, answer.getheader("content-length") is not None, answer.status]


LOOKS["http-1.0"] = http_1_0


@sees
def chunks_too_short(at):
    return several(30, lambda: at.get(ROOT).status)


@sees
def length_too_short(at):
    return several(30, lambda: at.get(ROOT).dict["Id"])


for line in sys.stdin:
    job = json.loads(line)
    look = LOOKS[job["preset"]]
    try:
        print(json.dumps({"seen": look(At(job))}), flush=True)
    except Exception as error:
        print(json.dumps({"seen": {"raised": repr(error)}}), flush=True)
