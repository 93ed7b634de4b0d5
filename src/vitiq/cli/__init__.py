"""The command line: argument parsing only, one module a command."""
