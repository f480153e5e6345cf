"""The command line: one file per command. Commands read arguments, call the plumbing, and print; nothing more."""
