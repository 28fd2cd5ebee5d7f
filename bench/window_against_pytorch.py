#!/usr/bin/env python3
"""One Nano window: sat3d against PyTorch, by turns, in one run.

    python3 bench/window_against_pytorch.py [--reference ../shared/reference] [--sat3d build/sat3d]
            [--window 288x288x96] [--prompts 4] [--threads 2] [--rounds 1] [--peers f32,f32_channels_last,bf16_autocast]

The peer is the reference network with the same deterministic weights, run by Debian's PyTorch (python3-torch) as a
user would: float32, float32 in channels-last memory, bfloat16 autocast. Each run is a process of its own, so that its
peak of resident memory is its own too. Prints seconds, peaks and ratios; --json for programs.
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

PEERS = ("f32", "f32_channels_last", "bf16_autocast")


def run_peer(arguments):
    """In a child process: one window, timed; the weights and the input are made before the clock starts."""
    sys.path.insert(0, str(arguments.reference))
    import torch
    import sat_reference as sat
    torch.set_num_threads(arguments.threads)
    crop = tuple(int(n) for n in arguments.window.split("x"))
    model = sat.build("nano", crop=crop)
    image = sat.input_image(1, crop).contiguous()
    queries = sat.input_queries(1, arguments.prompts, 768)
    if arguments.peer == "f32_channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
        image = image.to(memory_format=torch.channels_last_3d)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=arguments.peer == "bf16_autocast"):
        begin = time.perf_counter()
        total = float(torch.sigmoid(model(image, queries)[0].float()).mean())
        seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                      "threads": torch.get_num_threads(), "mean_probability": total, "torch": torch.__version__}))


def child(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def ours(arguments, dtype):
    result = child([arguments.sat3d, "bench", "--variant", "nano", "--window", arguments.window, "--prompts",
                    str(arguments.prompts), "--dtype", dtype, "--threads", str(arguments.threads), "--repeats", "3", "--json"])
    return {"seconds": result["seconds_per_window"], "peak_bytes": result["peak_bytes"],
            "share_of_peak": result["share_of_measured_peak"]}


def peer(arguments, name):
    return child([sys.executable, __file__, "--reference", str(arguments.reference), "--window", arguments.window, "--prompts",
                  str(arguments.prompts), "--threads", str(arguments.threads), "--peer", name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--reference", type=pathlib.Path, default=here.parent / "shared" / "reference")
    parser.add_argument("--sat3d", default=str(here / "build" / "sat3d"))
    parser.add_argument("--window", default="288x288x96")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.peer:
        run_peer(arguments)
        return
    results = {}
    for _ in range(arguments.rounds):
        for dtype in ("bf16", "f32"):
            results.setdefault(f"sat3d {dtype}", []).append(ours(arguments, dtype))
        for name in arguments.peers.split(","):
            results.setdefault(f"PyTorch {name}", []).append(peer(arguments, name))
    medians = {name: statistics.median(r["seconds"] for r in runs) for name, runs in results.items()}
    if arguments.json:
        print(json.dumps({"runs": results, "median_seconds": medians}, indent=1))
        return
    print(f"Nano, one window of {arguments.window}, {arguments.prompts} prompts, {arguments.threads} threads")
    for name, seconds in medians.items():
        peak = max(r["peak_bytes"] for r in results[name]) / 1e9
        ratios = "".join(f"  {medians[peer_name] / seconds:5.1f}x {peer_name}" for peer_name in medians
                         if name.startswith("sat3d") and peer_name.startswith("PyTorch"))
        print(f"{name:28s} {seconds:8.2f} s  {peak:6.2f} GB{ratios}")


if __name__ == "__main__":
    main()
