#!/usr/bin/env bash
# What people run today: every night, of each repository of a compartment, every image beyond the newest ten by the official
# command line, as the instance it runs on. Written for the comparison with ocird: the same work with none of the safety.
#
# It is kind in one thing that many such scripts are not: it leaves untagged images alone, and so the children of indexes.
# It asks nobody what runs.
set -euo pipefail

compartment=${COMPARTMENT:?the OCID of the compartment}
keep=${KEEP:-10}

container() { oci --auth instance_principal artifacts container "$@" < /dev/null; }

container repository list --compartment-id "$compartment" --all --page-size 1000 |
    jq --raw-output '.data.items[].id' |
    while read -r repository; do
        # A list may show an image once for each of its tags.
        container image list --compartment-id "$compartment" --repository-id "$repository" --is-versioned true \
            --all --page-size 1000 |
            jq --raw-output --argjson keep "$keep" \
                '.data.items | unique_by(.id) | sort_by(."time-created") | reverse | .[$keep:] | .[].id' |
            while read -r image; do
                container image delete --image-id "$image" --force
            done
    done
