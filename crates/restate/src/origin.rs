//! Where an interface listens.

use std::fmt;
use std::str::FromStr;

/// Scheme, host and port of an HTTP interface, such as `http://restate:8080`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    authority: String,
}

impl Origin {
    /// The origin of a port on this machine.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self {
            authority: format!("127.0.0.1:{port}"),
        }
    }

    /// Host and port, as the `host` header and a socket want them.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// Text that is not the origin of an HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `http://<host>:<port>`")]
pub struct InvalidOrigin(String);

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(text.into());
        let rest = text.strip_prefix("http://").ok_or_else(invalid)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = authority.rsplit_once(':').ok_or_else(invalid)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        let valid = !host.is_empty() && host.bytes().all(plain) && port.parse::<u16>().is_ok();
        if valid {
            Ok(Self {
                authority: authority.into(),
            })
        } else {
            Err(invalid())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for text in [
            "http://restate:8080",
            "http://127.0.0.1:9070",
            "http://[::1]:9070",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        assert_eq!(
            "http://a:1/".parse::<Origin>().unwrap().to_string(),
            "http://a:1"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "restate:8080",
            "https://restate:8080",
            "http://restate",
            "http://:80",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
        assert!("http://a:1/path".parse::<Origin>().is_err());
        assert!("http://a:70000".parse::<Origin>().is_err());
    }
}
