"""The dashboards as code: `python -m grafana.build` writes `grafana/dashboards/`, and a test holds them together."""
