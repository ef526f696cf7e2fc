//! Unusable configuration is refused, with the error and its place.

use std::process::Stdio;

use crate::harness;
use crate::run;

#[test]
fn an_invalid_file_is_exit_code_2_and_names_file_key_value_and_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let path = path.to_str().unwrap();
    for (role, text, words) in [
        (
            "server",
            "[limits]\nclients = \"many\"",
            ["limits.clients", "\"many\"", "a whole number"],
        ),
        ("server", "[limits]\ncleints = 5", ["limits.cleints", "5", "clients"]),
        ("server", "[limits]\nclients = 0", ["limits.clients", "0", "1 or more"]),
        ("client", "[files]\naccept = \"maybe\"", ["files.accept", "\"maybe\"", "\"always\""]),
        ("client", "[private]\nports = \"1-2\"", ["private.ports", "\"1-2\"", "1024"]),
    ] {
        std::fs::write(path, text).unwrap();
        let (code, said) = run(&[role, "-c", path], &[]);
        assert_eq!(code, 2, "{said}");
        for word in words.into_iter().chain([path]) {
            assert!(said.contains(word), "{said:?} lacks {word:?}");
        }
    }
}

#[test]
fn an_invalid_variable_is_exit_code_2_and_named() {
    for (role, name) in
        [("server", "MATOU_SERVER__LIMITS__NONSENSE"), ("client", "MATOU_CLIENT__FILES__ACCEPT")]
    {
        let (code, said) = run(&[role], &[(name, "nonsense")]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(name), "{said}");
    }
    let endless = format!("MATOU_SERVER__{}", vec!["A"; 20_000].join("__"));
    let (code, said) = run(&["server"], &[(&endless, "1")]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn a_missing_file_is_exit_code_2() {
    let (code, said) = run(&["server", "-c", "/no/such/file.toml"], &[]);
    assert_eq!(code, 2);
    assert!(said.contains("/no/such/file.toml"), "{said}");
}

#[test]
fn a_configuration_or_log_that_is_a_named_pipe_does_not_block_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = pipe.to_str().unwrap();
    let (code, said) = run(&["server", "--check-config", "-c", pipe], &[]);
    assert!(code == 2 && said.contains("named pipe"), "{said}");
    let (code, said) =
        run(&["client", "--plain", "--username", "Ada"], &[("MATOU_CLIENT__LOG__FILE", pipe)]);
    assert!(code == 1 && said.contains("named pipe"), "{said}");
}

#[test]
fn a_configuration_that_is_a_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let arguments = ["server", "--check-config", "-c", link.to_str().unwrap()];
    std::fs::write(&file, "[room]\nmotd = \"hello\"\n").unwrap();
    let (code, said) = run(&arguments, &[]);
    assert_eq!(code, 0, "{said}");
    // It is read, and not passed over.
    std::fs::write(&file, "[room]\nno_such_key = 1\n").unwrap();
    let (code, said) = run(&arguments, &[]);
    assert!(code == 2 && said.contains("no_such_key"), "{said}");
}

#[test]
fn a_link_to_nothing_in_the_place_of_the_configuration_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/matou");
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("client.toml");
    std::os::unix::fs::symlink(home.path().join("gone"), &link).unwrap();
    let mut command = harness::matou(home.path());
    command.args(["client", "--plain", "--username", "Ada"]).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(link.to_str().unwrap()), "{said}");
}

#[test]
fn check_config_finds_what_would_prevent_the_start() {
    let socket = "MATOU_SERVER__ADMIN__SOCKET";
    let long = format!("/tmp/{}", "x".repeat(120));
    for (listen, path, expected) in [
        ("::1", "", "network.listen"),
        ("*:6286", "", "network.listen"),
        ("no.such.host.invalid:6286", "", "no.such.host.invalid"),
        ("127.0.0.1:0", "/no/such/folder/admin", "/no/such/folder"),
        ("127.0.0.1:0", long.as_str(), "too long"),
        ("127.0.0.1:0", "/dev/null", "not a socket"),
    ] {
        let (code, said) =
            run(&["server", "--check-config", "--listen", listen], &[(socket, path)]);
        assert!(code == 2 && said.contains(expected), "{listen} {path}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let bans = folder.path().join("bans.json");
    std::fs::write(&bans, "[\n  {\"network\": \"192.0.2.0/33\"}\n]").unwrap();
    let bans = bans.to_str().unwrap();
    let (code, said) = run(&["server", "--check-config"], &[("MATOU_SERVER__ADMIN__BANS", bans)]);
    assert_eq!(code, 2, "{said}");
    for part in [bans, "invalid IP address syntax", "line 2"] {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
    let (code, said) = run(&["server", "--check-config", "--listen", "[::1]:6286"], &[]);
    assert_eq!((code, said.as_str()), (0, "Configuration OK.\n"));
}

#[test]
fn the_shipped_files_run() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/server.toml");
    let mut command = harness::matou(env!("CARGO_TARGET_TMPDIR").as_ref());
    command.args(["server", "-c", file, "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut process = harness::Process(command.spawn().unwrap());
    let mut log = harness::lines::Lines::new("log", process.0.stderr.take().unwrap());
    log.wait("listening", |line| line.contains("listening").then_some(()));
    assert!(!log.seen.concat().contains('\u{1b}'), "colours without a terminal");
}
