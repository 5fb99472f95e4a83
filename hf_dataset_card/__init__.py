"""The cards of our datasets, and the way to the Hugging Face Hub.

`card.md.jinja` is the frame that all cards share; `NAME.md.jinja` says what the tasks of dataset `.../NAME` are.
`publish.py` says what of a folder goes to the Hub, `hub.py` speaks with it.
"""
