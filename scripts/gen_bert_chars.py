#!/usr/bin/env python3
"""Writes src/text/bert_chars_table.c from bert_chars.tsv.

    python3 scripts/gen_bert_chars.py ../shared/vocab/bert_chars.tsv > src/text/bert_chars_table.c

The .tsv states what the normaliser of uncased BERT and MPNet does with each Unicode character. It was measured, by
putting every character through the tokenizers library (Apache License 2.0), and is not derived from a Unicode
table, with which it disagrees in places. On standard error: the checksum that tests/text/test_bert_chars.c asks for.
Needed only when the .tsv changes; neither the build nor the tests run it.
"""
import sys

KINDS = ("DROP", "SPACE", "SHIFT", "SEVERAL", "HANGUL")


def read(path):
    """(normalising ranges as [first, last, kind, value], sequences, cjk ranges, punctuation ranges)."""
    ranges, sequences, cjk, punctuation = [], [], [], []
    for line in open(path, encoding="ascii"):
        if line.startswith("#") or not line.strip():
            continue
        action, where, *rest = line.rstrip("\n").split("\t")
        first, _, last = where.partition("-")
        first, last = int(first, 16), int(last or first, 16)
        if action == "cjk":
            cjk.append((first, last))
        elif action == "punct":
            punctuation.append((first, last))
        elif action in ("drop", "space", "hangul"):
            ranges.append([first, last, action.upper(), 0])
        elif action == "shift":
            ranges.append([first, last, "SHIFT", int(rest[0])])
        elif action == "map":
            to = [int(code, 16) for code in rest[0].split()]
            if len(to) == 1:
                ranges.append([first, last, "SHIFT", to[0] - first])
            else:
                ranges.append([first, last, "SEVERAL", len(sequences)])
                sequences.append(to)
        else:
            raise SystemExit(f"{path}: unknown action {action}")
    ranges.sort()
    merged = []
    for entry in ranges:
        before = merged[-1] if merged else None
        if before and before[1] >= entry[0]:
            raise SystemExit(f"{path}: {entry[0]:04X} has two rules")
        if before and before[1] + 1 == entry[0] and before[2:] == entry[2:] and entry[2] != "SEVERAL":
            before[1] = entry[1]
        else:
            merged.append(entry)
    return merged, sequences, sorted(cjk), sorted(punctuation)


def checksum(ranges, sequences, cjk, punctuation):
    """FNV-1a over, for each character: its number, what it becomes (with the padding spaces), whether it is punctuation."""
    rule = {}
    for first, last, kind, value in ranges:
        for code in range(first, last + 1):
            rule[code] = (kind, value)
    padded = {code for first, last in cjk for code in range(first, last + 1)}
    marks = {code for first, last in punctuation for code in range(first, last + 1)}
    total = 0xCBF29CE484222325
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        kind, value = rule.get(code, ("SHIFT", 0))
        if kind == "DROP":
            out = []
        elif kind == "SPACE":
            out = [32]
        elif kind == "SHIFT":
            out = [code + value]
        elif kind == "SEVERAL":
            out = sequences[value]
        else:
            s = code - 0xAC00
            out = [0x1100 + s // 588, 0x1161 + s % 588 // 28] + ([0x11A7 + s % 28] if s % 28 else [])
        if code in padded:
            out = [32] + out + [32]
        for number in [code] + out + [int(code in marks)]:
            for byte in number.to_bytes(4, "little"):
                total = (total ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return total


def rows(cells, per_line):
    """Lines of `per_line` cells each."""
    return "".join("    " + " ".join(cells[at:at + per_line]) + "\n" for at in range(0, len(cells), per_line))


def main(path):
    ranges, sequences, cjk, punctuation = read(path)
    longest = max(len(s) for s in sequences)
    out = sys.stdout.write
    out("/* Made by scripts/gen_bert_chars.py from bert_chars.tsv; do not edit.\n"
        " * Facts measured from the BERT normaliser of the tokenizers library 0.23.2 (Hugging Face, Apache License 2.0);\n"
        " * what is in them of the Unicode Character Database is (c) Unicode, Inc., Unicode License V3. */\n"
        '#include "text/bert_chars_table.h"\n\n/* clang-format off */\n')
    out("const bert_chars_rule bert_chars_rules[] = {\n")
    out(rows([f"{{0x{f:X}, BERT_CHARS_{k}, 0x{l:X}, {v}}}," for f, l, k, v in ranges], 3))
    out("};\nconst size_t bert_chars_rule_count = sizeof bert_chars_rules / sizeof *bert_chars_rules;\n\n")
    out("const uint32_t bert_chars_sequences[][BERT_CHARS_SEQUENCE] = {\n")
    if longest != 3:
        raise SystemExit(f"{path}: a sequence does not fit bert_chars_table.h")
    out(rows(["{" + ", ".join(f"0x{c:X}" for c in s + [0] * (3 - len(s))) + "}," for s in sequences], 4))
    out("};\n\n")
    for name, table in (("cjk", cjk), ("punctuation", punctuation)):
        out(f"const bert_chars_range bert_chars_{name}[] = {{\n")
        out(rows([f"{{0x{f:X}, 0x{l:X}}}," for f, l in table], 5))
        out(f"}};\nconst size_t bert_chars_{name}_count = sizeof bert_chars_{name} / sizeof *bert_chars_{name};\n\n")
    sys.stderr.write(f"checksum 0x{checksum(ranges, sequences, cjk, punctuation):016x}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
