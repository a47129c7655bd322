#!/usr/bin/env bash
# Makes the lake of 20 million orders and a Python environment in the folder named, then runs benches/run.py: RUNS (default 5) of
# each work, or of the works named behind the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
dir="${1:-target/bench}"
peers="${PEERS:-../shared/peers}"
[ -d "$peers" ] || { echo "skipped: no $peers"; exit 0; }
mkdir -p "$dir/store"
[ -x "$dir/venv/bin/python" ] || { python3 -m venv "$dir/venv"; "$dir/venv/bin/pip" install -q duckdb polars pyarrow numpy scikit-learn chdb; }
[ -d "$dir/lake" ] || "$dir/venv/bin/python" "$peers/gen_lake.py" 1000000 20000000 "$dir/lake"
cargo build --release -p tessera-cli
"$dir/venv/bin/python" benches/run.py target/release/tessera "$peers" "$dir/lake" "$dir/store" "${RUNS:-5}" "${@:2}"
