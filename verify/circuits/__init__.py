"""Circuits of transformers: planted, trained and from checkpoints, with faithfulness, edits, and claims."""
