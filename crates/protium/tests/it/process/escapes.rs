//! What a run tries that wants out of its sandbox: all of it fails, and the test would see it if it did not.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::program::until;
use super::runs::{HOLD, Site, is_alive, manifest, supervisor, text_of};
use crate::on_both;
use crate::support::bundle::ENVIRONMENT_SCHEMA;
use crate::support::double::create;

/// Says of each place how far a connection to it comes. What has no route can't be asked.
const CONNECT: &str = r#"import os, socket, sys
for place in sys.argv[1:]:
    kind, _, address = place.partition("=")
    try:
        if kind == "tcp":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        elif kind == "udp":
            host, _, port = address.rpartition(":")
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((host, int(port)))
        else:
            unix = socket.socket(socket.AF_UNIX)
            unix.connect("\0" + address if kind == "abstract" else address)
        print("reached", place)
    except OSError as error:
        print("kept from", place, "by", type(error).__name__, error.strerror)
"#;

/// Somebody who waits for connections, wherever that is possible on this machine.
struct Listening {
    tcp: TcpListener,
    name: String,
    path: PathBuf,
    _unix: [UnixListener; 2],
}

impl Listening {
    fn in_folder(folder: &Path) -> Self {
        let (name, path) = (uuid::Uuid::new_v4().to_string(), folder.join("socket"));
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let unix = [hidden, UnixListener::bind(&path).unwrap()];
        Self { tcp: TcpListener::bind("127.0.0.1:0").unwrap(), name, path, _unix: unix }
    }

    fn tcp(&self) -> String {
        format!("tcp={}", self.tcp.local_addr().unwrap())
    }
}

/// The places that a test file must not have come to.
fn made(places: &[&Path]) -> Vec<PathBuf> {
    places.iter().map(|place| place.join("made-by-a-run")).filter(|made| made.exists()).collect()
}

on_both! {
    a_run_without_a_network_reaches_nothing_of_it, async |db| {
        let listening = Listening::in_folder(db.folder());
        let metadata = ["tcp=169.254.169.254:80", "tcp=169.254.170.2:80", "udp=169.254.169.254:80", "udp=192.0.2.1:53"];
        let places = [
            vec![listening.tcp(), format!("abstract={}", listening.name), format!("unix={}", listening.path.display())],
            metadata.map(str::to_owned).to_vec(),
        ].concat();
        let own = "python3 connect.py tcp=${AWS_ENDPOINT_URL_PROTON#http://} 2>&1 | tail -n 1";
        let own = own.replace("${AWS_ENDPOINT_URL_PROTON#http://}", "$(echo \"$AWS_ENDPOINT_URL_PROTON\" | cut -d / -f 3)");
        let manifest = manifest(&[&format!("python3 connect.py {}", places.join(" ")), &own, "ls /sys/class/net 2>/dev/null; true"], &[]);
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", manifest.as_str()),
            ("infrastructure/connect.py", CONNECT),
        ];
        let site = Site::of(db, |start| start.word("--deny-run-network"), &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        let log = site.logs().pop().unwrap();
        let said: Vec<&str> = log.lines().filter(|line| !line.starts_with("$ ")).collect();
        assert!(said.iter().all(|line| !line.starts_with("reached")), "{log}");
        assert_eq!(said.iter().filter(|line| line.starts_with("kept from")).count(), places.len() + 1, "{log}");
        for place in metadata {
            assert!(log.contains(&format!("kept from {place} by OSError Network is unreachable")), "no way leads there: {log}");
        }
        assert!(log.contains(&format!("kept from tcp=127.0.0.1:{} by ConnectionRefusedError", site.program.port())), "{log}");
    }

    a_run_with_a_network_reaches_that_and_no_sockets_of_others, async |db| {
        let listening = Listening::in_folder(db.folder());
        let places = [listening.tcp(), format!("unix={}", listening.path.display())].join(" ");
        let manifest = manifest(&[&format!("python3 connect.py {places}")], &[]);
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", manifest.as_str()),
            ("infrastructure/connect.py", CONNECT),
        ];
        let site = Site::of(db, |start| start, &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        let log = site.logs().pop().unwrap();
        assert!(log.contains(&format!("reached {}", listening.tcp())), "{log}");
        assert!(log.contains(&format!("kept from unix={}", listening.path.display())), "{log}");
    }

    a_run_finds_neither_the_database_nor_what_others_keep, async |db| {
        let data = db.folder().to_owned();
        let other = tempfile::tempdir().unwrap();
        for folder in [data.join("runs/other/state"), data.join("runs/other/deployment/work")] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("secret"), "TREASURE").unwrap();
        }
        fs::write(other.path().join("secret"), "TREASURE").unwrap();
        let runs = data.join("runs");
        let read = format!(
            "for file in $(find {data} {other} -type f 2>/dev/null) {data}/*.db {data}/*.key {data}/credentials {data}/runs/id {data}/runs/other/*/secret {other}/secret \
             /etc/shadow /etc/ssh/ssh_host_* ~root/.ssh/* ../supervisor.json ../../service.json ../../other/state/secret \"$PROTIUM_STATE_DIR/../other/state/secret\"; \
             do if cat \"$file\" >/dev/null 2>&1; then echo \"READ $file\"; fi; done; true",
            data = data.display(), other = other.path().display(),
        );
        let write = format!(
            "for folder in / /usr /usr/bin /etc /opt /bin /protium {data} {runs} {runs}/other/state {other} .. ../.. \"$PROTIUM_STATE_DIR/..\" \
             \"$(dirname \"$PROTIUM_PROGRAM\")\"; do for file in made-by-a-run end.json stop; do \
             if echo x > \"$folder/$file\"; then echo \"WROTE $folder/$file\"; fi; done; done 2>/dev/null; \
             echo x >> \"$PROTIUM_PROGRAM\" && echo WROTE the program; echo x >> \"$0\" && echo WROTE the script; true",
            data = data.display(), runs = runs.display(), other = other.path().display(),
        );
        // Links are followed by nobody who may more than the run.
        let links = format!("ln -s {}/secret proton-plan.txt; ln -s {} \"$PROTIUM_STATE_DIR/link\"; ls -A", other.path().display(), other.path().display());
        let site = Site::on(db, &[&read, &write, &links], &["true"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        let resources = fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path());
        let own = resources.into_iter().find(|path| path.is_dir() && path.file_name().unwrap() != "other").unwrap();
        let run = fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.join("log").exists()).unwrap();
        let log = text_of(&run.join("log"));
        assert!(log.ends_with("proton-inputs.json\nproton-plan.txt\ntool.sh"), "it did try: {log}");
        assert!(!log.contains("\nREAD ") && !log.contains("\nWROTE "), "{log}");
        assert!(!run.join("plan.txt").exists(), "a link is no plan");
        let outside = [Path::new("/"), Path::new("/usr"), Path::new("/usr/bin"), Path::new("/etc"), Path::new("/opt"), &data, &runs, &own, &run, other.path()];
        let made = made(&outside);
        assert!(made.is_empty(), "{made:?}");
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert!(!own.join("state").exists());
        assert_eq!(fs::read_to_string(other.path().join("secret")).unwrap(), "TREASURE", "a link is removed, not what it leads to");
    }

    outputs_that_lead_elsewhere_fail_the_deployment, async |db| {
        let secret = db.folder().join("secret.json");
        fs::write(&secret, "{\"Taken\": \"TREASURE\"}").unwrap();
        let link = format!("ln -s {} proton-outputs.json", secret.display());
        let site = Site::on(db, &[&link], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("proton-outputs.json can't be read: ") && !message.contains("TREASURE"), "{message}");
    }

    a_run_does_nothing_to_other_processes_and_gets_no_more_rights, async |db| {
        // Numbers that mean nothing where a run has processes of its own: the server's, and that of its supervisor.
        let site = Site::on(db, &[
            "until [ -e \"$PROTIUM_STATE_DIR/pids\" ]; do sleep 0.02; done",
            // One of its own may have such a number too.
            "pids=; for pid in $(cat \"$PROTIUM_STATE_DIR/pids\"); do \
             case \"$(cat /proc/$pid/comm 2>/dev/null)\" in sh|sleep|cat|bwrap) ;; *) pids=\"$pids $pid\";; esac; done; export pids",
            "for pid in $pids; do for way in environ maps root/etc/hostname cwd/. fd/0; do \
             cat /proc/$pid/$way >/dev/null 2>&1 && echo \"READ $way of $pid\"; ls /proc/$pid/$way >/dev/null 2>&1 && echo \"SAW $way of $pid\"; done; \
             kill -9 $pid 2>/dev/null && echo \"KILLED $pid\"; done; true",
            "cat > try.py <<'END'\nimport ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
             def tried(name, done):\n  print('DID' if done else 'not', name)\n\
             tried('a mount', libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0)\n\
             tried('a user namespace', libc.unshare(0x10000000) == 0)\n\
             tried('a mount namespace', libc.unshare(0x00020000) == 0)\n\
             tried('chroot', libc.chroot(b'/tmp') == 0)\n\
             for pid in os.environ['pids'].split():\n  tried('trace ' + pid, libc.ptrace(16, int(pid), 0, 0) == 0)\n\
             for user in (0, 1):\n  tried('become %d' % user, libc.setuid(user) == 0)\n\
             tried('a device', libc.mknod(b'device', 0o60666, 0x800) == 0)\nEND\npython3 try.py",
            "grep -E '^(NoNewPrivs|CapEff|CapBnd):' /proc/self/status; echo privileges; sudo -n true 2>/dev/null && echo DID sudo; true",
            HOLD,
        ], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let state = until("the folder that stays", async || {
            let resources = fs::read_dir(site.db.folder().join("runs")).unwrap().map(|entry| entry.unwrap().path());
            resources.map(|resource| resource.join("state")).find(|state| state.is_dir())
        })
        .await;
        let holder = until("the supervisor", async || {
            fs::read_dir(site.resource()).unwrap().any(|run| run.unwrap().path().join("supervisor.json").exists()).then(|| supervisor(&site))
        })
        .await;
        fs::write(state.join("pids.part"), format!("{} {holder} {}", site.program.id(), std::process::id())).unwrap();
        fs::rename(state.join("pids.part"), state.join("pids")).unwrap();
        let log = site.logged("waiting").await;
        assert!(log.contains("not a mount\n") && log.contains("privileges"), "it did try: {log}");
        for bad in ["\nREAD ", "\nSAW ", "\nKILLED ", "\nDID "] {
            assert!(!log.contains(bad), "{bad}: {log}");
        }
        assert!(log.contains("NoNewPrivs:\t1") && log.contains("CapEff:\t0000000000000000"), "{log}");
        assert!(is_alive(holder));
        site.go();
        site.program.environment("e", "SUCCEEDED").await;
    }
}
