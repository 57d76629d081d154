"""What we keep of a person beside the requests: who must not be asked, and which id a handle had. Writes their tables.

opted_out.py   people who do not want it, by keyed hash   identities.py  handles that X resolved, and when
hash_key.py    the key of those hashes, locked by the secret of the settings
second_person.py  erasing takes two people, where the settings say so
found.py       who a CRM said its customer is, by keyed hash   contacts.py  who wrote to an account, and when last
"""
