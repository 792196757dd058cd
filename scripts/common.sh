# shellcheck shell=bash disable=SC2034
# What the scripts share: talking, failing, and where things are kept. Sourced, never run.

HF_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# All that is downloaded or built for tests and can be made again; safe to delete at any time.
HF_CACHE=${HAWKFISH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hawkfish}

HF_ME=$(basename "$0")

# Progress goes to stderr, so that a script's stdout can be used by another program.
say() { printf '\033[1m==>\033[0m %s: %s\n' "$HF_ME" "$*" >&2; }
warn() { printf '\033[1;33mWARNING\033[0m %s: %s\n' "$HF_ME" "$*" >&2; }

# die MESSAGE [ADVICE...]: each piece of advice on a line of its own.
die() {
    printf '\033[1;31mERROR\033[0m %s: %s\n' "$HF_ME" "$1" >&2
    shift
    local line
    for line in "$@"; do printf '      %s\n' "$line" >&2; done
    exit 1
}

# A command that a script cannot do without, and the package that brings it.
need() {
    command -v "$1" >/dev/null || die "the command '$1' is missing (Debian package: $2)" \
        "install everything that the tests need with: scripts/setup --test"
}
