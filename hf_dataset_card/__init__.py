"""The cards of our datasets: what a folder's README says, to people and to the Hugging Face Hub.

`card.md.jinja` is the frame that all cards share; `NAME.md.jinja` says what the tasks of dataset `.../NAME` are.
"""
