"""The Streamlit pages, one script each. A folder named ``pages`` would be served past ``app.py`` and its navigation."""
