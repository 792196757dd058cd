//! Plain HTTP is shown the way to https, on the port of TLS and on one of its own.

use hawkfish_server::redirect;
use reqwest::redirect::Policy;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::door::{ADMIN, Door, SESSIONS, SYSTEMS};
use crate::listening::Listening;

#[tokio::test]
async fn plain_http_on_the_tls_port_is_sent_to_https_where_its_own_rules_hold() {
    let listening = Listening::start(Door::open().await).await;
    let plain = |path: &str| format!("http://{}{path}", listening.address);
    let stay = listening.client().redirect(Policy::none()).build().unwrap();
    for (method, path) in [
        ("GET", "/redfish/v1/?x=1"),
        ("HEAD", SYSTEMS),
        ("POST", SESSIONS),
        ("DELETE", "/redfish/v1/AccountService/Accounts/1"),
    ] {
        let method = method.parse().unwrap();
        let answer = stay.request(method, plain(path)).send().await.unwrap();
        assert_eq!(answer.status(), 308, "{path}");
        assert_eq!(answer.headers()["location"], listening.url(path));
        assert_eq!(answer.headers()["odata-version"], "4.0");
        // That would have to come over TLS to count.
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }

    let follow = listening.client().build().unwrap();
    let root = follow.get(plain("/redfish/v1/")).send().await.unwrap();
    assert_eq!(
        (root.status().as_u16(), root.url().scheme()),
        (200, "https")
    );
    let systems = follow.get(plain(SYSTEMS)).send().await.unwrap();
    assert_eq!(systems.status(), 401);
}

#[tokio::test]
async fn credentials_sent_in_the_clear_open_nothing() {
    let listening = Listening::start(Door::open().await).await;
    let stay = listening.client().redirect(Policy::none()).build().unwrap();
    let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
    let url = format!("http://{}{SESSIONS}", listening.address);
    let answer = stay.post(url).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 308);
    assert!(!answer.headers().contains_key("x-auth-token"));
    let sessions = listening.door.read(SESSIONS).await;
    assert_eq!(sessions.body["Members@odata.count"], 0);
}

#[tokio::test]
async fn a_port_of_its_own_sends_to_the_port_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(redirect::serve(listener, 8443, async {
        let _ = stopped.await;
    }));
    for (request, status, location) in [
        (
            "GET /redfish/v1/Systems?$top=1 HTTP/1.1\r\nHost: bmc.example\r\n\r\n",
            308,
            "https://bmc.example:8443/redfish/v1/Systems?$top=1",
        ),
        (
            "POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 2\r\n\r\n{}",
            308,
            "https://[::1]:8443/",
        ),
        ("GET /a HTTP/1.0\r\n\r\n", 308, "https://127.0.0.1:8443/a"),
        ("GET / HTTP/1.1\r\nHost: me@evil\r\n\r\n", 400, ""),
        ("nonsense\r\n\r\n", 400, ""),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let told = answer
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        assert_eq!(
            (answer.split(' ').nth(1), told.unwrap_or_default()),
            (Some(status.to_string().as_str()), location),
            "{answer}"
        );
    }
    drop(stop);
    done.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
