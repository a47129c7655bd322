# Each recipe is a thin wrapper of a plain command.

# Formatting, lints, documentation.
check:
    cargo fmt --all --check
    cargo clippy --release --workspace -- -D warnings
    cargo clippy --release --workspace --all-targets -- -D warnings -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# All tests.
test:
    cargo test --release --workspace

# The tests over generated cases, with cases that no run has seen.
fuzz SEED=`date +%s`:
    PROPTEST_RNG_SEED={{SEED}} cargo test --release --workspace

# Accept changed snapshots and regenerate the JSON Schema.
bless:
    INSTA_UPDATE=always cargo test --release --workspace --no-fail-fast
    cargo run --release -p tessera-cli -- schema > schema/pipeline.schema.json

# The demo lake, its pipeline, its report.
demo:
    cargo run --release -p tessera-cli -- demo

# The program as it is handed out: thin LTO, one codegen unit, without symbols; in target/dist.
dist:
    cargo build --profile dist -p tessera-cli

# Beside polars and DuckDB from Python on 20 million orders; needs python3. Lake and environment go to the folder named.
bench DIR="target/bench":
    benches/run.sh {{DIR}}

# Buy-till-you-die models on one to ten million simulated customers, beside `lifetimes`; needs python3.
bench-btyd DIR="target/bench-btyd":
    benches/btyd.sh {{DIR}}

# A year of nights of 20,000 customers: what each command costs as versions add up; needs python3 with pyarrow.
bench-nights DIR="/dev/shm/tessera-nights":
    cargo build --release -p tessera-cli
    python3 benches/nights.py target/release/tessera {{DIR}}

# The documentation in a browser.
docs:
    cargo doc --release --workspace --no-deps --open
