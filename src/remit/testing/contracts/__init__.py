"""Contract suites: a backend proves itself by subclassing one."""
