"""Deciding: candidates, specificity, ranking and rules turn findings into a coding."""
