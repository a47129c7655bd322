//! The examples of `docs/text_files.md`.

use std::path::Path;

use tessera_expr::forms::{
    Moment, is_null, read_bool, read_date, read_epoch, read_float, read_integer, read_moment,
    read_money, trimmed,
};
use tessera_expr::temporal::{format_date, format_timestamp};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::ColumnForm;

/// The column of a pipeline file whose type and settings are these.
fn form(ty: &str, settings: &str) -> ColumnForm {
    let column = match settings {
        "" => format!("{{ type = \"{ty}\" }}"),
        settings => format!("{{ type = \"{ty}\", {settings} }}"),
    };
    let source = format!(
        "[sources.orders]\nkind = \"attributes\"\npath = \"p\"\nkey = \"k\"\n[sources.orders.contract]\nmissing_key = \"drop\"\ncolumns = {{ c = {column} }}"
    );
    let pipeline = pipeline(&source);
    pipeline.sources[0].contract.columns[0].form.clone()
}

/// A pipeline with this source.
fn pipeline(source: &str) -> Pipeline {
    let text = format!(
        "spec_version = 1\nname = \"p\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"s\"\n[customer]\nkey = \"k\"\n{source}\n"
    );
    let (pipeline, found) =
        tessera_spec::parse(&text, "p.toml", &[], &tessera_spec::Syntax::default());
    pipeline.unwrap_or_else(|| panic!("{}", found.render(false)))
}

#[test]
fn the_settings_are_those_of_the_pipeline_file() {
    let document = document();
    let block = document.split("```toml\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let head = "[sources.orders]\nkind = \"events\"\npath = \"p\"\nkey = \"customer_id\"\ntime = \"ordered_at\"\n";
    let pipeline = pipeline(&format!("{head}{block}"));
    assert_eq!(pipeline.sources[0].contract.columns.len(), 6);
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/text_files.md");
    std::fs::read_to_string(path).unwrap()
}

fn value(text: &str, ty: &str, form: &ColumnForm) -> String {
    let text = trimmed(text);
    if is_null(text, form) {
        return "missing".to_owned();
    }
    let shown = match ty {
        "i64" => read_integer(text, form).map(|n| n.to_string()),
        "f64" => read_float(text, form).map(|x| x.to_string()),
        "money" => read_money(text, form).map(|x| x.to_string()),
        "bool" => read_bool(text).map(|b| b.to_string()),
        "date" => read_date(text, form).and_then(format_date),
        "timestamp" => match form.epoch {
            Some(unit) => read_epoch(text, unit).map(Moment::Instant),
            None => read_moment(text, form),
        }
        .map(|moment| match moment {
            Moment::Day(micros) | Moment::Local(micros) => format_timestamp(micros).unwrap(),
            Moment::Instant(micros) => format!("{} UTC", format_timestamp(micros).unwrap()),
        }),
        other => panic!("{other}"),
    };
    shown.unwrap_or_else(|| "broken".to_owned())
}

#[test]
fn every_example_is_true() {
    let document = document();
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with("| text | type"));
    let mut examples = 0;
    for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [text, ty, settings, expected] = cells.as_slice() else {
            panic!("{row}");
        };
        let form = form(ty, settings.trim_matches('`'));
        assert_eq!(value(text.trim_matches('`'), ty, &form), *expected, "{row}");
        examples += 1;
    }
    assert!(examples > 25);
}
