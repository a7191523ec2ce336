//! Where clients are let out: by name and by address, through tunnels and for plain HTTP, from this machine and others.

use ipnet::IpNet;
use namewall::config::{Exits, ListenerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{RULES, World, pypi};

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A world in which clients may go where `exits` says, and that has a listener by which others' clients come.
async fn world(exits: Exits) -> World {
    World::adjusted(pypi(), RULES, |settings| {
        settings.exits = exits.into();
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        let mut balanced = ListenerSettings::plain("127.0.0.1:0".parse().unwrap(), networks(&["192.0.2.0/24"]));
        balanced.balancers = networks(&["127.0.0.0/8"]);
        settings.listeners.push(balanced);
    })
    .await
}

/// What somebody on another machine is answered.
async fn from_elsewhere(world: &World, request: &str) -> String {
    let mut tcp = TcpStream::connect(world.proxy.addresses()[1]).await.unwrap();
    tcp.write_all(format!("PROXY TCP4 192.0.2.7 127.0.0.1 4096 3128\r\n{request}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _end = tokio::time::timeout(std::time::Duration::from_secs(5), tcp.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_the_proxy_can_reach_for_itself_is_out_of_its_clients_reach() {
    let world = world(Exits::default()).await;
    let admin = world.proxy.admin().unwrap();
    let secret = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = secret.local_addr().unwrap();
    for to in
        ["169.254.169.254:80", "[fe80::1]:80", "[::ffff:169.254.169.254]:80", "168.63.129.16:80", "[fd00:ec2::254]:80"]
    {
        let tunnel = world.raw(format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await;
        let plain = world.raw(format!("GET http://{to}/ HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await;
        for answer in [tunnel, plain] {
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("destination-refused"), "{to}: {answer}");
        }
    }
    // Its own listeners, to anybody; what else listens on its machine, to other machines' clients, by whatever name.
    let looped = world.raw(format!("CONNECT {admin} HTTP/1.1\r\nhost: {admin}\r\n\r\n").as_bytes()).await;
    assert!(looped.starts_with("HTTP/1.1 508"), "{looped}");
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "127.0.0.2"] {
        let to = format!("{host}:{}", own.port());
        let tunnel = from_elsewhere(&world, &format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n")).await;
        let plain = from_elsewhere(&world, &format!("GET http://{to}/ HTTP/1.1\r\nhost: {to}\r\n\r\n")).await;
        for answer in [tunnel, plain] {
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("destination-refused"), "{to}: {answer}");
        }
    }
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), secret.accept()).await.is_err());
    assert!(world.connect(&own.to_string()).await.is_ok(), "a client of this machine could go there itself");
    let metrics = world.admin("/metrics").await;
    assert!(metrics.contains("namewall_turned_away_total{reason=\"destination\"} 18\n"), "{metrics}");
}

#[tokio::test]
async fn who_may_go_where_is_the_configs_word() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let exits = |allow: Option<&str>, deny: &str| Exits {
        allow: allow.map(|list| list.replace("PORT", &port.to_string()).parse().unwrap()),
        deny: deny.replace("PORT", &port.to_string()).parse().unwrap(),
    };
    for (exits, localhost, address) in [
        (exits(None, ""), true, true),
        (exits(None, "localhost"), false, true),
        (exits(None, "127.0.0.0/8"), false, false),
        (exits(Some("localhost"), ""), true, false),
        (exits(Some("127.0.0.0/8"), ""), true, true),
        (exits(Some("*:PORT"), ""), true, true),
        (exits(Some("*:443"), ""), false, false),
        (exits(Some("*"), "*:PORT"), false, false),
    ] {
        let world = world(exits.clone()).await;
        for (host, allowed) in [("localhost", localhost), ("127.0.0.1", address)] {
            let opened = world.connect(&format!("{host}:{port}")).await;
            assert_eq!(opened.is_ok(), allowed, "{host} {exits:?}");
            assert!(opened.is_ok() || opened.unwrap_err().contains("403"), "{host} {exits:?}");
        }
        // PyPI's hosts are no exits: what is asked of them is judged by name.
        assert_eq!(world.get("/simple/innocent/").await.status, 200);
    }
}
