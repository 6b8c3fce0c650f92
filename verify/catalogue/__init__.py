"""The suite's own claims, by subject; `verify.claims.all_claims` imports them."""
