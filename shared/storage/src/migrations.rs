//! The schema's versions: applied in order, recorded, never changed afterwards.

use clickhouse::Row;
use foundation::{EventTime, digest};
use serde::{Deserialize, Serialize};

use crate::{StorageError, Store, columns, sql};

/// One step of a component's schema. Its statements must be safe to run twice (`IF NOT EXISTS`): two processes may apply
/// it at the same moment, and a crash may leave it half applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// 1, 2, 3, … within its component.
    pub version: u32,
    /// A short name for people.
    pub name: &'static str,
    /// One or more statements, ended by semicolons.
    pub sql: &'static str,
}

impl Migration {
    /// The digest under which it is recorded.
    pub fn checksum(&self) -> String {
        digest::sha256(self.sql.as_bytes())
    }
}

/// A migration that the database has.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// Whose it is.
    pub component: String,
    /// Its version.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// SHA-256 of its text.
    pub checksum: String,
    /// When it was applied.
    #[serde(with = "columns::event_time")]
    pub applied_at: EventTime,
}

const TABLE: &str = "schema_migrations";

const CREATE_TABLE: &str = "
CREATE TABLE IF NOT EXISTS schema_migrations (
    component LowCardinality(String),
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (component, version)
SETTINGS non_replicated_deduplication_window = 1000";

impl Store {
    /// Applies what is missing of a component's migrations, in order, and returns those that it applied. Waits for the server.
    ///
    /// Refuses a list that is not numbered 1, 2, 3, …, an applied migration whose text has changed, and a schema that is
    /// newer than the list. Safe when several processes do it at once.
    pub async fn migrate(&self, component: &str, migrations: &[Migration]) -> Result<Vec<Migration>, StorageError> {
        check_order(component, migrations)?;
        self.execute(CREATE_TABLE).await?;
        let applied = self.applied_migrations(component).await?;
        let missing = missing(component, migrations, &applied)?;
        for migration in &missing {
            self.apply(component, migration).await?;
        }
        Ok(missing)
    }

    /// What the database has of a component, in order. Waits for the server.
    pub async fn applied_migrations(&self, component: &str) -> Result<Vec<AppliedMigration>, StorageError> {
        let sql = "SELECT ?fields FROM schema_migrations FINAL WHERE component = ? ORDER BY version";
        self.fetch_all(self.query(sql).bind(component)).await
    }

    async fn apply(&self, component: &str, migration: &Migration) -> Result<(), StorageError> {
        for statement in sql::statements(migration.sql) {
            self.execute(statement).await?;
        }
        let checksum = migration.checksum();
        let token = format!("{component} {} {checksum}", migration.version);
        let record = AppliedMigration {
            component: component.to_owned(),
            version: migration.version,
            name: migration.name.to_owned(),
            checksum,
            applied_at: EventTime::now(),
        };
        self.insert_block(TABLE, &[record], &token).await?;
        tracing::info!(component, version = migration.version, name = migration.name, "migration applied");
        Ok(())
    }
}

fn check_order(component: &str, migrations: &[Migration]) -> Result<(), StorageError> {
    match migrations.iter().zip(1..).find(|(migration, position)| migration.version != *position) {
        None => Ok(()),
        Some((migration, position)) => Err(StorageError::MigrationOrder {
            component: component.to_owned(),
            version: migration.version,
            position: position as usize,
        }),
    }
}

fn missing(component: &str, known: &[Migration], applied: &[AppliedMigration]) -> Result<Vec<Migration>, StorageError> {
    let newest = known.last().map_or(0, |migration| migration.version);
    if let Some(found) = applied.iter().map(|migration| migration.version).max()
        && found > newest
    {
        return Err(StorageError::SchemaNewer { component: component.to_owned(), found, known: newest });
    }
    let mut missing = Vec::new();
    for migration in known {
        match applied.iter().find(|done| done.version == migration.version) {
            None => missing.push(*migration),
            Some(done) if done.checksum == migration.checksum() => {}
            Some(done) => {
                let (version, name) = (done.version, done.name.clone());
                return Err(StorageError::MigrationChanged { component: component.to_owned(), version, name });
            }
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration { version: 1, name: "one", sql: "SELECT 1" },
        Migration { version: 2, name: "two", sql: "SELECT 2" },
    ];

    fn applied(version: u32, sql: &str) -> AppliedMigration {
        AppliedMigration {
            component: "c".into(),
            version,
            name: "n".into(),
            checksum: digest::sha256(sql.as_bytes()),
            applied_at: EventTime::MIN,
        }
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        assert_eq!(missing("c", KNOWN, &[]).unwrap(), KNOWN);
        assert_eq!(missing("c", KNOWN, &[applied(1, "SELECT 1")]).unwrap(), &KNOWN[1..]);
        assert_eq!(missing("c", KNOWN, &[applied(1, "SELECT 1"), applied(2, "SELECT 2")]).unwrap(), []);
    }

    #[test]
    fn changed_and_newer_schemas_are_refused() {
        let changed = missing("c", KNOWN, &[applied(1, "SELECT 0")]).unwrap_err().to_string();
        assert!(changed.contains("migration 1 (n) of c was changed"), "{changed}");
        let newer = missing("c", KNOWN, &[applied(3, "SELECT 3")]).unwrap_err().to_string();
        assert!(newer.contains("version 3, this program knows 2"), "{newer}");
        assert!(check_order("c", &KNOWN[1..]).is_err());
        assert!(check_order("c", KNOWN).is_ok());
    }
}
