#!/bin/sh
# What stands in the rack, as comma-separated values: what the command line prints as JSON, put together by jq.
#
#   HAWKFISH_URL=... HAWKFISH_USERNAME=admin HAWKFISH_PASSWORD=... [HAWKFISH_CA=cert.pem] report.sh

set -eu
echo name,power,health,cpus,memory_gib,asset_tag
hawkfish --output json systems ls | jq --raw-output 'sort_by(.Name)[] | [
    .Name, .PowerState, (.Status.HealthRollup // .Status.Health), .ProcessorSummary.Count, .MemorySummary.TotalSystemMemoryGiB, .AssetTag
] | @csv'
