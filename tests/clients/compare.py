"""What each client read against the truth; the table of docs/clients.md."""
import json
import os
import sys

LARGEST_AFFINE = 2e-4   # mm: float32 quaternions over a field of 100 mm
LARGEST_LANDMARK = 2e-3  # mm

# What is known to differ, and why; anything else is a failure.
KNOWN = {
    ("ITK (@itk-wasm/image-io)", "sheared"): "refuses sheared axes",
    ("MRtrix3 mrinfo", "sheared"): "straightens sheared axes",
    ("*", "none"): "no position in the header: every program has its own rule",
}


def affine_of(row):
    if "affine" in row:
        return row["affine"]
    if "transform" not in row:
        return None
    return [[row["transform"][r][c] * row["spacing"][c] for c in range(3)] + [row["transform"][r][3]] for r in range(3)]


def far_corner(a, b, shape):
    """The largest distance between where two affines put a corner of the grid."""
    most = 0.0
    for corner in range(8):
        at = [(shape[d] - 1 if corner >> d & 1 else 0) for d in range(3)] + [1]
        away = [sum((a[r][c] - b[r][c]) * at[c] for c in range(4)) for r in range(3)]
        most = max(most, sum(x * x for x in away) ** 0.5)
    return most


def same_grid(truth, row):
    """MRtrix3 turns axes around as it reads: then only the middle tells where things are."""
    return row["shape"] == truth["shape"]


def complaints(truth, row):
    if "refused" in row:
        return ["refused: " + row["refused"][:100]]
    found = []
    affine = affine_of(row)
    if affine is None:
        return found
    if sorted(row["shape"]) != sorted(truth["shape"]):
        found.append("shape %s instead of %s" % (row["shape"], truth["shape"]))
    elif "affine" in row:
        if not same_grid(truth, row):
            found.append("shape %s instead of %s" % (row["shape"], truth["shape"]))
        elif far_corner(affine, truth["affine"], truth["shape"]) > LARGEST_AFFINE:
            found.append("affine %.3g mm off" % far_corner(affine, truth["affine"], truth["shape"]))
    if row["sum"] != truth["sum"]:
        found.append("sum %s instead of %s" % (row["sum"], truth["sum"]))
    off = max(abs(a - b) for a, b in zip(row["landmark_mm"], truth["landmark_mm"]))
    if not off <= LARGEST_LANDMARK:
        found.append("landmark %.3g mm off" % off)
    return found


def known(client, truth):
    for (who, case), why in KNOWN.items():
        if who in ("*", client) and (truth["case"].startswith(case) or truth["forms"] == case):
            return why
    return None


def main():
    truths = {row["file"]: row for row in json.load(open(sys.argv[1]))}
    rows, failed = [], 0
    for name in sorted(os.listdir(sys.argv[2])):
        lines = [json.loads(line) for line in open(os.path.join(sys.argv[2], name)) if line.strip()]
        client, version, agree, differ, seen = lines[0]["client"], lines[0]["version"], 0, {}, set()
        for row in lines[1:]:
            truth = truths[row["file"]]
            seen.add(row["file"])
            found = complaints(truth, row)
            why = known(client, truth)
            if not found:
                agree += 1
            elif why:
                differ.setdefault("%s (%s)" % (why, found[0]), []).append(row["file"])
            else:
                failed += 1
                print("FAILED: %s, %s: %s" % (client, row["file"], "; ".join(found)))
        for file in sorted(set(truths) - seen):
            failed += 1
            print("FAILED: %s said nothing of %s" % (client, file))
        notes = "; ".join("%d: %s" % (len(files), why) for why, files in differ.items()) or "-"
        rows.append("| %s | %s | %d of %d | %s |" % (client, version, agree, len(truths), notes))
    table = "\n".join(["| client | version | files that agree | known differences |", "|---|---|---|---|"] + rows)
    print(table)
    if len(sys.argv) > 3:
        open(sys.argv[3], "w").write(table + "\n")
    sys.exit(1 if failed else 0)


main()
