#!/bin/sh
# nifti_tool: are header and image sound? It has no opinion on where voxels lie.
set -eu
folder=$(dirname "$1")
version=$(nifti_tool -ver | sed -n 's/.*version \([0-9.]*\).*/\1/p')
echo "{\"client\": \"nifti_tool -check_hdr\", \"version\": \"$version\"}"
grep -o '"file": "[^"]*"' "$1" | cut -d'"' -f4 | while read -r file; do
    if said=$(nifti_tool -check_hdr -infiles "$folder/$file" 2>&1) && echo "$said" | grep -q 'IS GOOD'; then
        echo "{\"file\": \"$file\"}"
    else
        echo "{\"file\": \"$file\", \"refused\": \"$(echo "$said" | tr -d '"' | tr '\n' ' ')\"}"
    fi
done
