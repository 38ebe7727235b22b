"""Where spans, metrics and logs go: nowhere, Prometheus, OpenTelemetry, or several at once."""
