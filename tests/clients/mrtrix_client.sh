#!/bin/sh
# MRtrix3: mrinfo for the grid, mrstats for the sum, mrcentroid for the middle of what is 1, in
# voxels: in millimetres it leaves out the spacing (3.0.3).
set -eu
folder=$(dirname "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
version=$(mrinfo -version | sed -n 's/^== mrinfo \([^ ]*\) ==.*/\1/p' | head -1)
echo "{\"client\": \"MRtrix3 mrinfo\", \"version\": \"$version\"}"
list() { tr -s ' \t' ',,' | sed 's/^,//; s/,$//'; }
grep -o '"file": "[^"]*"' "$1" | cut -d'"' -f4 | while read -r file; do
    path=$folder/$file
    shape=$(mrinfo -quiet -size "$path" | list)
    spacing=$(mrinfo -quiet -spacing "$path" | list)
    rows=$(mrinfo -quiet -transform "$path" | head -3 | list | sed 's/.*/[&]/' | paste -sd, -)
    # sum = mean x count; the count is of all voxels
    sum=$(mrstats -quiet -output mean -output count "$path" | awk '{printf "%.0f", $1 * $2}')
    mrcalc -quiet -force "$path" 1 -eq "$scratch/one.mif"
    middle=$(mrcentroid -quiet -voxelspace "$scratch/one.mif" | tr '\n' ' ' | list)
    echo "{\"file\": \"$file\", \"shape\": [$shape], \"spacing\": [$spacing], \"transform\": [$rows], \"sum\": $sum, \"landmark_index\": [$middle]}"
done
