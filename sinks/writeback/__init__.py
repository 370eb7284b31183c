"""Write-back sink: account attributes into CRMs over HTTP, by a declarative mapping file."""
