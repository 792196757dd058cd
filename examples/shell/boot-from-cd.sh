#!/bin/sh
# Boots the first machine of a Redfish service once from a CD, with nothing but curl and jq.
#
#   HAWKFISH_PASSWORD=... [HAWKFISH_CA=cert.pem] boot-from-cd.sh https://127.0.0.1:8443 http://images.example/installer.iso

set -eu
[ $# = 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
url=$1 image=$2

# A configuration on standard input, so that the password is not seen in the list of processes.
ask() {
    printf 'user = "%s:%s"\n' "${HAWKFISH_USERNAME:-admin}" "$HAWKFISH_PASSWORD" |
        curl --config - --silent --show-error --fail-with-body ${HAWKFISH_CA:+--cacert "$HAWKFISH_CA"} \
            --header 'Content-Type: application/json' "$@"
}
# get URI FILTER: follows the service's own links.
get() { ask "$url$1" | jq --raw-output "$2"; }

system=$(get "$(get /redfish/v1/ '.Systems."@odata.id"')" '.Members[0]."@odata.id"')
slots=$(get "$system" '.VirtualMedia."@odata.id"')
cd=$(get "$slots" '.Members[0]."@odata.id"')

reset() { ask --data "{\"ResetType\": \"$1\"}" "$url$(get "$system" '.Actions."#ComputerSystem.Reset".target')"; }

if [ "$(get "$system" .PowerState)" != Off ]; then
    reset ForceOff
    until [ "$(get "$system" .PowerState)" = Off ]; do sleep 1; done
fi
if [ "$(get "$cd" .Inserted)" = true ]; then
    ask --data '{}' "$url$(get "$cd" '.Actions."#VirtualMedia.EjectMedia".target')"
fi
ask --data "$(jq --null-input --arg image "$image" '{Image: $image}')" "$url$(get "$cd" '.Actions."#VirtualMedia.InsertMedia".target')"
# A large image may still be on its way.
until [ "$(get "$cd" .Inserted)" = true ]; do sleep 1; done
ask --request PATCH --data '{"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}}' "$url$system" >/dev/null
reset On
until [ "$(get "$system" .PowerState)" = On ]; do sleep 1; done
get "$system" '"\(.Name): \(.PowerState)"'
