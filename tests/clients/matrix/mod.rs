//! The matrix: each client, at each version, on each Python that is there, in every case. A client is described once
//! ([`families`]), run by one driver ([`client`]), and tried with everything ([`cases`]); what came of it is a line of
//! the [`table`] in the docs.

mod cases;
mod client;
mod families;
mod family;
mod table;

use std::num::NonZero;
use std::sync::Arc;

use client::Client;
use families::{HATCH, PDM, PIP, PIP_BEFORE_BACKENDS, PIP_WITH_PYLOCK, PIPENV, POETRY, UV, UV_PIP};
use family::Family;
use table::Row;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::install::client_on;
use crate::pins::{self, Pins};
use crate::python::Python;
use crate::world::World;

/// A client that is tried.
#[derive(Clone, Copy)]
struct Subject {
    family: &'static Family,
    pins: Pins,
    /// The Python that it is tried on, where there is one; the machine's own if none is named.
    python: Option<&'static str>,
}

/// A test for each, which can be asked for by name; and all of them.
macro_rules! subjects {
    ($($name:ident: $family:ident, $pins:expr, $python:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let subject = Subject { family: &$family, pins: $pins, python: $python };
                match subject.row().await {
                    Some(row) => row.assert_is_written(),
                    None => println!("not tried: {:?} isn't here", subject.python),
                }
            }
        )*

        const SUBJECTS: &[Subject] = &[$(Subject { family: &$family, pins: $pins, python: $python }),*];
    };
}

subjects! {
    pip_18_on_python_3_6: PIP_BEFORE_BACKENDS, pins::PIP_18, Some("3.6");
    pip_19: PIP, pins::PIP_19, None;
    pip_22: PIP, pins::PIP_22, None;
    pip_23: PIP, pins::PIP_23, None;
    pip_24: PIP, pins::PIP_24, None;
    pip_25: PIP, pins::PIP_25, None;
    newest_pip: PIP_WITH_PYLOCK, pins::NEWEST_PIP, None;
    newest_pip_on_python_3_13: PIP_WITH_PYLOCK, pins::NEWEST_PIP, Some("3.13");
    older_uv: UV, pins::OLDER_UV, None;
    newest_uv: UV, pins::NEWEST_UV, None;
    older_uv_as_pip: UV_PIP, pins::OLDER_UV, None;
    newest_uv_as_pip: UV_PIP, pins::NEWEST_UV, None;
    poetry: POETRY, pins::POETRY, None;
    pdm: PDM, pins::PDM, None;
    pipenv: PIPENV, pins::PIPENV, None;
    hatch: HATCH, pins::HATCH, None;
}

impl Subject {
    /// What is found of it; nothing where its Python isn't there.
    async fn row(self) -> Option<Row> {
        let python = match self.python {
            None => Python::default(),
            Some(version) => Python::find(version)?,
        };
        let world = World::protecting().await;
        let client = Client { family: self.family, bin: client_on(&python, self.pins), world: &world };
        let cells = vec![
            cases::attack(&client).await,
            cases::ordinary(&client).await,
            cases::locked(&client).await,
            cases::direct(&client).await,
            cases::stale(&client).await,
            cases::strict(&client).await,
        ];
        Some(Row { client: self.family.name, version: self.pins.version(), python: python.version(), cells })
    }
}

/// On a machine that has all Pythons which are to be in the table.
#[tokio::test]
#[ignore = "writes docs/clients.md instead of comparing with it"]
async fn writes_the_table() {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (free, mut running) = (Arc::new(Semaphore::new(cores)), JoinSet::new());
    for (place, subject) in SUBJECTS.iter().enumerate() {
        let free = Arc::clone(&free);
        running.spawn(async move {
            let _turn = free.acquire().await;
            (place, subject.row().await)
        });
    }
    let mut rows = running.join_all().await;
    rows.sort_by_key(|(place, _)| *place);
    let rows: Vec<Row> = rows.into_iter().filter_map(|(_, row)| row).collect();
    std::fs::create_dir_all(table::path().parent().unwrap()).unwrap();
    std::fs::write(table::path(), table::page(&rows)).unwrap();
}

#[test]
fn the_table_has_its_text_and_no_line_of_a_client_that_is_not_tried() {
    let table = std::fs::read_to_string(table::path()).unwrap();
    let (above, below) = table::text();
    assert!(table.starts_with(above) && table.ends_with(below), "docs/clients.md says otherwise; {}", table::HOW);
    let lines = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| !line.is_empty());
    for line in lines {
        let tried =
            |subject: &Subject| line.starts_with(&format!("| {} | {} |", subject.family.name, subject.pins.version()));
        assert!(SUBJECTS.iter().any(tried), "{line}; {}", table::HOW);
    }
}
