"""Mail to people: kept in the transaction that caused it, sent by `jobs`, shown to the operator where nobody sends."""
