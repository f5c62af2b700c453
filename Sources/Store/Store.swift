// Store: rows and blobs that outlive the process.
//
// Owns: SQL as values, the `Database` seam with its SQLite and PostgreSQL implementations, migrations, content-
// addressed blobs on disk or in S3. Knows no domain: tables belong to the targets above, which hand in migrations.
// Start with `SQL/Database.swift`.
