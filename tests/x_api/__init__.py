"""Tests of the edge towards X: signing, errors, schemas, questions, webhook proofs, client."""
