//! The command that opens the firewall of this computer, if it is one of the common ones.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// The command that lets private sessions in, if a known firewall is active here.
pub(super) fn firewall_hint(ports: Option<&RangeInclusive<u16>>) -> Option<String> {
    let settings = fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    hint(&settings, Path::new("/run/firewalld").exists(), ports)
}

fn hint(ufw: &str, firewalld: bool, ports: Option<&RangeInclusive<u16>>) -> Option<String> {
    let (first, last) = ports.map_or((50_000, 50_001), |ports| (*ports.start(), *ports.end()));
    let has_ufw = ufw.lines().any(|line| line.trim() == "ENABLED=yes");
    let (name, command) = if has_ufw {
        ("ufw", format!("sudo ufw allow {first}:{last}/tcp"))
    } else if firewalld {
        ("firewalld", format!("sudo firewall-cmd --permanent --add-port={first}-{last}/tcp"))
    } else {
        return None;
    };
    let first_of_all = if ports.is_none() {
        format!("set private.ports = \"{first}-{last}\" and run ")
    } else {
        String::new()
    };
    Some(format!(
        "The firewall {name} is active on this computer: {first_of_all}{command} to let private sessions in."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_fits_the_firewall_and_the_configured_ports() {
        let enabled = "# a comment\nENABLED=yes\n";
        let all = [
            (hint(enabled, false, Some(&(6000..=6009))), Some("sudo ufw allow 6000:6009/tcp")),
            (hint(enabled, false, None), Some("private.ports = \"50000-50001\"")),
            (hint("ENABLED=no\n", true, None), Some("--add-port=50000-50001/tcp")),
            (hint("", false, None), None),
        ];
        for (hint, expected) in all {
            assert_eq!(hint.is_some(), expected.is_some(), "{hint:?}");
            assert!(hint.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
