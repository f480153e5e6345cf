"""The Faust agents: each decodes, calls the core, writes state, sends. No logic about customers, no global app."""
