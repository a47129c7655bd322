//! Writes a report and its summary for a made-up company of 20,000 customers, to see what they look like:
//!
//! `cargo run --release -p tessera-report --example sample_report -- report.html`

#[path = "sample_report/company.rs"]
mod company;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("where should the report be written? Give a path.")?;
    let input = company::input();
    std::fs::write(
        &path,
        tessera_report::render(&input, &tessera_report::Options::default())?,
    )?;
    println!("{}", tessera_report::summary(&input)?);
    Ok(())
}
