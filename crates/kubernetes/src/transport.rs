//! One HTTP/2 connection for everything. The client's own transport speaks HTTP/1.1 only, and opens a TLS
//! connection for each request under way: on a busy API server each costs as much as the request itself.

use std::{sync::Arc, time::Duration};

use http::Response;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Config, Error,
    client::{Body, ConfigExt as _},
};
use tower::{BoxError, ServiceBuilder};

use crate::clock::ServerClock;

/// How often a connection is asked whether it is alive, and how long it may take to answer: one that is shared
/// by all must not stay when nothing comes through any more. Also while nobody uses it, as long as a question
/// waits for its answer: gateways forget what is silent, and machines sleep.
const ASKED_EVERY: Duration = Duration::from_secs(5);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The ways to one API server.
#[derive(Clone)]
pub(crate) struct Transport {
    /// For requests with an answer.
    pub(crate) kube: kube::Client,
    /// What its answers tell of the time.
    pub(crate) clock: ServerClock,
    /// Credentials are in it: it is never shown.
    pub(crate) config: Arc<Config>,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        let (kube, clock) = client(config.clone())?;
        let config = Arc::new(config);
        Ok(Self {
            kube,
            clock,
            config,
        })
    }

    /// A client that can turn a request into a stream: HTTP/2 has no upgrades (RFC 9113, 8.2.2), so this is the
    /// transport that speaks HTTP/1.1. It is made when it is needed, as it may have to run a program for
    /// credentials of its own.
    pub(crate) fn upgradable(&self) -> Result<kube::Client, Error> {
        kube::Client::try_from(Config::clone(&self.config))
    }
}

/// A client by a configuration, and the clock that its answers tell. One that needs a proxy or another server
/// name has the client's own transport, which tells no time.
fn client(config: Config) -> Result<(kube::Client, ServerClock), Error> {
    let clock = ServerClock::default();
    if config.proxy_url.is_some() || config.tls_server_name.is_some() {
        return Ok((kube::Client::try_from(config)?, clock));
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    let http = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(ASKED_EVERY)
        .http2_keep_alive_timeout(ANSWERED_WITHIN)
        .http2_keep_alive_while_idle(true)
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .map_response(heard(clock.clone()))
        .service(http);
    Ok((kube::Client::new(service, config.default_namespace), clock))
}

fn heard<B>(clock: ServerClock) -> impl Fn(Response<B>) -> Response<B> + Clone {
    move |response| {
        clock.hear(response.headers());
        response
    }
}
