"""What may be said: in, counts; out, those that may be published. Pure of HTTP; knows no role but rows or none."""
