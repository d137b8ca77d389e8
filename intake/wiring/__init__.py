"""The composition root in parts: what is made of the settings, and which route leads to it. Decides nothing."""
