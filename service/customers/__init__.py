"""What we keep of a person beside the requests, by keyed hash. The only room that writes these tables.

opted_out.py        people who must not be asked        identities.py       which X user a handle was, and when
contacts.py         who wrote to an account, and when   crm_matches.py      who a CRM said its customer is
hash_key.py         the key of those hashes             two_person_rule.py  erasure confirmed by a second person
"""
