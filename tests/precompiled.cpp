// Nothing of its own: the precompiled header of the tests belongs to this file.
