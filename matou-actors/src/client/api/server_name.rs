//! The server as the user names it: `HOST` or `HOST:PORT`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};

use crate::protocol::DEFAULT_PORT;
use crate::trust::Fingerprint;

/// May stand before a server, as in a link.
const SCHEME: &str = "matou://";

/// A host, which may have many addresses, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The only key that is accepted.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl ServerName {
    /// Reads one or more of what [`Self::parse`] reads, with commas between them.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(Self::parse).collect()
    }

    /// Reads `HOST`, `HOST:PORT`, an IPv6 address, or `[IPV6]:PORT`, the address with `%INTERFACE`
    /// if it is link-local; each with `matou://` before it and `#SHA256:...` behind it or not.
    /// Whether it is there is found out later.
    ///
    /// # Errors
    ///
    /// What is wrong with `text`, and what is expected, in words for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => {
                rest.strip_suffix('/').unwrap_or(rest)
            }
            _ => text,
        };
        if let Some((name, fingerprint)) = text.split_once('#') {
            let fingerprint = Fingerprint::parse(fingerprint).ok_or_else(|| {
                format!(
                    "the server {text:?} has no fingerprint behind the #: copy all of SHA256:..."
                )
            })?;
            return Ok(Self { fingerprint: Some(fingerprint), ..Self::parse(name)? });
        }
        let wrong = |what: &str| format!("the server {text:?} {what}: write HOST or HOST:PORT");
        let named = |host: &str, port| Self { host: host.into(), port, fingerprint: None };
        if is_ipv6(text) {
            return Ok(named(text, DEFAULT_PORT));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("lacks a ]"))?;
                if !is_ipv6(host) {
                    return Err(wrong("has no IPv6 address between [ and ]"));
                }
                (host, rest.strip_prefix(':').or(if rest.is_empty() { None } else { Some("") }))
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        // It becomes a word of a line in the list of known servers.
        if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("has a space or a control character in its host"));
        }
        match port {
            None => Ok(named(host, DEFAULT_PORT)),
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => Ok(named(host, port)),
                _ => Err(wrong("has no port from 1 to 65535 after the colon")),
            },
        }
    }
}

/// Whether it is an IPv6 address, with the interface of a link-local one or without.
fn is_ipv6(text: &str) -> bool {
    let (address, interface) = text.split_once('%').unwrap_or((text, "-"));
    let is_valid = |it: char| it.is_ascii_graphic() && !matches!(it, '%' | '[' | ']');
    let interface_is_valid = !interface.is_empty() && interface.chars().all(is_valid);
    address.parse::<Ipv6Addr>().is_ok() && interface_is_valid
}

impl From<SocketAddr> for ServerName {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), fingerprint: None }
    }
}

/// `HOST:PORT`, without the fingerprint.
impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_word() {
        for text in [
            "a b",
            "a\nb:1",
            "[a b]:1",
            "a\0",
            "a\u{a0}b",
            "a\tb#SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        ] {
            assert!(ServerName::parse(text).unwrap_err().contains("HOST"), "{text:?}");
        }
    }

    #[test]
    fn hosts_and_addresses_with_and_without_port() {
        let shown = |text| ServerName::parse(text).map(|name| name.to_string());
        assert_eq!(shown("chat.example").unwrap(), "chat.example:6286");
        assert_eq!(shown("127.0.0.1:7").unwrap(), "127.0.0.1:7");
        assert_eq!(shown("::1").unwrap(), "[::1]:6286");
        assert_eq!(shown("[::1]").unwrap(), "[::1]:6286");
        assert_eq!(shown("[fe80::1]:99").unwrap(), "[fe80::1]:99");
        let print = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let named = ServerName::parse(&format!("ship:7#{print}")).unwrap();
        assert_eq!(
            (named.to_string(), named.fingerprint),
            ("ship:7".into(), Fingerprint::parse(print))
        );
        assert_eq!(ServerName::parse("ship:7").unwrap().fingerprint, None);
        for (link, name) in [
            ("matou://ship:7", "ship:7"),
            ("matou://ship", "ship:6286"),
            ("Matou://ship/", "ship:6286"),
            ("matou://[2001:db8::1]:7", "[2001:db8::1]:7"),
            ("[fe80::1%eth0]:7", "[fe80::1%eth0]:7"),
            ("fe80::1%eth0", "[fe80::1%eth0]:6286"),
        ] {
            assert_eq!(shown(link).unwrap(), name);
        }
        let link = ServerName::parse(&format!("matou://ship:7#{print}")).unwrap();
        assert_eq!(link, named);
        for bad in [
            "matou://",
            "fe80::1%",
            "fe80::1%a b",
            "ship:7#",
            "ship:7#SHA256:short",
            "",
            ":1",
            "a:",
            "a:0",
            "a:70000",
            "a:b",
            "[::1",
            "[::1]x",
            "[]:1",
            "[[]",
            "[ship]:7",
            "fe80::1%e]",
        ] {
            assert!(ServerName::parse(bad).is_err(), "{bad}");
        }
    }
}
