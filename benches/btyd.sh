#!/usr/bin/env bash
# Buy-till-you-die models at scale. Simulates a million customers over two years in days, fits them here and with `lifetimes`
# in turn on the very same columns, then fits and scores one, three and ten million customers with intervals.
# FOLDER (first argument) keeps the columns and the Python environment; RUNS (default 3) repeats the fits; PYTHON names an
# interpreter that has numpy, pandas and lifetimes.
set -euo pipefail
cd "$(dirname "$0")/.."
dir="${1:-target/bench-btyd}"
mkdir -p "$dir"
python="${PYTHON:-$dir/venv/bin/python}"
[ -x "$python" ] || { python3 -m venv "$dir/venv"; "$dir/venv/bin/pip" install -q numpy pandas scipy lifetimes; }
cargo build --release -p tessera-model --example btyd_scale
scale="${CARGO_TARGET_DIR:-target}/release/examples/btyd_scale"
"$scale" --write "$dir/customers" --fits 1 1000000 > /dev/null
"$python" benches/btyd.py "$scale" "$dir/customers" "${RUNS:-3}"
echo "Load of the machine:$(uptime | sed 's/.*load/ load/')"
"$scale" ${SIZES:-1000000 3000000 10000000}
