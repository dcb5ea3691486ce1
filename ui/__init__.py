"""Showing: the command line, batches of notes, exports and the Streamlit pages."""
