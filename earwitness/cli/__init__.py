"""The command `earwitness`: one file per group of commands."""
