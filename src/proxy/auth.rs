//! Decides whether a request on the proxy port is a user's, where users are asked for: 407 until it says so.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use tracing::{debug, info, warn};

use super::body::Body;
use super::{StartError, reply};
use crate::config::UsersFile;
use crate::telemetry::metrics::{AuthResult, Metrics};
use crate::users::{Credentials, Outcome, Users, Verifier};

/// The challenge (RFC 7617): with UTF-8, for names and passwords have letters of all languages.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="namewall", charset="UTF-8""#);

/// The users who are served.
#[derive(Debug)]
pub(super) struct Gate {
    users: ArcSwap<Users>,
    verifier: Verifier,
}

impl Gate {
    /// Serves those of `file`.
    pub(super) fn new(file: &UsersFile) -> Result<Self, StartError> {
        tell_of_exposure(file);
        let users = file.users.clone()?;
        let verifier = Verifier::new().map_err(|_unspecified| StartError::NoChance)?;
        Ok(Self { users: ArcSwap::new(users), verifier })
    }

    /// Serves those of `file` from now on. Tunnels that are open stay so.
    pub(super) fn change(&self, file: &UsersFile) {
        // A config whose users can't be read is refused before.
        let Ok(users) = &file.users else { return };
        if **self.users.load() == **users {
            return;
        }
        tell_of_exposure(file);
        self.users.store(Arc::clone(users));
        self.verifier.forget();
        info!(users = users.len(), "the users have changed");
    }

    /// The user whose request this is, or the answer that it gets instead. Takes the credentials off.
    pub(super) async fn user_of<B>(
        &self,
        metrics: &Metrics,
        client: IpAddr,
        request: &mut Request<B>,
    ) -> Result<Arc<str>, Box<Response<Body>>> {
        let said = credentials(request);
        request.headers_mut().remove(PROXY_AUTHORIZATION);
        let outcome = match &said {
            Ok(said) => self.verifier.verify(&self.users.load_full(), said, client).await,
            Err(how) => {
                metrics.authenticated(*how);
                let detail = "this proxy serves users: give it a name and a password, in HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT";
                return Err(Box::new(challenge(detail)));
            }
        };
        let (result, answer) = match outcome {
            Outcome::Verified(name) => (AuthResult::Verified, Ok(name)),
            Outcome::Cached(name) => (AuthResult::Cached, Ok(name)),
            Outcome::Wrong => {
                // Not the name: it may be the password, in the wrong place.
                warn!(%client, "a client's name or password is wrong");
                (AuthResult::Wrong, Err(wrong()))
            }
            Outcome::StillWrong => {
                debug!(%client, "a client's name or password is still wrong");
                (AuthResult::StillWrong, Err(wrong()))
            }
            Outcome::Busy => {
                let detail = "more names and passwords are being checked than there is room for; try again";
                (AuthResult::Busy, Err(later("auth-busy", detail, "1")))
            }
            Outcome::Limited => {
                debug!(%client, "a client has tried too many names and passwords that are wrong");
                let detail = "too many names and passwords from this address were wrong; try again in a minute";
                (AuthResult::Limited, Err(later("auth-limited", detail, "60")))
            }
        };
        metrics.authenticated(result);
        answer.map_err(Box::new)
    }
}

fn credentials<B>(request: &Request<B>) -> Result<Credentials, AuthResult> {
    let mut fields = request.headers().get_all(PROXY_AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Err(AuthResult::Missing),
        (Some(field), None) => Credentials::parse(field.as_bytes()).map_err(|_malformed| AuthResult::Malformed),
        (Some(_), Some(_)) => Err(AuthResult::Malformed),
    }
}

fn wrong() -> Response<Body> {
    challenge("the name or the password is wrong")
}

fn challenge(detail: &str) -> Response<Body> {
    let mut response = reply::bad_request(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "proxy-auth", detail);
    response.headers_mut().insert(PROXY_AUTHENTICATE, CHALLENGE);
    response
}

fn later(reason: &'static str, detail: &str, seconds: &'static str) -> Response<Body> {
    let mut response = reply::bad_request(StatusCode::SERVICE_UNAVAILABLE, reason, detail);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}

fn tell_of_exposure(file: &UsersFile) {
    if file.exposed {
        let advice = "others can read the hashes and guess passwords: `chmod 600` it";
        warn!(path = %file.path.display(), advice, "the users file is readable by others than its owner");
    }
}
