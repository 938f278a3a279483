// An executable without code of its own: its main lies in a shared library, with all functions.
