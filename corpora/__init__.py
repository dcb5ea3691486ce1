"""Measuring: sample notes with gold codes, loaders for outside corpora, metrics, baselines and the benchmark."""
