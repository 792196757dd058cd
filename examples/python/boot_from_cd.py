"""Boots the first machine of a Redfish service once from a CD, with sushy, the client of OpenStack Ironic.

    python boot_from_cd.py https://127.0.0.1:8443 http://images.example/installer.iso

The user is admin unless HAWKFISH_USERNAME says otherwise; the password is taken from HAWKFISH_PASSWORD. HAWKFISH_CA names the certificate that the
service has, where no public authority has signed it.
"""

import os
import sys
import time

import sushy


def main(url: str, image: str) -> None:
    bmc = sushy.Sushy(
        url,
        username=os.environ.get("HAWKFISH_USERNAME", "admin"),
        password=os.environ["HAWKFISH_PASSWORD"],
        verify=os.environ.get("HAWKFISH_CA", True),
    )
    system = bmc.get_system_collection().get_members()[0]
    cd = next(slot for slot in system.virtual_media.get_members() if sushy.VirtualMediaType.CD in slot.media_types)

    if system.power_state != sushy.PowerState.OFF:
        system.reset_system(sushy.ResetType.FORCE_OFF)
        wait_until(lambda: refreshed(system).power_state == sushy.PowerState.OFF)
    if cd.inserted:
        cd.eject_media()
    cd.insert_media(image)
    # sushy takes "it goes on" for an answer, so look whether it is really in.
    wait_until(lambda: refreshed(cd).inserted)

    refreshed(system).set_system_boot_options(sushy.BootSource.CD, enabled=sushy.BootSourceOverrideEnabled.ONCE)
    system.reset_system(sushy.ResetType.ON)
    wait_until(lambda: refreshed(system).power_state == sushy.PowerState.ON)
    print(f"{system.name}: {system.power_state.value}, with {cd.image}")


def refreshed(resource):
    resource.refresh(force=True)
    return resource


def wait_until(is_so) -> None:
    while not is_so():
        time.sleep(1)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
