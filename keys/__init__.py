"""Who is who: certificates, trust, revocation, time stamps, private keys. Knows nothing of PDFs or of offices' post.

`certificates` reads X.509; `algorithms` says what was good enough on a day; `trust` builds chains inside one world;
`revocation` and `timestamps` ask outside through a `Fetch` that is handed in; `vault` keeps private keys sealed;
`signer` lets them sign; `authority` is the pilot for trials; `tables` and `store` are this room's drawers.
"""
