"""The rule layer: what may be reported, together, in which order, and why. One module per family of rules."""
