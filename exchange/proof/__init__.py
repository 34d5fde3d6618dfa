"""What can be proven, from values handed in: the ledger's tree, evidence packs. No database, no clock."""
