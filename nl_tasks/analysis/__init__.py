"""From scores and times to answers: cost, guarantee, isoCost, scaling law and comparison, as functions of arrays."""
