//! What is found where, and what is refused.

use super::*;

fn read(flags: &[&str], environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let flags = std::iter::once(&"hawkfish-server").chain(flags);
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Settings::read(flags.copied(), environment)
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hf.toml");
    std::fs::write(&file, "seed = 3\nlisten = \"127.0.0.3:3\"\nsim_systems = 30\nlibvirt-uri = [\"test:///default\", \"x:///y\"]\n").unwrap();
    let config = ("HF_CONFIG", file.to_str().unwrap());
    let settings = read(
        &["--seed", "1"],
        &[
            config,
            ("HF_SEED", "2"),
            ("HF_LISTEN", "127.0.0.2:2"),
            ("HF_MEDIA_DIR", "/a, /b"),
        ],
    )
    .unwrap();
    assert_eq!(settings.seed, 1);
    assert_eq!(settings.listen, "127.0.0.2:2".parse().unwrap());
    assert_eq!(settings.sim_systems, 30);
    assert_eq!(settings.libvirt_uris, ["test:///default", "x:///y"]);
    assert_eq!(
        settings.media_dirs,
        [PathBuf::from("/a"), PathBuf::from("/b")]
    );
    assert_eq!(settings.tls, TlsChoice::SelfSigned);
}

#[test]
fn without_a_word_it_listens_on_loopback_with_tls() {
    let settings = read(&[], &[("HOME", "/home/x")]).unwrap();
    assert!(settings.listen.ip().is_loopback());
    assert_eq!(settings.backend, BackendChoice::Auto);
    assert_eq!(
        settings.data_dir,
        PathBuf::from("/home/x/.local/state/hawkfish")
    );
    assert_eq!(settings.media_max_bytes, 32 << 30);
}

#[test]
fn an_unknown_key_is_refused_by_name_with_the_nearest_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hf.toml");
    std::fs::write(&file, "sim-sytems = 3\n").unwrap();
    let error = read(&["--config", file.to_str().unwrap()], &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sim-sytems") && error.contains("did you mean sim-systems?"),
        "{error}"
    );
    let error = read(&[], &[("HF_LISTN", "x")]).unwrap_err().to_string();
    assert!(
        error.contains("HF_LISTN") && error.contains("listen"),
        "{error}"
    );
    let error = read(&["--lissten", "x"], &[]).unwrap_err().to_string();
    assert!(
        error.contains("--lissten") && error.contains("--listen"),
        "{error}"
    );
    std::fs::write(&file, "config = \"other\"\n").unwrap();
    assert!(read(&["--config", file.to_str().unwrap()], &[]).is_err());
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    assert!(read(&[], &[("HF_HOME", "/x"), ("HF_TOKEN", "y")]).is_ok());
}

#[test]
fn a_value_that_cannot_be_taken_is_refused_with_its_place() {
    for (flag, value) in [
        ("--listen", "nowhere"),
        ("--backend", "vmware"),
        ("--seed", "-1"),
        ("--tls", "maybe"),
        ("--tls", "cert:"),
        ("--media-max-size", "0"),
        ("--media-max-size", "9E"),
        ("--media-allow", "not a host"),
        ("--max-connections", "0"),
        ("--event-log-size", "0"),
        ("--full-log", "never"),
        ("--log-format", "xml"),
    ] {
        let error = read(&[flag, value], &[]).unwrap_err().to_string();
        assert!(error.contains(flag), "{flag} {value}: {error}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let settings = read(&["--admin-password", "hunter2!"], &[]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}
