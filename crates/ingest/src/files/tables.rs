//! The tables of a lake of which nothing is known yet, by the names of its folders and files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::names::{is_silent, is_underscore, named};
use super::walk::TableFormat;

/// What a lake holds by the names of its folders and files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Its tables.
    pub tables: Vec<TableFiles>,
    /// Files within the lake whose names state no format, beside those that no tool reads as data.
    pub others: Vec<String>,
}

/// Folders below each other in which tables are looked for.
const MOST_DEPTH: usize = 6;

/// Files that one source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFiles {
    /// A name for the source: small letters, digits and `_`.
    pub name: String,
    /// Its path within the lake, a pattern where it is a part of a folder; empty where it is the whole lake.
    pub path: String,
}

impl TableFiles {
    /// A folder within the lake as one table.
    pub fn in_folder(path: &str) -> Self {
        table(path.rsplit('/').next().unwrap_or(path), path)
    }
}

/// The tables below a folder, by path. A folder is one table where it is partitioned, has the log of a table format, or holds files of
/// one name that differ in numbers; otherwise each name is a table. A path that is no folder is a table.
///
/// # Errors
/// Those of the operating system.
pub fn tables(lake: &Path) -> io::Result<Tables> {
    let own = lake
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned());
    let own = own.unwrap_or_default();
    let mut found = Tables::default();
    if lake.is_dir() {
        visit(lake, "", &own, 0, &mut found)?;
    } else {
        // The whole path; a pattern is judged where it is read.
        std::fs::metadata(lake).map(drop).or_else(|error| {
            let text = lake.to_string_lossy();
            super::pattern::is_pattern(&text).then_some(()).ok_or(error)
        })?;
        found.tables.push(table(&own, ""));
    }
    without_common_word(&mut found.tables);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for table in &mut found.tables {
        let count = taken.entry(table.name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            table.name = format!("{}_{count}", table.name);
        }
    }
    Ok(found)
}

/// Fewest tables whose common first word says nothing of any.
const LEAST_ALIKE: usize = 3;

/// Takes the first word off the names of tables where all of them begin with it, as the files of an export do.
fn without_common_word(tables: &mut [TableFiles]) {
    let word = |table: &TableFiles| table.name.split_once('_').map(|(word, _)| word.to_owned());
    let Some(first) = tables.first().and_then(word) else {
        return;
    };
    if tables.len() < LEAST_ALIKE
        || tables
            .iter()
            .any(|table| word(table).as_ref() != Some(&first))
    {
        return;
    }
    for known in tables {
        *known = table(&known.name[first.len()..], &known.path);
    }
}

fn visit(
    folder: &Path,
    within: &str,
    name: &str,
    depth: usize,
    found: &mut Tables,
) -> io::Result<()> {
    if TableFormat::of(folder).is_some() {
        found.tables.push(table(name, within));
        return Ok(());
    }
    let (files, folders, others) = entries(folder)?;
    if folders.iter().any(|name| is_partition(name)) {
        found.tables.push(table(name, within));
        return Ok(());
    }
    let mut groups: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for file in files {
        groups.entry(group_of(&file)).or_default().push(file);
    }
    found
        .others
        .extend(others.iter().map(|file| joined(within, file)));
    let is_alone = groups.len() == 1 && folders.is_empty();
    let whole = is_alone && (!within.is_empty() || groups.values().any(|files| files.len() > 1));
    for ((stem, _), files) in &groups {
        let said = match (whole && !within.is_empty()) || stem.is_empty() {
            true => name,
            false => stem,
        };
        let path = match whole {
            true => within.to_owned(),
            false => joined(within, &pattern(files, &groups)),
        };
        found.tables.push(table(said, &path));
    }
    if depth < MOST_DEPTH {
        for inner in folders {
            let path = joined(within, &inner);
            visit(&folder.join(&inner), &path, &inner, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Names of data files, of folders, and of other files, in alphabetical order.
fn entries(folder: &Path) -> io::Result<(Vec<String>, Vec<String>, Vec<String>)> {
    let (mut files, mut folders, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.path().is_dir();
        if is_silent(&name) || is_underscore(&name) {
            continue;
        }
        if is_folder {
            folders.push(name);
        } else if named(&name).format.is_some() {
            files.push(name);
        } else {
            others.push(name);
        }
    }
    for names in [&mut files, &mut folders, &mut others] {
        names.sort();
    }
    Ok((files, folders, others))
}

/// `name=value`, or a number or date such as `2026` and `2026-10`.
fn is_partition(folder: &str) -> bool {
    let digits = folder.bytes().filter(u8::is_ascii_digit).count();
    let others = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    folder.contains('=') || digits > 0 && folder.bytes().all(others)
}

/// What files of one table have in common: the words of the name before the first with a digit in it, or those behind; and the ending.
fn group_of(file: &str) -> (String, String) {
    let (stem, ending) = file.split_once('.').unwrap_or((file, ""));
    let words: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
    let words = || words.iter().copied().filter(|word| !word.is_empty());
    let has_digit = |word: &&str| word.bytes().any(|byte| byte.is_ascii_digit());
    let before: Vec<&str> = words().take_while(|word| !has_digit(word)).collect();
    let of = match before.is_empty() {
        true => words().filter(|word| !has_digit(word)).collect(),
        false => before,
    };
    // The ending of `part-0.c000.snappy.parquet` is that of its format.
    let ending = ending.rsplit('.').next().unwrap_or(ending);
    (of.join("_").to_lowercase(), ending.to_lowercase())
}

/// A file's name, or a pattern for several that no file of another group matches.
fn pattern(files: &[String], groups: &BTreeMap<(String, String), Vec<String>>) -> String {
    let [first, .., last] = files else {
        return files
            .first()
            .map_or_else(String::new, |file| glob::Pattern::escape(file));
    };
    let alike = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| -> String {
        a.zip(b)
            .take_while(|(x, y)| x == y)
            .map(|(x, _)| x)
            .collect()
    };
    let begin = alike(&mut first.chars(), &mut last.chars());
    let begin = begin.trim_end_matches(|c: char| c.is_ascii_digit());
    let ends = files
        .iter()
        .map(|file| file.chars().rev().collect::<String>());
    let end = ends.reduce(|a, b| alike(&mut a.chars(), &mut b.chars()));
    let end: String = end.unwrap_or_default().chars().rev().collect();
    let end = end.get(end.find('.').unwrap_or(0)..).unwrap_or_default();
    let written = |between: &str| {
        let escaped = glob::Pattern::escape;
        format!("{}{between}{}", escaped(begin), escaped(end))
    };
    let takes_others = |text: &str| {
        let Ok(pattern) = glob::Pattern::new(text) else {
            return false;
        };
        let mut others = groups.values().filter(|other| *other != files).flatten();
        others.any(|other| pattern.matches(other))
    };
    let plain = written("*");
    match takes_others(&plain) {
        true => written("[0-9]*"),
        false => plain,
    }
}

fn joined(within: &str, name: &str) -> String {
    match within.is_empty() {
        true => name.to_owned(),
        false => format!("{within}/{name}"),
    }
}

fn table(name: &str, path: &str) -> TableFiles {
    let letters = name.to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let plain: String = letters.chars().map(plain).collect();
    let plain = plain.trim_matches('_');
    let name = match plain.chars().next() {
        None => "lake".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("t_{plain}"),
        Some(_) => plain.to_owned(),
    };
    TableFiles {
        name,
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_names_say_what_the_tables_are() {
        let lake = tempfile::tempdir().unwrap();
        for file in [
            "orders/month=2026-01/part-0.parquet",
            "orders/month=2026-02/part-0.parquet",
            "clicks/2026/01/a.parquet",
            "accounts/accounts.parquet",
            "accounts/_SUCCESS",
            "crm/contacts.csv",
            "crm/visits_2025.csv",
            "crm/visits_2026.csv",
            "crm/visits_items_2026.csv",
            "crm/notes.txt",
            "delta/_delta_log/00000000000000000000.json",
            "delta/part-0.parquet",
            "surveys.ndjson",
            ".hidden/x.parquet",
        ] {
            let path = lake.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = tables(lake.path()).unwrap();
        assert_eq!(found.others, ["crm/notes.txt"]);
        let mut found: Vec<(&str, &str)> = found
            .tables
            .iter()
            .map(|table| (table.name.as_str(), table.path.as_str()))
            .collect();
        found.sort_unstable();
        let expected = [
            ("accounts", "accounts"),
            ("clicks", "clicks"),
            ("contacts", "crm/contacts.csv"),
            ("delta", "delta"),
            ("orders", "orders"),
            ("surveys", "surveys.ndjson"),
            ("visits", "crm/visits_[0-9]*.csv"),
            ("visits_items", "crm/visits_items_2026.csv"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_word_before_every_name_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let found = tables(folder.path()).unwrap().tables;
            found
                .into_iter()
                .map(|table| table.name)
                .collect::<Vec<_>>()
        };
        for file in ["shop_orders.csv", "shop_accounts.csv"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(names(), ["shop_accounts", "shop_orders"]);
        std::fs::write(folder.path().join("shop_web_visits.csv"), "").unwrap();
        assert_eq!(names(), ["accounts", "orders", "web_visits"]);
        std::fs::write(folder.path().join("tickets.csv"), "").unwrap();
        assert_eq!(
            names(),
            ["shop_accounts", "shop_orders", "shop_web_visits", "tickets"]
        );
    }

    #[test]
    fn a_folder_of_one_table_is_the_lake() {
        for (files, expected) in [
            (
                &["month=2026-01/a.parquet", "month=2026-02/a.parquet"][..],
                ("shop", ""),
            ),
            (&["2026-01.csv", "2026-02.csv"], ("shop", "")),
            (&["sales.csv"], ("sales", "sales.csv")),
            (&["part-0000.parquet", "part-0001.parquet"], ("part", "")),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let lake = folder.path().join("shop");
            for file in files {
                let path = lake.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            let found = tables(&lake).unwrap();
            let found: Vec<(&str, &str)> = found
                .tables
                .iter()
                .map(|table| (table.name.as_str(), table.path.as_str()))
                .collect();
            assert_eq!(found, [expected], "{files:?}");
        }
        assert!(tables(Path::new("/none/such")).is_err());
    }
}
