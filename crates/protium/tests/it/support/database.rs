//! Databases for tests: a SQLite file in a folder of its own, or a database of its own in a throwaway PostgreSQL
//! cluster with an `en-US` locale, which sorts differently from bytes.
//!
//! The cluster is shared by the test processes of a checkout. Each holds a shared lock on `users`; a supervisor
//! stops the cluster and removes its folder when nobody has held that lock for a while, however they ended.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;

use protium::store::{DatabaseUrl, DbOptions, Store, StoreOptions};

/// A database of its own for one test, with the folder that a server would have.
pub struct TestDb {
    folder: tempfile::TempDir,
    options: StoreOptions,
    store: Option<Store>,
    postgres: Option<String>,
}

/// Makes a test of each block for SQLite and for PostgreSQL: `name::on_sqlite` and `name::on_postgres`.
/// The block gets a `&mut TestDb`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident, async |$db:ident| $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($db: &mut $crate::support::database::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                body(&mut $crate::support::database::TestDb::sqlite().await).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                body(&mut $crate::support::database::TestDb::postgres().await).await
            }
        }
    )*};
}

impl TestDb {
    /// A fresh SQLite database.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions::in_folder(folder.path());
        Self::open(folder, options, None).await
    }

    /// A fresh PostgreSQL database.
    pub async fn postgres() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::shared();
        let template = cluster.template();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        cluster.sql(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        let mut options = StoreOptions::in_folder(folder.path());
        options.db = cluster.options(&name);
        options.db.pool_size = 8;
        Self::open(folder, options, Some(name)).await
    }

    async fn open(folder: tempfile::TempDir, options: StoreOptions, postgres: Option<String>) -> Self {
        let store = Some(Store::open(&options).await.unwrap());
        Self { folder, options, store, postgres }
    }

    /// The open store.
    pub fn store(&self) -> Store {
        self.store.clone().expect("the test closed the store")
    }

    /// How to open it.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The folder beside or around the database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether other processes could use it at the same time.
    pub fn is_shared(&self) -> bool {
        self.postgres.is_some()
    }

    /// Closes the store, as the end of the process does. The caller has dropped its clones.
    pub fn close(&mut self) {
        self.store = None;
    }

    /// Closes the store and opens it again.
    pub async fn restart(&mut self) -> Store {
        self.close();
        self.store = Some(Store::open(&self.options).await.unwrap());
        self.store()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        self.store = None;
        if let Some(name) = &self.postgres {
            Cluster::shared().sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// A running PostgreSQL, reached through a socket in its folder.
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    _user: File,
}

impl Cluster {
    /// The cluster of this checkout, started if it doesn't run.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| {
            // Short: a socket's path has 107 bytes at most.
            let checkout = fs::metadata(env!("CARGO_MANIFEST_DIR")).unwrap();
            let folder = format!("protium-pg-{:x}-{:x}", checkout.dev(), checkout.ino());
            Self::join(std::env::temp_dir().join(folder))
        })
    }

    fn join(folder: PathBuf) -> Self {
        // Beside the folder and never removed: a lock that goes away with what it guards guards nothing.
        let starting = lock_file(&folder.with_extension("starting"));
        starting.lock().unwrap();
        let user = lock_file(&folder.with_extension("users"));
        user.lock_shared().unwrap();
        fs::create_dir_all(&folder).unwrap();
        let cluster = Self { bin: programs(), folder, _user: user };
        if !cluster.answers() {
            cluster.start();
        }
        cluster
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }

    fn options(&self, database: &str) -> DbOptions {
        DbOptions::new(DatabaseUrl::Postgres(self.url(database)))
    }

    /// Runs one statement as the superuser.
    pub fn sql(&self, sql: &str) {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url("postgres")]);
        run(psql);
    }

    /// The database that those of the tests are copies of: copying the tables is quicker than making them. Each build
    /// of the tests has its own, since the migrations may have changed.
    fn template(&self) -> String {
        let program = fs::metadata(std::env::current_exe().unwrap()).unwrap();
        let name = format!("migrated_{}_{}", program.mtime(), program.mtime_nsec());
        let making = lock_file(&self.folder.with_extension("template"));
        making.lock().unwrap();
        // Says that it is whole, as long as the cluster has it: its maker may be killed.
        let made = self.data().join(&name);
        if !made.exists() {
            self.sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            self.sql(&format!("CREATE DATABASE {name}"));
            // With a runtime of its own, and so without a connection when that is gone: a database in use can't be copied.
            let options = self.options(&name);
            let migrate = move || Runtime::new().unwrap().block_on(Store::migrate(&options)).unwrap();
            std::thread::spawn(migrate).join().unwrap();
            File::create(&made).unwrap();
        }
        name
    }

    /// Where the databases are; a cluster that starts begins with an empty one.
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn answers(&self) -> bool {
        let mut ready = Command::new(self.bin.join("pg_isready"));
        ready.arg("-q").arg("-h").arg(&self.folder);
        ready.status().is_ok_and(|status| status.success())
    }

    fn start(&self) {
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        // The server's own user writes here; the sticky bit is not needed in a folder that goes away.
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o777)).unwrap();
        let mut initdb = self.as_server("initdb");
        initdb.args(["-E", "UTF8", "-A", "trust", "-U", "postgres", "--no-sync", "-D"]).arg(&data);
        initdb.args(english());
        run(initdb);
        let mut start = self.as_server("pg_ctl");
        let settings = format!(
            "-k {} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
             -c max_connections=500 -c shared_buffers=32MB",
            self.folder.display()
        );
        start.arg("-D").arg(&data).arg("-l").arg(self.folder.join("log")).args(["-w", "-o", &settings, "start"]);
        run(start);
        self.supervise(&data);
    }

    /// Starts the process that outlives us all and cleans up.
    fn supervise(&self, data: &Path) {
        let script = r#"
            cd / && while sleep 2; do
                flock -n -x "$1.starting" flock -n -x "$1.users" sh -c '
                    shift; "$@" -m immediate stop; rm -rf "$0"
                ' "$1" "$@" && exit
                [ -d "$1" ] || exit
            done
        "#;
        let mut supervisor = Command::new("setsid");
        supervisor.args(["--fork", "sh", "-c", script, "sh"]).arg(&self.folder);
        let stop = self.as_server("pg_ctl");
        supervisor.arg(stop.get_program()).args(stop.get_args()).arg("-D").arg(data);
        assert!(quiet(&mut supervisor).status().unwrap().success());
    }

    /// A program of PostgreSQL's, run as a user that it accepts: root is refused.
    fn as_server(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let mut command = if root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }
}

/// Where PostgreSQL's programs are: `pg_config` knows, or the newest of Debian's folders.
fn programs() -> PathBuf {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    found.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).unwrap_or_default();
        version.to_string_lossy().parse::<u32>().unwrap_or(0)
    });
    asked
        .into_iter()
        .chain(found.into_iter().rev())
        .find(|bin| bin.join("initdb").exists())
        .expect("no initdb: install PostgreSQL (on Debian: apt install postgresql)")
}

/// The options of initdb for a locale whose order is not that of bytes.
fn english() -> &'static [&'static str] {
    let locales = Command::new("locale").arg("-a").output();
    let has = locales.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("en_US.utf8"));
    if has { &["--locale=en_US.UTF-8"] } else { &["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"] }
}

fn lock_file(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

fn run(mut command: Command) {
    let line = format!("{command:?}");
    // Output to a file, not a pipe: the server inherits it and would keep a pipe open.
    let mut output = tempfile::tempfile().unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
    let status = command.status().unwrap();
    if !status.success() {
        use std::io::{Read, Seek};
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        panic!("{line}: {status}\n{text}");
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// How long a test waits for something that happens soon, before it fails.
pub const SOON: Duration = Duration::from_secs(60);
