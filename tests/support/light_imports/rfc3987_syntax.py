"""Stands before the library of this name, whose 38 grammars take a second and more to read."""

raise ImportError("Tests check no internationalised addresses.")
