"""What each client read against the truth; the table of docs/clients.md."""
import json
import os
import sys

LARGEST_AFFINE = 2e-4   # mm: float32 quaternions over a field of 100 mm
LARGEST_LANDMARK = 2e-3  # mm

# What is known to differ, and why; anything else is a failure.
KNOWN = {
    ("ITK (@itk-wasm/image-io)", "sheared"): "refuses sheared axes",
    ("*", "none"): "no position in the header: every program has its own rule",
}


def affine_of(row):
    if "affine" in row:
        return row["affine"]
    if "transform" not in row:
        return None
    return [[row["transform"][r][c] * row["spacing"][c] for c in range(3)] + [row["transform"][r][3]] for r in range(3)]


def apply(affine, at):
    return [sum(affine[r][c] * x for c, x in enumerate(list(at) + [1])) for r in range(3)]


def corners(affine, shape):
    return [apply(affine, [(shape[d] - 1 if corner >> d & 1 else 0) for d in range(3)]) for corner in range(8)]


def distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b)) ** 0.5


def farthest_corner(truth, row, affine):
    """The largest distance of a corner of the grid. MRtrix3 turns axes around as it reads: then the nearest corner counts."""
    ours, theirs = corners(truth["affine"], truth["shape"]), corners(affine, row["shape"])
    if "affine" in row:
        return max(distance(a, b) for a, b in zip(ours, theirs))
    return max(min(distance(a, b) for b in theirs) for a in ours)


def complaints(truth, row):
    if "refused" in row:
        return ["refused"]
    affine, found = affine_of(row), []
    if affine is None:
        return found
    turned = "affine" not in row
    if (sorted(row["shape"]) != sorted(truth["shape"])) if turned else (row["shape"] != truth["shape"]):
        return ["shape %s instead of %s" % (row["shape"], truth["shape"])]
    off = farthest_corner(truth, row, affine)
    if not off <= LARGEST_AFFINE:
        found.append("affine %.3g mm off" % off)
    if row["sum"] != truth["sum"]:
        found.append("sum %s instead of %s" % (row["sum"], truth["sum"]))
    landmark = apply(affine, row["landmark_index"]) if turned else row["landmark_mm"]
    off = max(abs(a - b) for a, b in zip(landmark, truth["landmark_mm"]))
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
        lines = [json.loads(line) for line in open(os.path.join(sys.argv[2], name)) if line.startswith("{")]
        client, version, agree, differ, seen = lines[0]["client"], lines[0]["version"], 0, {}, set()
        for row in lines[1:]:
            truth = truths[row["file"]]
            seen.add(row["file"])
            found = complaints(truth, row)
            why = known(client, truth)
            if not found:
                agree += 1
            elif why:
                differ.setdefault(why, []).append(row["file"])
            else:
                failed += 1
                print("FAILED: %s, %s: %s" % (client, row["file"], "; ".join(found)))
        for file in sorted(set(truths) - seen):
            failed += 1
            print("FAILED: %s said nothing of %s" % (client, file))
        notes = "; ".join("%s (%d)" % (why, len(files)) for why, files in differ.items()) or "-"
        rows.append("| %s | %s | %d of %d | %s |" % (client, version, agree, len(truths), notes))
    table = "\n".join(["| client | version | files that agree | known differences |", "|---|---|---|---|"] + rows)
    print(table)
    if len(sys.argv) > 3:
        open(sys.argv[3], "w").write(table + "\n")
    sys.exit(1 if failed else 0)


main()
