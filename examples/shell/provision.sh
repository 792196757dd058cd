#!/bin/sh
# Boots machines once from an image, one after the other, and says of each what came of it. Goes on where one cannot be, and fails at the end.
#
#   HAWKFISH_URL=... HAWKFISH_USERNAME=admin HAWKFISH_PASSWORD=... [HAWKFISH_CA=cert.pem] provision.sh IMAGE MACHINE...

set -eu
[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
image=$1
shift

provision() {
    hawkfish systems power "$1" off --force --if-needed &&
        hawkfish systems wait "$1" --power Off --within 60 &&
        { hawkfish systems media eject "$1" || [ $? = 4 ]; } && # 4: there was nothing in it
        hawkfish systems media insert "$1" "$image" &&
        hawkfish systems boot "$1" --target Cd --once &&
        hawkfish systems power "$1" on &&
        hawkfish systems wait "$1" --power On --within 60
}

failed=0
for machine in "$@"; do
    # The words of the commands go to standard error, so that the results can be read by another program.
    if provision "$machine" >&2; then
        echo "$machine: boots from $image"
    else
        case $? in
        2) echo "$machine: asked in a wrong way" ;;
        3) echo "$machine: not allowed" ;;
        4) echo "$machine: there is no such machine, or no drive for the image" ;;
        5) echo "$machine: somebody else is at it" ;;
        6) echo "$machine: the service cannot be reached" ;;
        *) echo "$machine: failed" ;;
        esac
        failed=1
    fi
done
exit $failed
