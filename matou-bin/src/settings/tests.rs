//! Tests of the shipped files against the defaults, and of the error for each kind of mistake.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use config::{File, FileFormat, Source, ValueKind};
use matou_actors::client::{ClientSettings, Policy, ServerName};
use matou_actors::server::ServerSettings;
use serde::de::DeserializeOwned;

use super::client::{ClientFile, SHIPPED as CLIENT};
use super::server::SHIPPED as SERVER;
use super::*;

fn server(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[Flag],
) -> Result<ServerSettings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    std::fs::write(&path, text).unwrap();
    load_server(Some(&path), variables(environment), flags, Some(Path::new("/home/me")))
        .map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "server.toml"))
}

fn client(text: &str) -> Result<(ClientFile, ClientSettings), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.toml");
    std::fs::write(&path, text).unwrap();
    load_client(Some(&path), vec![], &[], Some(Path::new("/home/me")))
        .map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "client.toml"))
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

/// The keys of `T` under `section`, taken from its error for an unknown key.
fn keys<T: DeserializeOwned>(section: Option<&str>) -> BTreeSet<String> {
    let unknown = r#"{"there is no such key": 0}"#;
    let json = section.map_or(unknown.into(), |name| format!(r#"{{"{name}": {unknown}}}"#));
    let error = serde_json::from_str::<T>(&json).err().unwrap().to_string();
    let (_, expected) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn assert_contains_every_key<T: DeserializeOwned>(shipped: &str) {
    let file = File::from_str(shipped, FileFormat::Toml).collect().unwrap();
    assert_eq!(file.keys().cloned().collect::<BTreeSet<_>>(), keys::<T>(None));
    for (section, value) in file {
        let ValueKind::Table(table) = value.kind else { panic!("{section} is not a section") };
        assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), keys::<T>(Some(&section)));
    }
}

#[test]
fn the_shipped_files_contain_every_key() {
    assert_contains_every_key::<ServerSettings>(SERVER);
    assert_contains_every_key::<ClientFile>(CLIENT);
}

#[test]
fn the_shipped_files_are_the_defaults() {
    assert_eq!(server(SERVER, &[], &[]).unwrap(), ServerSettings::default());
    assert_eq!(client(CLIENT).unwrap().0, ClientFile::default());
}

#[test]
fn every_key_of_the_shipped_files_has_a_comment() {
    for shipped in [SERVER, CLIENT] {
        let lines: Vec<_> = shipped.lines().collect();
        for pair in lines.windows(2) {
            let is_key = pair[1].contains(" = ") && !pair[1].starts_with('#');
            assert!(!is_key || pair[0].starts_with("# "), "{}", pair[1]);
        }
    }
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let text = "[network]\nlisten = \"a:1\"\n[limits]\nclients = 1\nunjoined = 1\n";
    let environment =
        [("MATOU_SERVER__LIMITS__CLIENTS", "2"), ("MATOU_SERVER__NETWORK__LISTEN", "b:2")];
    let flag = Flag { name: "--listen", key: "network.listen", value: "c:3".into() };
    let settings = server(text, &environment, &[flag]).unwrap();
    assert_eq!(settings.limits.unjoined, 1);
    assert_eq!(settings.limits.clients, 2);
    assert_eq!(settings.network.listen, "c:3");
    assert_eq!(settings.private, ServerSettings::default().private);
}

#[test]
fn environment_values_have_the_type_of_their_key() {
    let environment = [
        ("MATOU_SERVER__ROOM__REPLAY_ROSTER", "false"),
        ("MATOU_SERVER__ROOM__MOTD", "1e3"),
        ("MATOU_SERVER__LOG__FORMAT", "json"),
        ("MATOU_CLIENT__OF__ANOTHER", "1"),
        ("MATOU_SERVERS", "1"),
        ("PATH", "/bin"),
    ];
    let settings = server("", &environment, &[]).unwrap();
    assert!(!settings.room.replay_roster);
    assert_eq!(settings.room.motd, "1e3");
}

#[test]
fn an_error_names_origin_key_value_and_expectation() {
    let table = [
        (
            "[limits]\ncleints = 5",
            &["server.toml: limits.cleints = 5", "did you mean clients?"][..],
        ),
        ("[limit]\nclients = 5", &["server.toml: limit = ", "did you mean limits?"]),
        ("clients = 5", &["server.toml: clients = 5", "the sections are admin, "]),
        ("limits = 5", &["server.toml: limits = 5", "a section of keys is expected"]),
        ("[limits]\nclients = \"5\"", &["limits.clients = \"5\"", "a whole number is expected"]),
        ("[limits]\nclients = 5.5", &["limits.clients = 5.5", "a whole number is expected"]),
        ("[limits]\nclients = -5", &["limits.clients = -5", "a whole number from 0 on"]),
        ("[limits]\nclients = 0", &["server.toml: limits.clients = 0", "1 or more is expected"]),
        ("[network]\nbacklog = 4294967296", &["network.backlog = 4294967296", "0 to 4294967295"]),
        ("[room]\nreplay_roster = 1", &["room.replay_roster = 1", "true or false is expected"]),
        ("[room]\nmotd_name = \"a b\"", &["room.motd_name = \"a b\"", "letters and digits"]),
        ("[log]\nlevel = \"loud\"", &["log.level = \"loud\"", "\"warning\""]),
        ("[metrics]\nlisten = \"x\"", &["server.toml: metrics.listen = \"x\"", "address"]),
        ("[network]\nlisten = \"6286\"", &["network.listen = \"6286\"", "HOST:PORT"]),
        ("[network]\nlisten = \"::1\"", &["network.listen = \"::1\"", "[::1]:6286"]),
        ("[network]\nlisten = \"*:6286\"", &["network.listen = \"*:6286\"", "[::]:6286"]),
        ("[network]\nlisten = \"a:99999\"", &["network.listen = \"a:99999\"", "HOST:PORT"]),
        ("[limits\n", &["server.toml: "]),
    ];
    for (text, expected) in table {
        let error = server(text, &[], &[]).unwrap_err();
        for part in expected {
            assert!(error.contains(part), "{text:?} gives {error:?}, which lacks {part:?}");
        }
    }
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    let table = [
        ("MATOU_SERVER__LIMITS__CLIENTS", "many", "a whole number is expected"),
        ("MATOU_SERVER__LIMITS__CLIENTS", "", "a whole number is expected"),
        ("MATOU_SERVER__LIMITS__CLIENTS", "0", "1 or more is expected"),
        ("MATOU_SERVER__LIMITS__CLEINTS", "5", "did you mean clients?"),
        ("MATOU_SERVER__LIMIT__CLIENTS", "5", "did you mean limits?"),
        ("MATOU_SERVER__LIMITS", "5", "a section of keys is expected"),
        ("MATOU_SERVER__ROOM__REPLAY_ROSTER", "yes", "true or false is expected"),
        ("MATOU_SERVER__LOG__LEVEL", "loud", "\"warning\""),
    ];
    for (name, value, expected) in table {
        let error = server("", &[(name, value)], &[]).unwrap_err();
        assert!(error.starts_with(&format!("environment variable {name}: ")), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_number_that_is_too_large_is_named_with_its_key() {
    let number = "99999999999999999999";
    let error = server(&format!("[log]\n[limits]\nclients = {number}"), &[], &[]).unwrap_err();
    assert!(error.starts_with(&format!("server.toml: limits.clients = {number}")), "{error}");
    assert!(error.contains("9223372036854775807"), "{error}");
    let error = server("", &[("MATOU_SERVER__LIMITS__CLIENTS", number)], &[]).unwrap_err();
    assert!(error.contains("9223372036854775807"), "{error}");
}

#[test]
fn a_variable_with_one_underscore_is_an_error_that_names_the_right_one() {
    for name in ["MATOU_SERVER_LIMITS_CLIENTS", "MATOU_SERVER_LIMITS__CLIENTS"] {
        let error = server("", &[(name, "5")], &[]).unwrap_err();
        assert!(error.contains(name), "{error}");
        assert!(error.contains("did you mean MATOU_SERVER__LIMITS__CLIENTS?"), "{error}");
    }
    assert!(server("", &[("MATOU_SERVER_NONSENSE", "5")], &[]).is_err());
}

#[test]
fn a_variable_of_thousands_of_parts_is_an_error() {
    let name = format!("MATOU_SERVER__{}", vec!["A"; 20_000].join("__"));
    let error = server("", &[(&name, "1")], &[]).unwrap_err();
    assert!(error.contains("MATOU_SERVER__SECTION__KEY") && error.len() < 1_000, "{error}");
}

#[test]
fn a_tilde_works_in_every_path() {
    let text = "[admin]\nsocket = \"~/a\"\nbans = \"~/b\"";
    let admin = server(text, &[], &[]).unwrap().admin;
    assert_eq!((&*admin.socket, &*admin.bans), (Path::new("/home/me/a"), Path::new("/home/me/b")));
    let file = client("[log]\nfile = \"~/log\"").unwrap().0.log.file;
    assert_eq!(file, Path::new("/home/me/log"));
    for text in ["[log]\nfile = \"~no-user/x\"", "[files]\ndownloads = \"~no-user/x\""] {
        let error = client(text).unwrap_err();
        assert!(error.contains("there is no user \"no-user\""), "{error}");
    }
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = load_server(Some(Path::new("/no/such.toml")), vec![], &[], None).unwrap_err();
    assert!(error.to_string().starts_with("/no/such.toml: "), "{error}");
}

#[test]
fn the_client_file_becomes_the_library_settings() {
    let text = "[client]\nserver = \"h:1\"\nusername = \"Bob\"\n[files]\ndownloads = \"~/in\"\n\
                accept = \"always\"\n[private]\nlisten = \"::1\"\nports = \"40000-40010\"\n";
    let settings = client(text).unwrap().1;
    assert_eq!(settings.servers, [ServerName::parse("h:1").unwrap()]);
    assert_eq!(settings.username.unwrap().as_str(), "Bob");
    assert_eq!(settings.downloads, Path::new("/home/me/in"));
    assert_eq!(settings.accept_files, Policy::Always);
    assert_eq!(settings.private_listen, Some("::1".parse().unwrap()));
    assert_eq!(settings.private_ports, Some(40000..=40010));
}

#[test]
fn every_server_syntax_is_accepted() {
    for server in [
        "h",
        "h:1",
        "192.0.2.1",
        "192.0.2.1:1",
        "::1",
        "[::1]",
        "[::1]:65535",
        "fe80::1%e",
        "matou://h:1",
    ] {
        let text = format!("[client]\nserver = \"{server}\"");
        assert_eq!(client(&text).unwrap().1.servers, [ServerName::parse(server).unwrap()]);
    }
}

#[test]
fn several_servers_are_a_list_or_a_text_with_commas() {
    let servers = |text: &str| {
        let servers = client(&format!("[client]\nserver = {text}")).unwrap().1.servers;
        servers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for several in ["[\"a:1\", \"b\"]", "\"a:1, b\"", "\"a:1,b,\"", "[\"a:1\", \"b\", \"\"]"] {
        assert_eq!(servers(several), ["a:1", "b:6286"], "{several}");
    }
    for none in ["[]", "\"\"", "[\"\"]"] {
        assert!(servers(none).is_empty(), "{none}");
    }
    let variable = variables(&[("MATOU_CLIENT__CLIENT__SERVER", "a:1,b")]);
    let (_, settings) = load_client(None, variable, &[], Some(Path::new("/home/me"))).unwrap();
    assert_eq!(settings.servers.len(), 2);
    let error = client("[client]\nserver = [\"a:1\", \"b:0\"]").unwrap_err();
    assert!(error.starts_with("client.toml: client.server = \"b:0\""), "{error}");
    let error = client("[client]\nserver = 5").unwrap_err();
    assert!(error.contains("a list is expected"), "{error}");
}

#[test]
fn an_invalid_client_setting_is_named() {
    let table = [
        ("[client]\nusername = \"a b\"", "client.toml: client.username = \"a b\""),
        ("[client]\nserver = \"h:99999\"", "client.toml: client.server = \"h:99999\""),
        ("[client]\nserver = \"h:0\"", "client.toml: client.server = \"h:0\""),
        ("[client]\nserver = \":1\"", "client.toml: client.server = \":1\""),
        ("[client]\nserver = \"[::1]1\"", "client.toml: client.server = \"[::1]1\""),
        ("[client]\nserver = \"a:b:c\"", "client.toml: client.server = \"a:b:c\""),
        ("[client]\nserver = \"fe80::1%\"", "client.toml: client.server = \"fe80::1%\""),
        ("[files]\ndownloads = \"\"", "client.toml: files.downloads = \"\""),
        ("[files]\naccept = \"maybe\"", "client.toml: files.accept = \"maybe\""),
        ("[private]\nlisten = \"here\"", "client.toml: private.listen = \"here\""),
        ("[private]\nports = \"80-90\"", "client.toml: private.ports = \"80-90\""),
        ("[private]\nports = \"5000-5000\"", "client.toml: private.ports = \"5000-5000\""),
        ("[private]\nrequest_seconds = 0", "client.toml: private.request_seconds = 0 is"),
    ];
    for (text, expected) in table {
        let error = client(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
