#!/usr/bin/env python3
"""Preprocessing by the reference (numpy) and by sat3d on the same synthetic CT, in one run.

    python3 bench/preprocessing_reference.py [BUILD_FOLDER] [--shape 512x512x300] [--spacing 0.8x0.8x1] [--runs 3]

Needs numpy, nibabel and pipeline_reference.py in ../shared/reference (or $SAT3D_SHARED/reference). Both sides start from the
voxels in memory, so reading the file is not counted: orientation, respacing, crop, clipping, normalisation.
"""
import argparse
import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import time

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SAT3D_SHARED", ROOT.parent / "shared"))
sys.path.insert(0, str(SHARED / "reference"))


def triple(text, kind):
    return tuple(kind(part) for part in text.split("x"))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("build", nargs="?", default=str(ROOT / "build"))
    options.add_argument("--shape", default="512x512x300")
    options.add_argument("--spacing", default="0.8x0.8x1")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    chosen = options.parse_args()
    try:
        import numpy as np
        import pipeline_reference as reference
    except ImportError as missing:
        print("skipped: %s (needs numpy, nibabel and %s)" % (missing, SHARED / "reference"))
        return 77
    shape, spacing = triple(chosen.shape, int), triple(chosen.spacing, float)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "scan.raw"
        command = [str(Path(chosen.build) / "bench_pipeline"), "--prompts", "0", "--shape", chosen.shape, "--spacing", chosen.spacing,
                   "--runs", str(chosen.runs), "--threads", str(chosen.threads)]
        subprocess.run(command + ["--raw", str(raw)], check=True, capture_output=True)
        stored = np.fromfile(raw, dtype="<i2").reshape(shape, order="F")
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = (200, 180, -700)

    seconds = []
    ours, theirs = [], []
    for _ in range(chosen.runs):  # alternated, so that the machine's load falls on both
        start = time.perf_counter()
        volume, oriented_affine = reference.orient(stored.astype(np.float32), affine, *reference.orientation_plan(affine))
        spaced, _, _, _ = reference.respace(volume, oriented_affine)
        box = reference.foreground_box(spaced)
        cropped = spaced[tuple(slice(a, b) for a, b in box)]
        normal, statistics = reference.normalise(cropped, "ct")
        theirs.append(time.perf_counter() - start)
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ours.append(float(re.search(r"in ([0-9.]+) s", text).group(1)))
        seconds.append(theirs[-1] / ours[-1])
    found = [float(x) for x in re.search(r"clip (\S+) (\S+) mean (\S+) std (\S+)", text).groups()]
    wanted = [statistics[key] for key in ("clip_low", "clip_high", "mean", "std")]
    shape_found = re.search(r"-> (\d+) x (\d+) x (\d+) in", text).groups()
    print("reference: %.2f s, sat3d: %.3f s (%d threads), medians of %d alternated runs" %
          (sorted(theirs)[chosen.runs // 2], sorted(ours)[chosen.runs // 2], chosen.threads, chosen.runs))
    print("times faster: %.1f" % sorted(seconds)[chosen.runs // 2])
    same = tuple(int(n) for n in shape_found) == normal.shape and all(abs(a - b) <= 1e-6 * max(abs(b), 1e-3) for a, b in zip(found, wanted))
    print("same shape and statistics: %s" % ("yes" if same else "NO: %s %s, expected %s %s" % (shape_found, found, normal.shape, wanted)))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
