"""`python -m service.cli`: the same as `dm-feedback`."""

from service.cli import main

main(prog_name="dm-feedback")
