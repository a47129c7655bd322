//! What a pattern asks for: names that it only happens to match are judged as those that a walk through a folder meets.

use std::path::{Path, PathBuf};

use super::names::{is_silent, is_underscore};

/// The part of a pattern that names what is found, and the rest.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The part before the first wildcard.
    pub(crate) root: PathBuf,
    /// The parts of the pattern behind it that begin with `_` or `.`: names that these match are asked for.
    marked: Vec<glob::Pattern>,
}

/// How a path is judged by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is read.
    Data,
    /// It is reported and not read.
    Underscore,
    /// It is skipped without a message.
    Silent,
}

impl Asked {
    /// What this pattern asks for.
    pub(crate) fn of(pattern: &str) -> Self {
        let root = glob_root(pattern);
        let parts = pattern
            .split('/')
            .filter(|part| part.starts_with(['_', '.']));
        Self {
            root,
            marked: parts
                .filter_map(|part| glob::Pattern::new(part).ok())
                .collect(),
        }
    }

    /// Judges a path that the pattern matches by its names behind the root.
    pub(crate) fn judge(&self, path: &Path) -> Judged {
        let plain = |path| Path::strip_prefix(path, ".").unwrap_or(path);
        let (root, path) = (plain(&self.root), plain(path));
        let mut judged = Judged::Data;
        for name in path.strip_prefix(root).unwrap_or(path).components() {
            let name = name.as_os_str().to_string_lossy();
            if is_silent(&name) && !self.marked.iter().any(|part| part.as_str() == name) {
                return Judged::Silent;
            }
            if is_underscore(&name) && !self.marked.iter().any(|part| part.matches(&name)) {
                judged = Judged::Underscore;
            }
        }
        judged
    }
}

/// A pattern with `**`.
#[derive(Debug)]
pub(crate) struct Deep {
    /// The part before the first `**`, by which folders are found.
    pub(crate) begin: String,
    /// What the path of a file or of a folder above it matches; none where that is so of all.
    whole: Option<glob::Pattern>,
    /// The pattern ends with `**`: it is a folder that matches.
    of_folders: bool,
}

impl Deep {
    /// None for a pattern without `**`.
    pub(crate) fn of(pattern: &str) -> Result<Option<Self>, glob::PatternError> {
        // As the paths that are found are written.
        let parts = pattern.split('/').enumerate();
        let parts = parts.filter(|(at, part)| *part != "." && (*at == 0 || !part.is_empty()));
        let mut parts: Vec<&str> = parts.map(|(_, part)| part).collect();
        let Some(first) = parts.iter().position(|part| *part == "**") else {
            return Ok(None);
        };
        let begin = match parts[..first].join("/") {
            begin if !begin.is_empty() => begin,
            _ if first == 0 => ".".to_owned(),
            _ => "/".to_owned(),
        };
        let of_folders = parts.last() == Some(&"**");
        while parts.last() == Some(&"**") {
            parts.pop();
        }
        let whole = match parts.is_empty() || of_folders && parts.len() == first {
            true => None,
            false => Some(glob::Pattern::new(&parts.join("/"))?),
        };
        Ok(Some(Self {
            begin,
            whole,
            of_folders,
        }))
    }

    /// Whether a file below this folder is one of the pattern.
    pub(crate) fn matches(&self, folder: &Path, file: &Path) -> bool {
        let Some(whole) = &self.whole else {
            return true;
        };
        let above = file
            .ancestors()
            .take_while(|above| above.starts_with(folder));
        above
            .skip(usize::from(self.of_folders))
            .any(|above| whole.matches_path_with(above, BY_PARTS))
    }
}

/// Whether the pattern asks for a file at this place: it, or a folder above, matches, or lies where a pattern with `**` looks for
/// tables, and no name on the way is passed over. Both are written from the root on, without links.
pub fn asks_for(pattern: &str, file: &Path) -> bool {
    if Asked::of(pattern).judge(file) != Judged::Data {
        return false;
    }
    let (begin, own) = match Deep::of(pattern) {
        Ok(Some(deep)) => (deep.begin, 1),
        Ok(None) => (pattern.to_owned(), 0),
        Err(_) => return false,
    };
    let mut matched = file.ancestors().skip(own);
    glob::Pattern::new(&begin)
        .is_ok_and(|begin| matched.any(|path| begin.matches_path_with(path, BY_PARTS)))
}

/// A wildcard stands for a part of one name.
const BY_PARTS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The same pattern with the folders before its first wildcard written in this way; none where it is no pattern.
pub fn resolved(pattern: &str, folder: impl FnOnce(&Path) -> PathBuf) -> Option<String> {
    let root = glob_root(pattern);
    let rest = Path::new(pattern).strip_prefix(&root).ok()?.to_str()?;
    let root = match root.as_os_str().is_empty() {
        true => folder(Path::new(".")),
        false => folder(&root),
    };
    let root = glob::Pattern::escape(root.to_str()?);
    is_pattern(pattern).then(|| format!("{}/{rest}", root.trim_end_matches('/')))
}

/// Whether a path is a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The folders before the first wildcard.
fn glob_root(pattern: &str) -> PathBuf {
    Path::new(pattern)
        .components()
        .take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_patterns_match_as_paths_are_written() {
        let matches = |pattern: &str, folder: &str, file: &str| {
            let deep = Deep::of(pattern).unwrap().unwrap();
            assert_eq!(deep.begin, folder, "{pattern}");
            deep.matches(Path::new(folder), Path::new(file))
        };
        for pattern in [
            "lake/**/*.csv",
            "./lake/**/*.csv",
            "lake//**/*.csv",
            "lake/./**/*.csv",
        ] {
            assert!(matches(pattern, "lake", "lake/o.csv"), "{pattern}");
            assert!(matches(pattern, "lake", "lake/a/b/o.csv"), "{pattern}");
            assert!(!matches(pattern, "lake", "lake/a/o.parquet"), "{pattern}");
        }
        assert!(matches("/**/*.csv", "/", "/lake/o.csv"));
        assert!(matches("//lake/**", "/lake", "/lake/o.csv"));
        assert!(matches("**/*.csv", ".", "./lake/o.csv"));
        assert!(matches("**", ".", "./lake/o.csv"));
        assert!(matches("lake/*/**", "lake/*", "lake/a/o.csv"));
        let orders = "lake/**/orders/**";
        assert!(matches(orders, "lake", "lake/orders/o.csv"));
        assert!(matches(orders, "lake", "lake/a/orders/b/o.csv"));
        assert!(!matches(orders, "lake", "lake/tickets/o.csv"));
        assert!(!matches(orders, "lake", "lake/a/orders"));
        // A folder that matches is read with all below it.
        assert!(matches("lake/**/orders", "lake", "lake/a/orders/b/o.csv"));
        assert!(Deep::of("lake/*/*.csv").unwrap().is_none());
    }

    #[test]
    fn names_that_a_pattern_only_happens_to_match_are_judged_as_in_a_folder() {
        let judged = |pattern: &str, path: &str| Asked::of(pattern).judge(Path::new(path));
        for (pattern, path, expected) in [
            ("lake/*/*.csv", "lake/a/o.csv", Judged::Data),
            ("lake/*/*.csv", "lake/_day=1/o.csv", Judged::Data),
            ("lake/*/*.csv", "lake/_staging/o.csv", Judged::Underscore),
            ("./lake/*/*.csv", "lake/_staging/o.csv", Judged::Underscore),
            ("lake/*.csv", "lake/_o.csv", Judged::Underscore),
            ("lake/**", "lake/_staging/a/o.csv", Judged::Underscore),
            ("lake/*/*.csv", "lake/.trash/o.csv", Judged::Silent),
            ("lake/*/*.csv", "lake/_temporary/o.csv", Judged::Silent),
            ("*/*.csv", "_staging/o.csv", Judged::Underscore),
            // The pattern names them.
            ("lake/_staging/*.csv", "lake/_staging/o.csv", Judged::Data),
            ("lake/*/_in/*.csv", "lake/a/_in/o.csv", Judged::Data),
            ("lake/_*/*.csv", "lake/_in/o.csv", Judged::Data),
            ("lake/*/.in/*.csv", "lake/a/.in/o.csv", Judged::Data),
            ("lake/_*", "lake/_SUCCESS", Judged::Silent),
            (".lake/*.csv", ".lake/o.csv", Judged::Data),
        ] {
            assert_eq!(judged(pattern, path), expected, "{pattern} {path}");
        }
    }
}
