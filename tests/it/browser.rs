//! A real Chromium without a window, driven through its DevTools over two named pipes.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

/// The browser with one page.
pub struct Browser {
    to: pipe::Sender,
    from: BufReader<pipe::Receiver>,
    session: Option<String>,
    count: u64,
    /// What happened beside the answers: dialogs, errors, messages on the console.
    pub events: VecDeque<Value>,
    _child: Child,
    _folder: TempDir,
}

impl Browser {
    /// Starts it with an empty page of 1280 × 800.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [input, output] = ["in", "out"].map(|name| folder.path().join(name));
        let made = Command::new("mkfifo").args([&input, &output]).status().await.unwrap();
        assert!(made.success());
        // Opened for both ways, so that neither end waits for the other.
        let to = pipe::OpenOptions::new().read_write(true).open_sender(&input).unwrap();
        let from = pipe::OpenOptions::new().read_write(true).open_receiver(&output).unwrap();
        let arguments = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
            --disable-background-networking --disable-component-update --remote-debugging-pipe --no-proxy-server";
        let script =
            format!("exec chromium {arguments} --user-data-dir=\"$1/profile\" about:blank 3<\"$1/in\" 4>\"$1/out\"");
        let child = Command::new("sh")
            .args(["-c", &script, "sh", folder.path().to_str().unwrap()])
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let from = BufReader::new(from);
        let mut browser =
            Self { to, from, session: None, count: 0, events: VecDeque::new(), _child: child, _folder: folder };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size).await;
        browser
    }

    /// Calls a method of the DevTools protocol.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.count += 1;
        let id = self.count;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        loop {
            let mut told = Vec::new();
            let read = tokio::time::timeout(Duration::from_secs(30), self.from.read_until(0, &mut told)).await;
            let help = "no answer: is Debian's package `chromium` installed? The status page is looked at in a browser";
            read.unwrap_or_else(|_| panic!("{method}: {help}")).unwrap();
            told.pop();
            let told: Value = serde_json::from_slice(&told).unwrap();
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            if told["method"] == "Page.javascriptDialogOpening" {
                panic!("a dialog opened: {told}");
            }
            self.events.push_back(told);
        }
    }

    /// What an expression of JavaScript comes to.
    pub async fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let told = self.call("Runtime.evaluate", parameters).await;
        assert!(told["exceptionDetails"].is_null(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        for _ in 0..600 {
            if self.value(expression).await == true {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let shown = self.value("document.body.innerText").await;
        panic!("never so: {expression}\n{}\n{:?}", shown.as_str().unwrap_or_default(), self.events);
    }

    pub async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
        self.until("document.readyState === 'complete'").await;
    }

    pub async fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let code = if key == "Tab" { 9 } else { 32 };
            let text = if key == " " && kind == "keyDown" { " " } else { "" };
            let event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Light or dark, as the system's user prefers.
    pub async fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }, { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub async fn screenshot(&mut self, path: &Path) -> Vec<u8> {
        let told = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        let png = base64::engine::general_purpose::STANDARD.decode(told["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, &png).unwrap();
        png
    }

    /// What went wrong in the page: errors of scripts, of the network, of the content policy.
    pub fn complaints(&self) -> Vec<&Value> {
        let is_bad = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_bad).collect()
    }
}
