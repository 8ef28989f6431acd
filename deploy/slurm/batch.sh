#!/usr/bin/env bash
# A task of a Slurm array: answers one part of a batch, and goes on where a task before it was lost. submit.sh sends it.
# VL2_IN, VL2_PARTS and VL2_FOLDER come from there; its arguments are options of vl2 batch.
#SBATCH --job-name=vl2-batch
#SBATCH --requeue
#SBATCH --open-mode=append
# Sixty seconds before its time is over, it is told to end, and goes on in another task.
#SBATCH --signal=B:TERM@60
set -uo pipefail

part=$SLURM_ARRAY_TASK_ID
child='' told=''
trap 'told=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM

for try in {1..60}; do
  vl2 batch "$VL2_IN" -o "$VL2_FOLDER/$part.jsonl" --resume --shard "$part/$VL2_PARTS" "$@" &
  child=$!
  wait "$child"
  status=$?
  # A signal ends the first wait; the second one is for the program.
  if [ -n "$told" ]; then
    wait "$child" 2>/dev/null
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
  fi
  # 75: on the node that was lost, or what shared folders still believe of it, somebody writes the part. That passes.
  if [ "$status" -ne 75 ] || [ "$try" -eq 60 ]; then break; fi
  sleep 10
done
# 65: some lines have errors in place of answers, which are answers to those lines; or the model is bad, and then the part is
# not whole, which submit.sh and parts.sh see.
[ "$status" -ne 65 ] || status=0
exit "$status"
