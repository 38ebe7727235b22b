"""For tests of agents, packs and adapters: fakes, servers and contract suites."""
