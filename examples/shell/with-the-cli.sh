#!/bin/sh
# The same with the command line `hawkfish`, for the machine that is named, or else the first.
#
#   HAWKFISH_URL=https://127.0.0.1:8443 HAWKFISH_USERNAME=admin HAWKFISH_PASSWORD=... [HAWKFISH_CA=cert.pem] with-the-cli.sh IMAGE [MACHINE]

set -eu
[ $# -ge 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
image=$1
machine=${2:-$(hawkfish --output json systems ls | jq --raw-output '.[0].Id')}

show() { hawkfish --output json systems show "$machine" | jq --raw-output "$1"; }

if [ "$(show .PowerState)" != Off ]; then
    hawkfish systems power "$machine" ForceOff
    until [ "$(show .PowerState)" = Off ]; do sleep 1; done
fi
if hawkfish --output json systems media ls "$machine" | jq --exit-status '.[] | select(.Id == "Cd") | .Inserted' >/dev/null; then
    hawkfish systems media eject "$machine" --slot Cd
fi
hawkfish systems media insert "$machine" "$image" --slot Cd
hawkfish systems boot "$machine" --target Cd --once
hawkfish systems power "$machine" On
until [ "$(show .PowerState)" = On ]; do sleep 1; done
hawkfish systems show "$machine"
