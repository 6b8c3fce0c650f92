"""Counter-current learning in numbers: flow and drift of linear networks, floors of losses."""
