"""What is known: code-set editions, instructional notes, code facets, body sites, therapy terms and cues."""
