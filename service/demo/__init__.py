"""The whole story on one machine: a CRM, the service as it really runs, the sandbox as X, customers, and a check.

cast        the customers, and what X gets wrong on their way
script      what the CRM sends, and what should come of it
stage       settings, ports and keys of both       processes  starts and stops what the story runs on
crm         signs and sends deliveries             http_call  one small HTTP call
read_back   reads what the service wrote           reconcile  the ledger against X and the sender, record by record
troubles    what went wrong, and what came of it   feed       the same, line by line, while it happens
play        all of it, in order                    screen     what a person sees
memories    what every participant remembers       supervisor reads the results as a supervisor's tool would

Only `dm-feedback demo` and the tests of the story use it. It reads the service's tables and writes only its keys.
"""
