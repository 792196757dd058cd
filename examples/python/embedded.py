"""Serves HawkFish in this process, and shows what it tells while its machines are started.

    python embedded.py FOLDER

Everything is kept in FOLDER: the second run finds the machines on and says so. Ctrl-C ends it at any time, and nothing that was acknowledged is lost.
"""

import sys

import hawkfish

PASSWORD = "choose-your-own-1"


def main(folder: str) -> None:
    with hawkfish.serve(data=folder, password=PASSWORD, systems=2, tls=False) as server, server.client() as client:
        print(server.url, *server.machines)
        for system in client.resources("/redfish/v1/Systems"):
            if system["PowerState"] != "Off":
                print(system["Name"], "is", system["PowerState"])
                continue
            with client.events(origins=[system["@odata.id"]]) as events:
                client.action(system, "ComputerSystem.Reset", ResetType="On")
                for event in events:
                    for record in event.records:
                        print(system["Name"], "tells", record["MessageId"])
                    if client.get(system["@odata.id"])["PowerState"] == "On":
                        break


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
