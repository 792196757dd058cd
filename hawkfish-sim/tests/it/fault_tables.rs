//! The tables of the guide hold what there is, no less and no more.

use std::collections::BTreeSet;

use hawkfish_sim::fault::{PRESETS, Then, When};

const GUIDE: &str = include_str!("../../../docs/simulator.md");

/// The rows of the table that stands below a heading, cell by cell.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = GUIDE.split_once(&format!("\n### {heading}\n")).unwrap();
    let rows = below.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// What a reader of JSON says that there could be.
fn possible(error: &str) -> BTreeSet<String> {
    let (_, all) = error.split_once("expected one of ").unwrap();
    let quoted = all.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The words in code marks that a row begins with.
fn names(cell: &str) -> impl Iterator<Item = String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|text| text.split(' ').next().unwrap_or_default().to_owned())
}

#[test]
fn the_table_of_presets_is_what_there_is() {
    let shown = table("Presets");
    let there: Vec<Vec<String>> = PRESETS
        .iter()
        .map(|preset| vec![format!("`{}`", preset.name), preset.about.to_owned()])
        .collect();
    let off = there
        .iter()
        .zip(&shown)
        .find(|(there, shown)| there != shown);
    assert_eq!(off, None, "what there is, and what is shown");
    assert_eq!(shown.len(), there.len());
}

#[test]
fn the_table_of_selectors_is_what_there_is() {
    let error = serde_json::from_str::<When>(r#"{"?": 1}"#).unwrap_err();
    let rows = table("When");
    let shown: BTreeSet<String> = rows.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(shown, possible(&error.to_string()));
}

#[test]
fn the_tables_of_actions_are_what_there_is() {
    let error = serde_json::from_str::<Then>(r#"{"?": 1}"#).unwrap_err();
    let both = [table("Then"), table("Events, tasks, the BMC, machines")].concat();
    let shown: BTreeSet<String> = both.iter().flat_map(|row| names(&row[0]).take(1)).collect();
    assert_eq!(shown, possible(&error.to_string()));
}
