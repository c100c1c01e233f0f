"""What becomes of an app in service: reports, audits, complaints of vendors, renewal and end of agreements."""
