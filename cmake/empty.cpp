// A source file for targets that have none of their own.
