//! The report through its public interface.

#[cfg(test)]
#[path = "../examples/sample_report/company.rs"]
mod company;

#[cfg(test)]
#[path = "../examples/sample_report/scores.rs"]
mod scores;

#[cfg(test)]
#[path = "report/fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "report/markup.rs"]
mod markup;

#[cfg(test)]
#[path = "report/colour_contrast.rs"]
mod colour_contrast;
#[cfg(test)]
#[path = "report/compared.rs"]
mod compared;
#[cfg(test)]
#[path = "report/determinism.rs"]
mod determinism;
#[cfg(test)]
#[path = "report/experiments.rs"]
mod experiments;
#[cfg(test)]
#[path = "report/figures.rs"]
mod figures;
#[cfg(test)]
#[path = "report/first_page.rs"]
mod first_page;
#[cfg(test)]
#[path = "report/hostile_names.rs"]
mod hostile_names;
#[cfg(test)]
#[path = "report/missing_tables.rs"]
mod missing_tables;
#[cfg(test)]
#[path = "report/own_templates.rs"]
mod own_templates;
#[cfg(test)]
#[path = "report/score_sections.rs"]
mod score_sections;
#[cfg(test)]
#[path = "report/section_html.rs"]
mod section_html;
#[cfg(test)]
#[path = "report/self_contained.rs"]
mod self_contained;
#[cfg(test)]
#[path = "report/store_version.rs"]
mod store_version;
#[cfg(test)]
#[path = "report/terminal_summary.rs"]
mod terminal_summary;
#[cfg(test)]
#[path = "report/value_shares.rs"]
mod value_shares;
