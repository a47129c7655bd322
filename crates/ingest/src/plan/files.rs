//! The files of a source as a scan reads them.

use tessera_expr::rel::{Scan, ScanFormat};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::Source;

use crate::inventory::{Inventory, LakeFile};

/// A scan of the files of the inventory, without columns. Records of text files are read from the files that hold them as texts.
pub(super) fn scan_of_files(pipeline: &Pipeline, source: &Source, inventory: &Inventory) -> Scan {
    let parquet = || {
        let own = inventory.format.is_text();
        inventory.files.iter().filter(move |_| !own)
    };
    let read_from = |file: &LakeFile| file.staged.as_ref().unwrap_or(&file.path).clone();
    Scan {
        source: source.name.value.clone(),
        files: inventory.files.iter().map(read_from).collect(),
        origins: inventory.files.iter().map(|f| f.path.clone()).collect(),
        stamps: parquet().filter_map(|file| file.stamp).collect(),
        footers: parquet().map(|file| file.footer.clone()).collect(),
        format: match inventory.format.is_text() {
            true => ScanFormat::Text,
            false => ScanFormat::Parquet,
        },
        timezone: pipeline.timezone,
        naive_zone: source.time_zone.as_ref().map(|zone| zone.value),
        columns: Vec::new(),
        groups: Vec::new(),
        path_values: Vec::new(),
        derive: Vec::new(),
        joins: Vec::new(),
    }
}
