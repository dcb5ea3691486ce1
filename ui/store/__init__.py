"""The review store: notes, codings and decisions of coders, in SQLite by default or in PostgreSQL."""
