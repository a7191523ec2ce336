//! The report in JUnit's XML, which every CI shows: a case a name; what was refused is a failure, what was hidden is not.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::Report;
use crate::telemetry::Outcome;

/// The report as a document.
pub(super) fn of(report: &Report<'_>) -> String {
    let mut cases = String::new();
    let mut tests = 0;
    for (rule, things) in report.decided() {
        for (name, told) in things {
            tests += 1;
            let class = rule.map_or_else(|| "namewall".to_owned(), |rule| format!("namewall.{rule}"));
            let times = if told.count == 1 { String::new() } else { format!(" ({} times)", told.count) };
            let said =
                rule.and_then(|rule| report.rule(rule)).and_then(|rule| rule.reason.as_deref()).unwrap_or_default();
            let words = format!("{} {name}{times}", told.words());
            let (class, name, words, said) = (escape(class), escape(name), escape(words), escape(said));
            // Writing to a string cannot fail.
            let _written = write!(cases, "    <testcase classname=\"{class}\" name=\"{name}\">");
            let _written = match told.outcome {
                Outcome::Refused => write!(cases, "<failure message=\"{words}\">{said}</failure>"),
                Outcome::Failed => write!(cases, "<error message=\"{words}\"/>"),
                Outcome::Hidden | Outcome::Filtered | Outcome::Allowed => {
                    write!(cases, "<system-out>{words}</system-out>")
                }
            };
            cases.push_str("</testcase>\n");
        }
    }
    if tests == 0 {
        tests = 1;
        cases.push_str("    <testcase classname=\"namewall\" name=\"nothing was hidden or refused\"/>\n");
    }
    let (failures, errors) = (report.count(Outcome::Refused), report.count(Outcome::Failed));
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"namewall\" {counts}>\n\
         {cases}  </testsuite>\n</testsuites>\n"
    )
}
