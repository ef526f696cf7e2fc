//! The user's key: used by the client, and shown, moved and forgotten by `matou-bin identity`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use matou_actors::client::{
    ClientSettings, EncryptionPolicy, ServerName, forget_person, read_known_servers,
};
use matou_actors::protocol::Username;
use matou_actors::trust::{Identity, KnownServers};
use slog::{Logger, warn};

use crate::arguments::IdentityOrder;
use crate::exit::Failure;
use crate::key_file::{self, KeyError, data_folder};
use crate::paths;
use crate::stdout::print;

/// Adds the user's key, and the files of known servers and people, to the settings of a client.
pub(crate) fn add_to(settings: &mut ClientSettings, logger: &Logger) -> Result<(), Failure> {
    if settings.encryption == EncryptionPolicy::Off {
        return Ok(());
    }
    settings.known_servers = known_servers_file();
    settings.known_people = known_people_file();
    let loaded = match path() {
        Some(path) => key_file::load_or_make(&path).map(|(identity, _)| identity),
        None => Err(KeyError::NotMade("there is no home directory to keep a key in".into())),
    };
    let identity = match loaded {
        Ok(identity) => identity,
        Err(KeyError::Unusable(error)) => return Err(Failure::Runtime(error)),
        Err(KeyError::NotMade(reason)) => {
            warn!(logger, "the key is for this run only"; "reason" => reason);
            Identity::generate().map_err(|error| Failure::Runtime(error.to_string()))?
        }
    };
    settings.identity = Some(Arc::new(identity));
    Ok(())
}

/// The servers whose keys were seen.
pub(crate) fn known_servers() -> Result<KnownServers, Failure> {
    known_servers_file().map_or_else(|| Ok(KnownServers::default()), |file| load_known(&file))
}

/// Does what `matou-bin identity` was asked for.
pub(crate) fn run(order: &IdentityOrder) -> Result<(), Failure> {
    let path = path().ok_or_else(|| {
        Failure::Runtime("there is no home directory to keep a key in; set HOME".into())
    })?;
    match order {
        IdentityOrder::Show => show(&path),
        IdentityOrder::Export => {
            let identity = key_file::find(&path).map_err(Failure::Runtime)?;
            let identity = identity.ok_or_else(|| {
                Failure::Runtime(format!("there is no key yet in {}", path.display()))
            })?;
            print(identity.to_pem().as_bytes())
        }
        IdentityOrder::Import { file } => {
            let identity = read(file).map_err(Failure::Runtime)?;
            key_file::save_new(&path, &identity).map_err(Failure::Runtime)?;
            let line = format!("{} is your key now: {}\n", identity.fingerprint(), path.display());
            print(line.as_bytes())
        }
        IdentityOrder::Forget { person: Some(name), .. } => forget_the_person(name),
        IdentityOrder::Forget { server, .. } => forget(server.as_deref().unwrap_or_default()),
    }
}

fn show(path: &Path) -> Result<(), Failure> {
    let (identity, _) =
        key_file::load_or_make(path).map_err(|error| Failure::Runtime(error.to_string()))?;
    let mut text = format!("{}\n{}\n", identity.fingerprint(), path.display());
    if let Some(file) = known_servers_file() {
        let known = load_known(&file)?;
        let lines = known
            .iter()
            .map(|(name, fingerprint, since)| format!("{name} {fingerprint} since {since}\n"));
        text.extend(lines);
    }
    print(text.as_bytes())
}

fn forget(server: &str) -> Result<(), Failure> {
    let name = ServerName::parse(server).map_err(Failure::Usage)?.to_string();
    let file = known_servers_file()
        .ok_or_else(|| Failure::Runtime("there is no home directory; set HOME".into()))?;
    let mut known = load_known(&file)?;
    if !known.remove(&name) {
        return Err(Failure::Runtime(format!("no key of {name} is known in {}", file.display())));
    }
    replace(&file, &known.to_text())
        .map_err(|error| Failure::Runtime(format!("cannot write {}: {error}", file.display())))?;
    let line = format!("Forgot the key of {name}: the next one that it presents is accepted.\n");
    print(line.as_bytes())
}

fn forget_the_person(name: &Username) -> Result<(), Failure> {
    let file = known_people_file()
        .ok_or_else(|| Failure::Runtime("there is no home directory; set HOME".into()))?;
    let forgotten = forget_person(&file, name).map_err(Failure::Runtime)?;
    if forgotten == 0 {
        return Err(Failure::Runtime(format!("no key of {name} is known in {}", file.display())));
    }
    let line = format!(
        "Forgot the key of {name}: the next one is accepted. Clients that are running still \
         expect the old one.\n"
    );
    print(line.as_bytes())
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

fn load_known(file: &Path) -> Result<KnownServers, Failure> {
    read_known_servers(file)
        .map_err(|error| Failure::Runtime(format!("cannot read {}: {error}", file.display())))
}

/// A key from a file, or from standard input.
fn read(file: &Path) -> Result<Identity, String> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().take(64 * 1024).read_to_string(&mut text);
        read.map_err(|error| format!("cannot read standard input: {error}"))?;
        text
    } else {
        paths::read_text(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?
    };
    Identity::from_pem(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn path() -> Option<PathBuf> {
    Some(data_folder()?.join("identity.key"))
}

fn known_people_file() -> Option<PathBuf> {
    Some(data_folder()?.join("known_people"))
}

fn known_servers_file() -> Option<PathBuf> {
    Some(data_folder()?.join("known_servers"))
}
