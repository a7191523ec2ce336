//! What deploys a fleet: Kubernetes' manifests against its schemas, compose's services, the socket unit.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::install::client;
use crate::pins::Pins;
use crate::tools::{NAMEWALL, ended, repository, said};

/// The schemas of Kubernetes, and what reads them.
const SCHEMAS: Pins = Pins(
    "kubernetes-validate==1.37.0 PyYAML==6.0.4 attrs==26.1.0 importlib-resources==7.1.0 jsonschema==4.26.0 \
     jsonschema-specifications==2025.9.1 packaging==26.4 referencing==0.37.0 rpds-py==2026.9.1 typing-extensions==4.16.0",
);

const FOLDER: &str = "config/kubernetes";

fn python(script: &str, file: &str) -> String {
    let mut python = Command::new(client(SCHEMAS).join("python"));
    said(python.args(["-c", script]).arg(repository().join(file)))
}

/// All documents of a YAML file.
fn documents(file: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    serde_json::from_str(&python(script, file)).unwrap()
}

fn kustomized() -> Vec<String> {
    let listed = documents(&format!("{FOLDER}/kustomization.yaml"));
    listed[0]["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn manifests() -> Vec<Value> {
    let mut files = kustomized();
    files.push("secret.yaml".to_owned());
    files.iter().flat_map(|name| documents(&format!("{FOLDER}/{name}"))).collect()
}

fn manifest(kind: &str, name: &str) -> Value {
    let found = manifests().into_iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn every_manifest_is_what_kubernetes_takes() {
    // What no schema of Kubernetes' own is for.
    const OF_OTHERS: [&str; 2] = ["kustomization.yaml", "monitor.yaml"];
    let script = "import sys, yaml, kubernetes_validate as k\n\
        for one in yaml.safe_load_all(open(sys.argv[1])): print(k.validate(one, '1.33', strict=True))";
    let mut files: Vec<String> = fs::read_dir(repository().join(FOLDER))
        .unwrap()
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    for name in files.iter().filter(|name| !OF_OTHERS.contains(&name.as_str())) {
        python(script, &format!("{FOLDER}/{name}"));
    }
    // Each is applied, but for the Secret, which has nobody's key, and this list itself.
    let mut listed = kustomized();
    listed.extend(["kustomization.yaml".to_owned(), "secret.yaml".to_owned()]);
    listed.sort();
    assert_eq!(listed, files);
    let secret = manifest("Secret", "namewall-ca");
    assert!(secret["stringData"].as_object().unwrap().values().all(|value| value == ""));
}

#[test]
fn the_manifests_mean_the_same_pods_and_ports() {
    let pod = &manifest("Deployment", "namewall")["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let labels = pod["metadata"]["labels"].as_object().unwrap();
    let named: Vec<_> = container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    let selects = |selector: &Value, labels: &serde_json::Map<String, Value>| {
        let wanted = selector.as_object().unwrap();
        !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
    };
    for name in ["namewall", "namewall-admin"] {
        let service = manifest("Service", name);
        assert!(selects(&service["spec"]["selector"], labels), "{service}");
        assert!(named.contains(&&service["spec"]["ports"][0]["targetPort"]), "{service}");
    }
    assert!(selects(&manifest("PodDisruptionBudget", "namewall")["spec"]["selector"]["matchLabels"], labels));
    assert!(selects(&manifest("NetworkPolicy", "namewall")["spec"]["podSelector"]["matchLabels"], labels));
    assert!(selects(&manifest("Deployment", "namewall")["spec"]["selector"]["matchLabels"], labels));
    // By hand, since this schema is not Kubernetes' own.
    let monitor = manifest("ServiceMonitor", "namewall");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    let service = manifest("Service", "namewall-admin");
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"].as_object().unwrap()));
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert!(endpoint["port"] == service["spec"]["ports"][0]["name"] && endpoint["path"] == "/metrics", "{endpoint}");
    let scaling = manifest("HorizontalPodAutoscaler", "namewall");
    assert_eq!(scaling["spec"]["metrics"][0]["pods"]["metric"]["name"], "namewall_connections");
    assert_eq!(scaling["spec"]["scaleTargetRef"]["name"], "namewall");
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
    }
}

#[test]
fn the_config_of_the_pods_is_right_and_leaves_time_to_drain() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str, key: &str| manifest("ConfigMap", name)["data"][key].as_str().unwrap().to_owned();
    let config = text("namewall", "namewall.toml");
    fs::write(folder.path().join("namewall.toml"), &config).unwrap();
    fs::create_dir(folder.path().join("rules.d")).unwrap();
    fs::write(folder.path().join("rules.d/acme.toml"), text("namewall-rules", "acme.toml")).unwrap();
    let check = ended(Command::new(NAMEWALL).args(["check", "--config"]).arg(folder.path().join("namewall.toml")));
    assert_eq!(check.0, Some(0), "{}", check.1);
    let explain = ["explain", "acme-core", "--config"];
    let explained = ended(Command::new(NAMEWALL).args(explain).arg(folder.path().join("namewall.toml")));
    assert_eq!(explained.0, Some(1), "{}", explained.1);

    let read: toml::Table = config.parse().unwrap();
    let seconds = |key: &str| read["listen"][key].as_str().unwrap().trim_end_matches('s').parse::<u64>().unwrap();
    let pod = &manifest("Deployment", "namewall")["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > seconds("drain-notice") + seconds("drain"), "{grace}");
    let probe = &pod["containers"][0]["readinessProbe"];
    let notices = probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
    assert!(seconds("drain-notice") > notices, "the pod stops accepting before anybody has noticed");
    // What the config reads of the authority is mounted there.
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    for key in ["cert", "key"] {
        assert!(mounts.iter().any(|mount| mount["mountPath"].as_str() == read["ca"][key].as_str()), "{key}");
    }
}

#[test]
fn compose_starts_those_whom_haproxy_asks() {
    let services = documents("config/compose.yaml")[0]["services"].clone();
    let haproxy = fs::read_to_string(repository().join("config/haproxy.cfg")).unwrap();
    let servers = haproxy.lines().filter_map(|line| line.trim().strip_prefix("server ")?.split(' ').next());
    let mut known = vec!["haproxy"];
    known.extend(servers);
    known.sort_unstable();
    let mut started: Vec<&str> = services.as_object().unwrap().keys().map(String::as_str).collect();
    started.sort_unstable();
    assert_eq!(started, known);
    for name in known.iter().filter(|name| name.starts_with("namewall-")) {
        let words = services[name]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        // The program takes this command line; only the file isn't there.
        let (code, told) = ended(Command::new(NAMEWALL).args(words.clone()).current_dir("/"));
        assert!(code == Some(2) && told.contains("/etc/namewall/namewall.toml"), "{told}");
        let mounts = services[name]["volumes"].as_array().unwrap();
        assert!(mounts.iter().any(|mount| mount == "./gateway:/etc/namewall:ro"), "{name}");
    }
}

#[test]
fn systemd_understands_the_socket_and_whom_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let unit = |name: &str| fs::read_to_string(repository().join("packaging/systemd").join(name)).unwrap();
    let with_program = |name: &str| unit(name).replace("/usr/bin/namewall", NAMEWALL);
    let (service, socket) = (folder.path().join("namewall.service"), folder.path().join("namewall.socket"));
    fs::write(&service, with_program("namewall.service")).unwrap();
    fs::write(&socket, unit("socket/namewall.socket")).unwrap();
    fs::create_dir(folder.path().join("namewall.service.d")).unwrap();
    fs::write(folder.path().join("namewall.service.d/socket.conf"), with_program("socket/socket.conf")).unwrap();
    let mut analyze = Command::new("systemd-analyze");
    let told = said(analyze.args(["verify", "--man=no"]).arg(&service).arg(&socket));
    assert!(!told.contains("namewall."), "{told}");
    // The name by which the one hands it over is that by which the other takes it.
    assert!(unit("socket/namewall.socket").contains("FileDescriptorName=proxy\n"));
    assert!(unit("socket/socket.conf").contains(" --listen systemd:proxy\n"));
}
