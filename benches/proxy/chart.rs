//! The charts: bars of what each row costs, and curves of what grows. Both are SVG, for light and dark pages.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::report::{Contestant, Curve, DIRECT, Line, Point, Run, time};

/// Who has which colour: on light ground, on dark.
const COLOURS: [(&str, &str, &str); 6] = [
    ("direct", "#8c959f", "#8b949e"),
    ("namewall", "#0550ae", "#79c0ff"),
    ("namewall-uncached", "#54aeff", "#1f6feb"),
    ("squid", "#9a6700", "#d29922"),
    ("mitmproxy", "#cf222e", "#ff7b72"),
    ("safe-chain", "#8250df", "#a371f7"),
];

const WIDTH: f64 = 860.0;

/// Writes `bench.svg` and `bench-growth.svg` into `folder`.
pub(crate) fn write(run: &Run, folder: &Path) -> Result<()> {
    for (name, svg) in [("bench.svg", bars(run)), ("bench-growth.svg", growth(run))] {
        let file = folder.join(name);
        fs::write(&file, svg).map_err(|error| format!("{}: {error}", file.display()))?;
        println!("drawn: {}", file.display());
    }
    Ok(())
}

/// A logarithmic axis.
#[derive(Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    length: f64,
}

impl Axis {
    /// From the power of ten below the least to the one above the most.
    fn over(values: impl Iterator<Item = f64>, start: f64, length: f64) -> Self {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let from = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let to = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        if logs.is_empty() {
            Self { from: 0.0, to: 1.0, start, length }
        } else {
            Self { from, to: to.max(from + 1.0), start, length }
        }
    }

    fn at(self, value: f64) -> f64 {
        self.start + (value.log10() - self.from) / (self.to - self.from) * self.length
    }

    fn ticks(self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

/// Processor time of each proxy for a request, by rows.
fn bars(run: &Run) -> String {
    const LABELS: f64 = 250.0;
    const BAR: f64 = 9.0;
    let lines: Vec<&Line> = run.lines.iter().filter(|line| line.charted).collect();
    let costs = |line: &Line| -> Vec<(usize, f64)> {
        let cells = line.cells.iter().enumerate().skip(1);
        cells.filter_map(|(index, cell)| Some((index, cell.best.as_ref()?.cpu.filter(|cpu| *cpu > 0.0)?))).collect()
    };
    let all: Vec<_> = lines.iter().map(|line| (line.title.as_str(), costs(line))).collect();
    let axis = Axis::over(all.iter().flat_map(|(_, costs)| costs).map(|(_, cpu)| *cpu), LABELS, WIDTH - LABELS - 70.0);
    let mut body = legend(&run.contestants[1..]);
    let top = 92.0;
    let height = all.iter().map(|(_, costs)| costs.len() as f64 * (BAR + 1.0) + 10.0).sum::<f64>();
    for tick in axis.ticks() {
        let x = axis.at(tick);
        put(&mut body, format_args!(r#"<path class="grid" d="M{x:.1} {top}V{:.1}"/>"#, top + height));
        put(&mut body, format_args!(r#"<text class="dim mid" x="{x:.1}" y="{:.1}">{}</text>"#, top - 6.0, round(tick)));
    }
    let mut y = top + 5.0;
    for (title, costs) in all {
        let middle = y + costs.len() as f64 * (BAR + 1.0) / 2.0 + 4.0;
        put(&mut body, format_args!(r#"<text class="end" x="{}" y="{middle:.1}">{title}</text>"#, LABELS - 10.0));
        for (index, cpu) in costs {
            let name = &run.contestants[index].name;
            let (width, end) = ((axis.at(cpu) - LABELS).max(1.0), axis.at(cpu) + 4.0);
            put(
                &mut body,
                format_args!(r#"<rect class="f-{name}" x="{LABELS}" y="{y:.1}" width="{width:.1}" height="{BAR}"/>"#),
            );
            put(
                &mut body,
                format_args!(r#"<text class="small" x="{end:.1}" y="{:.1}">{}</text>"#, y + BAR - 1.0, time(cpu)),
            );
            y += BAR + 1.0;
        }
        y += 10.0;
    }
    let subtitle = format!(
        "logarithmic scale; best of {} rounds; * hides none of the names; {}, {}",
        run.rounds, run.processor, run.date
    );
    picture("Processor time of the proxy for one request", &subtitle, &body, top + height + 12.0)
}

/// Processor time and median answer time of namewall, by what grows.
fn growth(run: &Run) -> String {
    let (panel, left, top) = (WIDTH / 3.0, 52.0, 100.0);
    let height = 190.0;
    let drawn = |name: &str| run.curves.iter().flat_map(|curve| &curve.points).any(|point| point.of == name);
    let drawn: Vec<_> = run.contestants.iter().filter(|contestant| drawn(&contestant.name)).cloned().collect();
    let mut body = legend(&drawn);
    for (index, curve) in run.curves.iter().enumerate() {
        let x =
            Axis::over(curve.points.iter().map(|point| at(point.x)), index as f64 * panel + left, panel - left - 22.0);
        let values = curve.points.iter().flat_map(|point| point.cpu.into_iter().chain([point.p50]));
        let y = Axis::over(values, top + height, -height);
        frame(&mut body, curve, x, y);
        for Contestant { name, .. } in &drawn {
            let points: Vec<&Point> = curve.points.iter().filter(|point| point.of == *name).collect();
            let cpu =
                points.iter().filter_map(|point| Some((at(point.x), point.cpu.filter(|cpu| *cpu > 0.0)?))).collect();
            line(&mut body, &format!("s-{name}"), cpu, x, y);
            let p50 = points.iter().map(|point| (at(point.x), point.p50)).collect();
            line(&mut body, &format!("s-{name} dashed"), p50, x, y);
        }
    }
    let subtitle = format!(
        "solid: processor time of a request; dashed: median time to the answer's end; {}, {}",
        run.processor, run.date
    );
    picture("What namewall costs as things grow", &subtitle, &body, top + height + 56.0)
}

/// Where a number stands; a logarithmic axis has no nought.
fn at(x: usize) -> f64 {
    x.max(1) as f64
}

fn frame(body: &mut String, curve: &Curve, x: Axis, y: Axis) {
    let (left, right, bottom, top) = (x.start, x.start + x.length, y.start, y.start + y.length);
    for tick in y.ticks() {
        let at = y.at(tick);
        put(body, format_args!(r#"<path class="grid" d="M{left:.1} {at:.1}H{right:.1}"/>"#));
        put(
            body,
            format_args!(r#"<text class="dim end" x="{:.1}" y="{:.1}">{}</text>"#, left - 5.0, at + 4.0, round(tick)),
        );
    }
    let mut marks: Vec<usize> = curve.points.iter().map(|point| point.x).collect();
    marks.sort_unstable();
    marks.dedup();
    for mark in marks {
        let at = x.at(at(mark));
        put(body, format_args!(r#"<path class="grid" d="M{at:.1} {top:.1}V{bottom:.1}"/>"#));
        put(body, format_args!(r#"<text class="dim mid" x="{at:.1}" y="{:.1}">{}</text>"#, bottom + 16.0, short(mark)));
    }
    let middle = (left + right) / 2.0;
    put(body, format_args!(r#"<text class="mid" x="{middle:.1}" y="{:.1}">{}</text>"#, bottom + 36.0, curve.title));
}

fn line(body: &mut String, class: &str, points: Vec<(f64, f64)>, x: Axis, y: Axis) {
    let points: Vec<String> =
        points.into_iter().map(|point| format!("{:.1},{:.1}", x.at(point.0), y.at(point.1))).collect();
    if !points.is_empty() {
        put(body, format_args!(r#"<polyline class="line {class}" points="{}"/>"#, points.join(" ")));
    }
}

/// Whose is which colour; a star is for those who hide nothing.
fn legend(contestants: &[Contestant]) -> String {
    let (mut body, mut x, y) = (String::new(), 20.0, 58.0);
    for Contestant { name, version, hides, .. } in contestants {
        let star = if *hides || name == DIRECT { "" } else { " *" };
        let text = format!("{name} {version}{star}");
        put(
            &mut body,
            format_args!(r#"<rect class="f-{name}" x="{x:.1}" y="{:.1}" width="10" height="10"/>"#, y - 9.0),
        );
        put(&mut body, format_args!(r#"<text x="{:.1}" y="{y}">{text}</text>"#, x + 15.0));
        x += text.len() as f64 * 6.6 + 34.0;
    }
    body
}

fn picture(title: &str, subtitle: &str, body: &str, height: f64) -> String {
    let classes = |dark: bool| {
        COLOURS.iter().fold(String::new(), |all, (name, light, darker)| {
            let colour = if dark { darker } else { light };
            all + &format!("    .f-{name} {{ fill: {colour}; }} .s-{name} {{ stroke: {colour}; }}\n")
        })
    };
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img" aria-labelledby="title about">
<title id="title">{title}</title>
<desc id="about">{subtitle}</desc>
<style>
    text {{ font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }}
    .head {{ font-size: 15px; font-weight: 600; }} .small {{ font-size: 9px; }} .dim {{ fill: #59636e; font-size: 10px; }}
    .mid {{ text-anchor: middle; }} .end {{ text-anchor: end; }}
    .ground {{ fill: #ffffff; stroke: #d1d9e0; }} .grid {{ stroke: #d1d9e0; fill: none; }}
    .line {{ fill: none; stroke-width: 2; }} .dashed {{ stroke-dasharray: 5 4; stroke-width: 1.5; }}
{}  @media (prefers-color-scheme: dark) {{
    text {{ fill: #e6edf3; }} .dim {{ fill: #9198a1; }} .ground {{ fill: #0d1117; stroke: #3d444d; }} .grid {{ stroke: #3d444d; }}
{}  }}
</style>
<rect class="ground" x=".5" y=".5" width="{:.0}" height="{:.0}" rx="9"/>
<text class="head" x="20" y="26">{title}</text>
<text class="dim" x="20" y="41">{subtitle}</text>
{body}</svg>
"##,
        classes(false),
        classes(true),
        WIDTH - 1.0,
        height - 1.0,
    )
}

fn put(body: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(body, "{element}").expect("a string takes what is written to it");
}

/// A power of ten, without digits that say nothing.
fn round(milliseconds: f64) -> String {
    let (value, unit) = match milliseconds {
        ms if ms < 0.9 => (ms * 1e3, "µs"),
        ms if ms < 900.0 => (ms, "ms"),
        ms => (ms / 1e3, "s"),
    };
    format!("{value:.0} {unit}")
}

fn short(number: usize) -> String {
    if number >= 1_000 { format!("{}k", number / 1_000) } else { number.to_string() }
}
