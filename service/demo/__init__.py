"""The whole story on one machine: a CRM, the service as it runs for real, X in a box, its customers, and a check.

cast        who takes part: customers, what they are like, what X gets wrong on their way
script      what the CRM sends, and what should come of it
stage       settings of both, ports, keys          processes  starting and stopping what the story runs on
crm         signs and sends, keeps what was answered          http_call  one small HTTP call
read_back   what the service wrote, read back      reconcile  the ledger held against X and the sender, record by record
troubles    what went wrong on the way, and what became of it  feed       the same, line by line, while it happens
play        all of it in order                     screen     what a person sees
memories    what everybody remembers of it         supervisor reads it as a supervisor's tool would

Only `dm-feedback demo` and the tests of the story use it. It reads the service's tables and writes none but its keys.
"""
