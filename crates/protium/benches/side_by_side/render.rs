//! Compiling and rendering the largest template of the examples beside Jinja2.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use protium_domain::bundle::render::{Namespace, RenderLimits, Template};
use serde::Deserialize;
use serde_json::Value;

use crate::figure::Figure;
use crate::process::{checkout, python};
use crate::rounds::median;
use crate::{Effort, note};

/// What jinja.py tells.
#[derive(Deserialize)]
struct Jinja {
    /// The template, from the examples' folder.
    path: String,
    namespace: Value,
    rendered: String,
    /// How often per second.
    compile_and_render: f64,
    render: f64,
}

pub(crate) fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let mut ours = (Vec::new(), Vec::new());
    let mut theirs = (Vec::new(), Vec::new());
    let mut path = String::new();
    let time = effort.round / 2;
    for _ in 0..effort.rounds {
        let jinja = jinja(time)?;
        theirs.0.push(jinja.compile_and_render);
        theirs.1.push(jinja.render);
        let source = std::fs::read_to_string(checkout().join("examples/templates").join(&jinja.path))?;
        let compile = || Template::compile("cloudformation.yaml", &source, RenderLimits::default());
        let template = compile()?;
        let namespace = Namespace::new(&jinja.namespace);
        if template.render(&namespace)? != jinja.rendered {
            bail!("Protium and Jinja2 do not render {} alike", jinja.path);
        }
        ours.0.push(rate(time, || Ok(compile()?.render(&Namespace::new(&jinja.namespace))?.len()))?);
        ours.1.push(rate(time, || Ok(template.render(&namespace)?.len()))?);
        path = jinja.path;
    }
    let ours = (median(ours.0), median(ours.1));
    let theirs = (median(theirs.0), median(theirs.1));
    note(format!("{path}: {:.0} and {:.0} /s, Jinja2 {:.0} and {:.0} /s", ours.0, ours.1, theirs.0, theirs.1));
    Ok(vec![
        Figure::times("compile and render, largest example", ours.0, "Jinja2", theirs.0, 40.0),
        Figure::times("render alone", ours.1, "Jinja2", theirs.1, 8.0),
    ])
}

fn jinja(time: Duration) -> Result<Jinja> {
    let script = checkout().join("crates/protium/benches/side_by_side/jinja.py");
    let output = Command::new(python()).arg(script).arg(time.as_secs_f64().to_string()).output()?;
    if !output.status.success() {
        bail!("jinja.py: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("jinja.py answered no JSON")
}

/// How often per second something can be done.
fn rate(time: Duration, mut work: impl FnMut() -> Result<usize>) -> Result<f64> {
    let began = Instant::now();
    let mut done = 0_u32;
    while began.elapsed() < time {
        std::hint::black_box(work()?);
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}
