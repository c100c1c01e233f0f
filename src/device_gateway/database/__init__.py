"""PostgreSQL: pool, scoping, migrations, what the server can do, and the embedded server."""
